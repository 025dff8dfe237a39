import type { App, Count } from '../../app.ts';
import type { Factor, FactorAnswer, FactorQuestion, FactorUse } from '../../factors/factor.ts';
import { type FactorName, factorNames, factors, fieldOf } from '../../factors/index.ts';
import { countRecoveryCodes } from '../../factors/recovery-code.ts';
import { addressKey } from '../../lib/client-address.ts';
import * as authenticators from '../../records/authenticators.ts';
import type { AuthenticationMethod } from '../../records/sessions.ts';
import type { Unit } from '../../unit.ts';
import { type Caller, type RateLimited, rateLimited } from './outcomes.ts';

/** Answers of factors as an input has them, each under the field of its factor. Exactly one is given. */
export type FactorProof = Readonly<Record<string, unknown>>;

/** An answer, and the factor that it is for. */
export interface GivenAnswer {
  readonly name: FactorName;
  readonly answer: FactorAnswer;
}

/** An answer whose check is counted. */
export interface CountedAnswer extends GivenAnswer {
  readonly kind: 'counted';
  /** The ids of the authenticators that it may be checked with; null for all of the factor. */
  readonly usable: readonly string[] | null;
  /** The ids of those whose last check this is, if it fails. */
  readonly wornOut: readonly string[];
  /** Takes the count back, once the answer has turned out to be right. Clears no other. */
  refund(): void;
}

/** The answer that an input has; null if it has none of a factor that we know. */
export function answerIn(proof: FactorProof): GivenAnswer | null {
  for (const name of factorNames) {
    const answer = proof[fieldOf(name)];
    if (answer != null) return { name, answer: answer as FactorAnswer };
  }
  return null;
}

/** Counts a check of a second factor or passkey for the client's address. Null: it may go on. */
export async function limitFactorChecks(app: App, { client }: Caller): Promise<RateLimited | null> {
  const wait = await app.limiter.count({ limit: 'mfaPerAddress', key: addressKey(client.ipAddress) });
  return wait === null ? null : rateLimited(wait);
}

/** What the checks of the factors of an account count for, whatever they are made for. */
export function factorCount(userId: string): Count {
  return { limit: 'mfaPerAccount', key: userId };
}

/**
 * Counts the check of an answer, before it is made: for the account, so that new logins give no new tries, and for what
 * the person holds of the factor (NIST SP 800-63B-4 §3.2.2). Right answers of somebody else take nothing back.
 */
export async function countAnswer(app: App, userId: string, given: GivenAnswer): Promise<CountedAnswer | RateLimited> {
  const count = factorCount(userId);
  const wait = await app.limiter.count(count);
  if (wait !== null) return rateLimited(wait);
  const { guessable }: Factor = factors[given.name];
  const which = guessable === 'MARKED' ? 'marked' : 'all';
  const counted = guessable ? await authenticators.countAttempt(app.database.relaxed, userId, given.name, which) : null;
  const { usable = null, wornOut = [] } = counted ?? {};
  return { kind: 'counted', ...given, usable, wornOut, refund: () => app.limiter.refund(count) };
}

/**
 * Checks an answer whose person is locked, and uses up what must work only once.
 * @returns what was proven, or null if the answer is not right: then that is noted, and nothing else has changed
 */
export async function checkAnswer(
  unit: Unit,
  { name, answer, usable, wornOut }: CountedAnswer,
  question: FactorQuestion,
): Promise<AuthenticationMethod | null> {
  const { db, now, emit } = unit;
  const { userId } = question;
  const all = (await authenticators.list(db, userId)).filter(({ kind }) => kind === name);
  const held = all.filter(({ id }) => usable === null || usable.includes(id));
  const factor: Factor = factors[name];
  const used = await factor.check(answer, held, question, unit);
  if (!used || !(await noteUse(unit, factor, used))) {
    emit({ kind: 'LoginFailed', userId, method: name });
    for (const authenticatorId of wornOut)
      emit({ kind: 'AuthenticatorDisabled', userId, authenticatorId, factor: name });
    return null;
  }
  emit({ kind: 'SecondFactorUsed', userId, authenticatorId: used.authenticator.id, factor: name });
  if (name === 'RECOVERY_CODE') {
    emit({ kind: 'RecoveryCodeUsed', userId, unused: countRecoveryCodes(used).unused });
    // It is for the day on which the others do not work.
    await authenticators.enableAll(db, userId);
  }
  return { method: name, at: now.toISOString(), mfa: true };
}

function noteUse({ db, now }: Unit, factor: Factor, { authenticator, data }: FactorUse): Promise<boolean> {
  const { id, data: expected } = authenticator;
  return authenticators.use(db, { id, expected, data, usedUp: factor.isUsedUp?.({ data }) ?? false, now });
}
