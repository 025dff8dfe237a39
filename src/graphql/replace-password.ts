import { type ReplacePasswordResult, replacePassword } from '../flows/replace-password.ts';
import { builder } from './builder.ts';
import { deliver, loginSteps } from './login.ts';
import { LoginExpiredType, PasswordRejectedType, RateLimitedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const ReplacePasswordInput = builder.inputType('ReplacePasswordInput', {
  fields: (t) => ({ loginToken: t.string({ required: true }), newPassword: t.string({ required: true }) }),
});

const ReplacePasswordResultType = resultUnion<ReplacePasswordResult>()('ReplacePasswordResult', {
  ...loginSteps,
  LoginExpired: LoginExpiredType,
  PasswordRejected: PasswordRejectedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('replacePassword', (t) =>
  t.field({
    type: ReplacePasswordResultType,
    description: 'Answers PasswordChangeRequired.',
    args: { input: t.arg({ type: ReplacePasswordInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver(context, await replacePassword(context.app, context.caller, input)),
  }),
);
