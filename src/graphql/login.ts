import type { IssuedCredential, LoggedIn, TokenPair } from '../login/pipeline.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { resultUnion } from './result-union.ts';
import { SessionType } from './session.ts';
import { UserType } from './user.ts';

type SessionCookie = Extract<IssuedCredential, { kind: 'SessionCookie' }>;
type SessionToken = Extract<IssuedCredential, { kind: 'SessionToken' }>;

builder.interfaceRef<{ readonly loginToken: string; readonly expiresAt: Date }>('PendingLogin').implement({
  description: 'Proven so far, but not yet a session. `loginToken` carries the login on and opens nothing else.',
  fields: (t) => ({
    loginToken: t.exposeString('loginToken'),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
  }),
});

const SessionCookieType = builder.objectRef<SessionCookie>('SessionCookie').implement({
  description: 'The cookie is in the answer already, where no script can read it.',
  fields: (t) => ({
    name: t.string({ resolve: (_cookie, _args, { answer }) => answer.cookieName }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
  }),
});

const SessionTokenType = builder.objectRef<SessionToken>('SessionToken').implement({
  description: 'For `X-Session-Token` or `Authorization: Bearer`. Shown once.',
  fields: (t) => ({
    token: t.exposeString('token'),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
  }),
});

export const TokenPairType = builder.objectRef<TokenPair>('TokenPair').implement({
  fields: (t) => ({
    accessToken: t.exposeString('accessToken', { description: 'A JWT for `Authorization: Bearer`.' }),
    accessTokenExpiresAt: t.expose('accessTokenExpiresAt', { type: 'DateTime' }),
    refreshToken: t.exposeString('refreshToken', { description: 'Works once, for refreshSession.' }),
    refreshTokenExpiresAt: t.expose('refreshTokenExpiresAt', { type: 'DateTime' }),
  }),
});

export const Credential = resultUnion<IssuedCredential>()('Credential', {
  SessionCookie: SessionCookieType,
  SessionToken: SessionTokenType,
  TokenPair: TokenPairType,
});

export const LoggedInType = builder.objectRef<LoggedIn>('LoggedIn').implement({
  fields: (t) => ({
    user: t.field({
      type: UserType,
      resolve: ({ user, session }) => ({ ...user, currentSessionId: session.id }),
    }),
    session: t.field({ type: SessionType, resolve: ({ session }) => ({ ...session, current: true }) }),
    credential: t.field({ type: Credential, resolve: ({ issued }) => issued }),
    trustedDeviceToken: t.string({
      nullable: true,
      description: 'Set when the client asked to trust this device and holds no cookies.',
      // Without second factors there is nothing that a trusted device would be spared.
      resolve: () => null,
    }),
  }),
});

/** The members that every login may end in: one type for each prompt of the pipeline. */
export const loginSteps = { LoggedIn: LoggedInType };

/** Hands a result on. If it opened a session, the answer to the browser is made to hold it. */
export function deliver<S extends { readonly kind: string }>({ answer }: Context, result: S | LoggedIn): S | LoggedIn {
  if (isLoggedIn(result)) answer.holdSession(result.issued);
  return result;
}

function isLoggedIn(result: { readonly kind: string }): result is LoggedIn {
  return result.kind === 'LoggedIn';
}
