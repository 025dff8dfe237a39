import { countAccountTry } from '../../account-limit.ts';
import type { App } from '../../app.ts';
import { addressKey } from '../../lib/client-address.ts';
import { hashToken, isToken } from '../../lib/secrets.ts';
import type { LoginExpired } from '../../login/pipeline.ts';
import type { stages } from '../../login/stages/index.ts';
import type { Challenge, ChallengePurpose } from '../../records/challenges.ts';
import * as challenges from '../../records/challenges.ts';
import type { StoredLogin } from '../../records/pending-logins.ts';
import * as pendingLogins from '../../records/pending-logins.ts';
import { transact } from '../../unit.ts';
import { type Caller, type InvalidCode, type InvalidToken, type RateLimited, rateLimited } from './outcomes.ts';

/** A code with the handle or login token that awaits it. */
export interface DeliveredCode {
  readonly handle: string;
  readonly code: string;
}

/** Proof that a mail or message arrived: the token of its link, or its code. Exactly one of them is given. */
export interface DeliveredProof {
  readonly token?: string | null | undefined;
  readonly code?: DeliveredCode | null | undefined;
}

/** A proof that is right. Nothing is used up yet: that is for {@link challenges.consume}, with the change it allows. */
export interface Proven {
  readonly kind: 'proven';
  readonly by: 'LINK' | 'CODE';
  readonly challenge: Challenge & { readonly userId: string };
  /** The login that awaits the code. */
  readonly login: StoredLogin | null;
}

/** What speaks against a proof. */
export type Unproven = InvalidCode | InvalidToken | LoginExpired | RateLimited;

const AWAITED = ['LOGIN_CODE', 'VERIFY_EMAIL', 'VERIFY_PHONE', 'LINK_ACCOUNT'] as const;

/** The stage at which a login awaits a code of this purpose. At any other it is refused. */
const STAGES: Partial<Record<ChallengePurpose, keyof typeof stages>> = {
  LOGIN_CODE: 'loginCode',
  VERIFY_EMAIL: 'verifyEmail',
  VERIFY_PHONE: 'verifyPhone',
  LINK_ACCOUNT: 'linkAccount',
};

/**
 * Checks a proof of one of these purposes. Each check of a code is counted before it is made: for its challenge, its
 * recipient and the client's address.
 */
export async function checkProof(
  app: App,
  caller: Caller,
  { token, code }: DeliveredProof,
  expectedPurposes: readonly ChallengePurpose[],
): Promise<Proven | Unproven> {
  const wait = await app.limiter.count({ limit: 'codePerAddress', key: addressKey(caller.client.ipAddress) });
  if (wait !== null) return rateLimited(wait);
  if (token != null) return checkLink(app, token, expectedPurposes);
  return code ? checkTyped(app, caller, code, expectedPurposes) : { kind: 'InvalidToken' };
}

async function checkLink(
  app: App,
  token: string,
  expectedPurposes: readonly ChallengePurpose[],
): Promise<Proven | InvalidToken> {
  const challenge = await challenges.findByLink(app.database, token, expectedPurposes, app.clock());
  if (!challenge || !isAnswerable(challenge)) return { kind: 'InvalidToken' };
  return { kind: 'proven', by: 'LINK', challenge, login: null };
}

async function checkTyped(
  app: App,
  caller: Caller,
  { handle, code }: DeliveredCode,
  expectedPurposes: readonly ChallengePurpose[],
): Promise<Proven | Unproven> {
  const awaited = await findAwaited(app, handle, expectedPurposes);
  if ('kind' in awaited) return awaited;
  const { challenge, login } = awaited;

  const owner = async () => challenge.userId;
  const counted = await countAccountTry(app, caller, { limit: 'codePerAccount', key: challenge.destination, owner });
  if (counted.wait !== null) return rateLimited(counted.wait);
  const wrong = await challenges.checkCode(app.database.relaxed, app.codeKeys, challenge, code, app.clock());
  if (wrong === null && isAnswerable(challenge)) {
    app.limiter.refund(...counted.counts);
    return { kind: 'proven', by: 'CODE', challenge, login };
  }
  if (wrong === null || wrong === 'over') return { kind: 'InvalidToken' };
  await transact(app, caller.client, async ({ db, now, emit }) => {
    const { userId, purpose } = challenge;
    emit({ kind: 'LoginFailed', userId, method: 'CODE' });
    emit({ kind: 'CodeRejected', userId, purpose, lastAttempt: wrong.attemptsLeft === 0 });
    if (wrong.attemptsLeft === 0 && login) await pendingLogins.complete(db, login.id, now);
  });
  return { kind: 'InvalidCode', attemptsLeft: wrong.attemptsLeft };
}

/**
 * Finds the live challenge that a handle or a login token names.
 * @param expectedPurposes any, if left out
 */
export async function findAwaited(
  app: App,
  handle: string,
  expectedPurposes?: readonly ChallengePurpose[],
): Promise<{ challenge: Challenge; login: StoredLogin | null } | InvalidToken | LoginExpired> {
  const { database } = app;
  const now = app.clock();
  if (!isToken('login', handle)) {
    const challenge = await challenges.findByHandle(database, handle, now);
    const expected = challenge && (expectedPurposes?.includes(challenge.purpose) ?? true);
    return expected ? { challenge, login: null } : { kind: 'InvalidToken' };
  }
  const login = await pendingLogins.find(database, hashToken(handle), now);
  if (!login) return { kind: 'LoginExpired' };
  const purpose = (expectedPurposes ?? AWAITED).find((each) => STAGES[each] === login.stage);
  const challenge = purpose && (await challenges.findByLogin(database, login.id, purpose));
  return challenge ? { challenge, login } : { kind: 'InvalidToken' };
}

function isAnswerable(challenge: Challenge): challenge is Challenge & { readonly userId: string } {
  return challenge.userId !== null;
}
