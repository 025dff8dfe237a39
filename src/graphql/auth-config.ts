import { type AuthConfig, authConfig } from '../flows/auth-config.ts';
import { builder } from './builder.ts';
import { MfaFactorType } from './factors.ts';
import { ProviderType } from './providers.ts';

const LoginIdentifierKind = builder.enumType('LoginIdentifierKind', {
  values: ['EMAIL', 'USERNAME', 'PHONE'] as const,
});
const EmailVerificationMode = builder.enumType('EmailVerificationMode', {
  values: ['MANDATORY', 'OPTIONAL', 'NONE'] as const,
});

const SignUpMode = builder.enumType('SignUpMode', {
  values: {
    OPEN: {},
    INVITE: { description: 'For those whom an administrator has invited.' },
    CLOSED: {},
  } as const,
});

const AuthConfigType = builder.objectRef<AuthConfig>('AuthConfig').implement({
  fields: (t) => ({
    signUpOpen: t.exposeBoolean('signUpOpen', { description: 'Whether anybody may sign up.' }),
    signUp: t.expose('signUp', { type: SignUpMode }),
    loginIdentifiers: t.field({
      type: [LoginIdentifierKind],
      description: 'EMAIL, USERNAME, PHONE: what a person may log in with.',
      resolve: ({ loginIdentifiers }) => [...loginIdentifiers],
    }),
    emailVerification: t.expose('emailVerification', { type: EmailVerificationMode }),
    loginCodes: t.exposeBoolean('loginCodes'),
    passkeyLogin: t.exposeBoolean('passkeyLogin'),
    passkeySignUp: t.exposeBoolean('passkeySignUp'),
    mfaFactors: t.field({
      type: [MfaFactorType],
      description: 'What may be set up.',
      resolve: ({ mfaFactors }) => [...mfaFactors],
    }),
    providers: t.field({
      type: [ProviderType],
      description: 'Where people may log in from.',
      resolve: ({ providers }) => [...providers],
    }),
    passwordMinLength: t.exposeInt('passwordMinLength', { description: 'In code points.' }),
  }),
});

builder.queryField('authConfig', (t) =>
  t.field({
    type: AuthConfigType,
    description: 'What a client needs to know before anybody has logged in.',
    resolve: (_root, _args, { app }) => authConfig(app),
  }),
);
