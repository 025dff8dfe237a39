import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import {
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  customFetch as joseFetch,
  jwtVerify,
} from 'jose';
import { LRUCache } from 'lru-cache';
import * as client from 'openid-client';
import type {
  ClientAuthentication,
  OAuth2,
  OpenIdConnect,
  Protocol,
  Provider,
  ProviderAnswer,
  ProviderProfile,
} from '../providers/provider.ts';
import { appleClientSecret } from './providers/apple-secret.ts';
import { type BoundedFetch, boundedFetch, ProviderUnreachable } from './providers/bounded-fetch.ts';
import { tolerantTokens } from './providers/token-response.ts';

/** What a login needs to keep on its way to a provider and back. */
export interface FlowSecrets {
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE (RFC 7636), 43 characters. */
  readonly codeVerifier: string;
}

/** The tokens of a provider, for calls to it later. */
export interface ProviderTokens {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  /** ISO 8601; null where the provider does not say. */
  readonly expiresAt: string | null;
}

/** Who came back from a provider. */
export interface ProvenIdentity extends ProviderProfile {
  readonly kind: 'proven';
  readonly issuer: string;
  /** All that the provider said, as it said it: the claims of the ID token and of UserInfo, other resources by name. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Null for an ID token that an app brought. */
  readonly tokens: ProviderTokens | null;
}

/** Why nobody came back: the provider does not answer as one does, or what it said does not hold. */
export interface ProviderFault {
  readonly kind: 'fault';
  readonly reason: 'UNREACHABLE' | 'REJECTED';
  /** For the log. */
  readonly cause: unknown;
}

/** An ID token whose single use is still to be noted. */
export interface TokenUse {
  /** SHA-256 of what is signed in it: its signature may be written in more than one way. */
  readonly digest: Buffer;
  readonly expiresAt: Date;
}

/** How the configured providers are spoken to. */
export interface Providers {
  /** Where the browser is sent. */
  authorizationUrl(
    provider: Provider,
    redirectUri: string,
    secrets: FlowSecrets,
  ): Promise<{ readonly kind: 'url'; readonly url: string } | ProviderFault>;
  /**
   * Takes the provider's answer: the code is exchanged, and who it names is read.
   * @param response the parameters that came back with the browser
   */
  prove(
    provider: Provider,
    redirectUri: string,
    secrets: FlowSecrets,
    response: Readonly<Record<string, string>>,
  ): Promise<ProvenIdentity | ProviderFault>;
  /**
   * Takes an ID token that an app got from the provider itself.
   * @param shown `nonce` as the app gave it to the provider; `accessToken` for what the ID token does not say
   */
  proveToken(
    provider: Provider,
    shown: { readonly idToken: string; readonly nonce: string | null; readonly accessToken: string | null },
  ): Promise<(ProvenIdentity & { readonly use: TokenUse }) | ProviderFault>;
  /** Gets new tokens for a refresh token. */
  refresh(
    provider: Provider,
    refreshToken: string,
  ): Promise<({ readonly kind: 'tokens' } & ProviderTokens) | ProviderFault>;
}

/** Metadata are asked for again after this time. */
const METADATA_MS = 3_600_000;
/** Only those that are configured are ever asked for. */
const MAX_PROVIDERS = 1_000;
/** All calls of one operation together: within the deadline of the request that waits for it. */
const OPERATION_MS = 8_000;
/** Clocks differ. Seconds. */
const CLOCK_TOLERANCE = 30;
/** Of an ID token, in seconds: a month. */
const MAX_LIFETIME = 30 * 24 * 3_600;
/** What signs with a key that only the provider has. */
const ASYMMETRIC = [
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
  'EdDSA',
  'Ed25519',
];
const MAX_ID_TOKEN_LENGTH = 16_384;

/** A provider whose metadata were read. */
interface Reached {
  readonly configuration: client.Configuration;
  /** The keys of its ID tokens; null without OpenID Connect. */
  readonly keys: ReturnType<typeof createRemoteJWKSet> | null;
}

