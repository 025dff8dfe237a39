import { type RefreshSessionResult, refreshSession, type SessionTokensRefreshed } from '../flows/refresh-session.ts';
import { builder } from './builder.ts';
import { TokenPairType } from './login.ts';
import { RateLimitedType, UnauthenticatedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const RefreshSessionInput = builder.inputType('RefreshSessionInput', {
  fields: (t) => ({ refreshToken: t.string({ required: true }) }),
});

const SessionTokensRefreshedType = builder.objectRef<SessionTokensRefreshed>('SessionTokensRefreshed').implement({
  fields: (t) => ({ credential: t.expose('credential', { type: TokenPairType }) }),
});

const RefreshSessionResultType = resultUnion<RefreshSessionResult>()('RefreshSessionResult', {
  SessionTokensRefreshed: SessionTokensRefreshedType,
  Unauthenticated: UnauthenticatedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('refreshSession', (t) =>
  t.field({
    type: RefreshSessionResultType,
    description:
      'Trades a refresh token for the next pair. Each works once; an old one that shows up again ends the session.',
    args: { input: t.arg({ type: RefreshSessionInput, required: true }) },
    resolve: (_root, { input }, { app, caller }) => refreshSession(app, caller, input),
  }),
);
