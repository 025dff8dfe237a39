import { randomBytes } from 'node:crypto';
import type { App } from '../app.ts';
import { factors } from '../factors/index.ts';
import { passkeyOptions } from '../factors/passkey.ts';
import { sendCode } from '../login/codes.ts';
import { mustVerifyUser } from '../login/stages/second-factor.ts';
import * as authenticators from '../records/authenticators.ts';
import * as ceremonies from '../records/ceremonies.ts';
import * as challenges from '../records/challenges.ts';
import * as passwords from '../records/passwords.ts';
import type { AuthenticationMethod, Session } from '../records/sessions.ts';
import * as sessions from '../records/sessions.ts';
import * as users from '../records/users.ts';
import { transact, type Unit } from '../unit.ts';
import {
  answerIn,
  checkAnswer,
  countAnswer,
  type FactorProof,
  factorCount,
  type GivenAnswer,
  limitFactorChecks,
} from './shared/factor-answer.ts';
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

/** Milliseconds that a person has for a passkey (WebAuthn Level 3 §13.4.3). */
const CHALLENGE_MS = 300_000;
/** Tries that are told of where none are counted. */
const MAX_SHOWN = 5;

/** A code is on its way, or a challenge waits for a passkey. */
export interface ReauthenticationStarted {
  readonly kind: 'ReauthenticationStarted';
  readonly handle: string;
  readonly expiresAt: Date;
  /** For `navigator.credentials.get`, for a passkey. */
  readonly passkeyOptions: object | null;
}

/** The proof is fresh. */
export interface Reauthenticated {
  readonly kind: 'Reauthenticated';
  readonly session: Session;
}

/** The response to a challenge, with the handle that beginReauthentication gave. */
export interface HandledResponse {
  readonly handle: string;
  readonly response: Readonly<Record<string, unknown>>;
}

/**
 * Exactly one of them is given: a password, a mailed code, or the answer of a factor under its field, which for one that
 * responds to a challenge is a {@link HandledResponse}.
 */
export type ReauthenticateInput = FactorProof & {
  readonly password?: string | null | undefined;
  readonly emailCode?: DeliveredCode | null | undefined;
};

export type BeginReauthenticationResult = ReauthenticationStarted | InvalidInput | Unauthenticated | RateLimited;
export type ReauthenticateResult =
  | Reauthenticated
  | InvalidCredentials
  | InvalidCode
  | InvalidToken
  | Unauthenticated
  | RateLimited;

/**
 * Begins a proof that needs something first: a code that is sent to the primary address of somebody who has no password,
 * or a challenge for their passkeys.
 */
