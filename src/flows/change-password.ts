import type { App } from '../app.ts';
import { type IssuedCredential, renewCredential } from '../login/pipeline.ts';
import { setPassword } from '../login/set-password.ts';
import type { PasswordHash } from '../records/passwords.ts';
import * as passwords from '../records/passwords.ts';
import * as sessions from '../records/sessions.ts';
import * as users from '../records/users.ts';
import { transact, type Unit } from '../unit.ts';
import type { FreshSession } from './shared/freshness.ts';
import {
  type Caller,
  type InvalidCredentials,
  type PasswordRejected,
  type RateLimited,
  rateLimited,
  type SignedIn,
  type Unauthenticated,
} from './shared/outcomes.ts';
import {
  BUSY_RETRY_SECONDS,
  checkOwnPassword,
  refuseForPerson,
  refuseNewPassword,
  refuseRuledOut,
} from './shared/password.ts';

export interface ChangePasswordInput {
  readonly currentPassword?: string | null | undefined;
  readonly newPassword: string;
}

/** Every other session of this person has ended; the current one goes on with this new credential. */
export interface PasswordChanged {
  readonly kind: 'PasswordChanged';
  readonly sessionsEnded: number;
  readonly issued: IssuedCredential;
}

export type ChangePasswordResult =
  | PasswordChanged
  | InvalidCredentials
  | PasswordRejected
  | Unauthenticated
  | RateLimited;

/**
 * Changes the password of somebody who knows the old one, or sets the first. Whoever else may have got in by the old one
 * is out: sessions, unfinished logins, codes and links on their way, and the token of this very session. Only a JWT of
 * it, which others verify by themselves, lives for the few minutes that it has.
 */
export async function changePassword(
  app: App,
  caller: Caller,
  viewer: FreshSession,
  { currentPassword, newPassword }: ChangePasswordInput,
): Promise<ChangePasswordResult> {
  const slot = app.passwords.reserve();
  if (!slot) return rateLimited(BUSY_RETRY_SECONDS);
  try {
    const wait = await app.limiter.count({ limit: 'changePerAccount', key: viewer.user.id });
    if (wait !== null) return rateLimited(wait);
    const [names, old] = await Promise.all([
      users.namesOf(app.database, viewer.user.id),
      passwords.changedAt(app.database, viewer.user.id),
    ]);
    if (!names) return { kind: 'Unauthenticated', reason: 'REVOKED' };
    const refused =
      (await refuseNewPassword(app, newPassword)) ?? (await refuseForPerson(app, viewer.user.id, newPassword, names));
    if (refused) return refused;
    // Somebody who has no password shows none, and somebody who has one does.
    if ((old === null) !== (currentPassword == null)) return { kind: 'InvalidCredentials' };
    const shown = currentPassword == null ? null : await checkOwnPassword(app, caller, viewer, currentPassword, slot);
    if (shown && shown.kind !== 'right') return shown;
    const same = await refuseRuledOut(app, viewer.user.id, newPassword, slot);
    if (same) return same;
    const password = await slot.hash(newPassword);

    const result = await transact(app, caller.client, (unit) =>
      change(unit, viewer, { from: shown?.changedAt ?? null, to: password }),
    );
    if (result.kind === 'PasswordChanged') shown?.refund();
    return result;
  } finally {
    slot.release();
  }
}

async function change(
  unit: Unit,
  { user, session }: SignedIn,
  password: { readonly from: Date | null; readonly to: PasswordHash },
): Promise<PasswordChanged | InvalidCredentials | Unauthenticated> {
  const { db, now, config, emit } = unit;
  if (!(await users.lockEnabled(db, user.id))) return { kind: 'Unauthenticated', reason: 'REVOKED' };
  // Of two changes at once the second has shown a password that is not the account's any more.
  const old = await passwords.changedAt(db, user.id);
  if (old?.getTime() !== password.from?.getTime()) return { kind: 'InvalidCredentials' };
  const live = await sessions.listLive(db, user.id, config.session.idle, now);
  const issued = await renewCredential(unit, user, session);
  if (!issued) return { kind: 'Unauthenticated', reason: 'REVOKED' };
  await setPassword(unit, user.id, password.to, { session: session.id });
  emit({ kind: 'PasswordChanged', userId: user.id, first: password.from === null });
  return { kind: 'PasswordChanged', sessionsEnded: live.filter(({ id }) => id !== session.id).length, issued };
}
