import {
  type AlreadyEnabled,
  type BeginTotpResult,
  beginTotp,
  type ConfirmTotpResult,
  confirmTotp,
  type TotpEnabled,
  type TotpStarted,
} from '../flows/manage-totp.ts';
import { TotpAuthenticatorType } from './authenticators.ts';
import { builder } from './builder.ts';
import {
  EmailNotVerifiedType,
  EnrollmentRefusedType,
  InvalidCodeType,
  InvalidTokenType,
  LoginExpiredType,
  RateLimitedType,
  ReauthenticationRequiredType,
  UnauthenticatedType,
} from './outcomes.ts';
import { Problem } from './problems.ts';
import { resultUnion } from './result-union.ts';

const BeginTotpInput = builder.inputType('BeginTotpInput', {
  description: 'With a loginToken it answers MfaEnrollmentRequired; without, it is for the person logged in.',
  fields: (t) => ({ loginToken: t.string() }),
});

const TotpStartedType = builder.objectRef<TotpStarted>('TotpStarted').implement({
  fields: (t) => ({
    handle: t.exposeString('handle', { description: 'For confirmTotp, with the first code.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
    secret: t.exposeString('secret', { description: 'Base32, for typing in.' }),
    uri: t.exposeString('uri', { description: 'For apps on the same device.' }),
    qrCode: t.exposeString('qrCode', { description: 'The uri as an SVG image, in a data: URL.' }),
  }),
});

const AlreadyEnabledType = builder.objectRef<AlreadyEnabled>('AlreadyEnabled').implement({ interfaces: [Problem] });

const BeginTotpResultType = resultUnion<BeginTotpResult>()('BeginTotpResult', {
  TotpStarted: TotpStartedType,
  AlreadyEnabled: AlreadyEnabledType,
  EmailNotVerified: EmailNotVerifiedType,
  EnrollmentRefused: EnrollmentRefusedType,
  ReauthenticationRequired: ReauthenticationRequiredType,
  Unauthenticated: UnauthenticatedType,
  LoginExpired: LoginExpiredType,
  RateLimited: RateLimitedType,
});

builder.mutationField('beginTotp', (t) =>
  t.field({
    type: BeginTotpResultType,
    description: 'Begins to set up an authenticator app. Nothing counts until confirmTotp has its first code.',
    args: { input: t.arg({ type: BeginTotpInput, required: true }) },
    resolve: (_root, { input }, { app, caller }) => beginTotp(app, caller, input),
  }),
);

const ConfirmTotpInput = builder.inputType('ConfirmTotpInput', {
  fields: (t) => ({ handle: t.string({ required: true }), code: t.string({ required: true }) }),
});

const TotpEnabledType = builder.objectRef<TotpEnabled>('TotpEnabled').implement({
  fields: (t) => ({
    authenticator: t.field({ type: TotpAuthenticatorType, resolve: ({ authenticator }) => authenticator }),
    recoveryCodes: t.stringList({
      nullable: true,
      description: 'Given once, with the first factor.',
      resolve: ({ recoveryCodes }) => recoveryCodes && [...recoveryCodes],
    }),
  }),
});

const ConfirmTotpResultType = resultUnion<ConfirmTotpResult>()('ConfirmTotpResult', {
  TotpEnabled: TotpEnabledType,
  AlreadyEnabled: AlreadyEnabledType,
  EnrollmentRefused: EnrollmentRefusedType,
  InvalidCode: InvalidCodeType,
  InvalidToken: InvalidTokenType,
  RateLimited: RateLimitedType,
});

builder.mutationField('confirmTotp', (t) =>
  t.field({
    type: ConfirmTotpResultType,
    description: 'Adds the authenticator app whose code this is. The code counts as used.',
    args: { input: t.arg({ type: ConfirmTotpInput, required: true }) },
    resolve: (_root, { input }, { app, caller }) => confirmTotp(app, caller, input),
  }),
);
