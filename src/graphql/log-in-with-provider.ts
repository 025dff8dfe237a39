import {
  type BeginProviderLoginResult,
  beginProviderLogin,
  type CompleteProviderLoginResult,
  completeProviderLogin,
  type LogInWithProviderTokenResult,
  logInWithProviderToken,
} from '../flows/log-in-with-provider.ts';
import { builder } from './builder.ts';
import { deliver, loginSteps } from './login.ts';
import { InvalidInputType, InvalidTokenType, LoginExpiredType, RateLimitedType, SignUpClosedType } from './outcomes.ts';
import { ProviderFailedType, ProviderNotFoundType, ProviderRedirectType } from './providers.ts';
import { resultUnion } from './result-union.ts';
import { CredentialKind } from './session.ts';

const BeginProviderLoginInput = builder.inputType('BeginProviderLoginInput', {
  fields: (t) => ({
    provider: t.id({ required: true }),
    redirectUrl: t.string({
      required: true,
      description:
        'Where the browser comes back to, with `code` (or `error`) added to its query. Must be among the configured redirect URLs.',
    }),
    credential: t.field({ type: CredentialKind, required: true, defaultValue: 'SESSION_TOKEN' }),
  }),
});

const BeginProviderLoginResultType = resultUnion<BeginProviderLoginResult>()('BeginProviderLoginResult', {
  ProviderRedirect: ProviderRedirectType,
  ProviderNotFound: ProviderNotFoundType,
  ProviderFailed: ProviderFailedType,
  InvalidInput: InvalidInputType,
  RateLimited: RateLimitedType,
});

builder.mutationField('beginProviderLogin', (t) =>
  t.field({
    type: BeginProviderLoginResultType,
    description: 'Begins a login at a provider.',
    args: { input: t.arg({ type: BeginProviderLoginInput, required: true }) },
    resolve: (_root, { input }, { app, caller }) => beginProviderLogin(app, caller, input),
  }),
);

const CompleteProviderLoginInput = builder.inputType('CompleteProviderLoginInput', {
  fields: (t) => ({
    flowToken: t.string({ required: true }),
    code: t.string({
      required: true,
      description: 'What the browser came back with. If it came back with `error`, anything does: the answer says why.',
    }),
    invitation: t.string({ description: 'The token of an invitation, for somebody who has no account yet.' }),
  }),
});

const CompleteProviderLoginResultType = resultUnion<CompleteProviderLoginResult>()('CompleteProviderLoginResult', {
  ...loginSteps,
  ProviderFailed: ProviderFailedType,
  SignUpClosed: SignUpClosedType,
  LoginExpired: LoginExpiredType,
  InvalidToken: InvalidTokenType,
  RateLimited: RateLimitedType,
});

builder.mutationField('completeProviderLogin', (t) =>
  t.field({
    type: CompleteProviderLoginResultType,
    description: 'Takes the login on whose browser has come back. It works once.',
    args: { input: t.arg({ type: CompleteProviderLoginInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver(context, await completeProviderLogin(context.app, context.caller, input)),
  }),
);

const LogInWithProviderTokenInput = builder.inputType('LogInWithProviderTokenInput', {
  fields: (t) => ({
    provider: t.id({ required: true }),
    idToken: t.string({ required: true }),
    accessToken: t.string({ description: 'For what the ID token does not say.' }),
    nonce: t.string({ description: 'The nonce the app sent to the provider.' }),
    invitation: t.string({ description: 'The token of an invitation, for somebody who has no account yet.' }),
    credential: t.field({ type: CredentialKind, required: true, defaultValue: 'SESSION_TOKEN' }),
  }),
});

const LogInWithProviderTokenResultType = resultUnion<LogInWithProviderTokenResult>()('LogInWithProviderTokenResult', {
  ...loginSteps,
  ProviderNotFound: ProviderNotFoundType,
  ProviderFailed: ProviderFailedType,
  SignUpClosed: SignUpClosedType,
  InvalidToken: InvalidTokenType,
  RateLimited: RateLimitedType,
});

builder.mutationField('logInWithProviderToken', (t) =>
  t.field({
    type: LogInWithProviderTokenResultType,
    description: "For native apps that already hold the provider's ID token. It works once.",
    args: { input: t.arg({ type: LogInWithProviderTokenInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      deliver(context, await logInWithProviderToken(context.app, context.caller, input)),
  }),
);