/** Speaks to providers: OpenID Connect and OAuth 2.0 by openid-client, everything that it checks only if asked asked for. */
export function createProviders({ clock }: { readonly clock: () => Date }): Providers {
  const deadline = new AsyncLocalStorage<AbortSignal>();
  const fetcher = boundedFetch(() => deadline.getStore());
  // Of those who ask at once, one reads; where that fails, what was read before still does.
  const faults = new Map<string, unknown>();
  const metadata = new LRUCache<string, Reached, Provider>({
    max: MAX_PROVIDERS,
    ttl: METADATA_MS,
    fetchMethod: (id, _stale, { context }) =>
      connect(context, fetcher).catch((error: unknown) => {
        // The cache keeps it to itself where there is nothing older to give.
        faults.set(id, error);
        throw error;
      }),
    allowStaleOnFetchRejection: true,
    noDeleteOnFetchRejection: true,
  });

  /** Runs the calls of one operation under one deadline; whatever goes wrong is a fault of the provider. */
  async function attempt<R>(work: () => Promise<R>): Promise<R | ProviderFault> {
    try {
      return await deadline.run(AbortSignal.timeout(OPERATION_MS), work);
    } catch (error) {
      return { kind: 'fault', reason: isUnreachable(error) ? 'UNREACHABLE' : 'REJECTED', cause: error };
    }
  }

  async function reach(provider: Provider): Promise<Reached> {
    const known = await metadata.fetch(provider.id, { context: provider });
    if (!known) throw new ProviderUnreachable('its metadata are not known', { cause: faults.get(provider.id) });
    return known;
  }

  async function resources(
    provider: Provider,
    { configuration }: Reached,
    accessToken: string,
    subject: string | null,
  ): Promise<ProviderAnswer['resources']> {
    const { protocol } = provider;
    if (protocol.kind === 'oauth2') return readResources(protocol, accessToken, fetcher);
    const offered = configuration.serverMetadata().userinfo_endpoint;
    if (!protocol.userInfo || !offered || subject === null) return {};
    // The library compares the subject, and nothing of another one is used (OpenID Connect Core 1.0 §5.3.2).
    return { userInfo: await client.fetchUserInfo(configuration, accessToken, subject) };
  }

  return {
    authorizationUrl: (provider, redirectUri, { state, nonce, codeVerifier }) =>
      attempt(async () => {
        const { configuration } = await reach(provider);
        const url = client.buildAuthorizationUrl(configuration, {
          ...provider.authorizationParameters,
          redirect_uri: redirectUri,
          scope: provider.scope,
          state,
          code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
          code_challenge_method: 'S256',
          ...(provider.protocol.kind === 'oidc' ? { nonce } : {}),
          ...(provider.formPost ? { response_mode: 'form_post' } : {}),
        });
        return { kind: 'url', url: url.href };
      }),

    prove: (provider, redirectUri, { state, nonce, codeVerifier }, response) =>
      attempt(async () => {
        const known = await reach(provider);
        const isOidc = provider.protocol.kind === 'oidc';
        const tokens = await client.authorizationCodeGrant(
          known.configuration,
          redirectOf(provider, redirectUri, response),
          {
            expectedState: state,
            pkceCodeVerifier: codeVerifier,
            ...(isOidc ? { expectedNonce: nonce, idTokenExpected: true } : {}),
          },
        );
        const idToken = tokens.claims() ?? null;
        if (isOidc && !idToken) throw new Error('the provider sent no ID token');
        if (idToken) checkClaims(provider, idToken);
        if (isOidc) checkType(decodeProtectedHeader(tokens.id_token ?? ''));
        const answer: ProviderAnswer = {
          idToken: isOidc ? idToken : null,
          resources: await resources(provider, known, tokens.access_token, idToken?.sub ?? null),
          redirect: redirectData(response),
        };
        return proven(provider, answer, tokensOf(tokens, clock()));
      }),

    proveToken: (provider, { idToken, nonce, accessToken }) =>
      attempt(async () => {
        const known = await reach(provider);
        if (!known.keys || idToken.length > MAX_ID_TOKEN_LENGTH) throw new Error('no ID token of this provider');
        const { issuer } = known.configuration.serverMetadata();
        const { payload, protectedHeader } = await jwtVerify(idToken, known.keys, {
          algorithms: algorithmsOf(known.configuration, provider.protocol),
          issuer: issuerFor(issuer, idToken),
          audience: [provider.clientId, ...provider.clientIds],
          requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat'],
          clockTolerance: CLOCK_TOLERANCE,
        });
        checkType(protectedHeader);
        checkClaims(provider, payload);
        if ((payload.nonce ?? null) !== nonce) throw new Error('the ID token was made for another request');
        const answer: ProviderAnswer = {
          idToken: payload,
          resources: accessToken === null ? {} : await resources(provider, known, accessToken, payload.sub ?? null),
          redirect: null,
        };
        const expiresAt = new Date(((payload.exp ?? 0) + CLOCK_TOLERANCE) * 1_000);
        return { ...proven(provider, answer, null), use: { digest: digestOf(idToken), expiresAt } };
      }),

    refresh: (provider, refreshToken) =>
      attempt(async () => {
        const { configuration } = await reach(provider);
        const tokens = tokensOf(await client.refreshTokenGrant(configuration, refreshToken), clock());
        // A provider that does not rotate them sends none: then the old one stays good.
        return { kind: 'tokens', ...tokens, refreshToken: tokens.refreshToken ?? refreshToken };
      }),
  };
}

