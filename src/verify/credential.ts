import { bearerToken, trimBlanks } from '../lib/bearer-token.ts';
import { isToken } from '../lib/secrets.ts';

/** The headers of a request: line by line as they came, or joined by commas as Fetch has them. */
export type HeaderLines = Iterable<readonly [name: string, value: string]>;

/** A request that shows more than one credential: which of them was meant is not for us to guess (RFC 6750 §2). */
export const SEVERAL = Symbol('several credentials');

/**
 * The credential that a request shows, by `Authorization: Bearer` or `X-Session-Token`; null for none. Other
 * authorization schemes belong to somebody else and count as none, and so do cookies.
 */
export function credentialIn(lines: HeaderLines): string | null | typeof SEVERAL {
  const found = [...lines].flatMap(([name, value]) => credentialsOf(name.toLowerCase(), value));
  return found.length > 1 ? SEVERAL : (found[0] ?? null);
}

function credentialsOf(name: string, value: string): string[] {
  // No credential has a comma in it: Fetch has joined two lines, or somebody would like to be taken for two.
  const parts = value.split(',');
  if (name === 'x-session-token') return parts.map(sessionToken);
  if (name !== 'authorization') return [];
  const tokens = parts.map(bearerToken);
  return tokens.some((token) => token !== null) ? tokens.map((token) => token || NO_TOKEN) : [];
}

// A JWT belongs into the other header, here as at Postern itself.
function sessionToken(value: string): string {
  const token = trimBlanks(value);
  return isToken('session', token) ? token : NO_TOKEN;
}

/** Has the form of nothing: a credential that is empty is a bad one, not none. */
const NO_TOKEN = '-';

/** The lines of a request of Node, which it would join or drop. */
export function linesOf({ rawHeaders }: { readonly rawHeaders: readonly string[] }): HeaderLines {
  return rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ''] as const] : []));
}
