import type { SessionEndReason } from '../events.ts';
import type { FieldChanges } from '../lib/user-fields/values.ts';
import { removeAccount } from '../login/remove-account.ts';
import type { Account } from '../records/accounts.ts';
import * as accounts from '../records/accounts.ts';
import * as authenticators from '../records/authenticators.ts';
import * as ceremonies from '../records/ceremonies.ts';
import * as passwords from '../records/passwords.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as sessions from '../records/sessions.ts';
import * as trustedDevices from '../records/trusted-devices.ts';
import * as users from '../records/users.ts';
import { type Act, dismiss, isAdministrator, type LastAdministrator, note } from './act.ts';

/** Done, or so already. */
export interface UserAdministered {
  readonly kind: 'UserAdministered';
  /** As they are now. */
  readonly user: Account;
  /** False if it was so already. */
  readonly changed: boolean;
  readonly sessionsEnded: number;
}

/** This person has no password that could be changed. */
export interface PasswordNotSet {
  readonly kind: 'PasswordNotSet';
}

/** The person is gone. */
export interface UserDeleted {
  readonly kind: 'UserDeleted';
  readonly userId: string;
}

// Each of these takes a person who is locked, and exists.

/** Ends every session of a person at once, and lets them in by no way until they are enabled. */
export async function disable(act: Act, userId: string): Promise<UserAdministered | LastAdministrator> {
  const { db, now, emit, by } = act;
  const kept = await dismiss(act, userId);
  if (kept) return kept;
  const changed = await users.setDisabled(db, userId, now);
  if (changed) emit({ kind: 'AccountDisabled', userId, by });
  const ended = await endSessions(act, userId, 'ACCOUNT_DISABLED');
  await pendingLogins.endAll(db, userId, now);
  if (changed) note(act, 'DISABLE_USER', userId);
  return administered(act, userId, changed || ended > 0, ended);
}

/** Lets a person in again. */
export async function enable(act: Act, userId: string): Promise<UserAdministered> {
  const { db, emit, by } = act;
  const changed = await users.setDisabled(db, userId, null);
  if (changed) {
    emit({ kind: 'AccountEnabled', userId, by });
    note(act, 'ENABLE_USER', userId);
  }
  return administered(act, userId, changed, 0);
}

/** Replaces the roles of a person. Open apps of theirs hear of it; so does every instance. */
export async function setRoles(
  act: Act,
  userId: string,
  roles: readonly string[],
): Promise<UserAdministered | LastAdministrator> {
  const { db, config, emit, by } = act;
  if (!isAdministrator(config, roles)) {
    const kept = await dismiss(act, userId);
    if (kept) return kept;
  }
  const changed = await users.setRoles(db, userId, roles);
  if (changed) {
    emit({ kind: 'RolesChanged', userId, roles, by });
    note(act, 'SET_ROLES', userId);
  }
  return administered(act, userId, changed, 0);
}

/** What an administrator writes of a person. What is left out stays. */
export interface UserChanges {
  readonly name?: string | null;
  readonly fields: FieldChanges;
}

/** Names a person, and writes the operator's own fields. */
export async function update(act: Act, userId: string, { name, fields }: UserChanges): Promise<UserAdministered> {
  const { db, emit } = act;
  const before = await users.namesOf(db, userId);
  const isRenamed = name !== undefined && before?.name !== name;
  if (isRenamed) await users.setName(db, userId, name);
  const changed = (Object.keys(fields).length > 0 && (await users.setFields(db, userId, fields))) || isRenamed;
  if (changed) {
    emit({ kind: 'ProfileUpdated', userId });
    note(act, 'UPDATE_USER', userId);
  }
  return administered(act, userId, changed, 0);
}

/** Has a person choose another password at their next login, which comes at once: every session ends. */
export async function requirePasswordChange(act: Act, userId: string): Promise<UserAdministered | PasswordNotSet> {
  const { db, now, emit, by } = act;
  if ((await passwords.changedAt(db, userId)) === null) return { kind: 'PasswordNotSet' };
  await passwords.requireReplacement(db, userId, 'ADMINISTRATOR');
  emit({ kind: 'PasswordChangeDemanded', userId, by });
  const ended = await endSessions(act, userId, 'REVOKED');
  // A login that has passed the question would get a session without it.
  await pendingLogins.endAll(db, userId, now);
  note(act, 'REQUIRE_PASSWORD_CHANGE', userId);
  return administered(act, userId, true, ended);
}

/** Ends every session of a person, and every login that is not finished. */
export async function revokeSessions(act: Act, userId: string): Promise<UserAdministered> {
  const { db, now, emit, by } = act;
  const ended = await endSessions(act, userId, 'REVOKED');
  await pendingLogins.endAll(db, userId, now);
  if (ended > 0) {
    emit({ kind: 'SessionsRevoked', userId, by, count: ended });
    note(act, 'REVOKE_SESSIONS', userId);
  }
  return administered(act, userId, ended > 0, ended);
}

/**
 * Takes every second factor of a person away, with the recovery codes, the devices that need none, and whatever was
 * opened or begun with them. For somebody who has lost them, once the administrator is sure who asks.
 */
export async function resetFactors(act: Act, userId: string): Promise<UserAdministered> {
  const { db, now, emit, by } = act;
  const held = await authenticators.list(db, userId);
  await authenticators.removeAll(db, userId);
  // One that is being set up would come back.
  await ceremonies.voidAll(db, userId, now);
  await pendingLogins.endAll(db, userId, now);
  await trustedDevices.removeAll(db, userId);
  const ended = await endSessions(act, userId, 'REVOKED');
  const factors = [...new Set(held.map(({ kind }) => kind))];
  if (factors.length > 0) {
    emit({ kind: 'FactorsReset', userId, by, factors });
    note(act, 'RESET_FACTORS', userId);
  }
  return administered(act, userId, factors.length > 0 || ended > 0, ended);
}

/** Removes a person and everything that is theirs. */
export async function remove(act: Act, userId: string): Promise<UserDeleted | LastAdministrator> {
  const kept = await dismiss(act, userId);
  if (kept) return kept;
  await removeAccount(act, userId);
  note(act, 'DELETE_USER', userId);
  return { kind: 'UserDeleted', userId };
}

async function endSessions({ db, now, emit }: Act, userId: string, reason: SessionEndReason): Promise<number> {
  const ended = await sessions.endAll(db, userId, reason, now);
  for (const sessionId of ended) emit({ kind: 'SessionEnded', userId, sessionId, reason });
  return ended.length;
}

async function administered(
  { db }: Act,
  userId: string,
  changed: boolean,
  sessionsEnded: number,
): Promise<UserAdministered> {
  const user = await accounts.find(db, userId);
  if (!user) throw new Error('a person who was locked is gone');
  return { kind: 'UserAdministered', user, changed, sessionsEnded };
}
