import { type ResendCodeResult, resendCode } from '../flows/resend-code.ts';
import { builder } from './builder.ts';
import { CodeSentType, InvalidTokenType, RateLimitedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const ResendCodeInput = builder.inputType('ResendCodeInput', {
  fields: (t) => ({ handle: t.string({ required: true }) }),
});

const ResendCodeResultType = resultUnion<ResendCodeResult>()('ResendCodeResult', {
  CodeSent: CodeSentType,
  InvalidToken: InvalidTokenType,
  RateLimited: RateLimitedType,
});

builder.mutationField('resendCode', (t) =>
  t.field({
    type: ResendCodeResultType,
    description:
      'Sends the code that belongs to this handle once more; a handle is any `handle` or `loginToken` that awaits a code.',
    args: { input: t.arg({ type: ResendCodeInput, required: true }) },
    resolve: (_root, { input }, { app, caller }) => resendCode(app, caller, input),
  }),
);
