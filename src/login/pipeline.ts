import { randomBytes, randomUUID } from 'node:crypto';
import { hashToken, isToken, makeToken } from '../lib/secrets.ts';
import type { PasskeyChallenge, PendingLogin, StoredLogin } from '../records/pending-logins.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as refreshTokens from '../records/refresh-tokens.ts';
import type { Session } from '../records/sessions.ts';
import * as sessions from '../records/sessions.ts';
import type { User } from '../records/users.ts';
import * as users from '../records/users.ts';
import type { Unit } from '../unit.ts';
import { extraClaims } from './extra-claims.ts';
import { announceConnection, identityOf, joinIdentity, providerOf } from './identity.ts';
import type { Asking, Prompt, Stages } from './stage.ts';
import type { LoginPrompt } from './stages/index.ts';
import { type TrustedDevice, trustDevice } from './trust.ts';

/** What the holder of a session is given, once. */
export type IssuedCredential =
  | { readonly kind: 'SessionCookie'; readonly token: string; readonly expiresAt: Date }
  | { readonly kind: 'SessionToken'; readonly token: string; readonly expiresAt: Date }
  | TokenPair;

/** A short-lived JWT and the token that gets the next one. */
export interface TokenPair {
  readonly kind: 'TokenPair';
  readonly accessToken: string;
  readonly accessTokenExpiresAt: Date;
  readonly refreshToken: string;
  readonly refreshTokenExpiresAt: Date;
}

/** A login that asks nothing more. */
export interface LoggedIn {
  readonly kind: 'LoggedIn';
  readonly session: Session;
  readonly user: User;
  readonly issued: IssuedCredential;
  /** Set if the client asked for it. */
  readonly trustedDevice: TrustedDevice | null;
}

/** This login was never begun, is over, or took too long or too many tries. */
export interface LoginExpired {
  readonly kind: 'LoginExpired';
}

/** A login that asks nothing more, because of what happened elsewhere. It opens nothing until it is carried on. */
export interface LoginReady {
  readonly kind: 'LoginReady';
  readonly loginToken: string;
  readonly expiresAt: Date;
}

/** Where a login stands. */
export type LoginStep = LoggedIn | LoginPrompt;

/** What a login needs beside its unit. */
export interface LoginContext {
  readonly stages: Stages;
  /** The session that the client showed. The new one takes its place; it is never adopted. */
  readonly replaces: { readonly id: string; readonly userId: string } | null;
  /** SHA-256 of the token of a trusted device that the client showed. */
  readonly trustedDeviceHash: Buffer | null;
}

/** Milliseconds for which a passkey may sign what it was given (WebAuthn Level 3 §13.4.3). */
const PASSKEY_CHALLENGE_MS = 300_000;

/** How a login begins: whose it is and what was shown, beside the password that the account had when it was shown. */
export type BegunLogin = Pick<PendingLogin, 'purpose' | 'userId' | 'credential' | 'methods' | 'passwordChangedAt'> &
  Partial<Pick<PendingLogin, 'email' | 'phone' | 'sealedSignUp' | 'sealedIdentity'>>;

/**
 * Takes a login from its first proof as far as it goes: to the first stage that asks something, or to a session.
 * @returns null if the account was disabled, or its password replaced, in the meantime
 */
export async function beginLogin(unit: Unit, context: LoginContext, begun: BegunLogin): Promise<LoginStep | null> {
  const expiresAt = new Date(unit.now.getTime() + unit.config.pendingLoginLifetime);
  const login: PendingLogin = {
    email: null,
    phone: null,
    sealedSignUp: null,
    sealedIdentity: null,
    ...begun,
    passkeyChallenge: makePasskeyChallenge(unit),
    trustedDeviceHash: context.trustedDeviceHash,
    trustsDevice: false,
    expiresAt,
  };
  // What a person holds may change at the same moment: a first factor that comes now is either seen by the stages, or
  // finds the session and ends it. Whoever has just signed up is known to nobody else yet.
  if (begun.methods.length > 0 && begun.purpose !== 'SIGN_UP') await users.lock(unit.db, begun.userId ?? users.NOBODY);
  const asked = await firstPrompt(login, context.stages, unit);
  if (!asked) return openSession(unit, context, login);

  const loginToken = makeToken('login');
  const { ipAddress, userAgent } = unit.client;
  const stored: StoredLogin = { ...login, id: pendingLogins.newId(), stage: asked.name };
  await pendingLogins.store(unit.db, {
    ...stored,
    tokenHash: hashToken(loginToken),
    ipAddress,
    userAgent,
    now: unit.now,
  });
  await asked.stage.enter?.(stored, unit);
  // What somebody signs up with proves nothing yet.
  if (login.methods.length > 0 && login.purpose !== 'SIGN_UP') announceStep(unit, login, asked.name);
  return ask(asked.prompt, loginToken, login);
}

