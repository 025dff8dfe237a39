import { generateSync } from 'otplib';
import { SoftwareAuthenticator } from './authenticator.ts';
import type { GraphQLClient } from './client.ts';
import type { Gateway } from './gateway.ts';
import { type CredentialKind, type Held, hold, LOG_IN, newPerson, type Person, STEP, signUp } from './people.ts';

export const VERIFY_MFA = `mutation VerifyMfa($input: VerifyMfaInput!) {
  verifyMfa(input: $input) { ${STEP} ... on LoggedIn { trustedDeviceToken } ... on InvalidCode { attemptsLeft } }
}`;
export const BEGIN_TOTP = `mutation BeginTotp($input: BeginTotpInput!) {
  beginTotp(input: $input) {
    __typename
    ... on TotpStarted { handle expiresAt secret uri qrCode }
    ... on ReauthenticationRequired { methods }
    ... on Unauthenticated { reason }
    ... on RateLimited { retryAfter }
    ... on Problem { message }
  }
}`;
export const CONFIRM_TOTP = `mutation ConfirmTotp($input: ConfirmTotpInput!) {
  confirmTotp(input: $input) {
    __typename
    ... on TotpEnabled { authenticator { id createdAt lastUsedAt } recoveryCodes }
    ... on InvalidCode { attemptsLeft }
    ... on RateLimited { retryAfter }
  }
}`;
export const BEGIN_PASSKEY = `mutation BeginPasskey($input: BeginPasskeyInput!) {
  beginPasskey(input: $input) {
    __typename
    ... on PasskeyStarted { handle expiresAt options }
    ... on ReauthenticationRequired { methods }
    ... on Unauthenticated { reason }
  }
}`;
export const CONFIRM_PASSKEY = `mutation ConfirmPasskey($input: ConfirmPasskeyInput!) {
  confirmPasskey(input: $input) {
    __typename
    ... on PasskeyAdded { authenticator { id name passwordless backedUp createdAt lastUsedAt } recoveryCodes }
    ... on InvalidInput { issues { path code } }
  }
}`;
export const RENAME_PASSKEY = `mutation RenamePasskey($input: RenamePasskeyInput!) {
  renamePasskey(input: $input) {
    __typename ... on PasskeyRenamed { authenticator { id name } } ... on InvalidInput { issues { path code } }
  }
}`;
export const REMOVE_AUTHENTICATOR = `mutation RemoveAuthenticator($input: RemoveAuthenticatorInput!) {
  removeAuthenticator(input: $input) {
    __typename
    ... on AuthenticatorRemoved { id user { id hasMfa authenticators { id } } }
    ... on ReauthenticationRequired { methods }
  }
}`;
export const GENERATE_RECOVERY_CODES = `mutation GenerateRecoveryCodes {
  generateRecoveryCodes {
    __typename ... on RecoveryCodesGenerated { recoveryCodes } ... on ReauthenticationRequired { methods }
  }
}`;
export const FORGET_TRUSTED_DEVICES = `mutation ForgetTrustedDevices {
  forgetTrustedDevices {
    __typename ... on TrustedDevicesForgotten { count } ... on ReauthenticationRequired { methods }
  }
}`;
export const BEGIN_PASSKEY_LOGIN = `mutation BeginPasskeyLogin($input: BeginPasskeyLoginInput!) {
  beginPasskeyLogin(input: $input) {
    __typename ... on PasskeyLoginStarted { loginToken expiresAt options } ... on RateLimited { retryAfter }
  }
}`;
export const LOG_IN_WITH_PASSKEY = `mutation LogInWithPasskey($input: LogInWithPasskeyInput!) {
  logInWithPasskey(input: $input) { ${STEP} }
}`;
export const AUTHENTICATORS = `query Authenticators {
  currentUser {
    __typename
    ... on User {
      hasMfa
      authenticators {
        __typename id createdAt lastUsedAt
        ... on RecoveryCodes { total unused }
        ... on Passkey { name passwordless backedUp }
      }
    }
  }
}`;

/** The code that an authenticator app shows at an instant. */
export function totpCode(secret: string, now: Date, options: { period?: number; digits?: 6 | 7 | 8 } = {}): string {
  return generateSync({ secret, epoch: Math.floor(now.getTime() / 1000), ...options });
}

