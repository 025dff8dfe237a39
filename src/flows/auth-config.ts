import type { App } from '../app.ts';

/** What a client needs to know before anybody has logged in. */
export interface AuthConfig {
  readonly signUpOpen: boolean;
  readonly loginIdentifiers: readonly ('EMAIL' | 'USERNAME' | 'PHONE')[];
  readonly emailVerification: 'MANDATORY' | 'OPTIONAL' | 'NONE';
  readonly loginCodes: boolean;
  readonly passkeyLogin: boolean;
  readonly passkeySignUp: boolean;
  readonly passwordMinLength: number;
}

/** Tells what this gateway can do, and what of it is switched on. */
export function authConfig({ config }: App): AuthConfig {
  return {
    signUpOpen: config.signUp === 'open',
    // People log in with an address and a password; addresses are not verified, and nothing else can be enrolled.
    loginIdentifiers: ['EMAIL'],
    emailVerification: 'NONE',
    loginCodes: false,
    passkeyLogin: false,
    passkeySignUp: false,
    passwordMinLength: config.password.minLength,
  };
}