async function connect(provider: Provider, fetcher: BoundedFetch): Promise<Reached> {
  const { protocol } = provider;
  const configuration =
    protocol.kind === 'oidc' ? await discover(provider, protocol, fetcher) : configureByEndpoints(provider, protocol);
  configuration[client.customFetch] = tolerantTokens(fetcher, configuration.serverMetadata().token_endpoint, protocol);
  configuration.timeout = OPERATION_MS / 1_000;
  if (isPlainHttp(protocol)) client.allowInsecureRequests(configuration);
  if (protocol.kind === 'oauth2') return { configuration, keys: null };
  // By default the library trusts TLS for the ID tokens that it fetched itself.
  client.enableNonRepudiationChecks(configuration);
  const { jwks_uri: jwksUri } = configuration.serverMetadata();
  if (!jwksUri) throw new ProviderUnreachable('its metadata name no keys');
  const keys = createRemoteJWKSet(new URL(jwksUri), { [joseFetch]: fetcher, timeoutDuration: OPERATION_MS });
  return { configuration, keys };
}

async function discover(
  provider: Provider,
  { issuer, idTokenAlgorithm }: OpenIdConnect,
  fetcher: BoundedFetch,
): Promise<client.Configuration> {
  const configuration = await client.discovery(
    new URL(issuer),
    provider.clientId,
    {
      [client.clockTolerance]: CLOCK_TOLERANCE,
      ...(idTokenAlgorithm === null ? {} : { id_token_signed_response_alg: idTokenAlgorithm }),
    },
    authenticateBy(provider.clientAuthentication),
    {
      [client.customFetch]: fetcher,
      timeout: OPERATION_MS / 1_000,
      ...(issuer.startsWith('http:') ? { execute: [client.allowInsecureRequests] } : {}),
    },
  );
  const metadata = configuration.serverMetadata();
  // The library compares URLs, in which a slash more or less may mean the same. Issuers are compared as text
  // (OpenID Connect Discovery 1.0 §4.3), but for Microsoft's shared ones, which name a template instead.
  if (metadata.issuer !== issuer && new URL(issuer).origin !== MICROSOFT) {
    throw new Error(`the metadata name the issuer ${metadata.issuer}, which is not ${issuer}`);
  }
  const algorithms = metadata.id_token_signing_alg_values_supported ?? ['RS256'];
  const pinned = algorithms.filter((algorithm) => ASYMMETRIC.includes(algorithm));
  if (pinned.length === 0) throw new Error('the metadata name no algorithm whose signatures can be checked');
  return configuration;
}

function configureByEndpoints(provider: Provider, protocol: OAuth2): client.Configuration {
  return new client.Configuration(
    {
      issuer: protocol.issuer ?? issuerOf(protocol),
      authorization_endpoint: protocol.authorizationEndpoint,
      token_endpoint: protocol.tokenEndpoint,
    },
    provider.clientId,
    {},
    authenticateBy(provider.clientAuthentication),
  );
}

function authenticateBy(authentication: ClientAuthentication): client.ClientAuth {
  switch (authentication.method) {
    case 'none':
      return client.None();
    case 'client_secret_basic':
      return client.ClientSecretBasic(authentication.clientSecret);
    case 'client_secret_post':
      return client.ClientSecretPost(authentication.clientSecret);
    case 'apple':
      return appleClientSecret(authentication);
  }
}

/** The redirect as the library reads it. A provider whose name for itself is not known cannot be compared by it. */
function redirectOf(provider: Provider, redirectUri: string, response: Readonly<Record<string, string>>): URL {
  const url = new URL(redirectUri);
  const { protocol } = provider;
  for (const name of ['code', 'state', 'iss', 'error']) {
    const value = response[name];
    if (value === undefined || (name === 'iss' && protocol.kind === 'oauth2' && protocol.issuer === null)) continue;
    url.searchParams.set(name, value);
  }
  return url;
}

