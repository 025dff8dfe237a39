import { createHash } from 'node:crypto';
import type { ProviderEntry } from '../../src/providers/settings.ts';
import type { Answer, GraphQLClient } from './client.ts';
import { type Gateway, type GatewayOptions, startGateway } from './gateway.ts';
import type { HostileProvider } from './hostile-provider.ts';
import { type CredentialKind, STEP } from './people.ts';

const PROBLEMS =
  '... on Problem { message } ... on ProviderFailed { failure: reason } ... on RateLimited { retryAfter }';
const REDIRECT = `__typename ... on ProviderRedirect { flowToken expiresAt url } ${PROBLEMS} ... on InvalidInput { issues { path code } }`;
const CONNECTION = 'id provider { id name acceptsTokens } displayName email createdAt lastUsedAt';
const FAILED = '... on ProviderFailed { failure: reason }';

export const BEGIN_PROVIDER_LOGIN = `mutation Begin($input: BeginProviderLoginInput!) {
  beginProviderLogin(input: $input) { ${REDIRECT} }
}`;
export const COMPLETE_PROVIDER_LOGIN = `mutation Complete($input: CompleteProviderLoginInput!) {
  completeProviderLogin(input: $input) { ${STEP} ${FAILED} }
}`;
export const LOG_IN_WITH_PROVIDER_TOKEN = `mutation Token($input: LogInWithProviderTokenInput!) {
  logInWithProviderToken(input: $input) { ${STEP} ${FAILED} }
}`;
export const COMPLETE_PROVIDER_SIGN_UP = `mutation SignUpAfter($input: CompleteProviderSignUpInput!) {
  completeProviderSignUp(input: $input) { ${STEP} ... on InvalidInput { issues { path code message } } }
}`;
export const LINK_ACCOUNT = `mutation Link($input: LinkAccountInput!) {
  linkAccount(input: $input) { ${STEP} ... on InvalidCode { attemptsLeft } }
}`;
export const BEGIN_PROVIDER_CONNECTION = `mutation Connect($input: BeginProviderConnectionInput!) {
  beginProviderConnection(input: $input) {
    ${REDIRECT} ... on ReauthenticationRequired { methods } ... on Unauthenticated { unauthenticated: reason }
  }
}`;
export const COMPLETE_PROVIDER_CONNECTION = `mutation Connected($input: CompleteProviderConnectionInput!) {
  completeProviderConnection(input: $input) {
    __typename ... on ProviderConnected { connection { ${CONNECTION} } } ${FAILED}
  }
}`;
export const DISCONNECT_PROVIDER = `mutation Disconnect($input: DisconnectProviderInput!) {
  disconnectProvider(input: $input) {
    __typename ... on ProviderDisconnected { connections { ${CONNECTION} } } ... on ReauthenticationRequired { methods }
  }
}`;
export const CONNECTIONS = `query Connections { currentUser { __typename ... on User {
  id name email emailVerified hasPassword connections { ${CONNECTION} }
} } }`;

/** A connection, as its owner sees it. */
export interface OwnConnection {
  readonly id: string;
  readonly provider: { readonly id: string; readonly name: string; readonly acceptsTokens: boolean };
  readonly displayName: string;
  readonly email: string | null;
}

/** Where the app of the tests lives: nothing listens there. */
export const APP = 'https://app.test';
export const REDIRECT_URL = `${APP}/welcome`;

/** What a client keeps while its browser is away. */
export interface Begun {
  readonly flowToken: string;
  /** Where the browser goes. */
  readonly url: string;
}

/** Begins a login at a provider. Fails for any other answer. */
export async function beginLoginAt(
  client: GraphQLClient,
  provider: string,
  credential: CredentialKind = 'SESSION_TOKEN',
): Promise<Begun> {
  const input = { provider, redirectUrl: REDIRECT_URL, credential };
  return begun(await client.send(BEGIN_PROVIDER_LOGIN, { input }));
}

/** Begins to connect somebody. Fails for any other answer. */
export async function beginConnection(client: GraphQLClient, provider: string): Promise<Begun> {
  return begun(await client.send(BEGIN_PROVIDER_CONNECTION, { input: { provider, redirectUrl: REDIRECT_URL } }));
}

function begun({ result, text }: Answer): Begun {
  if (result.__typename !== 'ProviderRedirect') throw new Error(`not begun: ${text}`);
  return { flowToken: String(result.flowToken), url: String(result.url) };
}

/** Takes the browser through the gateway's callback. Gives where it is sent on to; fails if it is not. */
export async function comeBack(callback: URL | string): Promise<URL> {
  const response = await fetch(callback, { redirect: 'manual' });
  const location = response.headers.get('location');
  if (response.status !== 303 || !location) throw new Error(`not sent on: ${response.status} ${await response.text()}`);
  return new URL(location);
}

/** The code that a browser brought; '' if it brought an error. */
export function codeOf(returned: URL): string {
  return returned.searchParams.get('code') ?? '';
}

/** The challenge of PKCE for a verifier (RFC 7636 §4.2). */
export function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url');
}

/** What a person sees of their connections. */
export async function connectionsOf(client: GraphQLClient): Promise<readonly OwnConnection[]> {
  const { result } = await client.send(CONNECTIONS);
  return (result.connections ?? []) as readonly OwnConnection[];
}

/** A gateway whose people may log in at this provider, as `acme`. */
export function startSocialGateway(
  provider: HostileProvider,
  { env = {}, entry = {}, ...options }: GatewayOptions & { readonly entry?: Partial<ProviderEntry> } = {},
): Promise<Gateway> {
  return startGateway({
    ...options,
    env: {
      POSTERN_EMAIL_VERIFICATION: 'mandatory',
      POSTERN_REDIRECT_URLS: `${APP}/*`,
      POSTERN_PROVIDERS: JSON.stringify([{ ...entryOf(provider), ...entry }]),
      ...env,
    },
  });
}

/** What an operator writes of this provider. */
export function entryOf({ issuer, clientId, clientSecret }: HostileProvider, id = 'acme'): ProviderEntry {
  return { id, type: 'oidc', name: 'Acme', issuer, clientId, clientSecret };
}

/** Takes the browser of a login to the provider, where somebody is logged in and agrees, and back. */
export async function goAndReturn(gateway: Gateway, provider: HostileProvider, { url }: Begun): Promise<URL> {
  return comeBack(callbackHere(gateway, provider.authorizeAt(url)));
}

/** The callback of a gateway that is not where its public URL says. */
export function callbackHere(gateway: Gateway, callback: URL): URL {
  return new URL(callback.href.replace(gateway.app.config.publicUrl, gateway.url));
}

/** Logs in at the provider as whoever this is, as far as it goes. */
export async function enterFrom(
  gateway: Gateway,
  provider: HostileProvider,
  person: HostileProvider['person'],
  client: GraphQLClient = gateway.client(),
): Promise<Answer> {
  provider.person = person;
  const login = await beginLoginAt(client, 'acme');
  const returned = await goAndReturn(gateway, provider, login);
  return client.send(COMPLETE_PROVIDER_LOGIN, { input: { flowToken: login.flowToken, code: codeOf(returned) } });
}

let accounts = 0;

/** Somebody with an account at the provider that no other test knows. */
export function newAccount(more: Record<string, unknown> = {}): HostileProvider['person'] & { readonly email: string } {
  accounts += 1;
  const name = `grace.${process.pid}.${accounts}`;
  return { sub: `sub-${name}`, email: `${name}@example.com`, email_verified: true, name: 'Grace Hopper', ...more };
}