/**
 * Takes a stored login on. Whatever was proven since, by whatever door or device, counts: the stages ask the facts.
 * @param loginToken as {@link beginLogin} gave it
 */
export async function resumeLogin(
  unit: Unit,
  context: LoginContext,
  loginToken: string,
): Promise<LoginStep | LoginExpired> {
  const found = await findLogin(unit, loginToken);
  if (!found) return { kind: 'LoginExpired' };
  const login = await withPasskeyChallenge(unit, found);
  const asked = await firstPrompt(login, context.stages, unit);
  // Nothing is written then, not even a lock: only a person who exists has a row to be locked, and that takes time.
  if (asked?.name === login.stage) return ask(asked.prompt, loginToken, login);

  // The person first, then what is theirs: a change of the password that ends this login takes them in the same order.
  await users.lock(unit.db, login.userId ?? users.NOBODY);
  const next = await firstPrompt(login, context.stages, unit);
  if (next) {
    if (await pendingLogins.stopAt(unit.db, login.id, next.name)) {
      await next.stage.enter?.(login, unit);
      announceStep(unit, login, next.name);
    }
    return ask(next.prompt, loginToken, login);
  }
  if (!(await pendingLogins.complete(unit.db, login.id, unit.now))) return { kind: 'LoginExpired' };
  return (await openSession(unit, context, login)) ?? { kind: 'LoginExpired' };
}

/** Where a stored login stands. Changes nothing. */
export async function describeLogin(
  unit: Unit,
  stages: Stages,
  loginToken: string,
): Promise<LoginPrompt | LoginReady | LoginExpired> {
  const login = await findLogin(unit, loginToken);
  if (!login) return { kind: 'LoginExpired' };
  const asked = await firstPrompt(login, stages, unit);
  if (asked) return ask(asked.prompt, loginToken, login);
  return { kind: 'LoginReady', loginToken, expiresAt: login.expiresAt };
}

/** The login that a token carries on; null if it is over or was never begun. */
export async function findLogin(unit: Unit, loginToken: string): Promise<StoredLogin | null> {
  return isToken('login', loginToken) ? pendingLogins.find(unit.db, hashToken(loginToken), unit.now) : null;
}

/** The same, locked against whoever else would change it at the same moment. */
export async function lockLogin(unit: Unit, loginToken: string): Promise<StoredLogin | null> {
  const seen = await findLogin(unit, loginToken);
  // The person first, then what is theirs, as everywhere.
  await users.lock(unit.db, seen?.userId ?? users.NOBODY);
  await pendingLogins.lock(unit.db, seen?.id ?? users.NOBODY);
  return findLogin(unit, loginToken);
}

/** What a login asks for first; null if nothing more. */
export async function promptOf(unit: Unit, stages: Stages, login: StoredLogin): Promise<string | null> {
  return (await firstPrompt(login, stages, unit))?.prompt.kind ?? null;
}

// One after the other: what a later one looks up must not tell who waits at an earlier one.
async function firstPrompt(login: PendingLogin & { id?: string }, stages: Stages, unit: Unit) {
  for (const [name, stage] of Object.entries(stages)) {
    const prompt = await stage.prompt(login, unit);
    if (prompt) return { name, stage, prompt };
  }
  return null;
}

function announceStep({ emit }: Unit, { userId, methods }: PendingLogin, asks: string): void {
  emit({ kind: 'LoginStepCompleted', userId, methods: methods.map(({ method }) => method), asks });
}

function makePasskeyChallenge({ now }: Unit): PasskeyChallenge {
  return { bytes: randomBytes(32), expiresAt: new Date(now.getTime() + PASSKEY_CHALLENGE_MS) };
}

/** Whoever asks again after a while gets another challenge. */
async function withPasskeyChallenge(unit: Unit, login: StoredLogin): Promise<StoredLogin> {
  if (login.passkeyChallenge.expiresAt > unit.now) return login;
  const passkeyChallenge = makePasskeyChallenge(unit);
  await pendingLogins.setPasskeyChallenge(unit.db, login.id, passkeyChallenge);
  return { ...login, passkeyChallenge };
}

