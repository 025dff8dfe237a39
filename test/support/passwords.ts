import type { Answer, GraphQLClient } from './client.ts';
import type { Gateway } from './gateway.ts';
import type { ReadMail } from './mails.ts';
import { cookieOf, type Held } from './people.ts';

const STEPS = `
  __typename
  ... on LoggedIn {
    user { id email }
    session { id credential methods { method } }
    credential {
      __typename
      ... on SessionCookie { name }
      ... on SessionToken { token }
      ... on TokenPair { accessToken refreshToken }
    }
  }
  ... on PendingLogin { loginToken expiresAt }
  ... on PasswordRejected { reasons }
  ... on RateLimited { retryAfter }
  ... on Problem { message }`;

export const REQUEST_RESET = `mutation RequestReset($input: RequestPasswordResetInput!) {
  requestPasswordReset(input: $input) {
    __typename
    ... on CodeSent { handle expiresAt resendAvailableAt }
    ... on InvalidInput { issues { path code } }
    ... on RateLimited { retryAfter }
  }
}`;
export const RESET_PASSWORD = `mutation Reset($input: ResetPasswordInput!) {
  resetPassword(input: $input) {
    ${STEPS} ... on PasswordWasReset { sessionsEnded } ... on InvalidCode { attemptsLeft }
  }
}`;
export const REPLACE_PASSWORD = `mutation Replace($input: ReplacePasswordInput!) {
  replacePassword(input: $input) { ${STEPS} }
}`;
export const CHANGE_PASSWORD = `mutation Change($input: ChangePasswordInput!) {
  changePassword(input: $input) {
    __typename
    ... on PasswordChanged {
      sessionsEnded
      credential {
        __typename
        ... on SessionCookie { name }
        ... on SessionToken { token }
        ... on TokenPair { accessToken refreshToken }
      }
    }
    ... on PasswordRejected { reasons }
    ... on ReauthenticationRequired { methods }
    ... on Unauthenticated { reason }
    ... on RateLimited { retryAfter }
  }
}`;
export const BEGIN_REAUTHENTICATION = `mutation Begin($input: BeginReauthenticationInput!) {
  beginReauthentication(input: $input) {
    __typename
    ... on ReauthenticationStarted { handle expiresAt passkeyOptions }
    ... on InvalidInput { issues { path code } }
    ... on Unauthenticated { reason }
    ... on RateLimited { retryAfter }
  }
}`;
export const REAUTHENTICATE = `mutation Reauthenticate($input: ReauthenticateInput!) {
  reauthenticate(input: $input) {
    __typename
    ... on Reauthenticated { session { id current freshUntil methods { method at } } }
    ... on InvalidCode { attemptsLeft }
    ... on Unauthenticated { reason }
    ... on RateLimited { retryAfter }
  }
}`;

let made = 0;

/** A password that nobody had before. */
export function newPassword(): string {
  made += 1;
  return `a boat ${made} under the window ${process.pid}`;
}

/** Asks for a reset, and reads the mail that comes of it. */
export async function askForReset(
  gateway: Gateway,
  email: string,
  client = gateway.client(),
): Promise<{ handle: string; mail: ReadMail }> {
  const { result } = await client.send(REQUEST_RESET, { input: { email } });
  if (result.__typename !== 'CodeSent') throw new Error(`no code was sent: ${JSON.stringify(result)}`);
  return { handle: String(result.handle), mail: await nextCode(gateway, email) };
}

/** The next mail to an address that carries a code; what tells of something is passed over. */
export async function nextCode(gateway: Gateway, email: string): Promise<ReadMail> {
  for (;;) {
    const mail = await gateway.mails.next(email);
    if (mail.code) return mail;
  }
}

/** Sets a password anew with the token of a link. */
export function resetWith(client: GraphQLClient, token: string, password = newPassword()): Promise<Answer> {
  return client.send(RESET_PASSWORD, { input: { proof: { token }, newPassword: password } });
}

/** Notes that the addresses of a person are verified. */
export async function verified(gateway: Gateway, held: Held): Promise<Held> {
  await gateway.sql('UPDATE emails SET verified_at = now() WHERE user_id = $1', [held.userId]);
  return held;
}

/** Takes the password of a person away, as if they had come with a code or a provider. */
export async function withoutPassword(gateway: Gateway, held: Held): Promise<Held> {
  await gateway.sql('DELETE FROM passwords WHERE user_id = $1', [held.userId]);
  gateway.app.sessions.dropUser(held.userId);
  return held;
}

/** Marks the password of a person as one that must be replaced. */
export async function marked(gateway: Gateway, held: Held, reason = 'ADMINISTRATOR'): Promise<Held> {
  await gateway.sql('UPDATE passwords SET replace_reason = $2::password_change_reason WHERE user_id = $1', [
    held.userId,
    reason,
  ]);
  return held;
}

/** The client with the credential that a change of the password gave it. */
export function renewed(client: GraphQLClient, answer: Answer): GraphQLClient {
  const credential = answer.result.credential as Record<string, string> | undefined;
  if (!credential) throw new Error(`no credential: ${answer.text}`);
  const cookie = credential.name ? cookieOf(answer, credential.name) : null;
  return cookie === null
    ? client.bearing(credential.token ?? credential.accessToken ?? '')
    : client.with({ cookie: `${credential.name}=${cookie}` });
}
