import { randomUUID } from 'node:crypto';
import { hashToken, isToken, makeToken } from '../lib/secrets.ts';
import type { PendingLogin } from '../records/pending-logins.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as refreshTokens from '../records/refresh-tokens.ts';
import type { CredentialKind, Session } from '../records/sessions.ts';
import * as sessions from '../records/sessions.ts';
import type { User } from '../records/users.ts';
import type { Unit } from '../unit.ts';
import type { Asking, Prompt, Stages } from './stage.ts';
import type { LoginPrompt } from './stages/index.ts';

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
}

/** This login was never begun, is over, or took too long or too many tries. */
export interface LoginExpired {
  readonly kind: 'LoginExpired';
}

/** Where a login stands. */
export type LoginStep = LoggedIn | LoginPrompt;

/** What a login needs beside its unit. */
export interface LoginContext {
  readonly stages: Stages;
  /** The session that the client showed. The new one takes its place; it is never adopted. */
  readonly replaces: { readonly id: string; readonly userId: string } | null;
}

/**
 * Takes a login from its first proof as far as it goes: to the first stage that asks something, or to a session.
 * @param proven whose login it is and what was shown; the password that the account had when it was shown
 * @returns null if the account was disabled, or its password replaced, in the meantime
 */
export async function beginLogin(
  unit: Unit,
  context: LoginContext,
  proven: Omit<PendingLogin, 'expiresAt'>,
): Promise<LoginStep | null> {
  const login = { ...proven, expiresAt: new Date(unit.now.getTime() + unit.config.pendingLoginLifetime) };
  const asked = await firstPrompt(login, context.stages, unit);
  if (!asked) return openSession(unit, context, login);

  const loginToken = makeToken('login');
  const { ipAddress, userAgent } = unit.client;
  await pendingLogins.store(unit.db, {
    ...login,
    tokenHash: hashToken(loginToken),
    ipAddress,
    userAgent,
    now: unit.now,
  });
  await asked.stage.enter?.(login, unit);
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
  const login = await findLogin(unit, loginToken);
  if (!login) return { kind: 'LoginExpired' };
  const asked = await firstPrompt(login, context.stages, unit);
  if (asked) return ask(asked.prompt, loginToken, login);
  if (!(await pendingLogins.complete(unit.db, login.id, unit.now))) return { kind: 'LoginExpired' };
  return (await openSession(unit, context, login)) ?? { kind: 'LoginExpired' };
}

/** Where a stored login stands. Changes nothing; one that asks nothing more is over but for {@link resumeLogin}. */
export async function describeLogin(
  unit: Unit,
  stages: Stages,
  loginToken: string,
): Promise<LoginPrompt | LoginExpired> {
  const login = await findLogin(unit, loginToken);
  const asked = login && (await firstPrompt(login, stages, unit));
  return asked ? ask(asked.prompt, loginToken, login) : { kind: 'LoginExpired' };
}

async function findLogin(unit: Unit, loginToken: string) {
  return isToken('login', loginToken) ? pendingLogins.find(unit.db, hashToken(loginToken), unit.now) : null;
}

async function firstPrompt(login: PendingLogin, stages: Stages, unit: Unit) {
  for (const stage of Object.values(stages)) {
    const prompt = await stage.prompt(login, unit);
    if (prompt) return { stage, prompt };
  }
  return null;
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
    methods: login.methods,
    createdAt: now,
    lastSeenAt: now,
    expiresAt: new Date(now.getTime() + config.session.lifetime),
    ipAddress: client.ipAddress,
    userAgent: client.userAgent,
  };
  const token = login.credential === 'JWT' ? null : makeToken('session');
  const opened = await sessions.open(db, {
    ...session,
    tokenHash: token === null ? null : hashToken(token),
    passwordChangedAt: login.passwordChangedAt,
  });
  if (!opened) return null;

  if (replaces && (await sessions.end(db, replaces.id, 'LOGGED_OUT', now))) {
    unit.emit({ kind: 'SessionEnded', userId: replaces.userId, sessionId: replaces.id, reason: 'LOGGED_OUT' });
  }
  for (const sessionId of opened.ended) {
    unit.emit({ kind: 'SessionEnded', userId: session.userId, sessionId, reason: 'REVOKED' });
  }
  unit.emit({ kind: 'LoggedIn', userId: session.userId, sessionId: session.id, methods: session.methods });
  return { kind: 'LoggedIn', session, user: opened.user, issued: await issue(unit, session, token, login.credential) };
}

async function issue(
  unit: Unit,
  session: Session,
  token: string | null,
  credential: CredentialKind,
): Promise<IssuedCredential> {
  if (token !== null) {
    const kind = credential === 'COOKIE' ? 'SessionCookie' : 'SessionToken';
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
  const access = await unit.accessTokens.issue(sessions.accessTokenSubject(session), unit.now);
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
