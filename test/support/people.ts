import type { Answer, GraphQLClient } from './client.ts';

/** Somebody with an address and a password of their own. */
export interface Person {
  readonly email: string;
  readonly password: string;
}

let people = 0;

/** Somebody whom no other test knows. */
export function newPerson(): Person {
  people += 1;
  return { email: `ada.${process.pid}.${people}@example.com`, password: `tall ladder ${people} in the library` };
}

export type CredentialKind = 'COOKIE' | 'SESSION_TOKEN' | 'JWT';

const LOGIN_STEP = `
  __typename
  ... on LoggedIn {
    user { id email }
    session { id credential current }
    credential {
      __typename
      ... on SessionCookie { name expiresAt }
      ... on SessionToken { token expiresAt }
      ... on TokenPair { accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt }
    }
  }
  ... on PendingLogin { loginToken expiresAt }
  ... on LoginCodeRequired { resendAvailableAt }
  ... on EmailVerificationRequired { email resendAvailableAt }
  ... on PhoneVerificationRequired { phone resendAvailableAt }
  ... on PasswordChangeRequired { reason }
  ... on MfaRequired { factors passkeyOptions canTrustDevice }
  ... on MfaEnrollmentRequired { factors }
  ... on AccountLinkRequired { provider { id name } account: email proofs: methods }
  ... on ProviderSignUpRequired { provider { id name } suggested: email name missing }
  ... on InvalidInput { issues { path code message } }
  ... on PasswordRejected { reasons }
  ... on RateLimited { retryAfter }
  ... on Problem { message }`;

export const SIGN_UP = `mutation SignUp($input: SignUpInput!) { signUp(input: $input) { ${LOGIN_STEP} } }`;
export const LOG_IN = `mutation LogIn($input: LogInWithPasswordInput!) {
  logInWithPassword(input: $input) { ${LOGIN_STEP.replace('... on PasswordRejected { reasons }', '')} }
}`;
export const CONTINUE_LOGIN = `mutation Continue($input: ContinueLoginInput!) {
  continueLogin(input: $input) { ${LOGIN_STEP.replace(/\.\.\. on (PasswordRejected|InvalidInput) [^\n]*/g, '')} }
}`;
/** What is selected of a step where nothing was typed that could be wrong. */
export const STEP = LOGIN_STEP.replace(/\.\.\. on (PasswordRejected|InvalidInput) [^\n]*/g, '');
export const VERIFY_EMAIL = `mutation VerifyEmail($input: VerifyEmailInput!) {
  verifyEmail(input: $input) { ${STEP} ... on EmailVerified { email } ... on InvalidCode { attemptsLeft } }
}`;
export const VERIFY_PHONE = `mutation VerifyPhone($input: VerifyPhoneInput!) {
  verifyPhone(input: $input) {
    ${STEP} ... on PhoneVerified { verified: phone { number verified } } ... on InvalidCode { attemptsLeft }
  }
}`;
export const REQUEST_LOGIN_CODE = `mutation RequestLoginCode($input: RequestLoginCodeInput!) {
  requestLoginCode(input: $input) {
    __typename
    ... on LoginCodeRequired { loginToken expiresAt resendAvailableAt }
    ... on InvalidInput { issues { path code message } }
    ... on RateLimited { retryAfter }
  }
}`;
export const LOG_IN_WITH_CODE = `mutation LogInWithCode($input: LogInWithCodeInput!) {
  logInWithCode(input: $input) { ${STEP} ... on InvalidCode { attemptsLeft } }
}`;
export const CHANGE_PENDING_EMAIL = `mutation ChangePendingEmail($input: ChangePendingEmailInput!) {
  changePendingEmail(input: $input) {
    __typename
    ... on EmailVerificationRequired { loginToken expiresAt email resendAvailableAt }
    ... on InvalidInput { issues { path code message } }
    ... on RateLimited { retryAfter }
  }
}`;
export const RESEND_CODE = `mutation ResendCode($input: ResendCodeInput!) {
  resendCode(input: $input) {
    __typename
    ... on CodeSent { handle expiresAt resendAvailableAt }
    ... on RateLimited { retryAfter }
  }
}`;
export const REFRESH = `mutation Refresh($input: RefreshSessionInput!) {
  refreshSession(input: $input) {
    __typename
    ... on SessionTokensRefreshed {
      credential { accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt }
    }
    ... on Unauthenticated { reason }
    ... on RateLimited { retryAfter }
  }
}`;
export const ISSUE_ACCESS_TOKEN = `mutation Issue {
  issueAccessToken { __typename ... on AccessTokenIssued { accessToken expiresAt } ... on Unauthenticated { reason } }
}`;
export const LOG_OUT = `mutation LogOut {
  logOut { __typename ... on LoggedOut { sessionId } ... on Unauthenticated { reason } }
}`;
export const CURRENT_USER = `query CurrentUser {
  currentUser {
    __typename
    ... on User { id createdAt lastLoginAt displayName name username email emailVerified roles hasPassword hasMfa }
    ... on Unauthenticated { reason message }
  }
}`;
export const CURRENT_SESSION = `query CurrentSession {
  currentSession {
    __typename
    ... on Session {
      id current createdAt lastSeenAt expiresAt credential ipAddress userAgent methods { method at provider } freshUntil
    }
    ... on Unauthenticated { reason }
  }
}`;

/** What a client is left holding after a login. */
export interface Held {
  readonly userId: string;
  readonly sessionId: string;
  /** The session token, the access token, or the value of the cookie. */
  readonly token: string;
  readonly refreshToken: string | null;
  /** The same client, showing the credential. */
  readonly client: GraphQLClient;
  readonly answer: Answer;
}

export function signUp(
  client: GraphQLClient,
  person: Person,
  credential: CredentialKind = 'SESSION_TOKEN',
): Promise<Held> {
  return client.send(SIGN_UP, { input: { ...person, credential } }).then((answer) => hold(client, answer));
}

export function logIn(
  client: GraphQLClient,
  person: Person,
  credential: CredentialKind = 'SESSION_TOKEN',
): Promise<Held> {
  return client.send(LOG_IN, { input: { ...person, credential } }).then((answer) => hold(client, answer));
}

/** Reads what a LoggedIn leaves the client with. Fails for any other answer. */
export function hold(client: GraphQLClient, answer: Answer): Held {
  if (answer.result.__typename !== 'LoggedIn') throw new Error(`not logged in: ${answer.text}`);
  const { user, session, credential } = answer.result as unknown as {
    user: { id: string };
    session: { id: string };
    credential: { __typename: string; name?: string; token?: string; accessToken?: string; refreshToken?: string };
  };
  const cookie = cookieOf(answer, credential.name ?? '');
  const token = credential.token ?? credential.accessToken ?? cookie ?? '';
  return {
    userId: user.id,
    sessionId: session.id,
    token,
    refreshToken: credential.refreshToken ?? null,
    client: cookie === null ? client.bearing(token) : client.with({ cookie: `${credential.name}=${cookie}` }),
    answer,
  };
}

/** The value that an answer sets a cookie to; null if it does not. */
export function cookieOf(answer: Answer, name: string): string | null {
  const set = answer.headers.getSetCookie().find((line) => line.startsWith(`${name}=`));
  return set ? (set.slice(name.length + 1).split(';')[0] ?? null) : null;
}
