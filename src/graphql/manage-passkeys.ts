import {
  type BeginPasskeyResult,
  beginPasskey,
  type ConfirmPasskeyResult,
  confirmPasskey,
  type PasskeyAdded,
  type PasskeyRejected,
  type PasskeyRenamed,
  type PasskeyStarted,
  type RenamePasskeyResult,
  renamePasskey,
} from '../flows/manage-passkeys.ts';
import type { Unauthenticated } from '../flows/shared/outcomes.ts';
import { PasskeyType } from './authenticators.ts';
import { builder } from './builder.ts';
import { signedIn } from './guard.ts';
import {
  EmailNotVerifiedType,
  EnrollmentRefusedType,
  InvalidInputType,
  InvalidTokenType,
  LoginExpiredType,
  NotFoundType,
  RateLimitedType,
  ReauthenticationRequiredType,
  UnauthenticatedType,
} from './outcomes.ts';
import { Problem } from './problems.ts';
import { resultUnion } from './result-union.ts';

const BeginPasskeyInput = builder.inputType('BeginPasskeyInput', {
  description:
    'With a loginToken it answers MfaEnrollmentRequired or PasskeyRequired; without, it is for the person logged in.',
  fields: (t) => ({ loginToken: t.string() }),
});

const PasskeyStartedType = builder.objectRef<PasskeyStarted>('PasskeyStarted').implement({
  fields: (t) => ({
    handle: t.exposeString('handle', { description: 'For confirmPasskey, with the response of the browser.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
    options: t.field({
      type: 'JSONObject',
      description: 'For navigator.credentials.create.',
      resolve: ({ options }) => ({ ...options }),
    }),
  }),
});

const BeginPasskeyResultType = resultUnion<BeginPasskeyResult>()('BeginPasskeyResult', {
  PasskeyStarted: PasskeyStartedType,
  EmailNotVerified: EmailNotVerifiedType,
  EnrollmentRefused: EnrollmentRefusedType,
  ReauthenticationRequired: ReauthenticationRequiredType,
  Unauthenticated: UnauthenticatedType,
  LoginExpired: LoginExpiredType,
  RateLimited: RateLimitedType,
});

builder.mutationField('beginPasskey', (t) =>
  t.field({
    type: BeginPasskeyResultType,
    description: 'Begins to make a passkey. Nothing counts until confirmPasskey has the response of the browser.',
    args: { input: t.arg({ type: BeginPasskeyInput, required: true }) },
    resolve: (_root, { input }, { app, caller }) => beginPasskey(app, caller, input),
  }),
);

const ConfirmPasskeyInput = builder.inputType('ConfirmPasskeyInput', {
  fields: (t) => ({
    handle: t.string({ required: true }),
    response: t.field({ type: 'JSONObject', required: true }),
    name: t.string({ description: 'What its owner calls it.' }),
  }),
});

const PasskeyAddedType = builder.objectRef<PasskeyAdded>('PasskeyAdded').implement({
  fields: (t) => ({
    authenticator: t.field({ type: PasskeyType, resolve: ({ authenticator }) => authenticator }),
    recoveryCodes: t.stringList({
      nullable: true,
      description: 'Given once, with the first factor.',
      resolve: ({ recoveryCodes }) => recoveryCodes && [...recoveryCodes],
    }),
  }),
});

const PasskeyRejectedType = builder.objectRef<PasskeyRejected>('PasskeyRejected').implement({
  description: 'The response of the browser does not do, or the passkey is known already.',
  interfaces: [Problem],
});

const ConfirmPasskeyResultType = resultUnion<ConfirmPasskeyResult>()('ConfirmPasskeyResult', {
  PasskeyAdded: PasskeyAddedType,
  PasskeyRejected: PasskeyRejectedType,
  EnrollmentRefused: EnrollmentRefusedType,
  InvalidToken: InvalidTokenType,
  InvalidInput: InvalidInputType,
  RateLimited: RateLimitedType,
});

builder.mutationField('confirmPasskey', (t) =>
  t.field({
    type: ConfirmPasskeyResultType,
    description: 'Adds the passkey that a browser has made.',
    args: { input: t.arg({ type: ConfirmPasskeyInput, required: true }) },
    resolve: (_root, { input }, { app, caller }) => confirmPasskey(app, caller, input),
  }),
);

const RenamePasskeyInput = builder.inputType('RenamePasskeyInput', {
  fields: (t) => ({ id: t.id({ required: true }), name: t.string({ required: true }) }),
});

const PasskeyRenamedType = builder.objectRef<PasskeyRenamed>('PasskeyRenamed').implement({
  fields: (t) => ({ authenticator: t.field({ type: PasskeyType, resolve: ({ authenticator }) => authenticator }) }),
});

const RenamePasskeyResultType = resultUnion<RenamePasskeyResult | Unauthenticated>()('RenamePasskeyResult', {
  PasskeyRenamed: PasskeyRenamedType,
  NotFound: NotFoundType,
  InvalidInput: InvalidInputType,
  Unauthenticated: UnauthenticatedType,
});

builder.mutationField('renamePasskey', (t) =>
  t.field({
    type: RenamePasskeyResultType,
    args: { input: t.arg({ type: RenamePasskeyInput, required: true }) },
    resolve: (_root, { input }, context) =>
      signedIn(context, (viewer) => renamePasskey(context.app, context.caller, viewer, input)),
  }),
);