/** Somebody with an authenticator app. */
export interface TotpHolder extends Held {
  readonly person: Person;
  readonly secret: string;
  readonly recoveryCodes: readonly string[];
}

/** Somebody new, signed in, whose address is verified. */
export async function verifiedPerson(
  gateway: Gateway,
  credential: CredentialKind = 'SESSION_TOKEN',
): Promise<Held & { readonly person: Person }> {
  const person = newPerson();
  const held = await signUp(gateway.client(), person, credential);
  await gateway.sql('UPDATE emails SET verified_at = now() WHERE user_id = $1', [held.userId]);
  await untilSeen(held.client);
  return { ...held, person };
}

// What somebody does in SQL is heard of by the bus, a moment later.
async function untilSeen(client: GraphQLClient): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { result } = await client.send('{ currentUser { ... on User { emailVerified } } }');
    if (result.emailVerified) return;
  }
  throw new Error('the verification is not seen');
}

/** Sets an authenticator app up, as somebody signed in. The clock moves on by a step: its first code counts as used. */
export async function enrollTotp(
  gateway: Gateway,
  client: GraphQLClient,
): Promise<{ readonly secret: string; readonly recoveryCodes: readonly string[] }> {
  const { result: begun } = await client.send(BEGIN_TOTP, { input: {} });
  const { handle, secret } = begun as unknown as { handle: string; secret: string };
  if (!secret) throw new Error(`no secret, but ${begun.__typename}`);
  const code = totpCode(secret, gateway.clock());
  const { result } = await client.send(CONFIRM_TOTP, { input: { handle, code } });
  if (result.__typename !== 'TotpEnabled') throw new Error(`not enabled, but ${result.__typename}`);
  gateway.clock.advance(30_000);
  return { secret, recoveryCodes: (result.recoveryCodes ?? []) as string[] };
}

/** Somebody new with an authenticator app. */
export async function totpHolder(gateway: Gateway, credential: CredentialKind = 'SESSION_TOKEN'): Promise<TotpHolder> {
  const held = await verifiedPerson(gateway, credential);
  return { ...held, ...(await enrollTotp(gateway, held.client)) };
}

/** Registers a passkey, as somebody signed in. */
export async function enrollPasskey(
  client: GraphQLClient,
  authenticator = new SoftwareAuthenticator(),
  name?: string,
): Promise<{
  readonly authenticator: SoftwareAuthenticator;
  readonly id: string;
  readonly recoveryCodes: string[] | null;
}> {
  const { result: begun } = await client.send(BEGIN_PASSKEY, { input: {} });
  if (begun.__typename !== 'PasskeyStarted') throw new Error(`not begun, but ${begun.__typename}`);
  const response = authenticator.create(begun.options);
  const { result } = await client.send(CONFIRM_PASSKEY, { input: { handle: begun.handle, response, name } });
  if (result.__typename !== 'PasskeyAdded') throw new Error(`not added, but ${result.__typename}`);
  const { id } = result.authenticator as { id: string };
  return { authenticator, id, recoveryCodes: result.recoveryCodes as string[] | null };
}

/** Begins a login by password that asks for a second factor. */
export async function beginMfaLogin(
  client: GraphQLClient,
  person: Person,
  credential: CredentialKind = 'SESSION_TOKEN',
): Promise<{ readonly loginToken: string; readonly factors: readonly string[]; readonly passkeyOptions: unknown }> {
  const { result } = await client.send(LOG_IN, { input: { ...person, credential } });
  if (result.__typename !== 'MfaRequired') throw new Error(`no second factor asked for, but ${JSON.stringify(result)}`);
  return result as unknown as { loginToken: string; factors: string[]; passkeyOptions: unknown };
}

/** Logs somebody in with their password and the code of their app. */
export async function logInWithTotp(
  gateway: Gateway,
  holder: Pick<TotpHolder, 'person' | 'secret'>,
  credential: CredentialKind = 'SESSION_TOKEN',
): Promise<Held> {
  const client = gateway.client();
  const { loginToken } = await beginMfaLogin(client, holder.person, credential);
  const totp = totpCode(holder.secret, gateway.clock());
  const held = hold(client, await client.send(VERIFY_MFA, { input: { loginToken, proof: { totp } } }));
  gateway.clock.advance(30_000);
  return held;
}
