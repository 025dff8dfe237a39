import { domainToASCII } from 'node:url';

declare const canonical: unique symbol;

/** An e-mail address in its one canonical form. Only {@link parseEmailAddress} makes one. */
export type EmailAddress = string & { readonly [canonical]: true };

// RFC 5321 §4.5.3.1: 64 octets for the local part, 254 for a whole address that still fits into a path.
const MAX_LOCAL = 64;
const MAX_LENGTH = 254;
// The dot-atom of RFC 5322 §3.2.3, with the letters of other scripts (RFC 6531). Quoted local parts are refused: they
// exist to confuse, and mail software disagrees on where they deliver.
const LOCAL_PART = /^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u;
// What may be typed as a domain. Percent-escapes, slashes and soft hyphens would be read away by the conversion.
const TYPED_DOMAIN = /^[\p{L}\p{M}\p{N}.-]+$/u;
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/;

/**
 * Reads what a person typed as an address into its canonical form: surrounding blanks gone, lower case, the local part
 * in NFKC, the domain in punycode. Whatever looks the same to the one who types it is the same account and the same
 * rate limit.
 *
 * An address whose `@` or dots only appear by normalization (such as the full-width `＠`) is refused, as are lists,
 * control characters, quoted local parts and address literals.
 * @returns null for anything that is not one address
 */
export function parseEmailAddress(typed: string): EmailAddress | null {
  if (typed.length > 2 * MAX_LENGTH || !typed.isWellFormed()) return null;
  const trimmed = typed.replace(/^[ \t]+|[ \t]+$/g, '');
  const parts = trimmed.split('@');
  const [typedLocal, typedDomain] = parts;
  if (parts.length !== 2 || !typedLocal || !typedDomain) return null;

  const local = typedLocal.normalize('NFKC').toLowerCase().normalize('NFKC');
  if (!LOCAL_PART.test(local) || countDots(local) !== countDots(typedLocal)) return null;

  if (!TYPED_DOMAIN.test(typedDomain)) return null;
  const domain = domainToASCII(typedDomain).toLowerCase();
  if (!DOMAIN.test(domain) || countDots(domain) !== countDots(typedDomain)) return null;

  const address = `${local}@${domain}`;
  if (Buffer.byteLength(local) > MAX_LOCAL || Buffer.byteLength(address) > MAX_LENGTH) return null;
  return address as EmailAddress;
}

/** The part before the `@`. */
export function localPartOf(address: string): string {
  return address.slice(0, address.lastIndexOf('@'));
}

/** The part after the `@`. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1);
}

function countDots(text: string): number {
  return text.split('.').length;
}
