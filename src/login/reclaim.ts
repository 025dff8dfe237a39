import type { EmailAddress } from '../lib/email-address.ts';
import type { PhoneNumber } from '../lib/phone-number.ts';
import { writableBy } from '../lib/user-fields/values.ts';
import * as authenticators from '../records/authenticators.ts';
import * as ceremonies from '../records/ceremonies.ts';
import * as challenges from '../records/challenges.ts';
import * as emails from '../records/emails.ts';
import * as passwords from '../records/passwords.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as phones from '../records/phones.ts';
import * as sessions from '../records/sessions.ts';
import * as connections from '../records/social-connections.ts';
import * as users from '../records/users.ts';
import type { Unit } from '../unit.ts';

/**
 * What the proof of an address or number came to. `not theirs`: the account does not have it any more, or somebody else
 * verified it. `reclaimed`: it is verified now, and is the first that this account ever had verified.
 */
export type Reclaim = emails.Verification | 'reclaimed';

/**
 * Notes that somebody who comes without the password of an account has shown that an address of it is theirs.
 *
 * If nothing of the account was ever verified, whoever set it up may have been somebody else, who waits for the owner of
 * the address to begin to use it. So all that was set up before the proof goes: password, factors, sessions, unfinished
 * logins, other addresses, the number, what people themselves write of the operator's own fields. The tokens of a session
 * end with it.
 */
export async function reclaim(unit: Unit, userId: string, address: EmailAddress): Promise<Reclaim> {
  const [own, phone] = await Promise.all([emails.list(unit.db, userId), phones.find(unit.db, userId)]);
  if (own.some((email) => email.verified && email.address === address)) return 'was verified';
  // Somebody has proven that the account is theirs by another way: then this address is not a part of it.
  if (phone?.verified || own.some(({ verified }) => verified)) return 'not theirs';
  const verification = await emails.verify(unit.db, userId, address, unit.now);
  if (verification !== 'verified') return verification;
  unit.emit({ kind: 'EmailVerified', userId, address });
  await Promise.all([emails.keepOnly(unit.db, userId, address), phones.remove(unit.db, userId)]);
  return startOver(unit, userId);
}

/** The same for a number. */
export async function reclaimNumber(unit: Unit, userId: string, number: PhoneNumber): Promise<Reclaim> {
  const [phone, own] = await Promise.all([phones.find(unit.db, userId), emails.list(unit.db, userId)]);
  if (phone?.number !== number) return 'not theirs';
  if (phone.verified) return 'was verified';
  if (own.some(({ verified }) => verified)) return 'not theirs';
  if (!(await phones.verify(unit.db, userId, number, unit.now))) return 'not theirs';
  await emails.removeUnverified(unit.db, userId);
  return startOver(unit, userId);
}

/** Others may act by what stands there: send something to a number, for one. */
async function forgetOwnFields({ db, userFields }: Pick<Unit, 'db' | 'userFields'>, userId: string): Promise<void> {
  const written = writableBy(userFields, 'OWNER').map(({ name }) => [name, null]);
  if (written.length > 0) await users.setFields(db, userId, Object.fromEntries(written));
}

async function startOver({ db, now, emit, userFields }: Unit, userId: string): Promise<'reclaimed'> {
  // Whatever else may prove who a person is joins here.
  const [ended] = await Promise.all([
    sessions.endAll(db, userId, 'REVOKED', now),
    passwords.remove(db, userId),
    forgetOwnFields({ db, userFields }, userId),
    authenticators.removeAll(db, userId),
    connections.removeAll(db, userId),
    ceremonies.voidAll(db, userId, now),
    pendingLogins.endAll(db, userId, now),
    challenges.voidAll(db, userId, challenges.PURPOSES, now),
  ]);
  for (const sessionId of ended) emit({ kind: 'SessionEnded', userId, sessionId, reason: 'REVOKED' });
  emit({ kind: 'AccountReclaimed', userId });
  return 'reclaimed';
}
