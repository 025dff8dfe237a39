import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { ProviderEntry } from '../providers/settings.ts';

/** Somebody with an account at a provider, in the words of OpenID Connect Core 1.0 §5.1. */
export interface ProviderPerson {
  readonly sub: string;
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly name?: string;
  readonly [claim: string]: unknown;
}

/** An OpenID provider on loopback, without pages: whoever comes is logged in as the test says, or refused. */
export interface MockProvider {
  readonly issuer: string;
  /** What a gateway is told of it: belongs into `providers`. */
  readonly entry: ProviderEntry;
  /** Logs whoever comes from now on in as this person. */
  will(person: ProviderPerson): void;
  /**
   * Refuses whoever comes from now on.
   * @param error as RFC 6749 §4.1.2.1 has it
   */
  wont(error?: string): void;
  /**
   * Goes where a browser would: from the URL that began a login to the provider, back to the gateway, and on to the app.
   * @returns where the app would be opened, with the code that ends the login
   */
  visit(url: string): Promise<URL>;
  stop(): Promise<void>;
}

export interface MockProviderOptions {
  /** By which clients and callbacks name it; `mock`, if left out. */
  readonly id?: string;
  /** As people know it. */
  readonly name?: string;
  /** Where a gateway really is that says it is elsewhere. */
  readonly reach?: (url: URL) => URL;
}

/** What a code stands for, until it is exchanged. */
interface Grant {
  readonly person: ProviderPerson;
  readonly redirectUri: string;
  readonly challenge: string;
  readonly nonce: string | null;
}

type Answer = { readonly status: number; readonly body: unknown } | { readonly location: string };

const CLIENT = { clientId: 'postern', clientSecret: 'the-secret-of-the-mock-provider' };
const TOKEN_SECONDS = 300;

/** Starts one. It knows any callback, and one client. */
export async function startMockProvider(options: MockProviderOptions = {}): Promise<MockProvider> {
  const { id = 'mock', name = 'Mock', reach = (url) => url } = options;
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'mock', alg: 'ES256', use: 'sig' }] };
  const grants = new Map<string, Grant>();
  const people = new Map<string, ProviderPerson>();
  let next: ProviderPerson | { readonly refusal: string } | null = null;

  const server = createServer((request, response) => {
    answer(request).then(
      (given) => send(response, given),
      (error: Error) => send(response, refused(500, error.message)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function answer(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? '/', issuer);
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return { status: 200, body: metadataOf(issuer) };
      case '/jwks':
        return { status: 200, body: keys };
      case '/authorize':
        return authorize(url.searchParams);
      case '/token':
        return exchange(request, new URLSearchParams(await text(request)));
      case '/userinfo': {
        const person = people.get(request.headers.authorization?.replace(/^Bearer /, '') ?? '');
        return person ? { status: 200, body: person } : refused(401, 'invalid_token');
      }
      default:
        return refused(404, 'not_found');
    }
  }

  function authorize(asked: URLSearchParams): Answer {
    const redirectUri = asked.get('redirect_uri') ?? '';
    if (asked.get('client_id') !== CLIENT.clientId || !URL.canParse(redirectUri)) return refused(400, 'invalid_client');
    if (next === null) return refused(400, 'nobody is said to come: call provider.will({ sub: … }) before');
    const back = new URL(redirectUri);
    back.searchParams.set('state', asked.get('state') ?? '');
    back.searchParams.set('iss', issuer);
    const isWhole = asked.get('response_type') === 'code' && asked.get('code_challenge_method') === 'S256';
    const refusal = isWhole ? ('refusal' in next ? String(next.refusal) : null) : 'invalid_request';
    if (refusal !== null) back.searchParams.set('error', refusal);
    else {
      const code = randomBytes(16).toString('base64url');
      const challenge = asked.get('code_challenge') ?? '';
      grants.set(code, { person: next as ProviderPerson, redirectUri, challenge, nonce: asked.get('nonce') });
      back.searchParams.set('code', code);
    }
    return { location: back.href };
  }

  async function exchange(request: IncomingMessage, given: URLSearchParams): Promise<Answer> {
    if (!isClient(request, given)) return refused(401, 'invalid_client');
    const grant = grants.get(given.get('code') ?? '');
    grants.delete(given.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(given.get('code_verifier') ?? '')
      .digest('base64url');
    if (grant?.redirectUri !== given.get('redirect_uri') || grant?.challenge !== challenge)
      return refused(400, 'invalid_grant');
    const accessToken = randomBytes(16).toString('base64url');
    people.set(accessToken, grant.person);
    // Whoever checks it does so by the time of the machine.
    const now = Math.floor(Date.now() / 1_000);
    const idToken = await new SignJWT({ ...grant.person, ...(grant.nonce === null ? {} : { nonce: grant.nonce }) })
      .setProtectedHeader({ alg: 'ES256', kid: 'mock' })
      .setIssuer(issuer)
      .setAudience(CLIENT.clientId)
      .setIssuedAt(now)
      .setExpirationTime(now + TOKEN_SECONDS)
      .sign(privateKey);
    const body = { access_token: accessToken, token_type: 'Bearer', expires_in: TOKEN_SECONDS, id_token: idToken };
    return { status: 200, body };
  }

  return {
    issuer,
    entry: { id, type: 'oidc', name, issuer, ...CLIENT },
    will(person) {
      next = person;
    },
    wont(error = 'access_denied') {
      next = { refusal: error };
    },
    visit: async (url) => follow(reach(new URL(await follow(new URL(url))))).then((location) => new URL(location)),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** OpenID Connect Discovery 1.0 §3. */
function metadataOf(issuer: string) {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  };
}

/** RFC 6749 §2.3.1, in either way. */
function isClient({ headers: { authorization = '' } }: IncomingMessage, given: URLSearchParams): boolean {
  const [, basic = ''] = /^Basic (.+)$/.exec(authorization) ?? [];
  const [id, secret] = basic
    ? Buffer.from(basic, 'base64').toString().split(':').map(decodeURIComponent)
    : [given.get('client_id'), given.get('client_secret')];
  return id === CLIENT.clientId && secret === CLIENT.clientSecret;
}

function refused(status: number, error: string): Answer {
  return { status, body: { error } };
}

function send(response: ServerResponse, answer: Answer): void {
  if ('location' in answer) response.writeHead(302, { location: answer.location }).end();
  else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
}

async function follow(url: URL): Promise<string> {
  const response = await fetch(url, { redirect: 'manual' });
  const location = response.headers.get('location');
  if (!location) throw new Error(`not sent on from ${url.origin}: ${response.status} ${await response.text()}`);
  return new URL(location, url).href;
}
