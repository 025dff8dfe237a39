import { type LoggedOut, logOut } from '../flows/log-out.ts';
import type { Unauthenticated } from '../flows/shared/outcomes.ts';
import { builder } from './builder.ts';
import { signedIn } from './guard.ts';
import { UnauthenticatedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const LoggedOutType = builder.objectRef<LoggedOut>('LoggedOut').implement({
  fields: (t) => ({ sessionId: t.exposeID('sessionId') }),
});

const LogOutResultType = resultUnion<LoggedOut | Unauthenticated>()('LogOutResult', {
  LoggedOut: LoggedOutType,
  Unauthenticated: UnauthenticatedType,
});

builder.mutationField('logOut', (t) =>
  t.field({
    type: LogOutResultType,
    description: 'Ends the session behind this request, and every token that speaks of it.',
    resolve: async (_root, _args, context) => {
      context.answer.releaseSession();
      return signedIn(context, (viewer) => logOut(context.app, context.caller, viewer));
    },
  }),
);
