import type { App } from '../../app.ts';
import { type FactorName, factors, hasMfa } from '../../factors/index.ts';
import { makeRecoveryCodes } from '../../factors/recovery-code.ts';
import type { HookEnrollment } from '../../hooks.ts';
import { readHookPerson } from '../../login/hook-person.ts';
import { type LoginExpired, lockLogin, promptOf } from '../../login/pipeline.ts';
import type { Authenticator, NewAuthenticator } from '../../records/authenticators.ts';
import * as authenticators from '../../records/authenticators.ts';
import * as ceremonies from '../../records/ceremonies.ts';
import * as emails from '../../records/emails.ts';
import * as pendingLogins from '../../records/pending-logins.ts';
import * as phones from '../../records/phones.ts';
import * as sessions from '../../records/sessions.ts';
import * as users from '../../records/users.ts';
import type { Unit } from '../../unit.ts';
import { lockFactorFresh } from './freshness.ts';
import type { Caller, EmailNotVerified, InvalidToken, ReauthenticationRequired, Unauthenticated } from './outcomes.ts';

/** Who sets a factor up: somebody who has just proven who they are, or a login that asks for it. */
export interface Enrollee {
  readonly kind: 'enrollee';
  readonly userId: string;
  readonly sessionId: string | null;
  readonly pendingLoginId: string | null;
}

/** This factor may not be set up here, or not by this person. */
export interface EnrollmentRefused {
  readonly kind: 'EnrollmentRefused';
}

/** What stands in the way of setting a factor up. */
export type NotAdmitted =
  | EmailNotVerified
  | EnrollmentRefused
  | LoginExpired
  | ReauthenticationRequired
  | Unauthenticated;

/** Milliseconds that setting a factor up may take; a passkey, as long as its challenge may be signed (WebAuthn Level 3 §13.4.3). */
const ENROLLMENT_MS = { ENROLL_TOTP: 10 * 60_000, ENROLL_PASSKEY: 5 * 60_000 } as const;

/** Whom a login asks for this factor: at the stage that does, and at no other. */
const PROMPTS: Readonly<Record<'TOTP' | 'PASSKEY', readonly string[]>> = {
  TOTP: ['MfaEnrollmentRequired'],
  PASSKEY: ['MfaEnrollmentRequired', 'PasskeyRequired'],
};

/**
 * Finds who may set a factor up, and locks them. With the token of a login it is that login, if it asks for just that;
 * without, it is the viewer, who has to have proven who they are, by a second factor if they have one.
 */
export async function admit(
  app: App,
  unit: Unit,
  { viewer }: Caller,
  name: 'TOTP' | 'PASSKEY',
  loginToken: string | null,
): Promise<Enrollee | NotAdmitted> {
  if (!app.config.mfa.factors.includes(name)) return { kind: 'EnrollmentRefused' };
  if (loginToken !== null) {
    const login = await lockLogin(unit, loginToken);
    const prompt = login && (await promptOf(unit, app.stages, login));
    if (!login?.userId || !prompt || !PROMPTS[name].includes(prompt)) return { kind: 'LoginExpired' };
    return { kind: 'enrollee', userId: login.userId, sessionId: null, pendingLoginId: login.id };
  }
  if (viewer.kind === 'anonymous') return { kind: 'Unauthenticated', reason: viewer.reason };
  const fresh = await lockFactorFresh(app, unit, viewer);
  if (fresh.kind === 'ReauthenticationRequired' || fresh.kind === 'Unauthenticated') return fresh;
  const userId = viewer.user.id;
  if (!(await isReachable(unit, userId))) return { kind: 'EmailNotVerified' };
  return { kind: 'enrollee', userId, sessionId: viewer.session.id, pendingLoginId: null };
}

// Whoever loses a factor needs another way to be told, and the second factor of a stranger's address is theirs for ever.
async function isReachable({ db }: Unit, userId: string): Promise<boolean> {
  const [own, phone] = await Promise.all([emails.list(db, userId), phones.find(db, userId)]);
  return phone?.verified || own.some(({ verified }) => verified);
}

/** Begins to set a factor up: what is to be confirmed is kept, sealed. */
export function beginEnrollment(
  { db, now, cipher }: Unit,
  { userId, sessionId, pendingLoginId }: Enrollee,
  purpose: 'ENROLL_TOTP' | 'ENROLL_PASSKEY',
  state: string,
): Promise<{ readonly handle: string; readonly expiresAt: Date }> {
  const sealedState = cipher.seal(state, purpose);
  const expiresAt = new Date(now.getTime() + ENROLLMENT_MS[purpose]);
  return ceremonies.begin(db, { purpose, userId, sessionId, pendingLoginId, sealedState, expiresAt }, now);
}

/** An enrollment that is about to be confirmed, with what was kept of its beginning. */
export interface BegunEnrollment {
  readonly kind: 'begun';
  readonly ceremony: ceremonies.Ceremony & { readonly userId: string };
  readonly state: string;
  /** How many more answers there may be if this one is wrong. */
  readonly attemptsLeft: number;
}

/** What an authenticator calls an account, and whose it is, so that a person who has several can tell them apart. */
export async function accountNames(
  { db, config }: Unit,
  userId: string,
): Promise<{ readonly name: string; readonly displayName: string }> {
  const names = await users.namesOf(db, userId);
  const { name = null, username = null, emails: addresses = [], phone = null } = names ?? {};
  const account = addresses[0] ?? username ?? phone ?? config.mail.product;
  return { name: account, displayName: name ?? username ?? account };
}

