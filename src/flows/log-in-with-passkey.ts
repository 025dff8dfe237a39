import { randomBytes } from 'node:crypto';
import type { App } from '../app.ts';
import { passkey, passkeyOptions } from '../factors/passkey.ts';
import { credentialIdOf } from '../lib/webauthn.ts';
import { beginLogin, type LoginExpired, type LoginStep } from '../login/pipeline.ts';
import * as authenticators from '../records/authenticators.ts';
import * as ceremonies from '../records/ceremonies.ts';
import * as passwords from '../records/passwords.ts';
import type { CredentialKind } from '../records/sessions.ts';
import * as users from '../records/users.ts';
import { transact, type Unit } from '../unit.ts';
import { limitFactorChecks } from './shared/factor-answer.ts';
import { type Caller, type InvalidCredentials, loginContext, type RateLimited } from './shared/outcomes.ts';

/** What a browser needs to find a passkey and to let it sign. */
export interface PasskeyLoginStarted {
  readonly kind: 'PasskeyLoginStarted';
  readonly loginToken: string;
  readonly expiresAt: Date;
  /** For `navigator.credentials.get`. */
  readonly options: object;
}

export type BeginPasskeyLoginResult = PasskeyLoginStarted | RateLimited;
export type LogInWithPasskeyResult = LoginStep | InvalidCredentials | LoginExpired | RateLimited;

const PURPOSE = 'LOG_IN';
/** Milliseconds that a person has (WebAuthn Level 3 §13.4.3). */
const CHALLENGE_MS = 300_000;

/** What is kept between the options and the response. */
interface PasskeyLoginState {
  /** base64. */
  readonly challenge: string;
  readonly credential: CredentialKind;
}

/** Begins a login by a passkey. It asks for no name, so there is nothing to tell of anybody. */
export async function beginPasskeyLogin(
  app: App,
  caller: Caller,
  { credential }: { readonly credential: CredentialKind },
): Promise<BeginPasskeyLoginResult> {
  const limited = await limitFactorChecks(app, caller);
  if (limited) return limited;
  const challenge = randomBytes(32);
  const state: PasskeyLoginState = { challenge: challenge.toString('base64'), credential };
  const now = app.clock();
  const { handle, expiresAt } = await ceremonies.begin(
    app.database,
    {
      purpose: PURPOSE,
      userId: null,
      sealedState: app.cipher.seal(JSON.stringify(state), PURPOSE),
      expiresAt: new Date(now.getTime() + CHALLENGE_MS),
    },
    now,
    'login',
  );
  const options = await passkeyOptions(app.config, [], { challenge, verifiesUser: false });
  return { kind: 'PasskeyLoginStarted', loginToken: handle, expiresAt, options };
}

/**
 * Logs somebody in whose passkey has signed. If it verified its user, as it did when it was made, that is two factors;
 * else it is one, and the login asks for a second.
 *
 * Wrong answers count for the client's address and for this login only: whoever knows the id of somebody's passkey must
 * not be able to lock them out.
 */
export async function logInWithPasskey(
  app: App,
  caller: Caller,
  { loginToken, response }: { readonly loginToken: string; readonly response: Readonly<Record<string, unknown>> },
): Promise<LogInWithPasskeyResult> {
  const limited = await limitFactorChecks(app, caller);
  if (limited) return limited;
  const begun = await ceremonies.countAttempt(app.database, loginToken, PURPOSE, app.clock(), 'login');
  const opened = begun && app.cipher.open(begun.sealedState, PURPOSE);
  if (!begun || opened === null) return { kind: 'LoginExpired' };
  const state: PasskeyLoginState = JSON.parse(opened);
  const userId = await authenticators.holderOf(app.database, credentialIdOf(response) ?? '');

  return transact(app, caller.client, async (unit): Promise<LogInWithPasskeyResult> => {
    const { db, now, emit } = unit;
    const enabled = userId !== null && (await users.lockEnabled(db, userId));
    // Of two that bring one response, the second must not look like a copy of the passkey.
    if (!(await ceremonies.lock(db, begun.id, now))) return { kind: 'LoginExpired' };
    const used = enabled ? await checkPasskey(unit, userId, response, Buffer.from(state.challenge, 'base64')) : null;
    if (!enabled || !used) {
      emit({ kind: 'LoginFailed', userId, method: 'PASSKEY' });
      return { kind: 'InvalidCredentials' };
    }
    if (!(await ceremonies.consume(db, begun.id, now))) return { kind: 'LoginExpired' };
    emit({ kind: 'SecondFactorUsed', userId, authenticatorId: used.id, factor: 'PASSKEY' });
    const step = await beginLogin(unit, loginContext(app, caller), {
      purpose: 'PASSKEY',
      userId,
      credential: state.credential,
      methods: [{ method: 'PASSKEY', at: now.toISOString(), ...(used.verifiedUser ? { mfa: true } : {}) }],
      passwordChangedAt: await passwords.changedAt(db, userId),
    });
    return step ?? { kind: 'InvalidCredentials' };
  });
}

async function checkPasskey(
  unit: Unit,
  userId: string,
  response: Readonly<Record<string, unknown>>,
  challenge: Buffer,
): Promise<{ readonly id: string; readonly verifiedUser: boolean } | null> {
  const held = (await authenticators.list(unit.db, userId)).filter(({ kind }) => kind === 'PASSKEY');
  const used = await passkey.check(response, held, { userId, challenge, verifiesUser: false, identifies: true }, unit);
  if (!used) return null;
  const { authenticator, data, verifiedUser = false } = used;
  // It was found without being named.
  const seen = { ...data, discoverable: true };
  const { id, data: expected } = authenticator;
  const noted = await authenticators.use(unit.db, { id, expected, data: seen, now: unit.now });
  return noted ? { id, verifiedUser } : null;
}
