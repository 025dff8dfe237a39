import type { IncomingMessage } from 'node:http';
import type { PresentedCredential } from '../flows/shared/authenticate.ts';

/** A request that shows more than one credential: which of them was meant is not for us to guess (RFC 6750 §2). */
export const TOO_MANY_CREDENTIALS = Symbol('too many credentials');

/**
 * The credential that a request carries, wherever it may stand: the session cookie, `X-Session-Token`, or
 * `Authorization: Bearer`. Other authorization schemes belong to somebody else and count as none.
 */
export function presentedCredential(
  request: Pick<IncomingMessage, 'rawHeaders'>,
  cookieName: string,
): PresentedCredential | null | typeof TOO_MANY_CREDENTIALS {
  const found: PresentedCredential[] = [];
  // Node joins or drops repeated headers; the raw list shows what was really sent.
  const { rawHeaders } = request;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase();
    const value = rawHeaders[index + 1] ?? '';
    if (name === 'x-session-token') found.push({ from: 'header', value: trim(value) });
    if (name === 'authorization') found.push(...bearer(value));
    if (name === 'cookie') found.push(...cookies(value, cookieName));
  }
  if (found.length > 1) return TOO_MANY_CREDENTIALS;
  return found[0] ?? null;
}

function bearer(value: string): PresentedCredential[] {
  const text = trim(value);
  if (!/^bearer\b/i.test(text)) return [];
  const [, token = ''] = /^bearer[ \t]+(.*)$/i.exec(text) ?? [];
  return [{ from: 'bearer', value: token }];
}

function cookies(header: string, name: string): PresentedCredential[] {
  return valuesOf(header, name).map((value) => ({ from: 'cookie', value }));
}

/** The value of a cookie that is no credential; null if there is none, or more than one. */
export function cookieValue({ headers }: IncomingMessage, name: string): string | null {
  const values = valuesOf(headers.cookie ?? '', name);
  return values.length === 1 ? (values[0] ?? null) : null;
}

function valuesOf(header: string, name: string): string[] {
  return header.split(';').flatMap((pair) => {
    const separator = pair.indexOf('=');
    if (separator < 0 || trim(pair.slice(0, separator)) !== name) return [];
    const value = trim(pair.slice(separator + 1));
    return value ? [value] : [];
  });
}

// Only these two are blanks in a header (RFC 9110 §5.6.3); what else Unicode calls white space is part of a value.
// No regular expression: one for trailing blanks takes quadratic time for blanks in the middle.
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text[start])) start += 1;
  while (end > start && isBlank(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}
