import type { App } from '../app.ts';
import type { Config } from '../config.ts';
import { phonesAreOn } from './shared/identifier.ts';

/** What a client needs to know before anybody has logged in. */
export interface AuthConfig {
  readonly signUpOpen: boolean;
  readonly signUp: Uppercase<Config['signUp']>;
  readonly loginIdentifiers: Config['loginIdentifiers'];
  readonly emailVerification: Config['emailVerification'];
  readonly loginCodes: boolean;
  readonly passkeyLogin: boolean;
  readonly passkeySignUp: boolean;
  readonly passwordMinLength: number;
  /** The factors that may be set up. */
  readonly mfaFactors: Config['mfa']['factors'];
  /** Where people may log in from. */
  readonly providers: readonly Pick<Config['social']['providers'][number], 'id' | 'name' | 'acceptsTokens'>[];
}

/** Tells what this gateway can do, and what of it is switched on. */
export function authConfig(app: App): AuthConfig {
  const { config } = app;
  return {
    signUpOpen: config.signUp === 'open',
    signUp: ({ open: 'OPEN', invite: 'INVITE', closed: 'CLOSED' } as const)[config.signUp],
    loginIdentifiers: config.loginIdentifiers.filter((kind) => kind !== 'PHONE' || phonesAreOn(app)),
    emailVerification: config.emailVerification,
    loginCodes: config.loginCodes,
    passkeyLogin: config.mfa.factors.includes('PASSKEY'),
    passkeySignUp: config.passkeys.signUp,
    passwordMinLength: config.password.minLength,
    mfaFactors: config.mfa.factors,
    providers: config.social.providers,
  };
}
