import type { IssuedCredential, LoggedIn, TokenPair } from '../login/pipeline.ts';
import type { LoginPrompt } from '../login/stages/index.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { MfaFactorType } from './factors.ts';
import { ReauthenticationMethodType } from './outcomes.ts';
import { ProviderType } from './providers.ts';
import { resultUnion } from './result-union.ts';
import { SessionType } from './session.ts';
import { UserType } from './user.ts';

type SessionCookie = Extract<IssuedCredential, { kind: 'SessionCookie' }>;
type Asked = Pick<LoginPrompt, 'loginToken' | 'expiresAt'>;
type PromptOf<K extends LoginPrompt['kind']> = Extract<LoginPrompt, { kind: K }>;
type SessionToken = Extract<IssuedCredential, { kind: 'SessionToken' }>;

export const PendingLogin = builder.interfaceRef<Asked>('PendingLogin').implement({
  description: 'Proven so far, but not yet a session. `loginToken` carries the login on and opens nothing else.',
  fields: (t) => ({
    loginToken: t.exposeString('loginToken'),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
  }),
});

const SessionCookieType = builder.objectRef<SessionCookie>('SessionCookie').implement({
  description: 'The cookie is in the answer already, where no script can read it.',
  fields: (t) => ({
    name: t.string({ resolve: (_cookie, _args, { answer }) => answer.cookieName }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
  }),
});

const SessionTokenType = builder.objectRef<SessionToken>('SessionToken').implement({
  description: 'For `X-Session-Token` or `Authorization: Bearer`. Shown once.',
  fields: (t) => ({
    token: t.exposeString('token'),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
  }),
});

export const TokenPairType = builder.objectRef<TokenPair>('TokenPair').implement({
  fields: (t) => ({
    accessToken: t.exposeString('accessToken', { description: 'A JWT for `Authorization: Bearer`.' }),
    accessTokenExpiresAt: t.expose('accessTokenExpiresAt', { type: 'DateTime' }),
    refreshToken: t.exposeString('refreshToken', { description: 'Works once, for refreshSession.' }),
    refreshTokenExpiresAt: t.expose('refreshTokenExpiresAt', { type: 'DateTime' }),
  }),
});

export const Credential = resultUnion<IssuedCredential>()('Credential', {
  SessionCookie: SessionCookieType,
  SessionToken: SessionTokenType,
  TokenPair: TokenPairType,
});

export const LoggedInType = builder.objectRef<LoggedIn>('LoggedIn').implement({
  fields: (t) => ({
    user: t.field({
      type: UserType,
      resolve: ({ user, session }) => ({ ...user, currentSessionId: session.id }),
    }),
    session: t.field({ type: SessionType, resolve: ({ session }) => ({ ...session, current: true }) }),
    credential: t.field({ type: Credential, resolve: ({ issued }) => issued }),
    trustedDeviceToken: t.string({
      nullable: true,
      description: 'Set when the client asked to trust this device and holds no cookies.',
      resolve: ({ trustedDevice, issued }) =>
        trustedDevice && issued.kind !== 'SessionCookie' ? trustedDevice.token : null,
    }),
  }),
});

const LoginCodeRequiredType = builder.objectRef<PromptOf<'LoginCodeRequired'>>('LoginCodeRequired').implement({
  description: 'A login code was sent; logInWithCode answers.',
  interfaces: [PendingLogin],
  fields: (t) => ({ resendAvailableAt: t.expose('resendAvailableAt', { type: 'DateTime' }) }),
});

const EmailVerificationRequiredType = builder
  .objectRef<PromptOf<'EmailVerificationRequired'>>('EmailVerificationRequired')
  .implement({
    description: 'A code went to this address; verifyEmail answers.',
    interfaces: [PendingLogin],
    fields: (t) => ({
      email: t.exposeString('email'),
      resendAvailableAt: t.expose('resendAvailableAt', { type: 'DateTime' }),
    }),
  });

const PhoneVerificationRequiredType = builder
  .objectRef<PromptOf<'PhoneVerificationRequired'>>('PhoneVerificationRequired')
  .implement({
    description: 'A code went to this number; verifyPhone answers.',
    interfaces: [PendingLogin],
    fields: (t) => ({
      phone: t.exposeString('phone', { description: 'All but the last digits hidden.' }),
      resendAvailableAt: t.expose('resendAvailableAt', { type: 'DateTime' }),
    }),
  });

const PasswordChangeReason = builder.enumType('PasswordChangeReason', {
  values: ['BREACHED', 'ADMINISTRATOR'] as const,
});

const PasswordChangeRequiredType = builder
  .objectRef<PromptOf<'PasswordChangeRequired'>>('PasswordChangeRequired')
  .implement({
    description: 'replacePassword answers.',
    interfaces: [PendingLogin],
    fields: (t) => ({ reason: t.expose('reason', { type: PasswordChangeReason }) }),
  });

const MfaRequiredType = builder.objectRef<PromptOf<'MfaRequired'>>('MfaRequired').implement({
  description: 'verifyMfa answers.',
  interfaces: [PendingLogin],
  fields: (t) => ({
    factors: t.field({ type: [MfaFactorType], resolve: ({ factors }) => [...factors] }),
    passkeyOptions: t.field({
      type: 'JSONObject',
      nullable: true,
      description:
        'For navigator.credentials.get, when PASSKEY is among the factors. They do for five minutes; continueLogin gives new ones.',
      resolve: ({ passkeyOptions }) => passkeyOptions && { ...passkeyOptions },
    }),
    canTrustDevice: t.exposeBoolean('canTrustDevice'),
  }),
});

const MfaEnrollmentRequiredType = builder
  .objectRef<PromptOf<'MfaEnrollmentRequired'>>('MfaEnrollmentRequired')
  .implement({
    description:
      'A second factor must be set up first: beginTotp or beginPasskey with this loginToken, then continueLogin.',
    interfaces: [PendingLogin],
    fields: (t) => ({ factors: t.field({ type: [MfaFactorType], resolve: ({ factors }) => [...factors] }) }),
  });

const PasskeyRequiredType = builder.objectRef<PromptOf<'PasskeyRequired'>>('PasskeyRequired').implement({
  description: 'Passwordless sign-up ends with a passkey: beginPasskey with this loginToken, then continueLogin.',
  interfaces: [PendingLogin],
});

const ProviderSignUpRequiredType = builder
  .objectRef<PromptOf<'ProviderSignUpRequired'>>('ProviderSignUpRequired')
  .implement({
    description: 'The provider did not say enough to make an account; completeProviderSignUp answers.',
    interfaces: [PendingLogin],
    fields: (t) => ({
      provider: t.field({ type: ProviderType, resolve: ({ provider }) => provider }),
      email: t.exposeString('email', {
        nullable: true,
        description: 'What the account would be made with; null if it has to be told.',
      }),
      name: t.exposeString('name', { nullable: true }),
      missing: t.stringList({
        description: 'The fields of the input without which no account can be made. None: it is only to be agreed to.',
        resolve: ({ missing }) => [...missing],
      }),
    }),
  });

const AccountLinkRequiredType = builder.objectRef<PromptOf<'AccountLinkRequired'>>('AccountLinkRequired').implement({
  description: 'An account with this address exists; who signs in must show that it is theirs. linkAccount answers.',
  interfaces: [PendingLogin],
  fields: (t) => ({
    provider: t.field({ type: ProviderType, resolve: ({ provider }) => provider }),
    email: t.exposeString('email'),
    methods: t.field({
      type: [ReauthenticationMethodType],
      description: 'PASSWORD, or EMAIL_CODE, which resendCode mails for this loginToken.',
      resolve: ({ methods }) => [...methods],
    }),
  }),
});

/** What a login may stop at: one type for each prompt of the pipeline. */
export const loginPrompts = {
  AccountLinkRequired: AccountLinkRequiredType,
  ProviderSignUpRequired: ProviderSignUpRequiredType,
  LoginCodeRequired: LoginCodeRequiredType,
  EmailVerificationRequired: EmailVerificationRequiredType,
  PhoneVerificationRequired: PhoneVerificationRequiredType,
  PasswordChangeRequired: PasswordChangeRequiredType,
  MfaRequired: MfaRequiredType,
  MfaEnrollmentRequired: MfaEnrollmentRequiredType,
  PasskeyRequired: PasskeyRequiredType,
};

/** The members that every login may end in. */
export const loginSteps = { LoggedIn: LoggedInType, ...loginPrompts };

/** Hands a result on. If it issued a credential, the answer to the browser is made to hold it. */
export function deliver<S extends { readonly kind: string }>({ answer }: Context, result: S): S {
  if (hasCredential(result)) answer.holdSession(result.issued, result.trustedDevice ?? null);
  return result;
}

function hasCredential(result: object): result is Pick<LoggedIn, 'issued'> & Partial<LoggedIn> {
  return 'issued' in result;
}
