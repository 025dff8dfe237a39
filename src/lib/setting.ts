import { z } from 'zod';
import { parseDuration } from './duration.ts';
import { parseEmailAddress } from './email-address.ts';
import { parseLinkTemplate } from './link-template.ts';

/**
 * A duration such as `15m`, in milliseconds.
 * @param options `zero` takes 0 too, where that switches something off
 */
export const duration = (shown: string, { zero = false }: { readonly zero?: boolean } = {}) =>
  z
    .string()
    .default(shown)
    .transform((text, context) => {
      const milliseconds = parseDuration(text);
      if (milliseconds !== null && (milliseconds > 0 || zero)) return milliseconds;
      const message = `is not a duration such as 30s, 15m, 12h or 7d${zero ? ', or 0' : ''}`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    })
    .meta({ shown });

/** A whole number. */
export const count = (shown: number, { min, max }: { readonly min: number; readonly max: number }) =>
  z
    .string()
    .default(String(shown))
    .refine((text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max, {
      message: `is not a whole number from ${min} to ${max}`,
    })
    .transform(Number);

/** One of some words. */
export const choice = <const V extends string>(values: readonly [V, ...V[]]) =>
  z.enum(values, { error: `is not one of ${values.join(', ')}` });

/** Whether something is done. */
export const toggle = (shown: 'on' | 'off') => choice(['on', 'off']).default(shown);

/** Texts with commas between them. */
export const list = (shown: string) => z.string().default(shown).transform(splitList);

/** Some of some words, at least one, with commas between them. */
export const choices = <const V extends string>(values: readonly V[], shown: string) =>
  z
    .string()
    .default(shown)
    .transform((text, context) => {
      const given = [...new Set(splitList(text))];
      const known = values.filter((value) => given.includes(value));
      if (known.length > 0 && known.length === given.length) return known;
      context.addIssue({ code: 'custom', message: `is not a list of ${values.join(', ')}` });
      return z.NEVER;
    });

/** One line without control or formatting characters, which would forge lines in mails. */
export const line = (shown: string, max: number) =>
  z
    .string()
    .default(shown)
    .refine((text) => text.length <= max && text.trim() !== '' && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text), {
      message: `is not one line of at most ${max} characters`,
    });

/** An http or https URL without a query: what other URLs begin with. */
export const webUrl = z.string().refine((text) => originOf(text) !== null && !/[?#{}\s\p{Cc}"'<>\\^`|]/u.test(text), {
  message: 'is not an http or https URL',
});

/**
 * A Redis server: `redis://` or `rediss://`, with a user, a password, a port and the number of a database, or without.
 * No more than that: what follows a `?` would change how the client behaves, and any other case of the letters whether
 * it encrypts.
 */
export const redisUrl = z
  .string()
  .refine((text) => /^rediss?:\/\/[^/?#\s]+(?:\/\d{0,5})?$/.test(text) && URL.canParse(text) && isDecodable(text), {
    message: 'is not a URL such as redis://host:6379 or rediss://user:password@host:6379/1',
  });

function isDecodable(text: string): boolean {
  try {
    return decodeURIComponent(text) !== '';
  } catch {
    return false;
  }
}

/** Where a link leads that carries a token. */
export const linkTemplate = (shown: string) =>
  z
    .string()
    .default(shown)
    .transform((text, context) => {
      const template = parseLinkTemplate(text);
      if (template !== null) return template;
      context.addIssue({
        code: 'custom',
        message: 'is not a URL such as https://app.example/page?token={token}, with {token} once and after the host',
      });
      return z.NEVER;
    })
    .meta({ shown: `\`${shown}\`` });

const MAILBOX = /^(?:(?:"(?:[^"\\]|\\["\\])*"|[^"(),:;<>@[\\\]]+) )?<([^<>]+)>$/;

/** One address, with or without a name before it: `Acme <hello@acme.example>`. */
export const mailbox = z.string().refine(
  (text) => {
    const address = MAILBOX.exec(text)?.[1] ?? text;
    const known = parseEmailAddress(address) !== null || /^[\w.+-]+@localhost$/.test(address);
    return known && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text);
  },
  { message: 'is not one address such as Acme <hello@acme.example>' },
);

/** Writes a mailbox. The name is quoted, so that no sign in it can begin another address. */
export function writeMailbox(name: string, address: string): string {
  return `${/^[\p{L}\p{M}\p{N} ]+$/u.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`} <${address}>`;
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean);
}

/** The origin of an http or https URL; null for anything else. */
export function originOf(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const { protocol, origin } = new URL(url);
  return protocol === 'https:' || protocol === 'http:' ? origin : null;
}

/** The origin of an app in a web view or an extension, such as `capacitor://localhost`. */
export function appOriginOf(url: string): string | null {
  return /^(?!javascript|data|file)[a-z][a-z0-9+.-]*:\/\/[a-z0-9.-]+$/i.test(url) ? url : null;
}

export function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
