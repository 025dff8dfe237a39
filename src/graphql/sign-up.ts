import { type SignUpResult, signUp } from '../flows/sign-up.ts';
import { builder } from './builder.ts';
import { deliver, loginSteps } from './login.ts';
import {
  InvalidInputType,
  InvalidTokenType,
  PasswordRejectedType,
  RateLimitedType,
  SignUpClosedType,
} from './outcomes.ts';
import { resultUnion } from './result-union.ts';
import { CredentialKind } from './session.ts';
import { givenFields } from './user-fields.ts';

const SignUpInput = builder.inputType('SignUpInput', {
  fields: (t) => ({
    email: t.string(),
    username: t.string(),
    phone: t.string(),
    password: t.string({ description: 'May be left out where passwordless sign-up is on.' }),
    name: t.string(),
    invitation: t.string({
      description: 'The token of an invitation. The account gets its address, verified, and its roles.',
    }),
    credential: t.field({ type: CredentialKind, required: true, defaultValue: 'SESSION_TOKEN' }),
  }),
});

const SignUpResultType = resultUnion<SignUpResult>()('SignUpResult', {
  ...loginSteps,
  SignUpClosed: SignUpClosedType,
  PasswordRejected: PasswordRejectedType,
  InvalidInput: InvalidInputType,
  InvalidToken: InvalidTokenType,
  RateLimited: RateLimitedType,
});

builder.mutationField('signUp', (t) =>
  t.field({
    type: SignUpResultType,
    description: 'Makes an account for somebody new, and logs them in.',
    args: { input: t.arg({ type: SignUpInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver(context, await signUp(context.app, context.caller, { ...input, fields: givenFields(context, input) })),
  }),
);