/** What Apple posts beside the code, at the first consent. */
function redirectData({ user }: Readonly<Record<string, string>>): ProviderAnswer['redirect'] {
  try {
    const data: unknown = JSON.parse(user ?? 'null');
    return typeof data === 'object' && data !== null && !Array.isArray(data) ? (data as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** What neither library looks at. */
function checkClaims({ clientId, clientIds }: Provider, { sub, aud, iat, exp, azp }: JWTPayload): void {
  if (typeof sub !== 'string' || sub === '') throw new Error('the ID token names nobody');
  if (typeof iat !== 'number' || iat > Date.now() / 1_000 + CLOCK_TOLERANCE)
    throw new Error('the ID token comes from the future');
  if (typeof exp !== 'number' || exp > Date.now() / 1_000 + MAX_LIFETIME)
    throw new Error('the ID token lasts for longer than any');
  // Meant for others as well, it says who asked for it (OpenID Connect Core 1.0 §3.1.3.7).
  if (Array.isArray(aud) && aud.length > 1 && azp === undefined)
    throw new Error('the ID token was made for others as well');
  if (azp !== undefined && azp !== clientId && !clientIds.some((own) => own === azp))
    throw new Error('the ID token was made for somebody else');
}

/** An access token may be meant for us as well (RFC 9068 §2.1): it says nothing of who is there. */
function checkType({ typ = '' }: { readonly typ?: string | undefined }): void {
  if (!/^(?:jwt)?$/i.test(typ)) throw new Error('no ID token');
}

function proven(provider: Provider, answer: ProviderAnswer, tokens: ProviderTokens | null): ProvenIdentity {
  const profile = provider.profile(answer);
  if (!profile) throw new Error('the provider named nobody');
  const { protocol } = provider;
  const issuer = answer.idToken?.iss ?? (protocol.kind === 'oauth2' ? issuerOf(protocol) : protocol.issuer);
  const { userInfo, ...others } = answer.resources;
  // Whatever came with the browser is the browser's word, and stands apart.
  const { redirect } = answer;
  const claims = {
    ...others,
    ...(redirect ? { redirect } : {}),
    ...(userInfo as object | undefined),
    ...answer.idToken,
  };
  return { ...profile, kind: 'proven', issuer: String(issuer), claims, tokens };
}

async function readResources(
  { resources }: OAuth2,
  accessToken: string,
  fetcher: BoundedFetch,
): Promise<ProviderAnswer['resources']> {
  const read = await Promise.all(
    Object.entries(resources).map(async ([name, url], index) => {
      const headers = { accept: 'application/json', authorization: `Bearer ${accessToken}` };
      const response = await fetcher(url, { method: 'GET', headers });
      if (response.ok) return [name, await response.json()] as const;
      // The first says who it is. The others may be closed to us by what the person consented to.
      if (index > 0 && (response.status === 403 || response.status === 404)) return null;
      throw new Error(`the provider refused the resource ${name} with ${response.status}`);
    }),
  );
  return Object.fromEntries(read.filter((entry) => entry !== null));
}

function tokensOf(tokens: client.TokenEndpointResponse, now: Date): ProviderTokens {
  const { access_token: accessToken, refresh_token: refreshToken = null, expires_in: seconds } = tokens;
  const expiresAt = seconds === undefined ? null : new Date(now.getTime() + seconds * 1_000).toISOString();
  return { accessToken, refreshToken, expiresAt };
}

function algorithmsOf(configuration: client.Configuration, protocol: Protocol): string[] {
  if (protocol.kind === 'oidc' && protocol.idTokenAlgorithm !== null) return [protocol.idTokenAlgorithm];
  const named = configuration.serverMetadata().id_token_signing_alg_values_supported ?? ['RS256'];
  return named.filter((algorithm) => ASYMMETRIC.includes(algorithm));
}

const MICROSOFT = 'https://login.microsoftonline.com';
const TENANT = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Microsoft's shared issuers have the tenant of the person in their name, which the token tells. */
function issuerFor(issuer: string, idToken: string): string {
  if (!issuer.startsWith(`${MICROSOFT}/`) || !issuer.includes('{tenantid}')) return issuer;
  const { tid } = decodeJwt(idToken);
  return typeof tid === 'string' && TENANT.test(tid) ? issuer.replace('{tenantid}', tid) : issuer;
}

/** By which the accounts of a provider without issuer are known: another server is another provider. */
function issuerOf({ tokenEndpoint }: OAuth2): string {
  return new URL(tokenEndpoint).origin;
}

function digestOf(idToken: string): Buffer {
  return createHash('sha256')
    .update(idToken.slice(0, idToken.lastIndexOf('.')))
    .digest();
}

function isPlainHttp(protocol: Protocol): boolean {
  return (protocol.kind === 'oidc' ? protocol.issuer : protocol.tokenEndpoint).startsWith('http:');
}

function isUnreachable(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ProviderUnreachable || cause instanceof errors.JWKSTimeout) return true;
  }
  return false;
}
