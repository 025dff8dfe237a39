import { domainToASCII } from 'node:url';
import type { Hooks, Refusal } from '../hooks.ts';
import { domainOf } from '../lib/email-address.ts';

/**
 * Makes a `cleanEmail` that refuses the addresses of some domains and of everything below them, and takes all others as
 * they are. Domains may be written in any case and script: `bücher.example` blocks `x@mail.xn--bcher-kva.example`.
 * @throws Error for a text that is no domain: it would block nothing
 */
export function blockDomains(...domains: readonly string[]): NonNullable<Hooks['cleanEmail']> {
  const blocked = domains.map(canonical);
  return (email): string | Refusal => {
    const domain = `.${domainOf(email)}`;
    return blocked.some((each) => domain.endsWith(`.${each}`)) ? { refuse: true } : email;
  };
}

function canonical(domain: string): string {
  const ascii = /^[\p{L}\p{M}\p{N}.-]+$/u.test(domain) ? domainToASCII(domain).toLowerCase() : '';
  if (!/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(ascii)) throw new Error(`blockDomains: ${domain} is no domain`);
  return ascii;
}
