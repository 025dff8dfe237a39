import { createHash, timingSafeEqual } from 'node:crypto';
import type { Cipher } from '../lib/cipher.ts';
import { makeRecoveryCode, readForeignRecoveryCode, readRecoveryCode } from '../lib/recovery-code.ts';
import type { Authenticator, AuthenticatorData } from '../records/authenticators.ts';
import type { Factor } from './factor.ts';

/** What is kept of a sheet of codes. */
interface RecoveryCodesData {
  readonly total: number;
  /** SHA-256 of those that are unused, base64: 80 random bits need no key, and last when the operator's secret changes. */
  readonly hashes: readonly string[];
  /** Those that came along from another system. */
  readonly foreign?: ForeignCodes;
  /** Set where they did: wrong answers wear them out. */
  readonly guessable?: true;
}

/** Codes that are too short for a hash: whoever had that could try them all. */
interface ForeignCodes {
  /** A JSON list of those that are unused, sealed. */
  readonly sealed: string;
  readonly unused: number;
}

/** A new sheet of codes: as they are shown, once, and what is kept of them. */
export function makeRecoveryCodes(
  count: number,
  userId: string,
): { readonly codes: readonly string[]; readonly data: AuthenticatorData } {
  const codes = Array.from({ length: count }, makeRecoveryCode);
  const hashes = codes.map((code) => hashOf(code.replaceAll('-', ''), userId).toString('base64'));
  return { codes, data: { total: count, hashes } satisfies RecoveryCodesData };
}

/** How many codes a sheet had, and how many are unused. */
export function countRecoveryCodes({ data }: Pick<Authenticator, 'data'>): { total: number; unused: number } {
  const { total, hashes, foreign } = data as unknown as RecoveryCodesData;
  return { total, unused: hashes.length + (foreign?.unused ?? 0) };
}

/**
 * What is kept of a sheet of codes that another system made.
 * @param codes those that are unused, as `readForeignRecoveryCode` gives them
 */
export function foreignRecoveryCodesData(
  cipher: Cipher,
  userId: string,
  { codes, total }: { readonly codes: readonly string[]; readonly total: number },
): AuthenticatorData {
  const foreign = sealCodes(cipher, userId, codes);
  return { total, hashes: [], foreign, guessable: true } satisfies RecoveryCodesData;
}

/**
 * Seals codes that came along with the secret of now.
 * @returns null if there are none, or they are sealed so already; `unopened` if no secret that is configured opens them
 */
export function resealRecoveryCodes(
  cipher: Cipher,
  { userId, data }: { readonly userId: string; readonly data: AuthenticatorData },
): AuthenticatorData | 'unopened' | null {
  const { foreign } = data as unknown as RecoveryCodesData;
  if (!foreign || cipher.isCurrent(foreign.sealed)) return null;
  const codes = openCodes(cipher, userId, foreign);
  return codes === null ? 'unopened' : { ...data, foreign: sealCodes(cipher, userId, codes) };
}

/** A code of a sheet that was shown once. Each works once, and stands in for any other factor. */
export const recoveryCode: Factor = {
  answer: 'CODE',
  type: 'RecoveryCodes',
  asked: false,
  guessable: 'MARKED',
  isUsedUp: (sheet) => countRecoveryCodes(sheet).unused === 0,
  async check(answer, held, { userId }, { cipher }) {
    if (typeof answer !== 'string') return null;
    const [code, foreign] = [readRecoveryCode(answer), readForeignRecoveryCode(answer)];
    for (const authenticator of held) {
      const data = authenticator.data as unknown as RecoveryCodesData;
      const used = useOwn(data, userId, code) ?? useForeign(cipher, data, userId, foreign);
      if (used) return { authenticator, data: { ...used } };
    }
    return null;
  },
};

function useOwn(data: RecoveryCodesData, userId: string, code: string | null): RecoveryCodesData | null {
  if (code === null) return null;
  const given = hashOf(code, userId);
  // All of them are compared: the time does not tell which one it was.
  const used = data.hashes.filter((hash) => timingSafeEqual(given, Buffer.from(hash, 'base64')));
  return used.length > 0 ? { ...data, hashes: data.hashes.filter((hash) => !used.includes(hash)) } : null;
}

function useForeign(
  cipher: Cipher,
  data: RecoveryCodesData,
  userId: string,
  code: string | null,
): RecoveryCodesData | null {
  // No secret that is configured opens them: they are of no use until the operator puts the old one back.
  const codes = data.foreign && code !== null ? openCodes(cipher, userId, data.foreign) : null;
  if (codes === null || code === null) return null;
  const given = hashOf(code, userId);
  const left = codes.filter((each) => !timingSafeEqual(given, hashOf(each, userId)));
  return left.length < codes.length ? { ...data, foreign: sealCodes(cipher, userId, left) } : null;
}

function sealCodes(cipher: Cipher, userId: string, codes: readonly string[]): ForeignCodes {
  return { sealed: cipher.seal(JSON.stringify(codes), sealedFor(userId)), unused: codes.length };
}

function openCodes(cipher: Cipher, userId: string, { sealed }: ForeignCodes): readonly string[] | null {
  const opened = cipher.open(sealed, sealedFor(userId));
  return opened === null ? null : JSON.parse(opened);
}

function sealedFor(userId: string): string {
  return `recovery codes ${userId}`;
}

function hashOf(code: string, userId: string): Buffer {
  return createHash('sha256').update(`recovery code ${userId} ${code}`).digest();
}
