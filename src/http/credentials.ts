import type { IncomingMessage } from 'node:http';
import type { PresentedCredential } from '../flows/authenticate.ts';

/** A request that shows more than one credential: which of them was meant is not for us to guess (RFC 6750 §2). */
export const TOO_MANY_CREDENTIALS = Symbol('too many credentials');

/**
 * The credential that a request carries, wherever it may stand: the session cookie, `X-Session-Token`, or
 * `Authorization: Bearer`. Other authorization schemes belong to somebody else and count as none.
 */
export function presentedCredential(
  request: IncomingMessage,
  cookieName: string,
): PresentedCredential | null | typeof TOO_MANY_CREDENTIALS {
  const found: PresentedCredential[] = [];
  // Node joins or drops repeated headers; the raw list shows what was really sent.
  const { rawHeaders } = request;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase();
    const value = rawHeaders[index + 1] ?? '';
    if (name === 'x-session-token') found.push({ from: 'header', value: value.trim() });
    if (name === 'authorization') found.push(...bearer(value));
    if (name === 'cookie') found.push(...cookies(value, cookieName));
  }
  if (found.length > 1) return TOO_MANY_CREDENTIALS;
  return found[0] ?? null;
}

function bearer(value: string): PresentedCredential[] {
  const [, token] = /^bearer(?:[ \t]+(.*))?$/i.exec(value.trim()) ?? [null, undefined];
  if (!/^bearer\b/i.test(value.trim())) return [];
  return [{ from: 'bearer', value: token?.trim() ?? '' }];
}

function cookies(header: string, name: string): PresentedCredential[] {
  return header.split(';').flatMap((pair): PresentedCredential[] => {
    const separator = pair.indexOf('=');
    if (separator < 0 || pair.slice(0, separator).trim() !== name) return [];
    const value = pair.slice(separator + 1).trim();
    return value ? [{ from: 'cookie', value }] : [];
  });
}
