import type { ChallengePurpose } from '../records/challenges.ts';
import * as challenges from '../records/challenges.ts';
import type { PasswordHash } from '../records/passwords.ts';
import * as passwords from '../records/passwords.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as sessions from '../records/sessions.ts';
import type { Unit } from '../unit.ts';

// Whoever had the old password, or a session by it, may have asked for these. An address or number that they are about
// to add would open the account again.
const VOIDED = [
  'LOGIN_CODE',
  'RESET_PASSWORD',
  'REAUTHENTICATE',
  'LINK_ACCOUNT',
  'CONFIRM_EMAIL',
  'VERIFY_PHONE',
] as const satisfies ChallengePurpose[];

/**
 * Sets the password of a person, who is locked. What the old one has opened ends: sessions, with all of their tokens,
 * unfinished logins, codes and links on their way.
 * @param kept the one session or login that goes on
 * @returns the instant that names the new password
 */
export async function setPassword(
  { db, now, emit }: Unit,
  userId: string,
  password: PasswordHash,
  kept: { readonly session?: string; readonly login?: string } = {},
): Promise<Date> {
  const { session = null, login = null } = kept;
  const [changedAt, ended] = await Promise.all([
    passwords.set(db, userId, password, now),
    sessions.endAll(db, userId, 'PASSWORD_CHANGED', now, session),
    pendingLogins.endAll(db, userId, now, login),
    challenges.voidAll(db, userId, VOIDED, now),
  ]);
  for (const sessionId of ended) emit({ kind: 'SessionEnded', userId, sessionId, reason: 'PASSWORD_CHANGED' });
  return changedAt;
}
