import { type LinkAccountResult, linkAccount } from '../flows/link-account.ts';
import { builder } from './builder.ts';
import { deliver, loginSteps } from './login.ts';
import { InvalidCodeType, InvalidCredentialsType, LoginExpiredType, RateLimitedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';

const LinkProof = builder.inputType('LinkProof', {
  isOneOf: true,
  fields: (t) => ({
    password: t.string(),
    emailCode: t.string({ description: 'The code that resendCode mails for this loginToken.' }),
  }),
});

const LinkAccountInput = builder.inputType('LinkAccountInput', {
  fields: (t) => ({
    loginToken: t.string({ required: true }),
    proof: t.field({ type: LinkProof, required: true }),
  }),
});

const LinkAccountResultType = resultUnion<LinkAccountResult>()('LinkAccountResult', {
  ...loginSteps,
  InvalidCredentials: InvalidCredentialsType,
  InvalidCode: InvalidCodeType,
  LoginExpired: LoginExpiredType,
  RateLimited: RateLimitedType,
});

builder.mutationField('linkAccount', (t) =>
  t.field({
    type: LinkAccountResultType,
    description: 'Answers AccountLinkRequired.',
    args: { input: t.arg({ type: LinkAccountInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver(context, await linkAccount(context.app, context.caller, input)),
  }),
);
