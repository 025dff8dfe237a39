import type { App } from '../app.ts';
import type { EmailAddress } from '../lib/email-address.ts';
import { findLogin, type LoginExpired, type LoginStep, resumeLogin } from '../login/pipeline.ts';
import * as challenges from '../records/challenges.ts';
import * as emails from '../records/emails.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as users from '../records/users.ts';
import { transact, type Unit } from '../unit.ts';
import { type Caller, type InvalidCode, type InvalidToken, loginContext, type RateLimited } from './shared/outcomes.ts';
import { checkProof, type DeliveredProof, type Proven } from './shared/proof.ts';

export interface VerifyEmailInput {
  readonly proof: DeliveredProof;
  /** With a link: the login that this client is in the middle of. */
  readonly loginToken?: string | null | undefined;
}

/** Verified; who did it is not logged in by it. */
export interface EmailVerified {
  readonly kind: 'EmailVerified';
  readonly email: string;
}

export type VerifyEmailResult = EmailVerified | LoginStep | InvalidCode | InvalidToken | LoginExpired | RateLimited;

/**
 * Notes that an address is whose account it stands on. It carries a login on only for who holds that login's token: a
 * link alone logs nobody in.
 */
export async function verifyEmail(app: App, caller: Caller, input: VerifyEmailInput): Promise<VerifyEmailResult> {
  const proven = await checkProof(app, caller, input.proof, ['VERIFY_EMAIL', 'CONFIRM_EMAIL']);
  if (proven.kind !== 'proven') return proven;

  return transact(app, caller.client, async (unit) => {
    if (!(await challenges.consume(unit.db, proven.challenge, unit.now))) return { kind: 'InvalidToken' };
    if (!(await users.lockEnabled(unit.db, proven.challenge.userId))) return { kind: 'InvalidToken' };
    if (!(await note(unit, proven.challenge))) return { kind: 'InvalidToken' };
    const loginToken = await loginOf(unit, input, proven);
    if (loginToken) return resumeLogin(unit, loginContext(app, caller), loginToken);
    await endSignUpOfOthers(unit, proven.challenge);
    return { kind: 'EmailVerified', email: proven.challenge.destination };
  });
}

async function note(unit: Unit, { purpose, userId, destination }: Proven['challenge']): Promise<boolean> {
  const address = destination as EmailAddress;
  const verification = await emails.verify(unit.db, userId, address, unit.now);
  if (verification === 'verified') {
    unit.emit({ kind: 'EmailVerified', userId, address });
    if (purpose === 'CONFIRM_EMAIL') unit.emit({ kind: 'EmailAdded', userId, address });
  }
  return verification !== 'not theirs';
}

/**
 * Whoever opens a link may not be who signed up. With a password that is mended by a reset; a passkey would keep the
 * owner of the mailbox out for ever. So a sign-up without a password goes on only where the mailbox was proven.
 */
async function endSignUpOfOthers({ db, now }: Unit, { pendingLoginId }: Proven['challenge']): Promise<void> {
  const login = pendingLoginId === null ? null : await pendingLogins.findById(db, pendingLoginId, now);
  if (login?.purpose === 'SIGN_UP' && login.methods.length === 0) await pendingLogins.complete(db, login.id, now);
}

async function loginOf(unit: Unit, { proof, loginToken }: VerifyEmailInput, proven: Proven): Promise<string | null> {
  if (proven.by === 'CODE') return proven.login && (proof.code?.handle ?? null);
  const login = loginToken ? await findLogin(unit, loginToken) : null;
  return login?.userId === proven.challenge.userId ? (loginToken ?? null) : null;
}
