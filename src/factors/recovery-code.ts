import { makeRecoveryCode, readRecoveryCode } from '../lib/recovery-code.ts';
import { hashCode, matchesCode } from '../lib/user-code.ts';
import type { Authenticator, AuthenticatorData } from '../records/authenticators.ts';
import type { CodeKeys } from '../records/challenges.ts';
import type { Factor } from './factor.ts';

/** What is kept of a sheet of codes. */
interface RecoveryCodesData {
  readonly total: number;
  /** HMAC-SHA-256 of those that are unused, base64. */
  readonly hashes: readonly string[];
}

/** A new sheet of codes: as they are shown, once, and what is kept of them. */
export function makeRecoveryCodes(
  count: number,
  userId: string,
  [key]: CodeKeys,
): { readonly codes: readonly string[]; readonly data: AuthenticatorData } {
  const codes = Array.from({ length: count }, makeRecoveryCode);
  const hashes = codes.map((code) => hashCode(code.replaceAll('-', ''), hashedFor(userId), key).toString('base64'));
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
  async check(answer, held, { userId }, { codeKeys }) {
    const code = typeof answer === 'string' ? readRecoveryCode(answer) : null;
    if (code === null) return null;
    for (const authenticator of held) {
      const data = authenticator.data as unknown as RecoveryCodesData;
      const isUsed = (hash: string) => matchesCode(code, hashedFor(userId), codeKeys, Buffer.from(hash, 'base64'));
      // All of them are compared: the time does not tell which one it was.
      const used = data.hashes.filter(isUsed);
      const hashes = data.hashes.filter((hash) => !used.includes(hash));
      if (used.length > 0) return { authenticator, data: { ...data, hashes } };
    }
    return null;
  },
};

function hashedFor(userId: string): string {
  return `recovery code ${userId}`;
}
