import {
  type ContinueLoginResult,
  continueLogin,
  type PendingLoginResult,
  pendingLogin,
} from '../flows/continue-login.ts';
import type { LoginReady } from '../login/pipeline.ts';
import { builder } from './builder.ts';
import { deliver, loginPrompts, loginSteps, PendingLogin } from './login.ts';
import { LoginExpiredType, RateLimitedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const ContinueLoginInput = builder.inputType('ContinueLoginInput', {
  fields: (t) => ({ loginToken: t.string({ required: true }) }),
});

const ContinueLoginResultType = resultUnion<ContinueLoginResult>()('ContinueLoginResult', {
  ...loginSteps,
  LoginExpired: LoginExpiredType,
  RateLimited: RateLimitedType,
});

builder.mutationField('continueLogin', (t) =>
  t.field({
    type: ContinueLoginResultType,
    description:
      'Asks again what is still missing: something may have happened elsewhere, such as a link opened on a phone.',
    args: { input: t.arg({ type: ContinueLoginInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver(context, await continueLogin(context.app, context.caller, input)),
  }),
);

const LoginReadyType = builder.objectRef<LoginReady>('LoginReady').implement({
  description: 'Nothing is missing any more: continueLogin opens the session.',
  interfaces: [PendingLogin],
});

const PendingLoginResultType = resultUnion<PendingLoginResult>()('PendingLoginResult', {
  ...loginPrompts,
  LoginReady: LoginReadyType,
  LoginExpired: LoginExpiredType,
});

builder.queryField('pendingLogin', (t) =>
  t.field({
    type: PendingLoginResultType,
    description: 'Where a login stands, for a client that was reloaded.',
    args: { loginToken: t.arg.string({ required: true }) },
    resolve: (_root, { loginToken }, { app, caller }) => pendingLogin(app, caller, loginToken),
  }),
);
