import {
  type BeginReauthenticationResult,
  beginReauthentication,
  type Reauthenticated,
  type ReauthenticateResult,
  type ReauthenticationStarted,
  reauthenticate,
} from '../flows/reauthenticate.ts';
import { builder } from './builder.ts';
import { handledAnswers } from './factors.ts';
import { signedIn } from './guard.ts';
import {
  InvalidCodeType,
  InvalidCredentialsType,
  InvalidInputType,
  InvalidTokenType,
  RateLimitedType,
  ReauthenticationMethodType,
  UnauthenticatedType,
} from './outcomes.ts';
import { DeliveredCodeInput } from './proof.ts';
import { resultUnion } from './result-union.ts';
import { SessionType } from './session.ts';

const BeginReauthenticationInput = builder.inputType('BeginReauthenticationInput', {
  fields: (t) => ({ method: t.field({ type: ReauthenticationMethodType, required: true }) }),
});

const ReauthenticationStartedType = builder.objectRef<ReauthenticationStarted>('ReauthenticationStarted').implement({
  fields: (t) => ({
    handle: t.exposeString('handle', { description: 'For reauthenticate, with the answer.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
    passkeyOptions: t.field({
      type: 'JSONObject',
      nullable: true,
      description: 'For navigator.credentials.get, for PASSKEY.',
      resolve: ({ passkeyOptions }) => passkeyOptions && { ...passkeyOptions },
    }),
  }),
});

const BeginReauthenticationResultType = resultUnion<BeginReauthenticationResult>()('BeginReauthenticationResult', {
  ReauthenticationStarted: ReauthenticationStartedType,
  InvalidInput: InvalidInputType,
  Unauthenticated: UnauthenticatedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('beginReauthentication', (t) =>
  t.field({
    type: BeginReauthenticationResultType,
    description: 'Begins a proof that needs something sent first. A password needs no beginning.',
    args: { input: t.arg({ type: BeginReauthenticationInput, required: true }) },
    resolve: (_root, { input }, context) =>
      signedIn(context, (viewer) => beginReauthentication(context.app, context.caller, viewer, input)),
  }),
);

const ReauthenticateInput = builder.inputType('ReauthenticateInput', {
  isOneOf: true,
  fields: (t) => ({
    password: t.string(),
    ...handledAnswers(t),
    emailCode: t.field({ type: DeliveredCodeInput }),
  }),
});

const ReauthenticatedType = builder.objectRef<Reauthenticated>('Reauthenticated').implement({
  fields: (t) => ({
    session: t.field({ type: SessionType, resolve: ({ session }) => ({ ...session, current: true }) }),
  }),
});

const ReauthenticateResultType = resultUnion<ReauthenticateResult>()('ReauthenticateResult', {
  Reauthenticated: ReauthenticatedType,
  InvalidCredentials: InvalidCredentialsType,
  InvalidCode: InvalidCodeType,
  InvalidToken: InvalidTokenType,
  Unauthenticated: UnauthenticatedType,
  RateLimited: RateLimitedType,
});

builder.mutationField('reauthenticate', (t) =>
  t.field({
    type: ReauthenticateResultType,
    description: 'Proves anew who you are, so that sensitive changes are open for a while.',
    args: { input: t.arg({ type: ReauthenticateInput, required: true }) },
    resolve: (_root, { input }, context) =>
      signedIn(context, (viewer) => reauthenticate(context.app, context.caller, viewer, input)),
  }),
);
