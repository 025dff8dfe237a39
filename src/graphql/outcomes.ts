import type { LastAdministrator } from '../administration/act.ts';
import { factorNames } from '../factors/index.ts';
import type { NotAdministrator } from '../flows/shared/administrator.ts';
import type { EnrollmentRefused } from '../flows/shared/enrollment.ts';
import type {
  CodeSent,
  EmailNotVerified,
  InputIssue,
  InvalidCode,
  InvalidCredentials,
  InvalidInput,
  InvalidToken,
  LastLoginMethod,
  NotFound,
  PasswordRejected,
  RateLimited,
  ReauthenticationRequired,
  SignUpClosed,
  Unauthenticated,
} from '../flows/shared/outcomes.ts';
import type { LoginExpired } from '../login/pipeline.ts';
import { builder } from './builder.ts';
import { issueMessage, Problem } from './problems.ts';

// The members that many results share.

export const UnauthenticatedReason = builder.enumType('UnauthenticatedReason', {
  values: {
    NO_CREDENTIAL: { description: 'The request carries none.' },
    INVALID_CREDENTIAL: { description: 'It is none of ours, or not in the place where it belongs.' },
    EXPIRED: { description: 'Its time is over.' },
    REVOKED: { description: 'Its session was ended.' },
  },
});

export const UnauthenticatedType = builder.objectRef<Unauthenticated>('Unauthenticated').implement({
  description: 'Nobody is signed in by this request.',
  interfaces: [Problem],
  fields: (t) => ({ reason: t.expose('reason', { type: UnauthenticatedReason }) }),
});

export const InvalidCredentialsType = builder.objectRef<InvalidCredentials>('InvalidCredentials').implement({
  description: 'One answer for a wrong password, an unknown, disabled or locked account, and one that has no password.',
  interfaces: [Problem],
});

export const LoginExpiredType = builder.objectRef<LoginExpired>('LoginExpired').implement({
  description: 'This login was never begun, is over, or took too long or too many tries. Begin again.',
  interfaces: [Problem],
});

export const SignUpClosedType = builder.objectRef<SignUpClosed>('SignUpClosed').implement({ interfaces: [Problem] });

export const PasswordRejection = builder.enumType('PasswordRejection', {
  values: {
    TOO_SHORT: {},
    TOO_LONG: {},
    COMMON: { description: 'Many people use it, so it is among the first that are guessed.' },
    BREACHED: { description: 'It is in a known breach.' },
    TOO_SIMILAR: { description: 'It is the address, the name or the product.' },
    REFUSED: { description: 'A rule of the operator does not take it, or it is not Unicode text.' },
  } as const,
});

export const PasswordRejectedType = builder.objectRef<PasswordRejected>('PasswordRejected').implement({
  interfaces: [Problem],
  fields: (t) => ({
    reasons: t.field({ type: [PasswordRejection], resolve: ({ reasons }) => [...reasons] }),
  }),
});

const InputIssueCode = builder.enumType('InputIssueCode', {
  values: ['REQUIRED', 'INVALID', 'TOO_SHORT', 'TOO_LONG', 'NOT_ALLOWED', 'TAKEN'] as const,
});

const InputIssueType = builder.objectRef<InputIssue>('InputIssue').implement({
  fields: (t) => ({
    path: t.stringList({ description: 'Where in the input.', resolve: ({ path }) => [...path] }),
    code: t.expose('code', { type: InputIssueCode }),
    message: t.string({ resolve: ({ code }) => issueMessage(code) }),
  }),
});

export const InvalidInputType = builder.objectRef<InvalidInput>('InvalidInput').implement({
  description: 'What was entered does not do, with every problem of it.',
  interfaces: [Problem],
  fields: (t) => ({ issues: t.field({ type: [InputIssueType], resolve: ({ issues }) => [...issues] }) }),
});

export const RateLimitedType = builder.objectRef<RateLimited>('RateLimited').implement({
  interfaces: [Problem],
  fields: (t) => ({ retryAfter: t.exposeInt('retryAfter', { description: 'Seconds.' }) }),
});

export const InvalidCodeType = builder.objectRef<InvalidCode>('InvalidCode').implement({
  description: 'The code was wrong; the handle is still good for so many tries.',
  interfaces: [Problem],
  fields: (t) => ({ attemptsLeft: t.exposeInt('attemptsLeft') }),
});

export const InvalidTokenType = builder.objectRef<InvalidToken>('InvalidToken').implement({
  description: 'A link or handle that is unknown, used or too old.',
  interfaces: [Problem],
});

export const CodeSentType = builder.objectRef<CodeSent>('CodeSent').implement({
  fields: (t) => ({
    handle: t.exposeString('handle', { description: 'Names this code, for the mutation that takes it.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
    resendAvailableAt: t.expose('resendAvailableAt', { type: 'DateTime' }),
  }),
});

export const NotFoundType = builder.objectRef<NotFound>('NotFound').implement({ interfaces: [Problem] });

export const EmailNotVerifiedType = builder.objectRef<EmailNotVerified>('EmailNotVerified').implement({
  description: 'The address has to be verified first.',
  interfaces: [Problem],
});

export const EnrollmentRefusedType = builder.objectRef<EnrollmentRefused>('EnrollmentRefused').implement({
  description: 'This factor is switched off here, or a rule of the operator does not take it.',
  interfaces: [Problem],
});

export const NotAdministratorType = builder.objectRef<NotAdministrator>('NotAdministrator').implement({
  description: 'None of the roles of the viewer administrates. Tells nothing of what was asked for.',
  interfaces: [Problem],
});

export const LastAdministratorType = builder.objectRef<LastAdministrator>('LastAdministrator').implement({
  description: 'It would leave nobody who administrates and can log in.',
  interfaces: [Problem],
});

export const LastLoginMethodType = builder.objectRef<LastLoginMethod>('LastLoginMethod').implement({
  description: 'It would leave this person no way to log in.',
  interfaces: [Problem],
});

export const ReauthenticationMethodType = builder.enumType('ReauthenticationMethod', {
  values: ['PASSWORD', ...factorNames, 'EMAIL_CODE'] as const,
});

export const ReauthenticationRequiredType = builder
  .objectRef<ReauthenticationRequired>('ReauthenticationRequired')
  .implement({
    description: 'Sign in once more first: reauthenticate answers, then try again.',
    interfaces: [Problem],
    fields: (t) => ({
      methods: t.field({
        type: [ReauthenticationMethodType],
        description: 'Any of these. None: log in anew.',
        resolve: ({ methods }) => [...methods],
      }),
    }),
  });
