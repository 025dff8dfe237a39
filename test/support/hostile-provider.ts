import { createHash, createHmac, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import {
  CompactSign,
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose';

type Claims = Readonly<Record<string, unknown>>;

/** A request as it came. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly query: URLSearchParams;
  readonly form: URLSearchParams;
}

/** What an endpoint does in the place of answering. */
export type Trouble =
  | { readonly slow: number }
  | { readonly status: number }
  | { readonly huge: number }
  | { readonly redirectTo: string }
  | { readonly body: string };

export type Endpoint = 'metadata' | 'authorize' | 'jwks' | 'token' | 'userinfo';

/** What the provider says otherwise than a good one would. */
export interface Bend {
  metadata?: (metadata: Claims) => Claims;
  /** What the browser carries back. */
  redirect?: (parameters: URLSearchParams) => void;
  /** The claims of an ID token, or its claims and its header, signed as they are; or a whole token in its place. */
  idToken?: (claims: JWTPayload, header: Claims) => BentToken | Promise<BentToken>;
  token?: (response: Claims) => Claims;
  userInfo?: (claims: Claims) => Claims;
  trouble?: Partial<Record<Endpoint, Trouble>>;
}

export type BentToken = string | JWTPayload | { readonly claims: JWTPayload; readonly header: Claims };

/** An OpenID provider whose every answer a test may bend. Left alone it is a good one, and checks what it is sent. */
export interface HostileProvider {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly requests: Received[];
  /** Who logs in next: the claims about them. */
  person: Claims & { readonly sub?: unknown };
  bend: Bend;
  /** A URL that nobody has a reason to ask, how often it was, and the keys that whoever asks it gets. */
  readonly bait: { readonly url: string; calls: number; keys: readonly JWK[] };
  /** By which it signs at present. */
  readonly key: SigningKey;
  /** Answers an authorization request, as a person who is logged in and agrees. Gives where the browser goes then. */
  authorizeAt(url: string): URL;
  /** Signs an ID token as the token endpoint would. */
  mint(claims?: JWTPayload, options?: MintOptions): Promise<string>;
  /** Signs with another key from now on. */
  rotateKey(): Promise<void>;
  close(): Promise<void>;
}

export interface MintOptions {
  readonly header?: Claims;
  readonly key?: CryptoKey;
  /** Claims that are left out. */
  readonly without?: readonly string[];
}

/** A pair of keys, and the public one as it is told to others. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

interface Grant {
  readonly nonce: string | null;
  readonly challenge: string | null;
  readonly redirectUri: string;
  readonly person: Claims;
}

/** How its client is known to it. */
export interface HostileProviderOptions {
  readonly clientId?: string;
  readonly clientSecret?: string;
}

/** Starts one on a port of its own. */
export async function startHostileProvider(options: HostileProviderOptions = {}): Promise<HostileProvider> {
  let key = await makeKey();
  const grants = new Map<string, Grant>();
  const accessTokens = new Map<string, Claims>();
  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => response.writeHead(500).end(error.message));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const provider: HostileProvider = {
    issuer,
    clientId: options.clientId ?? 'the-client',
    clientSecret: options.clientSecret ?? 'the-secret-of-the-client',
    requests: [],
    person: { sub: 'nobody yet' },
    bend: {},
    bait: { url: `${issuer}/bait`, calls: 0, keys: [] },
    get key() {
      return key;
    },
    authorizeAt(url) {
      const asked = new URL(url).searchParams;
      provider.requests.push({
        method: 'GET',
        path: '/authorize',
        headers: {},
        query: asked,
        form: new URLSearchParams(),
      });
      return authorize(asked);
    },
    mint(claims = {}, { header = {}, key: other, without = [] } = {}) {
      const now = Math.floor(Date.now() / 1000);
      const payload: JWTPayload = {
        ...{ iss: issuer, aud: provider.clientId, iat: now, exp: now + 300 },
        ...provider.person,
        ...claims,
      } as JWTPayload;
      const left = Object.fromEntries(Object.entries(payload).filter(([name]) => !without.includes(name)));
      return sign(left, header, other);
    },
    async rotateKey() {
      key = await makeKey();
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  function sign(claims: JWTPayload, header: Claims, other?: CryptoKey): Promise<string> {
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: key.kid, ...header })
      .sign(other ?? key.privateKey);
  }

  /** Somebody is logged in, and agrees. Without PKCE by S256 nobody gets a code (RFC 7636 §4.4.1). */
  function authorize(asked: URLSearchParams): URL {
    const redirectUri = asked.get('redirect_uri') ?? '';
    const [code, back] = [randomUUID(), new URL(redirectUri)];
    const [nonce, challenge] = [asked.get('nonce'), asked.get('code_challenge')];
    const isProtected = challenge !== null && asked.get('code_challenge_method') === 'S256';
    if (isProtected) grants.set(code, { nonce, challenge, redirectUri, person: provider.person });
    const outcome = isProtected ? { code } : { error: 'invalid_request' };
    const parameters = new URLSearchParams({ ...outcome, state: asked.get('state') ?? '', iss: issuer });
    provider.bend.redirect?.(parameters);
    back.search = parameters.toString();
    return back;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', issuer);
    const form = new URLSearchParams(await readBody(request));
    const { method = '', headers } = request;
    provider.requests.push({ method, path: url.pathname, headers, query: url.searchParams, form });
    const send = (body: unknown, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return void ((await isTroubled('metadata', response)) || send(metadata()));
      case '/authorize':
        return void (
          (await isTroubled('authorize', response)) ||
          response.writeHead(302, { location: authorize(url.searchParams).href }).end()
        );
      case '/jwks':
        return void ((await isTroubled('jwks', response)) || send({ keys: [key.jwk] }));
      case '/token':
        return void ((await isTroubled('token', response)) || send(...(await exchange(headers.authorization, form))));
      case '/userinfo':
        return void ((await isTroubled('userinfo', response)) || send(...userInfo(headers.authorization)));
      case '/bait':
        provider.bait.calls += 1;
        return void send({ keys: provider.bait.keys });
      default:
        response.writeHead(404).end();
    }
  }

  async function isTroubled(endpoint: Endpoint, response: ServerResponse): Promise<boolean> {
    const trouble = provider.bend.trouble?.[endpoint];
    if (!trouble) return false;
    if ('slow' in trouble) {
      await pause(trouble.slow, null, { ref: false });
      return false;
    }
    if ('status' in trouble) response.writeHead(trouble.status, { 'content-type': 'application/json' }).end('{}');
    else if ('redirectTo' in trouble) response.writeHead(307, { location: trouble.redirectTo }).end();
    else if ('body' in trouble) response.writeHead(200, { 'content-type': 'application/json' }).end(trouble.body);
    else
      response.writeHead(200, { 'content-type': 'application/json' }).end(`{"filler":"${'x'.repeat(trouble.huge)}"}`);
    return true;
  }

  function metadata(): Claims {
    const good = {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      userinfo_endpoint: `${issuer}/userinfo`,
      jwks_uri: `${issuer}/jwks`,
      authorization_response_iss_parameter_supported: true,
      id_token_signing_alg_values_supported: ['RS256'],
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    };
    return provider.bend.metadata?.(good) ?? good;
  }

  async function exchange(authorization: string | undefined, form: URLSearchParams): Promise<[Claims, number]> {
    const [id, secret] = authorization
      ? basicCredentials(authorization)
      : [form.get('client_id'), form.get('client_secret')];
    if (id !== provider.clientId || secret !== provider.clientSecret) return [{ error: 'invalid_client' }, 401];
    // One way to say who it is, never two (RFC 6749 §2.3).
    if (authorization && form.has('client_secret')) return [{ error: 'invalid_request' }, 400];
    if (form.get('grant_type') === 'refresh_token') return refresh(form.get('refresh_token') ?? '');
    if (form.get('grant_type') !== 'authorization_code') return [{ error: 'unsupported_grant_type' }, 400];
    const grant = grants.get(form.get('code') ?? '');
    grants.delete(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const fits = grant?.redirectUri === form.get('redirect_uri') && grant?.challenge === challenge;
    if (!grant || !fits) return [{ error: 'invalid_grant' }, 400];
    const claims = { ...standard(), ...grant.person, ...(grant.nonce === null ? {} : { nonce: grant.nonce }) };
    return [respond(grant.person, { id_token: await idTokenOf(claims) }), 200];
  }

  async function idTokenOf(claims: JWTPayload): Promise<string> {
    const bent = (await provider.bend.idToken?.(claims, { alg: 'RS256', kid: key.kid })) ?? claims;
    if (typeof bent === 'string') return bent;
    return isWhole(bent) ? sign(bent.claims, bent.header) : sign(bent, {});
  }

  function standard(): JWTPayload {
    const now = Math.floor(Date.now() / 1000);
    return { iss: issuer, aud: provider.clientId, iat: now, exp: now + 300 };
  }

  function refresh(token: string): [Claims, number] {
    const person = accessTokens.get(token);
    accessTokens.delete(token);
    return person ? [respond(person, {}), 200] : [{ error: 'invalid_grant' }, 400];
  }

  function respond(person: Claims, more: Claims): Claims {
    const [accessToken, refreshToken] = [randomUUID(), randomUUID()];
    accessTokens.set(accessToken, person).set(refreshToken, person);
    const good = {
      access_token: accessToken,
      refresh_token: refreshToken,
      token_type: 'Bearer',
      expires_in: 300,
      ...more,
    };
    return provider.bend.token?.(good) ?? good;
  }

  function userInfo(authorization = ''): [Claims, number] {
    const person = accessTokens.get(authorization.replace(/^Bearer /, ''));
    return person ? [provider.bend.userInfo?.(person) ?? person, 200] : [{ error: 'invalid_token' }, 401];
  }

  return provider;
}

/** One is enough: making it takes longer than all that it signs. */
let strangerKey: ReturnType<typeof makeKey> | undefined;

/**
 * ID tokens that must let nobody in, each with what is wrong. Any other claim is as it should be.
 * @param clientId for whom they are, where they are for anybody
 */
export async function hostileIdTokens(
  provider: HostileProvider,
  nonce: string,
  clientId: string = provider.clientId,
): Promise<readonly { readonly name: string; readonly token: string }[]> {
  const { bait, clientSecret, issuer, key } = provider;
  const good = { nonce, aud: clientId };
  const now = Math.floor(Date.now() / 1000);
  strangerKey ??= makeKey();
  const stranger = await strangerKey;
  // Whoever asks for the keys that such a token names gets them: only asking nobody keeps it out.
  bait.keys = [stranger.jwk];
  const whole = await provider.mint(good);
  const [header = '', payload = '', signature = ''] = whole.split('.');
  const decoded = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
  const pem = await exportSPKI(key.publicKey);
  const bent = (name: string, claims: JWTPayload, options?: MintOptions) =>
    provider.mint({ ...good, ...claims }, options).then((token) => ({ name, token }));
  const unsigned = (alg: string) => `${encode({ alg, kid: key.kid })}.${encode(decoded)}.`;
  const keyed = (secret: string, alg = 'HS256') => {
    const signed = `${encode({ alg, kid: key.kid })}.${encode(decoded)}`;
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  };
  const signed = async (name: string, payload: string, extension: Claims = {}) => {
    const crit = Object.keys(extension);
    const token = await new CompactSign(Buffer.from(payload))
      .setProtectedHeader({ alg: 'RS256', kid: key.kid, ...extension, ...(crit.length > 0 ? { crit } : {}) })
      .sign(key.privateKey, { crit: Object.fromEntries(crit.map((each) => [each, true])) });
    return { name, token };
  };
  return Promise.all([
    { name: 'alg none', token: unsigned('none') },
    { name: 'alg None', token: unsigned('None') },
    { name: 'alg nOnE', token: unsigned('nOnE') },
    { name: 'HS256 with the public key', token: keyed(pem) },
    { name: 'HS256 with the public key after a blank', token: keyed(` ${pem}`) },
    { name: 'HS256 with the public key and the end of its last line', token: keyed(`${pem}\n`) },
    { name: 'HS256 with the secret of the client', token: keyed(clientSecret) },
    { name: 'a flipped signature', token: `${header}.${payload}.${flip(signature)}` },
    { name: 'no signature', token: `${header}.${payload}.` },
    {
      name: 'other claims under the same signature',
      token: `${header}.${encode({ ...decoded, sub: 'eve' })}.${signature}`,
    },
    bent('the key of somebody else under the same id', {}, { key: stranger.privateKey }),
    bent('the key of somebody else', {}, { key: stranger.privateKey, header: { kid: stranger.kid } }),
    bent('the id of a key that there is not', {}, { header: { kid: stranger.kid } }),
    bent('a key in its header', {}, { key: stranger.privateKey, header: { kid: stranger.kid, jwk: stranger.jwk } }),
    bent(
      'the URL of a key in its header',
      {},
      { key: stranger.privateKey, header: { kid: stranger.kid, jku: bait.url } },
    ),
    bent('the URL of a certificate', {}, { key: stranger.privateKey, header: { kid: stranger.kid, x5u: bait.url } }),
    signed('an extension that must be understood', JSON.stringify(decoded), { 'urn:example:unheard': true }),
    bent('another issuer', { iss: 'https://evil.example' }),
    bent('an issuer with a slash more', { iss: `${issuer}/` }),
    bent('no issuer', {}, { without: ['iss'] }),
    bent('another audience', { aud: 'somebody else' }),
    bent('no audience', {}, { without: ['aud'] }),
    bent('us and others as its audience, made for the others', { aud: [clientId, 'others'], azp: 'others' }),
    bent('us and others as its audience, made for nobody named', { aud: [clientId, 'others'] }),
    bent('us as its audience, made for others', { aud: clientId, azp: 'others' }),
    bent('an access token', {}, { header: { typ: 'at+jwt' } }),
    bent('a time that is over', { iat: now - 7_200, exp: now - 3_600 }),
    bent('no end', {}, { without: ['exp'] }),
    bent('no beginning', {}, { without: ['iat'] }),
    bent('a beginning to come', { iat: now + 3_600, exp: now + 7_200 }),
    bent('a time before which it does not count', { nbf: now + 3_600 }),
    bent('no nonce', {}, { without: ['nonce'] }),
    bent('another nonce', { nonce: 'of another login' }),
    bent('nobody', {}, { without: ['sub'] }),
    bent('an empty subject', { sub: '' }),
    bent('a number as its subject', { sub: 7 as unknown as string }),
    bent('a list as its subject', { sub: ['ada'] as unknown as string }),
    bent('a subject longer than any', { sub: 'a'.repeat(300) }),
    { name: 'five parts', token: `${whole}.e30.e30` },
    { name: 'no JSON', token: `${header}.${Buffer.from('claims').toString('base64url')}.${signature}` },
    signed('no JSON, rightly signed', 'claims'),
    signed('a list of claims, rightly signed', JSON.stringify([decoded])),
    { name: 'nothing at all', token: '' },
    { name: 'a whole mebibyte', token: 'x'.repeat(2 ** 15) },
  ]);
}

function isWhole(bent: Exclude<BentToken, string>): bent is { claims: JWTPayload; header: Claims } {
  return typeof bent.claims === 'object' && typeof bent.header === 'object';
}

async function makeKey(): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const kid = randomUUID();
  return { kid, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } };
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function flip(signature: string): string {
  const bytes = Buffer.from(signature, 'base64url');
  bytes[10] = (bytes[10] ?? 0) ^ 1;
  return bytes.toString('base64url');
}

function basicCredentials(authorization: string): [string, string] {
  const [id = '', secret = ''] = Buffer.from(authorization.replace(/^Basic /i, ''), 'base64')
    .toString()
    .split(':')
    .map((part) => decodeURIComponent(part.replaceAll('+', ' ')));
  return [id, secret];
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}