function ask(prompt: Prompt, loginToken: string, login: PendingLogin): LoginPrompt {
  const asking: Asking<Prompt> = { ...prompt, loginToken, expiresAt: login.expiresAt };
  return asking as unknown as LoginPrompt;
}

/** The only way to a session. */
async function openSession(unit: Unit, { replaces }: LoginContext, login: PendingLogin): Promise<LoggedIn | null> {
  if (!login.userId) return null;
  const { db, now, config, client } = unit;
  const session: Session = {
    id: randomUUID(),
    userId: login.userId,
    credential: login.credential,
    credentialGeneration: 0,
    methods: login.methods,
    createdAt: now,
    lastSeenAt: now,
    expiresAt: new Date(now.getTime() + config.session.lifetime),
    ipAddress: client.ipAddress,
    userAgent: client.userAgent,
  };
  // An account at a provider joins the person with the session that the whole login has opened, second factor included:
  // else a password alone would add another way in.
  const identity = identityOf(unit, login);
  if (login.sealedIdentity !== null && !identity) return null;
  // Its provider was switched off meanwhile.
  if (identity && !providerOf(unit, identity)) return null;
  if (identity) await db.execute`SAVEPOINT joining`;
  const joined = identity && (await joinIdentity(unit, login.userId, identity));
  if (identity && !joined) return null;
  const token = login.credential === 'JWT' ? null : makeToken('session');
  const opened = await sessions.open(db, {
    ...session,
    tokenHash: token === null ? null : hashToken(token),
    passwordChangedAt: login.passwordChangedAt,
  });
  if (!opened) {
    if (identity) await db.execute`ROLLBACK TO SAVEPOINT joining`;
    return null;
  }
  if (identity && joined && !joined.known)
    announceConnection(unit, login.userId, joined.id, identity, { signingUp: login.purpose === 'SIGN_UP' });

  if (replaces && (await sessions.end(db, replaces.id, 'LOGGED_OUT', now))) {
    unit.emit({ kind: 'SessionEnded', userId: replaces.userId, sessionId: replaces.id, reason: 'LOGGED_OUT' });
  }
  for (const sessionId of opened.ended) {
    unit.emit({ kind: 'SessionEnded', userId: session.userId, sessionId, reason: 'REVOKED' });
  }
  unit.emit({
    kind: 'LoggedIn',
    userId: session.userId,
    sessionId: session.id,
    methods: session.methods,
    newDevice: opened.newDevice,
  });
  const issued = await issue(unit, opened.user, session, token);
  const trustedDevice = login.trustsDevice ? await trustDevice(unit, session.userId) : null;
  return { kind: 'LoggedIn', session, user: opened.user, issued, trustedDevice };
}

/**
 * Puts another credential in the place of the one by which a session is held. The old token, the old chain of refresh
 * tokens and the access tokens of either open nothing here any more. The session stays what it is.
 * @returns null if the session is over
 */
export async function renewCredential(unit: Unit, user: User, session: Session): Promise<IssuedCredential | null> {
  const token = session.credential === 'JWT' ? null : makeToken('session');
  // The chain before the session, as a refresh takes them.
  await refreshTokens.endChain(unit.db, session.id);
  const renewed = await sessions.replaceCredential(unit.db, session.id, token === null ? null : hashToken(token));
  return renewed ? issue(unit, user, renewed, token) : null;
}

async function issue(unit: Unit, user: User, session: Session, token: string | null): Promise<IssuedCredential> {
  if (token !== null) {
    const kind = session.credential === 'COOKIE' ? 'SessionCookie' : 'SessionToken';
    return { kind, token, expiresAt: session.expiresAt };
  }
  const refreshToken = makeToken('refresh');
  const expiresAt = refreshExpiry(unit, session.expiresAt);
  await refreshTokens.start(unit.db, {
    sessionId: session.id,
    tokenHash: hashToken(refreshToken),
    now: unit.now,
    expiresAt,
  });
  const claims = await extraClaims(unit, user, session);
  const access = await unit.accessTokens.issue({ ...sessions.accessTokenSubject(session), claims }, unit.now);
  return {
    kind: 'TokenPair',
    accessToken: access.accessToken,
    accessTokenExpiresAt: access.expiresAt,
    refreshToken,
    refreshTokenExpiresAt: expiresAt,
  };
}

function refreshExpiry({ now, config }: Unit, sessionExpiresAt: Date): Date {
  return new Date(Math.min(now.getTime() + config.refreshToken.lifetime, sessionExpiresAt.getTime()));
}