export async function beginReauthentication(
  app: App,
  caller: Caller,
  viewer: SignedIn,
  { method }: { readonly method: ReauthenticationMethod },
): Promise<BeginReauthenticationResult> {
  const { user, session } = viewer;
  const wait = await app.limiter.count({ limit: 'changePerAccount', key: user.id });
  if (wait !== null) return rateLimited(wait);
  if (!methodsFor(viewer).includes(method)) return invalidInput({ path: ['method'], code: 'NOT_ALLOWED' });
  if (method === 'PASSKEY') return beginByPasskey(app, caller, viewer);
  if (method !== 'EMAIL_CODE' || user.email === null) {
    return invalidInput({ path: ['method'], code: 'NOT_ALLOWED' });
  }
  const to = { channel: 'EMAIL', destination: user.email } as const;
  return transact(app, caller.client, async (unit): Promise<ReauthenticationStarted | Unauthenticated> => {
    if (!(await users.lockEnabled(unit.db, user.id))) return { kind: 'Unauthenticated', reason: 'REVOKED' };
    const sent = await sendCode(unit, { purpose: 'REAUTHENTICATE', userId: user.id, sessionId: session.id, ...to });
    if (!sent) throw new Error('a challenge that belongs to no login was not made');
    const { codeExpiresAt: expiresAt } = sent.challenge;
    return { kind: 'ReauthenticationStarted', handle: sent.handle, expiresAt, passkeyOptions: null };
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
  const given = answerIn(input);
  // What nobody was offered is not tried.
  if (!given || !methodsFor(viewer).includes(given.name)) return { kind: 'InvalidCredentials' };
  return byFactor(app, caller, viewer, given);
}

async function beginByPasskey(
  app: App,
  { client }: Caller,
  { user, session }: SignedIn,
): Promise<ReauthenticationStarted | Unauthenticated> {
  return transact(app, client, async (unit): Promise<ReauthenticationStarted | Unauthenticated> => {
    const { db, now, config, cipher } = unit;
    if (!(await users.lockEnabled(db, user.id))) return { kind: 'Unauthenticated', reason: 'REVOKED' };
    const challenge = randomBytes(32);
    const begun = await ceremonies.begin(
      db,
      {
        purpose: 'REAUTHENTICATE',
        userId: user.id,
        sessionId: session.id,
        sealedState: cipher.seal(challenge.toString('base64'), 'REAUTHENTICATE'),
        expiresAt: new Date(now.getTime() + CHALLENGE_MS),
      },
      now,
    );
    const held = (await authenticators.list(db, user.id)).filter(({ kind }) => kind === 'PASSKEY');
    const options = await passkeyOptions(config, held, { challenge, verifiesUser: mustVerifyUser(session) });
    return { kind: 'ReauthenticationStarted', ...begun, passkeyOptions: options };
  });
}

async function byFactor(
  app: App,
  caller: Caller,
  viewer: SignedIn,
  given: GivenAnswer,
): Promise<Reauthenticated | InvalidCode | InvalidToken | Unauthenticated | RateLimited> {
  const limited = await limitFactorChecks(app, caller);
  if (limited) return limited;
  const asked = await questionOf(app, viewer, given);
  if (!asked) return { kind: 'InvalidToken' };
  const { user } = viewer;
  const counted = await countAnswer(app, user.id, { name: given.name, answer: asked.answer });
  if (counted.kind === 'RateLimited') return counted;
  const result = await transact(app, caller.client, async (unit) => {
    const { db, now } = unit;
    if (!(await users.lockEnabled(db, user.id))) return { kind: 'Unauthenticated', reason: 'REVOKED' } as const;
    if (asked.ceremony && !(await ceremonies.lock(db, asked.ceremony, now))) return { kind: 'InvalidToken' } as const;
    const proven = await checkAnswer(unit, counted, { ...asked, userId: user.id });
    if (!proven) return null;
    if (asked.ceremony) await ceremonies.consume(db, asked.ceremony, now);
    return note(unit, viewer, proven);
  });
  if (result?.kind === 'Reauthenticated') counted.refund();
  return result ?? { kind: 'InvalidCode', attemptsLeft: (await app.limiter.left(factorCount(user.id))) ?? MAX_SHOWN };
}

/** What an answer is held to; for a response, the challenge that its handle names. Null if there is none. */
async function questionOf(app: App, { user, session }: SignedIn, { name, answer }: GivenAnswer) {
  const verifiesUser = mustVerifyUser(session);
  if (factors[name].answer === 'CODE') return { answer, challenge: null, ceremony: null, verifiesUser };
  const { handle, response } = answer as unknown as HandledResponse;
  const begun = await ceremonies.countAttempt(app.database, handle, 'REAUTHENTICATE', app.clock());
  const challenge = begun && app.cipher.open(begun.sealedState, 'REAUTHENTICATE');
  // A challenge renews the session that asked for it, and no other, be it of the same person.
  if (!begun || challenge === null || begun.userId !== user.id || begun.sessionId !== session.id) return null;
  return { answer: response, challenge: Buffer.from(challenge, 'base64'), ceremony: begun.id, verifiesUser };
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
      const proven = await note(unit, viewer, { method: 'PASSWORD', at: unit.now.toISOString() });
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
    (await challenges.consume(unit.db, challenge, unit.now))
      ? note(unit, viewer, { method: 'CODE', at: unit.now.toISOString() })
      : { kind: 'InvalidToken' },
  );
}

async function note(
  { db, emit }: Unit,
  { user, session: { id } }: SignedIn,
  method: AuthenticationMethod,
): Promise<Reauthenticated | Unauthenticated> {
  const enabled = await users.lockEnabled(db, user.id);
  const session = enabled ? await sessions.addMethod(db, id, method) : null;
  if (!session) return { kind: 'Unauthenticated', reason: 'REVOKED' };
  emit({ kind: 'Reauthenticated', userId: user.id, sessionId: id, method: method.method });
  return { kind: 'Reauthenticated', session };
}
