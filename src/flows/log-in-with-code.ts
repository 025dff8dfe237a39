import type { App } from '../app.ts';
import type { EmailAddress } from '../lib/email-address.ts';
import type { PhoneNumber } from '../lib/phone-number.ts';
import { beginLogin, type LoginExpired, type LoginStep, resumeLogin } from '../login/pipeline.ts';
import { reclaim, reclaimNumber } from '../login/reclaim.ts';
import * as challenges from '../records/challenges.ts';
import * as emails from '../records/emails.ts';
import type { StoredLogin } from '../records/pending-logins.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as phones from '../records/phones.ts';
import type { CredentialKind } from '../records/sessions.ts';
import { transact, type Unit } from '../unit.ts';
import { type Caller, type InvalidCode, type InvalidToken, loginContext, type RateLimited } from './shared/outcomes.ts';
import { checkProof, type DeliveredProof, type Proven } from './shared/proof.ts';

export interface LogInWithCodeInput {
  readonly proof: DeliveredProof;
  /** With a link: how its client wants to hold the session, if not as the login was begun. */
  readonly credential?: CredentialKind | null | undefined;
}

export type LogInWithCodeResult = LoginStep | InvalidCode | InvalidToken | LoginExpired | RateLimited;

/**
 * Takes a login on with the code, or the link, that was sent for it. It proves one factor: what else the login asks for
 * it asks now.
 *
 * A code carries the login on that awaits it. A link proves something to the client that opens it only: a stranger who
 * began the login in somebody's name gets nothing of it.
 */
export async function logInWithCode(
  app: App,
  caller: Caller,
  { proof, credential }: LogInWithCodeInput,
): Promise<LogInWithCodeResult> {
  const proven = await checkProof(app, caller, proof, ['LOGIN_CODE']);
  if (proven.kind !== 'proven') return proven;
  const context = loginContext(app, caller);

  return transact(app, caller.client, async (unit) => {
    const { challenge, by } = proven;
    const login = await awaiting(unit, proven);
    if (!login) return { kind: 'LoginExpired' };
    if (!(await challenges.consume(unit.db, challenge, unit.now))) return { kind: 'InvalidToken' };
    const method = { method: by, at: unit.now.toISOString() };
    if (by === 'CODE' && login.purpose !== 'CODE') {
      await noteProven(unit, challenge);
      await pendingLogins.addMethod(unit.db, login.id, method);
      return resumeLogin(unit, context, proof.code?.handle ?? '');
    }
    // What follows is a login of its own: the mailbox was proven, whatever else was or is to be.
    if (!(await pendingLogins.complete(unit.db, login.id, unit.now))) return { kind: 'LoginExpired' };
    const kept = await acknowledge(unit, proven);
    if (kept === null) return { kind: 'LoginExpired' };
    const step = await beginLogin(unit, context, {
      ...login,
      credential: (by === 'LINK' ? credential : null) ?? login.credential,
      // A link may be opened by somebody else than who showed the password.
      methods: by === 'LINK' ? [method] : [...login.methods, method],
      passwordChangedAt: kept ? login.passwordChangedAt : null,
    });
    return step ?? { kind: 'LoginExpired' };
  });
}

async function awaiting(unit: Unit, { challenge, login }: Proven): Promise<StoredLogin | null> {
  if (login) return pendingLogins.findById(unit.db, login.id, unit.now);
  return challenge.pendingLoginId ? pendingLogins.findById(unit.db, challenge.pendingLoginId, unit.now) : null;
}

/**
 * Notes that the mailbox or number is theirs who showed the password beside its code. Whoever comes is who set the account
 * up, so nothing of it goes.
 */
async function noteProven(unit: Unit, { userId, channel, destination }: Proven['challenge']): Promise<void> {
  const { db, now, emit } = unit;
  if (channel === 'SMS') {
    await phones.verify(db, userId, destination as PhoneNumber, now);
    return;
  }
  const address = destination as EmailAddress;
  if ((await emails.verify(db, userId, address, now)) === 'verified') emit({ kind: 'EmailVerified', userId, address });
}

/**
 * Notes what was proven of the mailbox or number.
 * @returns whether the account keeps what it was set up with before; null if it has that address or number no more
 */
async function acknowledge(unit: Unit, { challenge }: Proven): Promise<boolean | null> {
  const { userId, channel, destination } = challenge;
  const outcome =
    channel === 'EMAIL'
      ? await reclaim(unit, userId, destination as EmailAddress)
      : await reclaimNumber(unit, userId, destination as PhoneNumber);
  return outcome === 'not theirs' ? null : outcome !== 'reclaimed';
}
