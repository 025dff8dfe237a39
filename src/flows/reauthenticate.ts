import type { App } from '../app.ts';
import { sendCode } from '../login/codes.ts';
import * as challenges from '../records/challenges.ts';
import * as passwords from '../records/passwords.ts';
import type { AuthenticationMethodKind, Session } from '../records/sessions.ts';
import * as sessions from '../records/sessions.ts';
import * as users from '../records/users.ts';
import { transact, type Unit } from '../unit.ts';
import { methodsFor } from './shared/freshness.ts';
import {
  type Caller,
  type InvalidCode,
  type InvalidCredentials,
  type InvalidInput,
  type InvalidToken,
  invalidInput,
  type RateLimited,
  type ReauthenticationMethod,
  rateLimited,
  type SignedIn,
  type Unauthenticated,
} from './shared/outcomes.ts';
import { BUSY_RETRY_SECONDS, checkOwnPassword } from './shared/password.ts';
import { checkProof, type DeliveredCode } from './shared/proof.ts';

/** A code is on its way. */
export interface ReauthenticationStarted {
  readonly kind: 'ReauthenticationStarted';
  readonly handle: string;
  readonly expiresAt: Date;
}

/** The proof is fresh. */
export interface Reauthenticated {
  readonly kind: 'Reauthenticated';
  readonly session: Session;
}

/** Exactly one of them is given. */
export interface ReauthenticateInput {
  readonly password?: string | null | undefined;
  readonly emailCode?: DeliveredCode | null | undefined;
  readonly totp?: string | null | undefined;
  readonly recoveryCode?: string | null | undefined;
  readonly passkey?: object | null | undefined;
}

export type BeginReauthenticationResult = ReauthenticationStarted | InvalidInput | Unauthenticated | RateLimited;
export type ReauthenticateResult =
  | Reauthenticated
  | InvalidCredentials
  | InvalidCode
  | InvalidToken
  | Unauthenticated
  | RateLimited;

/** Begins a proof that needs something sent first: a code, to the primary address of somebody who has no password. */
export async function beginReauthentication(
  app: App,
  { client }: Caller,
  viewer: SignedIn,
  { method }: { readonly method: ReauthenticationMethod },
): Promise<BeginReauthenticationResult> {
  const { user, session } = viewer;
  const wait = await app.limiter.count({ limit: 'changePerAccount', key: user.id });
  if (wait !== null) return rateLimited(wait);
  if (method !== 'EMAIL_CODE' || !methodsFor(viewer).includes(method) || user.email === null) {
    return invalidInput({ path: ['method'], code: 'NOT_ALLOWED' });
  }
  const to = { channel: 'EMAIL', destination: user.email } as const;
  return transact(app, client, async (unit) => {
    const sent = await sendCode(unit, { purpose: 'REAUTHENTICATE', userId: user.id, sessionId: session.id, ...to });
    if (!sent) throw new Error('a challenge that belongs to no login was not made');
    return { kind: 'ReauthenticationStarted', handle: sent.handle, expiresAt: sent.challenge.codeExpiresAt };
  });
}

/** Proves anew that the session is in the hands of its owner: sensitive changes are open for a while. */
export async function reauthenticate(
  app: App,
  caller: Caller,
  viewer: SignedIn,
  input: ReauthenticateInput,
): Promise<ReauthenticateResult> {
  if (input.password != null) return byPassword(app, caller, viewer, input.password);
  if (input.emailCode) return byCode(app, caller, viewer, input.emailCode);
  // Nobody has any of the other factors yet.
  return { kind: 'InvalidCredentials' };
}

async function byPassword(
  app: App,
  caller: Caller,
  viewer: SignedIn,
  password: string,
): Promise<Reauthenticated | InvalidCredentials | Unauthenticated | RateLimited> {
  const slot = app.passwords.reserve();
  if (!slot) return rateLimited(BUSY_RETRY_SECONDS);
  try {
    const shown = await checkOwnPassword(app, caller, viewer, password, slot);
    if (shown.kind !== 'right') return shown;
    const result = await transact(app, caller.client, async (unit) => {
      const proven = await note(unit, viewer, 'PASSWORD');
      if (proven.kind === 'Reauthenticated') await passwords.clearAttempts(unit.db, viewer.user.id);
      return proven;
    });
    if (result.kind === 'Reauthenticated') shown.refund();
    return result;
  } finally {
    slot.release();
  }
}

async function byCode(
  app: App,
  caller: Caller,
  viewer: SignedIn,
  code: DeliveredCode,
): Promise<Reauthenticated | InvalidCode | InvalidToken | Unauthenticated | RateLimited> {
  const proven = await checkProof(app, caller, { code }, ['REAUTHENTICATE']);
  if (proven.kind === 'LoginExpired') return { kind: 'InvalidToken' };
  if (proven.kind !== 'proven') return proven;
  const { challenge } = proven;
  // A code renews the session that asked for it, and no other, be it of the same person.
  if (challenge.sessionId !== viewer.session.id) return { kind: 'InvalidToken' };
  return transact(app, caller.client, async (unit) =>
    (await challenges.consume(unit.db, challenge, unit.now)) ? note(unit, viewer, 'CODE') : { kind: 'InvalidToken' },
  );
}

async function note(
  { db, now, emit }: Unit,
  { user, session: { id } }: SignedIn,
  method: AuthenticationMethodKind,
): Promise<Reauthenticated | Unauthenticated> {
  const enabled = await users.lockEnabled(db, user.id);
  const session = enabled ? await sessions.addMethod(db, id, { method, at: now.toISOString() }) : null;
  if (!session) return { kind: 'Unauthenticated', reason: 'REVOKED' };
  emit({ kind: 'Reauthenticated', userId: user.id, sessionId: id, method });
  return { kind: 'Reauthenticated', session };
}
