import type { InputIssueCode } from '../flows/shared/outcomes.ts';
import { builder } from './builder.ts';

/** What people read. Programs go by `__typename`; nothing but this file holds text for people. */
const MESSAGES = {
  Unauthenticated: 'You are not signed in.',
  InvalidCredentials: 'These credentials are not right.',
  LoginExpired: 'This login is over. Please begin again.',
  SignUpClosed: 'Signing up is closed.',
  PasswordRejected: 'Please choose another password.',
  InvalidInput: 'Some of what you entered needs another look.',
  RateLimited: 'Too many attempts. Please try again later.',
  InvalidCode: 'This code is not right.',
  InvalidToken: 'This link or code is used, too old, or none of ours.',
  ReauthenticationRequired: 'Please confirm first that it is you.',
  NotFound: 'There is nothing like that.',
  EmailNotVerified: 'Please verify your address first.',
  PrimaryEmailKept: 'The primary address cannot be removed. Please choose another one first.',
  AlreadyEnabled: 'There is an authenticator app already.',
  MfaNotEnabled: 'There is no second factor that recovery codes could stand in for.',
  MfaKept: 'Your account must have a second factor, and this is the last one.',
  EnrollmentRefused: 'This cannot be set up here.',
  PasskeyRejected: 'This passkey could not be added.',
  ProviderNotFound: 'There is no such provider here.',
  ProviderFailed: 'The provider did not let you through.',
  ConnectionTaken: 'This belongs to another account.',
  NotAdministrator: 'This is for administrators.',
  LastAdministrator: 'There would be nobody left who administrates.',
  PasswordNotSet: 'This account has no password.',
  OwnAccount: 'This cannot be done to your own account.',
  LastLoginMethod: 'Without this there would be no way to log in any more.',
} as const;

const ISSUES: Readonly<Record<InputIssueCode, string>> = {
  REQUIRED: 'This is needed.',
  INVALID: 'This does not have the right form.',
  TOO_SHORT: 'This is too short.',
  TOO_LONG: 'This is too long.',
  NOT_ALLOWED: 'This cannot be used here.',
  TAKEN: 'This is taken.',
};

type ProblemKind = keyof typeof MESSAGES;

export const Problem = builder.interfaceRef<{ readonly kind: ProblemKind }>('Problem').implement({
  description: 'Something stands in the way. `message` is for people; `__typename` is for programs.',
  fields: (t) => ({ message: t.string({ resolve: ({ kind }) => MESSAGES[kind] }) }),
});

/** The text for one issue of an input. */
export function issueMessage(code: InputIssueCode): string {
  return ISSUES[code];
}
