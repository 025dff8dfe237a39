import { isDeepStrictEqual } from 'node:util';

/** Claims of an access token beside its own, as JSON has them. */
export type ExtraClaims = Readonly<Record<string, unknown>>;

const MAX_BYTES = 4 * 1024;

/**
 * Names that mean something to whoever verifies a token (RFC 7519 §4.1, RFC 7662 §2.2, RFC 8693 §4, RFC 9068 §2.2): only
 * Postern says what they say.
 */
const RESERVED: ReadonlySet<string> = new Set([
  ...['iss', 'aud', 'sub', 'sid', 'jti', 'iat', 'nbf', 'exp'],
  ...['auth_time', 'amr', 'acr', 'azp', 'nonce', 'scope', 'client_id', 'cnf', 'act', 'may_act', 'roles'],
  ...['active', 'token_type', 'username'],
]);

/** Whether only Postern says what a claim says. */
export function isReservedClaim(name: string): boolean {
  return RESERVED.has(name);
}

/**
 * Reads claims that come from elsewhere.
 * @param reserved names that are taken, beside those of the standards
 * @returns a copy of them as JSON carries them, or what is wrong with them, without any of their values
 */
export function readExtraClaims(given: unknown, reserved: readonly string[] = []): ExtraClaims | string {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return 'no object of claims';
  const copy = jsonCopyOf(given);
  if (!copy) return 'claims that are no JSON';
  if (copy.bytes > MAX_BYTES) return `claims of more than ${MAX_BYTES / 1024} KiB`;
  const taken = Object.keys(copy.value).find((name) => isReservedClaim(name) || reserved.includes(name));
  return taken === undefined ? copy.value : `the claim ${taken}, which is not its to set`;
}

/** Null for what JSON would leave out or change: undefined, dates, numbers that are none, and the like. */
function jsonCopyOf(given: object): { readonly value: ExtraClaims; readonly bytes: number } | null {
  try {
    const text = JSON.stringify(given);
    const value = JSON.parse(text);
    return isDeepStrictEqual(value, given) ? { value, bytes: Buffer.byteLength(text) } : null;
  } catch {
    return null;
  }
}
