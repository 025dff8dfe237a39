import type { App } from '../app.ts';
import { addressKey } from '../lib/client-address.ts';
import { hashToken, isToken } from '../lib/secrets.ts';
import { type LoginContext, type LoginExpired, type LoginStep, resumeLogin } from '../login/pipeline.ts';
import { setPassword } from '../login/set-password.ts';
import type { stages } from '../login/stages/index.ts';
import type { PasswordHash } from '../records/passwords.ts';
import * as passwords from '../records/passwords.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as users from '../records/users.ts';
import { transact, type Unit } from '../unit.ts';
import { type Caller, loginContext, type PasswordRejected, type RateLimited, rateLimited } from './shared/outcomes.ts';
import { BUSY_RETRY_SECONDS, refuseForPerson, refuseNewPassword, refuseRuledOut } from './shared/password.ts';

export interface ReplacePasswordInput {
  readonly loginToken: string;
  readonly newPassword: string;
}

export type ReplacePasswordResult = LoginStep | LoginExpired | PasswordRejected | RateLimited;

const STAGE: keyof typeof stages = 'replacePassword';

/** Answers a login that asks for another password, and takes it on. */
export async function replacePassword(
  app: App,
  caller: Caller,
  { loginToken, newPassword }: ReplacePasswordInput,
): Promise<ReplacePasswordResult> {
  const slot = app.passwords.reserve();
  if (!slot) return rateLimited(BUSY_RETRY_SECONDS);
  try {
    const count = { limit: 'continueLoginPerAddress', key: addressKey(caller.client.ipAddress) } as const;
    const wait = await app.limiter.count(count);
    if (wait !== null) return rateLimited(wait);
    const login = isToken('login', loginToken)
      ? await pendingLogins.find(app.database, hashToken(loginToken), app.clock())
      : null;
    if (!login?.userId || login.stage !== STAGE) return { kind: 'LoginExpired' };
    const { userId } = login;
    const names = await users.namesOf(app.database, userId);
    if (!names) return { kind: 'LoginExpired' };
    const refused =
      (await refuseNewPassword(app, newPassword)) ??
      (await refuseForPerson(app, userId, newPassword, names)) ??
      (await refuseRuledOut(app, userId, newPassword, slot));
    if (refused) return refused;
    const password = await slot.hash(newPassword);
    const context = loginContext(app, caller);
    return await transact(app, caller.client, (unit) => replace(unit, context, { loginToken, userId, password }));
  } finally {
    slot.release();
  }
}

async function replace(
  unit: Unit,
  context: LoginContext,
  { loginToken, userId, password }: { loginToken: string; userId: string; password: PasswordHash },
): Promise<LoginStep | LoginExpired> {
  const { db, now } = unit;
  const enabled = await users.lockEnabled(db, userId);
  const login = await pendingLogins.find(db, hashToken(loginToken), now);
  const old = await passwords.changedAt(db, userId);
  // Of two answers at once the second finds the login further on, or the password changed.
  const stands = enabled && login?.stage === STAGE && old?.getTime() === login.passwordChangedAt?.getTime();
  if (!stands) return { kind: 'LoginExpired' };
  const changedAt = await setPassword(unit, userId, password, { login: login.id });
  await pendingLogins.setPasswordChangedAt(db, login.id, changedAt);
  unit.emit({ kind: 'PasswordChanged', userId, first: false });
  return resumeLogin(unit, context, loginToken);
}
