import { randomBytes } from 'node:crypto';
import type { App } from '../app.ts';
import { credentialOf, passkeyData, relyingParty } from '../factors/passkey.ts';
import { parsePersonName } from '../lib/person-name.ts';
import { handleOf } from '../lib/user-handle.ts';
import { isFromOwnPage, registrationOptions, verifyRegistration } from '../lib/webauthn.ts';
import type { LoginExpired } from '../login/pipeline.ts';
import type { Authenticator } from '../records/authenticators.ts';
import * as authenticators from '../records/authenticators.ts';
import * as users from '../records/users.ts';
import { transact, type Unit } from '../unit.ts';
import {
  accountNames,
  admit,
  beginEnrollment,
  type Enrollee,
  type EnrollmentRefused,
  enroll,
  findEnrollment,
} from './shared/enrollment.ts';
import { limitFactorChecks } from './shared/factor-answer.ts';
import {
  type Caller,
  type EmailNotVerified,
  type InvalidInput,
  type InvalidToken,
  invalidInput,
  type NotFound,
  type RateLimited,
  type ReauthenticationRequired,
  rateLimited,
  type SignedIn,
  type Unauthenticated,
} from './shared/outcomes.ts';

/** What a browser needs to make a passkey. */
export interface PasskeyStarted {
  readonly kind: 'PasskeyStarted';
  readonly handle: string;
  readonly expiresAt: Date;
  /** For `navigator.credentials.create`. */
  readonly options: object;
}

export interface PasskeyAdded {
  readonly kind: 'PasskeyAdded';
  readonly authenticator: Authenticator;
  readonly recoveryCodes: readonly string[] | null;
}

/** The response of the browser does not do. */
export interface PasskeyRejected {
  readonly kind: 'PasskeyRejected';
}

export interface PasskeyRenamed {
  readonly kind: 'PasskeyRenamed';
  readonly authenticator: Authenticator;
}

export type BeginPasskeyResult =
  | PasskeyStarted
  | EmailNotVerified
  | EnrollmentRefused
  | ReauthenticationRequired
  | Unauthenticated
  | LoginExpired
  | RateLimited;
export type ConfirmPasskeyResult =
  | PasskeyAdded
  | PasskeyRejected
  | EnrollmentRefused
  | InvalidToken
  | InvalidInput
  | RateLimited;
export type RenamePasskeyResult = PasskeyRenamed | NotFound | InvalidInput;

/** Passkeys that one account may have. */
const MAX_PASSKEYS = 20;
const DEFAULT_NAME = 'Passkey';

/** What is kept between the options and the response. */
interface PasskeyState {
  /** base64. */
  readonly challenge: string;
  readonly passwordless: boolean;
}

/** Begins to make a passkey. Where it takes the place of a password, only one will do that can log in by itself. */
export async function beginPasskey(
  app: App,
  caller: Caller,
  { loginToken }: { readonly loginToken?: string | null | undefined },
): Promise<BeginPasskeyResult> {
  const limited = await limitFactorChecks(app, caller);
  if (limited) return limited;
  return transact(app, caller.client, async (unit): Promise<BeginPasskeyResult> => {
    const enrollee = await admit(app, unit, caller, 'PASSKEY', loginToken ?? null);
    if (enrollee.kind !== 'enrollee') return enrollee;
    const wait = await app.limiter.count({ limit: 'changePerAccount', key: enrollee.userId });
    if (wait !== null) return rateLimited(wait);
    const held = await passkeysOf(unit, enrollee.userId);
    if (held.length >= MAX_PASSKEYS) return { kind: 'EnrollmentRefused' };
    const challenge = randomBytes(32);
    const passwordless = await isOnlyWay(unit, enrollee);
    const state: PasskeyState = { challenge: challenge.toString('base64'), passwordless };
    const begun = await beginEnrollment(unit, enrollee, 'ENROLL_PASSKEY', JSON.stringify(state));
    const options = await registrationOptions(relyingParty(unit.config), {
      challenge,
      user: { handle: handleOf(enrollee.userId), ...(await accountNames(unit, enrollee.userId)) },
      existing: held.map(credentialOf),
      passwordless,
    });
    return { kind: 'PasskeyStarted', ...begun, options };
  });
}

