import {
  type AuthenticatorRemoved,
  type ForgetTrustedDevicesResult,
  forgetTrustedDevices,
  type GenerateRecoveryCodesResult,
  generateRecoveryCodes,
  type MfaKept,
  type MfaNotEnabled,
  type RecoveryCodesGenerated,
  type RemoveAuthenticatorResult,
  removeAuthenticator,
  type TrustedDevicesForgotten,
} from '../flows/manage-authenticators.ts';
import type { ReauthenticationRequired } from '../flows/shared/outcomes.ts';
import { builder } from './builder.ts';
import { freshlySignedIn, freshlySignedInByFactor } from './guard.ts';
import {
  LastLoginMethodType,
  NotFoundType,
  RateLimitedType,
  ReauthenticationRequiredType,
  UnauthenticatedType,
} from './outcomes.ts';
import { Problem } from './problems.ts';
import { resultUnion } from './result-union.ts';
import { UserType } from './user.ts';

const RemoveAuthenticatorInput = builder.inputType('RemoveAuthenticatorInput', {
  fields: (t) => ({ id: t.id({ required: true }) }),
});

const AuthenticatorRemovedType = builder.objectRef<AuthenticatorRemoved>('AuthenticatorRemoved').implement({
  description: 'Every other session of this person has ended.',
  fields: (t) => ({
    id: t.exposeID('id'),
    user: t.field({
      type: UserType,
      resolve: ({ user, session }) => ({ ...user, currentSessionId: session.id }),
    }),
  }),
});

const MfaKeptType = builder.objectRef<MfaKept>('MfaKept').implement({
  description: 'This person must have a second factor, and this is the last one.',
  interfaces: [Problem],
});

const RemoveAuthenticatorResultType = resultUnion<RemoveAuthenticatorResult | ReauthenticationRequired>()(
  'RemoveAuthenticatorResult',
  {
    AuthenticatorRemoved: AuthenticatorRemovedType,
    NotFound: NotFoundType,
    MfaKept: MfaKeptType,
    LastLoginMethod: LastLoginMethodType,
    ReauthenticationRequired: ReauthenticationRequiredType,
    Unauthenticated: UnauthenticatedType,
  },
);

builder.mutationField('removeAuthenticator', (t) =>
  t.field({
    type: RemoveAuthenticatorResultType,
    description: 'Takes a factor away; with the last one the recovery codes go too.',
    args: { input: t.arg({ type: RemoveAuthenticatorInput, required: true }) },
    resolve: (_root, { input }, context) =>
      freshlySignedInByFactor(context, (viewer) => removeAuthenticator(context.app, context.caller, viewer, input)),
  }),
);

const RecoveryCodesGeneratedType = builder.objectRef<RecoveryCodesGenerated>('RecoveryCodesGenerated').implement({
  description: 'Shown once. Those before are void.',
  fields: (t) => ({ recoveryCodes: t.stringList({ resolve: ({ recoveryCodes }) => [...recoveryCodes] }) }),
});

const MfaNotEnabledType = builder.objectRef<MfaNotEnabled>('MfaNotEnabled').implement({
  description: 'There is no second factor that recovery codes could stand in for.',
  interfaces: [Problem],
});

const GenerateRecoveryCodesResultType = resultUnion<GenerateRecoveryCodesResult | ReauthenticationRequired>()(
  'GenerateRecoveryCodesResult',
  {
    RecoveryCodesGenerated: RecoveryCodesGeneratedType,
    MfaNotEnabled: MfaNotEnabledType,
    ReauthenticationRequired: ReauthenticationRequiredType,
    Unauthenticated: UnauthenticatedType,
    RateLimited: RateLimitedType,
  },
);

builder.mutationField('generateRecoveryCodes', (t) =>
  t.field({
    type: GenerateRecoveryCodesResultType,
    description: 'Gives new recovery codes in the place of those before.',
    resolve: (_root, _args, context) =>
      freshlySignedInByFactor(context, (viewer) => generateRecoveryCodes(context.app, context.caller, viewer)),
  }),
);

const TrustedDevicesForgottenType = builder.objectRef<TrustedDevicesForgotten>('TrustedDevicesForgotten').implement({
  fields: (t) => ({ count: t.exposeInt('count', { description: 'How many were trusted.' }) }),
});

const ForgetTrustedDevicesResultType = resultUnion<ForgetTrustedDevicesResult | ReauthenticationRequired>()(
  'ForgetTrustedDevicesResult',
  {
    TrustedDevicesForgotten: TrustedDevicesForgottenType,
    ReauthenticationRequired: ReauthenticationRequiredType,
    Unauthenticated: UnauthenticatedType,
  },
);

builder.mutationField('forgetTrustedDevices', (t) =>
  t.field({
    type: ForgetTrustedDevicesResultType,
    description: 'Asks every device for a second factor again.',
    resolve: (_root, _args, context) =>
      freshlySignedIn(context, (viewer) => forgetTrustedDevices(context.app, context.caller, viewer)),
  }),
);
