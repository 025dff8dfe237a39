import type { Factor } from './factor.ts';
import { passkey } from './passkey.ts';
import { recoveryCode } from './recovery-code.ts';
import { totp } from './totp.ts';

/**
 * Every factor beside the first one, by its name: in GraphQL, in what a session has proven, and in the database. Another
 * one is its own file and a line here.
 */
export const factors = {
  TOTP: totp,
  PASSKEY: passkey,
  RECOVERY_CODE: recoveryCode,
} as const satisfies Readonly<Record<string, Factor>>;
