import { type LogInWithCodeResult, logInWithCode } from '../flows/log-in-with-code.ts';
import { builder } from './builder.ts';
import { deliver, loginSteps } from './login.ts';
import { InvalidCodeType, InvalidTokenType, LoginExpiredType, RateLimitedType } from './outcomes.ts';
import { DeliveredProofInput } from './proof.ts';
import { resultUnion } from './result-union.ts';
import { CredentialKind } from './session.ts';

const LogInWithCodeInput = builder.inputType('LogInWithCodeInput', {
  fields: (t) => ({
    proof: t.field({ type: DeliveredProofInput, required: true }),
    credential: t.field({
      type: CredentialKind,
      description:
        'With a link: how the client that opens it wants to hold its session, if not as the login was begun.',
    }),
  }),
});

const LogInWithCodeResultType = resultUnion<LogInWithCodeResult>()('LogInWithCodeResult', {
  ...loginSteps,
  InvalidCode: InvalidCodeType,
  InvalidToken: InvalidTokenType,
  LoginExpired: LoginExpiredType,
  RateLimited: RateLimitedType,
});

builder.mutationField('logInWithCode', (t) =>
  t.field({
    type: LogInWithCodeResultType,
    description: 'Answers LoginCodeRequired, with the code or with the token of the link.',
    args: { input: t.arg({ type: LogInWithCodeInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver(context, await logInWithCode(context.app, context.caller, input)),
  }),
);
