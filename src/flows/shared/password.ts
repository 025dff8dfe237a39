import type { App } from '../../app.ts';
import type { HookPassword } from '../../hooks.ts';
import { domainOf, localPartOf } from '../../lib/email-address.ts';
import { normalizePassword, rejections } from '../../lib/password-policy.ts';
import * as passwords from '../../records/passwords.ts';
import type { Names } from '../../records/users.ts';
import { transact } from '../../unit.ts';
import {
  type Caller,
  type InvalidCredentials,
  type PasswordRejected,
  type RateLimited,
  rateLimited,
  type SignedIn,
} from './outcomes.ts';

/** Seconds after which a server that is busy with hashing is worth asking again. */
export const BUSY_RETRY_SECONDS = 1;

/** A place to hash in. */
type Slot = NonNullable<ReturnType<App['passwords']['reserve']>>;

/** The password was right. */
export interface OwnPassword {
  readonly kind: 'right';
  /** Names the password that was compared with. */
  readonly changedAt: Date;
  /** Takes the try back, once it has led to something. */
  refund(): void;
}

/** What speaks against a new password, whosever it is to be; null if nothing does. */
export async function refuseNewPassword(app: App, typed: string): Promise<PasswordRejected | null> {
  const reasons = await app.passwords.refuse(typed, { minLength: app.config.password.minLength, words: [] });
  return reasons.length > 0 ? { kind: 'PasswordRejected', reasons } : null;
}

/**
 * What speaks against it as the password of this person: that it is little more than one of their names, or a rule of the
 * operator's.
 */
export async function refuseForPerson(
  app: App,
  userId: string,
  typed: string,
  { name, username, emails }: Names,
): Promise<PasswordRejected | null> {
  const ofEmails = emails.flatMap((email) => [email, localPartOf(email), domainOf(email)]);
  const context = [...ofEmails, name ?? '', username ?? ''];
  const reasons = rejections(typed, { minLength: 0, context }, () => false);
  if (reasons.length > 0) return { kind: 'PasswordRejected', reasons };
  return refuseByRule(app, typed, { userId, email: emails[0] ?? null, username, name });
}

/** What speaks against it by a rule of the operator's, who is asked of nothing that is refused anyway. */
export async function refuseByRule(
  { hooks }: App,
  typed: string,
  person: Omit<HookPassword, 'password'>,
): Promise<PasswordRejected | null> {
  const reason = hooks.refusesPassword
    ? await hooks.refusesPassword({ password: normalizePassword(typed), ...person })
    : null;
  return reason === null ? null : { kind: 'PasswordRejected', reasons: [reason] };
}

/**
 * What speaks against it where the present one must be replaced: that it is the same. Asked last, and only for somebody
 * who has proven enough to set it: the answer tells what the present one is.
 */
export async function refuseRuledOut(
  app: App,
  userId: string,
  typed: string,
  slot: Slot,
): Promise<PasswordRejected | null> {
  const ruledOut = await passwords.findRuledOut(app.database, userId);
  const same = ruledOut && (await slot.verify(typed, ruledOut)).matches;
  return same ? { kind: 'PasswordRejected', reasons: ['REFUSED'] } : null;
}

/**
 * Checks the password of somebody who is signed in: whoever found their screen unlocked must not guess better here than
 * at the login. So it is counted, before it is compared; but for itself, since strangers can use up the tries of the login.
 */
export async function checkOwnPassword(
  app: App,
  { client }: Caller,
  { user }: SignedIn,
  typed: string,
  slot: Slot,
): Promise<OwnPassword | InvalidCredentials | RateLimited> {
  const about = { owner: async () => user.id, ipAddress: client.ipAddress };
  const count = { limit: 'passwordPerAccount', key: `${user.id} in a session`, about } as const;
  const wait = await app.limiter.count(count);
  if (wait !== null) return rateLimited(wait);
  const stored = await passwords.countOwnAttempt(app.database.relaxed, user.id);
  const { matches } = await slot.verify(typed, stored);
  if (matches && stored) {
    return { kind: 'right', changedAt: stored.changedAt, refund: () => app.limiter.refund(count) };
  }
  await transact(app, client, async ({ emit }) => emit({ kind: 'LoginFailed', userId: user.id, method: 'PASSWORD' }));
  return { kind: 'InvalidCredentials' };
}