/** Finds what a handle has begun, and counts the answer to it. Only the session that began it may end it. */
export async function findEnrollment(
  app: App,
  { viewer }: Caller,
  purpose: 'ENROLL_TOTP' | 'ENROLL_PASSKEY',
  handle: string,
): Promise<BegunEnrollment | InvalidToken> {
  const counted = await ceremonies.countAttempt(app.database, handle, purpose, app.clock());
  if (!counted?.userId) return { kind: 'InvalidToken' };
  const { attemptsLeft, ...ceremony } = counted;
  const by = viewer.kind === 'anonymous' ? null : viewer.session.id;
  const state = app.cipher.open(ceremony.sealedState, purpose);
  if (state === null || (ceremony.sessionId !== null && ceremony.sessionId !== by)) return { kind: 'InvalidToken' };
  return { kind: 'begun', ceremony: { ...ceremony, userId: counted.userId }, state, attemptsLeft };
}

/** A factor that has joined an account. */
export interface Enrolled {
  readonly kind: 'enrolled';
  readonly authenticator: Authenticator;
  /** Given once, with the first factor. */
  readonly recoveryCodes: readonly string[] | null;
}

/**
 * Adds what was confirmed to the account, once, and notes for the session or login that began it that the factor was
 * shown. With the first one every other session ends: they were opened without it.
 * @returns null if the credential is somebody's already
 */
export async function enroll(
  app: App,
  unit: Unit,
  { ceremony }: BegunEnrollment,
  added: Omit<NewAuthenticator, 'userId'> & { readonly kind: 'TOTP' | 'PASSKEY' },
  about: Pick<HookEnrollment, 'passkey'> = {},
): Promise<Enrolled | EnrollmentRefused | InvalidToken | null> {
  const { db, now, emit, hooks, config } = unit;
  const { userId, sessionId, pendingLoginId } = ceremony;
  if (!(await users.lockEnabled(db, userId))) return { kind: 'InvalidToken' };
  if (!(await isStillAsked(app, unit, ceremony, added.kind))) return { kind: 'InvalidToken' };
  if (!(await ceremonies.consume(db, ceremony.id, now))) return { kind: 'InvalidToken' };
  if (hooks.allowsEnrollment) {
    const person = await readHookPerson(unit, userId);
    const allowed = await hooks.allowsEnrollment({ person, factor: added.kind, ...about });
    if (!allowed) return { kind: 'EnrollmentRefused' };
  }
  const held = await authenticators.list(db, userId);
  const first = !hasMfa(held.map(({ kind }) => kind));
  const authenticator = await authenticators.add(db, { ...added, userId }, now);
  if (!authenticator) return null;

  const method = { method: added.kind, at: now.toISOString(), mfa: true } as const;
  if (pendingLoginId) await pendingLogins.addMethod(db, pendingLoginId, method);
  if (sessionId) await sessions.addMethod(db, sessionId, method);
  const { id: authenticatorId, name } = authenticator;
  const login = pendingLoginId === null ? null : await pendingLogins.findById(db, pendingLoginId, now);
  const signingUp = login?.purpose === 'SIGN_UP';
  emit({ kind: 'AuthenticatorAdded', userId, authenticatorId, factor: added.kind, name, first, signingUp });
  if (sessionId) emit({ kind: 'Reauthenticated', userId, sessionId, method: added.kind });
  if (!first) return { kind: 'enrolled', authenticator, recoveryCodes: null };
  emit({ kind: 'MfaEnabled', userId });
  await endOtherSessions(unit, userId, sessionId);
  const offersCodes = config.mfa.factors.includes('RECOVERY_CODE');
  return { kind: 'enrolled', authenticator, recoveryCodes: offersCodes ? await giveRecoveryCodes(unit, userId) : null };
}

/** Whether whoever began is still there, and still in the place where this factor is asked for. */
async function isStillAsked(
  app: App,
  unit: Unit,
  { userId, sessionId, pendingLoginId }: ceremonies.Ceremony,
  name: 'TOTP' | 'PASSKEY',
): Promise<boolean> {
  if (pendingLoginId !== null) {
    const login = await pendingLogins.findById(unit.db, pendingLoginId, unit.now);
    const prompt = login && (await promptOf(unit, app.stages, login));
    return prompt !== null && PROMPTS[name].includes(prompt);
  }
  const known = sessionId === null ? null : await sessions.findById(unit.db, sessionId);
  return known !== null && known.endReason === null && known.user.id === userId;
}

/** Ends the sessions of a person, all but this one: a factor has changed. */
export async function endOtherSessions(
  { db, now, emit }: Unit,
  userId: string,
  sessionId: string | null,
): Promise<void> {
  for (const id of await sessions.endAll(db, userId, 'REVOKED', now, sessionId)) {
    emit({ kind: 'SessionEnded', userId, sessionId: id, reason: 'REVOKED' });
  }
}

/** Gives a person new recovery codes, in the place of those before. */
export async function giveRecoveryCodes({ db, now, config }: Unit, userId: string): Promise<readonly string[]> {
  const { codes, data } = makeRecoveryCodes(config.mfa.recoveryCodes, userId);
  const kind: FactorName = 'RECOVERY_CODE';
  await authenticators.removeAll(db, userId, kind);
  await authenticators.add(db, { userId, kind, data }, now);
  return codes;
}

/** Whether a kind of authenticator is one that logins ask for. */
export function isAsked(kind: string): boolean {
  return Object.hasOwn(factors, kind) && factors[kind as FactorName].asked;
}
