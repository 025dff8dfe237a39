import { type CompleteProviderSignUpResult, completeProviderSignUp } from '../flows/complete-provider-sign-up.ts';
import { builder } from './builder.ts';
import { deliver, loginSteps } from './login.ts';
import { InvalidInputType, InvalidTokenType, LoginExpiredType, RateLimitedType, SignUpClosedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';
import { givenFields } from './user-fields.ts';

const CompleteProviderSignUpInput = builder.inputType('CompleteProviderSignUpInput', {
  description: 'What is left out stays as the provider said it.',
  fields: (t) => ({
    loginToken: t.string({ required: true }),
    email: t.string(),
    username: t.string(),
    name: t.string(),
    invitation: t.string({
      description: 'The token of an invitation. The account gets its address, verified, and its roles.',
    }),
  }),
});

const CompleteProviderSignUpResultType = resultUnion<CompleteProviderSignUpResult>()('CompleteProviderSignUpResult', {
  ...loginSteps,
  LoginExpired: LoginExpiredType,
  InvalidInput: InvalidInputType,
  SignUpClosed: SignUpClosedType,
  InvalidToken: InvalidTokenType,
  RateLimited: RateLimitedType,
});

builder.mutationField('completeProviderSignUp', (t) =>
  t.field({
    type: CompleteProviderSignUpResultType,
    description: 'Answers ProviderSignUpRequired.',
    args: { input: t.arg({ type: CompleteProviderSignUpInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver(
        context,
        await completeProviderSignUp(context.app, context.caller, { ...input, fields: givenFields(context, input) }),
      ),
  }),
);
