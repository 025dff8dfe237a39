import type { App } from '../app.ts';
import { findLogin, type LoginExpired, type LoginStep, lockLogin, resumeLogin } from '../login/pipeline.ts';
import { accountToLink, passwordLinks } from '../login/stages/link-account.ts';
import * as challenges from '../records/challenges.ts';
import * as passwords from '../records/passwords.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import type { AuthenticationMethod } from '../records/sessions.ts';
import * as users from '../records/users.ts';
import { transact, type Unit } from '../unit.ts';
import { checkAccountPassword } from './shared/account-password.ts';
import {
  type Caller,
  type InvalidCode,
  type InvalidCredentials,
  loginContext,
  type RateLimited,
  rateLimited,
} from './shared/outcomes.ts';
import { BUSY_RETRY_SECONDS } from './shared/password.ts';
import { checkProof } from './shared/proof.ts';

/** Exactly one of them is given. */
export interface LinkProof {
  readonly password?: string | null | undefined;
  /** The code that resendCode mailed for the login. */
  readonly emailCode?: string | null | undefined;
}

export type LinkAccountResult = LoginStep | InvalidCredentials | InvalidCode | LoginExpired | RateLimited;

/**
 * Proves the account whose address somebody brought from a provider. From then on the login is that of its owner, and asks
 * what every login of theirs asks; the account at the provider joins with its session.
 */
export async function linkAccount(
  app: App,
  caller: Caller,
  { loginToken, proof }: { readonly loginToken: string; readonly proof: LinkProof },
): Promise<LinkAccountResult> {
  return proof.password != null
    ? byPassword(app, caller, loginToken, proof.password)
    : byCode(app, caller, loginToken, proof.emailCode ?? '');
}

async function byPassword(app: App, caller: Caller, loginToken: string, typed: string): Promise<LinkAccountResult> {
  const slot = app.passwords.reserve();
  if (!slot) return rateLimited(BUSY_RETRY_SECONDS);
  try {
    const account = await transact(app, caller.client, async (unit) => {
      const login = await findLogin(unit, loginToken);
      return login && accountToLink(login, unit);
    });
    if (!account) return { kind: 'LoginExpired' };
    if (!passwordLinks(app)) return { kind: 'InvalidCredentials' };
    const named = { email: account.email, usernameKey: null, phone: null };
    const shown = await checkAccountPassword(app, caller, named, typed, slot);
    if (shown.kind !== 'right') return shown;
    const result = await transact(app, caller.client, async (unit) => {
      await shown.note(unit);
      const at = unit.now.toISOString();
      return link(app, caller, unit, loginToken, {
        userId: shown.userId,
        passwordChangedAt: shown.changedAt,
        method: { method: 'PASSWORD', at },
      });
    });
    if (result.kind !== 'LoginExpired') shown.refund();
    return result;
  } finally {
    slot.release();
  }
}

async function byCode(app: App, caller: Caller, loginToken: string, code: string): Promise<LinkAccountResult> {
  const proven = await checkProof(app, caller, { code: { handle: loginToken, code } }, ['LINK_ACCOUNT']);
  if (proven.kind === 'InvalidToken') return { kind: 'LoginExpired' };
  if (proven.kind !== 'proven') return proven;
  const { challenge } = proven;
  return transact(app, caller.client, async (unit) => {
    const { db, now } = unit;
    if (!(await challenges.consume(db, challenge, now))) return { kind: 'LoginExpired' };
    const { userId } = challenge;
    const passwordChangedAt = await passwords.changedAt(db, userId);
    const method = { method: 'CODE', at: now.toISOString() } as const;
    return link(app, caller, unit, loginToken, { userId, passwordChangedAt, method });
  });
}

async function link(
  app: App,
  caller: Caller,
  unit: Unit,
  loginToken: string,
  proven: {
    readonly userId: string;
    readonly passwordChangedAt: Date | null;
    readonly method: AuthenticationMethod;
  },
): Promise<LoginStep | LoginExpired> {
  const { db } = unit;
  const { userId, passwordChangedAt, method } = proven;
  if (!(await users.lockEnabled(db, userId))) return { kind: 'LoginExpired' };
  const login = await lockLogin(unit, loginToken);
  const account = login && (await accountToLink(login, unit));
  // The address may have become somebody else's meanwhile.
  if (!login || account?.userId !== userId) return { kind: 'LoginExpired' };
  const { sealedIdentity } = login;
  const email = account.email;
  const decided = {
    purpose: 'PROVIDER',
    userId,
    passwordChangedAt,
    email,
    sealedSignUp: null,
    sealedIdentity,
  } as const;
  if (!(await pendingLogins.decide(db, login.id, decided))) return { kind: 'LoginExpired' };
  await pendingLogins.addMethod(db, login.id, method);
  return resumeLogin(unit, loginContext(app, caller), loginToken);
}
