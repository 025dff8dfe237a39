import { type LogInWithPasswordResult, logInWithPassword } from '../flows/log-in-with-password.ts';
import { builder } from './builder.ts';
import { deliver, loginSteps } from './login.ts';
import { InvalidCredentialsType, InvalidInputType, RateLimitedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';
import { CredentialKind } from './session.ts';

const LogInWithPasswordInput = builder.inputType('LogInWithPasswordInput', {
  description: 'Exactly one of email, username and phone.',
  fields: (t) => ({
    email: t.string(),
    username: t.string(),
    phone: t.string(),
    password: t.string({ required: true }),
    credential: t.field({ type: CredentialKind, required: true, defaultValue: 'SESSION_TOKEN' }),
    trustedDeviceToken: t.string({
      description: 'For clients without cookies: what LoggedIn.trustedDeviceToken gave earlier.',
    }),
  }),
});

const LogInWithPasswordResultType = resultUnion<LogInWithPasswordResult>()('LogInWithPasswordResult', {
  ...loginSteps,
  InvalidCredentials: InvalidCredentialsType,
  InvalidInput: InvalidInputType,
  RateLimited: RateLimitedType,
});

builder.mutationField('logInWithPassword', (t) =>
  t.field({
    type: LogInWithPasswordResultType,
    description: 'Logs somebody in who knows the password of an account.',
    args: { input: t.arg({ type: LogInWithPasswordInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver(context, await logInWithPassword(context.app, context.caller, input)),
  }),
);
