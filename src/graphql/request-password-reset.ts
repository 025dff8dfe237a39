import { type RequestPasswordResetResult, requestPasswordReset } from '../flows/request-password-reset.ts';
import { builder } from './builder.ts';
import { CodeSentType, InvalidInputType, RateLimitedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const RequestPasswordResetInput = builder.inputType('RequestPasswordResetInput', {
  description: 'Exactly one of email and phone.',
  fields: (t) => ({ email: t.string(), phone: t.string() }),
});

const RequestPasswordResetResultType = resultUnion<RequestPasswordResetResult>()('RequestPasswordResetResult', {
  CodeSent: CodeSentType,
  InvalidInput: InvalidInputType,
  RateLimited: RateLimitedType,
});

builder.mutationField('requestPasswordReset', (t) =>
  t.field({
    type: RequestPasswordResetResultType,
    description:
      'Sends a code and a link for resetPassword. The answer is the same whether or not there is an account.',
    args: { input: t.arg({ type: RequestPasswordResetInput, required: true }) },
    resolve: (_root, { input }, { app, caller }) => requestPasswordReset(app, caller, input),
  }),
);