/** Adds the passkey that a browser has made. */
export async function confirmPasskey(
  app: App,
  caller: Caller,
  input: { readonly handle: string; readonly response: object; readonly name?: string | null | undefined },
): Promise<ConfirmPasskeyResult> {
  const name = parsePersonName(input.name ?? '');
  if (name && typeof name === 'object') return invalidInput({ path: ['name'], code: name.problem });
  const limited = await limitFactorChecks(app, caller);
  if (limited) return limited;
  const begun = await findEnrollment(app, caller, 'ENROLL_PASSKEY', input.handle);
  if (begun.kind !== 'begun') return begun;
  const { challenge, passwordless }: PasskeyState = JSON.parse(begun.state);
  const credential = await verifyRegistration(relyingParty(app.config), input.response, {
    challenge: Buffer.from(challenge, 'base64'),
    passwordless,
  });
  if (!credential) {
    const reason = isFromOwnPage(relyingParty(app.config), input.response)
      ? 'it is not what was asked for'
      : 'its page is none of POSTERN_PASSKEY_ORIGINS';
    app.log.info(`a passkey was refused: ${reason}`);
    return { kind: 'PasskeyRejected' };
  }

  return transact(app, caller.client, async (unit): Promise<ConfirmPasskeyResult> => {
    // Of several at once, each sees what the one before has added.
    await users.lock(unit.db, begun.ceremony.userId);
    if ((await passkeysOf(unit, begun.ceremony.userId)).length >= MAX_PASSKEYS) return { kind: 'EnrollmentRefused' };
    const added = { name: name ?? DEFAULT_NAME, credentialId: credential.id, data: passkeyData(credential) };
    const { aaguid, userVerified, backedUp } = credential;
    const about = { passkey: { aaguid, userVerified, backedUp } };
    const enrolled = await enroll(app, unit, begun, { kind: 'PASSKEY', ...added }, about);
    if (enrolled?.kind !== 'enrolled') return enrolled ?? { kind: 'PasskeyRejected' };
    return { ...enrolled, kind: 'PasskeyAdded' };
  });
}

/** Names a passkey of the viewer's. */
export async function renamePasskey(
  app: App,
  { client }: Caller,
  { user }: SignedIn,
  input: { readonly id: string; readonly name: string },
): Promise<RenamePasskeyResult> {
  const name = parsePersonName(input.name);
  if (name === null) return invalidInput({ path: ['name'], code: 'REQUIRED' });
  if (typeof name === 'object') return invalidInput({ path: ['name'], code: name.problem });
  return transact(app, client, async ({ db, emit }): Promise<RenamePasskeyResult> => {
    // An id is looked for among the viewer's own: one of somebody else's is as unknown as any.
    const own = (await authenticators.list(db, user.id)).find(({ id, kind }) => id === input.id && kind === 'PASSKEY');
    const authenticator = own && (await authenticators.rename(db, user.id, { id: own.id, kind: 'PASSKEY', name }));
    if (!authenticator) return { kind: 'NotFound' };
    emit({ kind: 'PasskeyRenamed', userId: user.id, authenticatorId: authenticator.id, name });
    return { kind: 'PasskeyRenamed', authenticator };
  });
}

/** Whether the passkey is how its owner will come back: for a sign-up without a password. */
async function isOnlyWay({ db }: Unit, { userId, pendingLoginId }: Enrollee): Promise<boolean> {
  const known = pendingLoginId === null ? null : await users.namesOf(db, userId);
  return known !== null && !known.hasPassword;
}

async function passkeysOf({ db }: Unit, userId: string): Promise<Authenticator[]> {
  return (await authenticators.list(db, userId)).filter(({ kind }) => kind === 'PASSKEY');
}
