import type { App } from '../app.ts';
import { hashToken, isToken } from '../lib/secrets.ts';
import { type LoginExpired, type LoginStep, resumeLogin } from '../login/pipeline.ts';
import type { stages } from '../login/stages/index.ts';
import { mustVerifyUser } from '../login/stages/second-factor.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as users from '../records/users.ts';
import { transact, type Unit } from '../unit.ts';
import {
  answerIn,
  checkAnswer,
  countAnswer,
  type FactorProof,
  factorCount,
  limitFactorChecks,
} from './shared/factor-answer.ts';
import { type Caller, type InvalidCode, loginContext, type RateLimited } from './shared/outcomes.ts';

export interface VerifyMfaInput {
  readonly loginToken: string;
  readonly proof: FactorProof;
  /** Whether this device need not show a second factor again for a while. */
  readonly trustDevice: boolean;
}

export type VerifyMfaResult = LoginStep | InvalidCode | LoginExpired | RateLimited;

const STAGE: keyof typeof stages = 'secondFactor';

/**
 * Answers a login that asks for a second factor, and takes it on. Each check is counted before it is made, for the
 * login, the account, the factor and the client's address; the fifth wrong answer ends the login.
 */
export async function verifyMfa(
  app: App,
  caller: Caller,
  { loginToken, proof, trustDevice }: VerifyMfaInput,
): Promise<VerifyMfaResult> {
  const limited = await limitFactorChecks(app, caller);
  if (limited) return limited;
  const find = (db: Unit['db'], now: Date) =>
    isToken('login', loginToken) ? pendingLogins.find(db, hashToken(loginToken), now) : null;
  const begun = await find(app.database, app.clock());
  const given = answerIn(proof);
  if (!begun?.userId || begun.stage !== STAGE || !given) return { kind: 'LoginExpired' };
  const { userId } = begun;
  const counted = await countAnswer(app, userId, given);
  if (counted.kind === 'RateLimited') return counted;
  const attemptsLeft = await pendingLogins.countFactorAttempt(app.database.relaxed, begun.id);
  if (attemptsLeft === null) return { kind: 'LoginExpired' };

  const result = await transact(app, caller.client, async (unit): Promise<VerifyMfaResult> => {
    const { db, now } = unit;
    const enabled = await users.lockEnabled(db, userId);
    const login = await find(db, now);
    if (!enabled || login?.stage !== STAGE) return { kind: 'LoginExpired' };
    const { bytes, expiresAt } = login.passkeyChallenge;
    const question = { userId, challenge: expiresAt > now ? bytes : null, verifiesUser: mustVerifyUser(login) };
    const proven = await checkAnswer(unit, counted, question);
    if (!proven) {
      if (attemptsLeft === 0 && (await pendingLogins.complete(db, login.id, now)))
        unit.emit({ kind: 'MfaAttemptsExhausted', userId });
      const leftForAll = (await app.limiter.left(factorCount(userId))) ?? attemptsLeft;
      return { kind: 'InvalidCode', attemptsLeft: Math.min(attemptsLeft, leftForAll) };
    }
    await pendingLogins.addMethod(db, login.id, proven);
    if (trustDevice && unit.config.mfa.trustedDeviceLifetime > 0) await pendingLogins.trustDevice(db, login.id);
    return resumeLogin(unit, loginContext(app, caller), loginToken);
  });
  if (result.kind !== 'InvalidCode' && result.kind !== 'LoginExpired') counted.refund();
  return result;
}
