import { type PasswordWasReset, type ResetPasswordResult, resetPassword } from '../flows/reset-password.ts';
import { builder } from './builder.ts';
import { deliver, loginSteps } from './login.ts';
import { InvalidCodeType, InvalidTokenType, PasswordRejectedType, RateLimitedType } from './outcomes.ts';
import { DeliveredProofInput } from './proof.ts';
import { resultUnion } from './result-union.ts';
import { CredentialKind } from './session.ts';

const ResetPasswordInput = builder.inputType('ResetPasswordInput', {
  fields: (t) => ({
    proof: t.field({ type: DeliveredProofInput, required: true }),
    newPassword: t.string({ required: true }),
    credential: t.field({ type: CredentialKind, required: true, defaultValue: 'SESSION_TOKEN' }),
  }),
});

const PasswordWasResetType = builder.objectRef<PasswordWasReset>('PasswordWasReset').implement({
  fields: (t) => ({ sessionsEnded: t.exposeInt('sessionsEnded', { description: 'Sessions that ended by it.' }) }),
});

const ResetPasswordResultType = resultUnion<ResetPasswordResult>()('ResetPasswordResult', {
  PasswordWasReset: PasswordWasResetType,
  ...loginSteps,
  InvalidCode: InvalidCodeType,
  InvalidToken: InvalidTokenType,
  PasswordRejected: PasswordRejectedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('resetPassword', (t) =>
  t.field({
    type: ResetPasswordResultType,
    description: 'Sets a new password and ends every session. Logs in only where the gateway is configured to.',
    args: { input: t.arg({ type: ResetPasswordInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver(context, await resetPassword(context.app, context.caller, input)),
  }),
);
