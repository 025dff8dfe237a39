import { type VerifyMfaResult, verifyMfa } from '../flows/verify-mfa.ts';
import { builder } from './builder.ts';
import { MfaProofInput } from './factors.ts';
import { deliver, loginSteps } from './login.ts';
import { InvalidCodeType, LoginExpiredType, RateLimitedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const VerifyMfaInput = builder.inputType('VerifyMfaInput', {
  fields: (t) => ({
    loginToken: t.string({ required: true }),
    proof: t.field({ type: MfaProofInput, required: true }),
    trustDevice: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Whether this device need not show a second factor again for a while.',
    }),
  }),
});

const VerifyMfaResultType = resultUnion<VerifyMfaResult>()('VerifyMfaResult', {
  ...loginSteps,
  InvalidCode: InvalidCodeType,
  LoginExpired: LoginExpiredType,
  RateLimited: RateLimitedType,
});

builder.mutationField('verifyMfa', (t) =>
  t.field({
    type: VerifyMfaResultType,
    description: 'Answers MfaRequired. The fifth wrong answer ends the login.',
    args: { input: t.arg({ type: VerifyMfaInput, required: true }) },
    resolve: async (_root, { input }, context) => deliver(context, await verifyMfa(context.app, context.caller, input)),
  }),
);
