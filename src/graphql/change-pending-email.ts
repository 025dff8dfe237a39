import { type ChangePendingEmailResult, changePendingEmail } from '../flows/change-pending-email.ts';
import { builder } from './builder.ts';
import { loginPrompts } from './login.ts';
import { InvalidInputType, LoginExpiredType, RateLimitedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const ChangePendingEmailInput = builder.inputType('ChangePendingEmailInput', {
  fields: (t) => ({ loginToken: t.string({ required: true }), email: t.string({ required: true }) }),
});

const ChangePendingEmailResultType = resultUnion<ChangePendingEmailResult>()('ChangePendingEmailResult', {
  EmailVerificationRequired: loginPrompts.EmailVerificationRequired,
  LoginExpired: LoginExpiredType,
  InvalidInput: InvalidInputType,
  RateLimited: RateLimitedType,
});

builder.mutationField('changePendingEmail', (t) =>
  t.field({
    type: ChangePendingEmailResultType,
    description: 'Corrects a mistyped address while its verification is still pending.',
    args: { input: t.arg({ type: ChangePendingEmailInput, required: true }) },
    resolve: (_root, { input }, { app, caller }) => changePendingEmail(app, caller, input),
  }),
);
