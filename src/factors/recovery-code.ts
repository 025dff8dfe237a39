import { createHash, timingSafeEqual } from 'node:crypto';
import { makeRecoveryCode, readRecoveryCode } from '../lib/recovery-code.ts';
import type { Authenticator, AuthenticatorData } from '../records/authenticators.ts';
import type { Factor } from './factor.ts';

/** What is kept of a sheet of codes. */
interface RecoveryCodesData {
  readonly total: number;
  /** SHA-256 of those that are unused, base64: 80 random bits need no key, and last when the operator's secret changes. */
  readonly hashes: readonly string[];
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
  const { total, hashes } = data as unknown as RecoveryCodesData;
  return { total, unused: hashes.length };
}

/** A code of a sheet that was shown once. Each works once, and stands in for any other factor. */
export const recoveryCode: Factor = {
  answer: 'CODE',
  type: 'RecoveryCodes',
  asked: false,
  guessable: false,
  isUsedUp: (sheet) => countRecoveryCodes(sheet).unused === 0,
  async check(answer, held, { userId }) {
    const code = typeof answer === 'string' ? readRecoveryCode(answer) : null;
    if (code === null) return null;
    for (const authenticator of held) {
      const data = authenticator.data as unknown as RecoveryCodesData;
      const given = hashOf(code, userId);
      const isUsed = (hash: string) => timingSafeEqual(given, Buffer.from(hash, 'base64'));
      // All of them are compared: the time does not tell which one it was.
      const used = data.hashes.filter(isUsed);
      const hashes = data.hashes.filter((hash) => !used.includes(hash));
      if (used.length > 0) return { authenticator, data: { ...data, hashes } };
    }
    return null;
  },
};

function hashOf(code: string, userId: string): Buffer {
  return createHash('sha256').update(`recovery code ${userId} ${code}`).digest();
}
