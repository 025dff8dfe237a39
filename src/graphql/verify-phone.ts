import { type PhoneVerified, type VerifyPhoneResult, verifyPhone } from '../flows/verify-phone.ts';
import { UserPhoneType } from './account.ts';
import { builder } from './builder.ts';
import { deliver, loginSteps } from './login.ts';
import { InvalidCodeType, InvalidTokenType, LoginExpiredType, RateLimitedType } from './outcomes.ts';
import { DeliveredCodeInput } from './proof.ts';
import { resultUnion } from './result-union.ts';

const VerifyPhoneInput = builder.inputType('VerifyPhoneInput', {
  fields: (t) => ({ code: t.field({ type: DeliveredCodeInput, required: true }) }),
});

const PhoneVerifiedType = builder.objectRef<PhoneVerified>('PhoneVerified').implement({
  description: 'The number is verified, and in the place of the one before.',
  fields: (t) => ({ phone: t.field({ type: UserPhoneType, resolve: ({ phone }) => phone }) }),
});

const VerifyPhoneResultType = resultUnion<VerifyPhoneResult>()('VerifyPhoneResult', {
  PhoneVerified: PhoneVerifiedType,
  ...loginSteps,
  InvalidCode: InvalidCodeType,
  InvalidToken: InvalidTokenType,
  LoginExpired: LoginExpiredType,
  RateLimited: RateLimitedType,
});

builder.mutationField('verifyPhone', (t) =>
  t.field({
    type: VerifyPhoneResultType,
    description: 'Answers PhoneVerificationRequired, and setPhone.',
    args: { input: t.arg({ type: VerifyPhoneInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver(context, await verifyPhone(context.app, context.caller, input)),
  }),
);
