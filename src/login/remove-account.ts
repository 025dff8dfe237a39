import * as challenges from '../records/challenges.ts';
import * as emails from '../records/emails.ts';
import * as events from '../records/events.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as phones from '../records/phones.ts';
import * as refreshTokens from '../records/refresh-tokens.ts';
import * as sessions from '../records/sessions.ts';
import * as users from '../records/users.ts';
import type { Unit } from '../unit.ts';

/**
 * Removes a person, who is locked, and everything that is theirs, ends their sessions, and says goodbye. Of the audit
 * trail stays that something happened, and when. Their address is free from then on.
 */
export async function removeAccount(
  { db, now, config, emit, send }: Pick<Unit, 'db' | 'now' | 'config' | 'emit' | 'send'>,
  id: string,
): Promise<void> {
  const [email, proven] = await Promise.all([emails.primaryOf(db, id), emails.primaryOf(db, id, { verified: true })]);
  // The tokens before the sessions, as a refresh takes them.
  await refreshTokens.endAllOf(db, id);
  for (const sessionId of await sessions.endAll(db, id, 'ACCOUNT_DELETED', now)) {
    emit({ kind: 'SessionEnded', userId: id, sessionId, reason: 'ACCOUNT_DELETED' });
  }
  await forget({ db }, id);
  // Events are written at the end. These find the person gone, and are anonymous from the start.
  emit({ kind: 'AccountDeleted', userId: id });
  const goodbye = email && ({ mail: 'Goodbye', to: { email }, data: {} } as const);
  if (goodbye && proven) send(goodbye);
  // A mailbox that nobody has shown to be theirs is a stranger's.
  else if (goodbye && config.emailVerification === 'NONE') send(goodbye, { as: `GOODBYE ${email}`, userId: null });
}

async function forget({ db }: Pick<Unit, 'db'>, userId: string): Promise<void> {
  const [own, phone] = await Promise.all([emails.list(db, userId), phones.find(db, userId)]);
  // What somebody only said is theirs, and others may hold, is not theirs to clear.
  const addresses = own.filter(({ isPrimary, verified }) => isPrimary || verified).map(({ address }) => address);
  const number = phone?.number ?? null;
  await pendingLogins.forget(db, addresses, number);
  await challenges.forget(db, number === null ? addresses : [...addresses, number]);
  await events.anonymize(db, userId);
  await users.remove(db, userId);
}
