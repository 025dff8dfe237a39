import type { App, Count } from '../app.ts';
import { addressKey } from '../lib/client-address.ts';
import type { EmailAddress } from '../lib/email-address.ts';
import type { PhoneNumber } from '../lib/phone-number.ts';
import { announceDisconnection } from '../login/identity.ts';
import { beginLogin, type LoginContext, type LoginStep } from '../login/pipeline.ts';
import { reclaim, reclaimNumber } from '../login/reclaim.ts';
import { setPassword } from '../login/set-password.ts';
import * as challenges from '../records/challenges.ts';
import * as emails from '../records/emails.ts';
import type { PasswordHash } from '../records/passwords.ts';
import type { CredentialKind } from '../records/sessions.ts';
import * as sessions from '../records/sessions.ts';
import * as connections from '../records/social-connections.ts';
import * as users from '../records/users.ts';
import { transact, type Unit } from '../unit.ts';
import {
  type Caller,
  type InvalidCode,
  type InvalidToken,
  loginContext,
  type PasswordRejected,
  type RateLimited,
  rateLimited,
} from './shared/outcomes.ts';
import { BUSY_RETRY_SECONDS, refuseForPerson, refuseNewPassword, refuseRuledOut } from './shared/password.ts';
import { checkProof, type DeliveredProof, type Proven } from './shared/proof.ts';

export interface ResetPasswordInput {
  readonly proof: DeliveredProof;
  readonly newPassword: string;
  readonly credential: CredentialKind;
}

/** The password is set; nobody is logged in by that. */
export interface PasswordWasReset {
  readonly kind: 'PasswordWasReset';
  readonly sessionsEnded: number;
}

export type ResetPasswordResult =
  | PasswordWasReset
  | LoginStep
  | InvalidCode
  | InvalidToken
  | PasswordRejected
  | RateLimited;

/**
 * Sets the password anew for whoever shows that the mailbox or number of an account is theirs. Everything that is open
 * ends; it skips no other factor.
 *
 * What speaks against the password whosever it is is told first: that costs no try of the code.
 */
export async function resetPassword(app: App, caller: Caller, input: ResetPasswordInput): Promise<ResetPasswordResult> {
  const slot = app.passwords.reserve();
  if (!slot) return rateLimited(BUSY_RETRY_SECONDS);
  try {
    const wait = await app.limiter.count({ limit: 'requestPerAddress', key: addressKey(caller.client.ipAddress) });
    if (wait !== null) return rateLimited(wait);
    const refused = await refuseNewPassword(app, input.newPassword);
    if (refused) return refused;
    const proven = await checkProof(app, caller, input.proof, ['RESET_PASSWORD']);
    if (proven.kind === 'LoginExpired') return { kind: 'InvalidToken' };
    if (proven.kind !== 'proven') return proven;
    const { userId } = proven.challenge;
    const names = await users.namesOf(app.database, userId);
    if (!names) return { kind: 'InvalidToken' };
    // The code was right: it is for the password that comes next.
    const giveBack = async () => {
      if (proven.by === 'CODE') await challenges.giveBackAttempt(app.database, proven.challenge.id);
    };
    const unfit =
      (await refuseForPerson(app, userId, input.newPassword, names).catch(async (error: unknown) => {
        await giveBack();
        throw error;
      })) ?? (await refuseRuledOut(app, userId, input.newPassword, slot));
    if (unfit) {
      await giveBack();
      return unfit;
    }
    const password = await slot.hash(input.newPassword);

    const context = loginContext(app, caller);
    const result = await transact(app, caller.client, (unit) =>
      reset(unit, context, proven, password, input.credential),
    );
    // Whoever guessed at the old one must not keep the owner from using the new one.
    if (result.kind !== 'InvalidToken') await app.limiter.forget(...(await triesOf(app, caller, proven.challenge)));
    return result;
  } finally {
    slot.release();
  }
}

async function reset(
  unit: Unit,
  context: LoginContext,
  { challenge }: Proven,
  password: PasswordHash,
  credential: CredentialKind,
): Promise<PasswordWasReset | LoginStep | InvalidToken> {
  const { db, now, config } = unit;
  const { userId } = challenge;
  if (!(await challenges.consume(db, challenge, now))) return { kind: 'InvalidToken' };
  if (!(await users.lockEnabled(db, userId))) return { kind: 'InvalidToken' };
  const live = await sessions.listLive(db, userId, config.session.idle, now);
  if ((await acknowledge(unit, challenge)) === 'not theirs') return { kind: 'InvalidToken' };
  const passwordChangedAt = await setPassword(unit, userId, password);
  unit.emit({ kind: 'PasswordReset', userId });
  await disconnectAll(unit, userId);
  if (!config.logInAfterPasswordReset) return { kind: 'PasswordWasReset', sessionsEnded: live.length };

  const step = await beginLogin(unit, context, {
    purpose: 'PASSWORD_RESET',
    userId,
    credential,
    methods: [{ method: 'PASSWORD_RESET', at: now.toISOString() }],
    passwordChangedAt,
  });
  if (!step) throw new Error('an account whose password was just reset refused a login');
  return step;
}

/**
 * Whoever was in the account may have connected an account of theirs at a provider. A reset gives the owner everything
 * back; what was theirs is linked again at the next login from there, once they show the new password.
 */
async function disconnectAll(unit: Unit, userId: string): Promise<void> {
  const connected = await connections.list(unit.db, userId);
  await connections.removeAll(unit.db, userId);
  for (const connection of connected) announceDisconnection(unit, userId, connection);
}

function acknowledge(unit: Unit, { userId, channel, destination }: Proven['challenge']) {
  return channel === 'EMAIL'
    ? reclaim(unit, userId, destination as EmailAddress)
    : reclaimNumber(unit, userId, destination as PhoneNumber);
}

/** What counts for the account: nothing that it merely claims, which is perhaps somebody else's. */
async function triesOf(app: App, caller: Caller, { userId, destination }: Proven['challenge']): Promise<Count[]> {
  const primary = await emails.primaryOf(app.database, userId);
  const keys = new Set([destination, primary ?? destination]);
  const from = addressKey(caller.client.ipAddress);
  return [...keys].flatMap((key) =>
    [key, `${key} from ${from}`].map((each) => ({ limit: 'passwordPerAccount', key: each }) as const),
  );
}
