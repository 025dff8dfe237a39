import type { IncomingMessage } from 'node:http';
import type { PresentedCredential } from '../flows/shared/authenticate.ts';
import { bearerToken, trimBlanks } from '../lib/bearer-token.ts';

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
    if (name === 'x-session-token') found.push({ from: 'header', value: trimBlanks(value) });
    const bearer = name === 'authorization' ? bearerToken(value) : null;
    if (bearer !== null) found.push({ from: 'bearer', value: bearer });
    if (name === 'cookie') found.push(...cookies(value, cookieName));
  }
  if (found.length > 1) return TOO_MANY_CREDENTIALS;
  return found[0] ?? null;
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
    if (separator < 0 || trimBlanks(pair.slice(0, separator)) !== name) return [];
    const value = trimBlanks(pair.slice(separator + 1));
    return value ? [value] : [];
  });
}
