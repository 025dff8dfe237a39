import {
  type BeginPasskeyLoginResult,
  beginPasskeyLogin,
  type LogInWithPasskeyResult,
  logInWithPasskey,
  type PasskeyLoginStarted,
} from '../flows/log-in-with-passkey.ts';
import { builder } from './builder.ts';
import { deliver, loginSteps, PendingLogin } from './login.ts';
import { InvalidCredentialsType, LoginExpiredType, RateLimitedType } from './outcomes.ts';
import { resultUnion } from './result-union.ts';
import { CredentialKind } from './session.ts';

const BeginPasskeyLoginInput = builder.inputType('BeginPasskeyLoginInput', {
  fields: (t) => ({ credential: t.field({ type: CredentialKind, required: true, defaultValue: 'SESSION_TOKEN' }) }),
});

const PasskeyLoginStartedType = builder.objectRef<PasskeyLoginStarted>('PasskeyLoginStarted').implement({
  interfaces: [PendingLogin],
  fields: (t) => ({
    options: t.field({
      type: 'JSONObject',
      description: 'For navigator.credentials.get.',
      resolve: ({ options }) => ({ ...options }),
    }),
  }),
});

const BeginPasskeyLoginResultType = resultUnion<BeginPasskeyLoginResult>()('BeginPasskeyLoginResult', {
  PasskeyLoginStarted: PasskeyLoginStartedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('beginPasskeyLogin', (t) =>
  t.field({
    type: BeginPasskeyLoginResultType,
    description: 'Begins a login by a passkey, whoever it will be.',
    args: { input: t.arg({ type: BeginPasskeyLoginInput, required: true }) },
    resolve: (_root, { input }, { app, caller }) => beginPasskeyLogin(app, caller, input),
  }),
);

const LogInWithPasskeyInput = builder.inputType('LogInWithPasskeyInput', {
  fields: (t) => ({
    loginToken: t.string({ required: true }),
    response: t.field({ type: 'JSONObject', required: true }),
  }),
});

const LogInWithPasskeyResultType = resultUnion<LogInWithPasskeyResult>()('LogInWithPasskeyResult', {
  ...loginSteps,
  InvalidCredentials: InvalidCredentialsType,
  LoginExpired: LoginExpiredType,
  RateLimited: RateLimitedType,
});

builder.mutationField('logInWithPasskey', (t) =>
  t.field({
    type: LogInWithPasskeyResultType,
    description:
      'Takes the response of the browser. A passkey that verified its user is two factors, another one is one.',
    args: { input: t.arg({ type: LogInWithPasskeyInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver(context, await logInWithPasskey(context.app, context.caller, input)),
  }),
);
