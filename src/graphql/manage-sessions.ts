import {
  type RevokeOtherSessionsResult,
  type RevokeSessionResult,
  revokeOtherSessions,
  revokeSession,
  type SessionRevoked,
  type SessionsRevoked,
} from '../flows/manage-sessions.ts';
import type { ReauthenticationRequired } from '../flows/shared/outcomes.ts';
import { builder } from './builder.ts';
import { freshlySignedIn } from './guard.ts';
import { NotFoundType, ReauthenticationRequiredType, UnauthenticatedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const RevokeSessionInput = builder.inputType('RevokeSessionInput', {
  fields: (t) => ({ id: t.id({ required: true }) }),
});

const SessionRevokedType = builder.objectRef<SessionRevoked>('SessionRevoked').implement({
  fields: (t) => ({ id: t.exposeID('id') }),
});

const RevokeSessionResultType = resultUnion<RevokeSessionResult | ReauthenticationRequired>()('RevokeSessionResult', {
  SessionRevoked: SessionRevokedType,
  NotFound: NotFoundType,
  ReauthenticationRequired: ReauthenticationRequiredType,
  Unauthenticated: UnauthenticatedType,
});

builder.mutationField('revokeSession', (t) =>
  t.field({
    type: RevokeSessionResultType,
    description: 'Ends a session of this person, wherever it is.',
    args: { input: t.arg({ type: RevokeSessionInput, required: true }) },
    resolve: (_root, { input }, context) =>
      freshlySignedIn(context, (viewer) => revokeSession(context.app, context.caller, viewer, input)),
  }),
);

const SessionsRevokedType = builder.objectRef<SessionsRevoked>('SessionsRevoked').implement({
  fields: (t) => ({ count: t.exposeInt('count', { description: 'How many there were.' }) }),
});

const RevokeOtherSessionsResultType = resultUnion<RevokeOtherSessionsResult | ReauthenticationRequired>()(
  'RevokeOtherSessionsResult',
  {
    SessionsRevoked: SessionsRevokedType,
    ReauthenticationRequired: ReauthenticationRequiredType,
    Unauthenticated: UnauthenticatedType,
  },
);

builder.mutationField('revokeOtherSessions', (t) =>
  t.field({
    type: RevokeOtherSessionsResultType,
    description: 'Ends every other session of this person.',
    resolve: (_root, _args, context) =>
      freshlySignedIn(context, (viewer) => revokeOtherSessions(context.app, context.caller, viewer)),
  }),
);
