import { type EmailVerified, type VerifyEmailResult, verifyEmail } from '../flows/verify-email.ts';
import { builder } from './builder.ts';
import { deliver, loginSteps } from './login.ts';
import { InvalidCodeType, InvalidTokenType, LoginExpiredType, RateLimitedType } from './outcomes.ts';
import { DeliveredProofInput } from './proof.ts';
import { resultUnion } from './result-union.ts';

const VerifyEmailInput = builder.inputType('VerifyEmailInput', {
  fields: (t) => ({
    proof: t.field({ type: DeliveredProofInput, required: true }),
    loginToken: t.string({
      description: 'With a link: the pending login that this client holds, if any, to carry it on.',
    }),
  }),
});

const EmailVerifiedType = builder.objectRef<EmailVerified>('EmailVerified').implement({
  description: 'Verified; who did it is not logged in by it.',
  fields: (t) => ({ email: t.exposeString('email') }),
});

const VerifyEmailResultType = resultUnion<VerifyEmailResult>()('VerifyEmailResult', {
  EmailVerified: EmailVerifiedType,
  ...loginSteps,
  InvalidCode: InvalidCodeType,
  InvalidToken: InvalidTokenType,
  LoginExpired: LoginExpiredType,
  RateLimited: RateLimitedType,
});

builder.mutationField('verifyEmail', (t) =>
  t.field({
    type: VerifyEmailResultType,
    description: 'Answers EmailVerificationRequired, and proves an address that was added to an account.',
    args: { input: t.arg({ type: VerifyEmailInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver(context, await verifyEmail(context.app, context.caller, input)),
  }),
);
