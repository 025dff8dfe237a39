import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import type { Account, Configuration, default as Provider } from 'oidc-provider';

const NOTICE = /oidc-provider (?:NOTICE|WARNING)/;
const library = await quietly(() => import('oidc-provider'));

/** Somebody who has an account at the provider. */
export interface ProviderAccount {
  readonly sub: string;
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly name?: string;
}

/** A certified OpenID provider, with its real pages for logging in and agreeing. */
export interface OidcProvider {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** By what they type as their login. */
  readonly accounts: Map<string, ProviderAccount>;
  /**
   * Takes a browser of its own from an authorization URL through the pages.
   * @param as whose login is typed; null for somebody who says no
   * @returns where the provider sends the browser in the end
   */
  visit(url: string, as: string | null): Promise<URL>;
  /** Lets its client come back to one more place, as soon as it is known. */
  addRedirectUri(uri: string): void;
  close(): Promise<void>;
}

export interface OidcProviderOptions {
  readonly redirectUris?: readonly string[];
  /** Listens there, rather than on a port that is free. */
  readonly port?: number;
  /** Whether it names itself in its redirects, and says so in its metadata (RFC 9207). It does, unless told. */
  readonly issuerInRedirects?: boolean;
  /** By which its ID tokens are signed: RS256, unless told. */
  readonly idTokenAlgorithm?: IdTokenAlgorithm;
  /** Whether its ID tokens say what UserInfo says; otherwise they tell the subject alone. */
  readonly claimsInIdToken?: boolean;
  /** How long its access tokens are good, in seconds. */
  readonly accessTokenTtl?: number;
}

export type IdTokenAlgorithm = 'RS256' | 'PS256' | 'ES256' | 'EdDSA';

/** Who is at the browser. */
export interface Visitor {
  /** What they type as their login. */
  readonly as?: string;
  /** Whether they say no on the first page. */
  readonly cancel?: boolean;
}

const CLIENT = { clientId: 'postern', clientSecret: 'of the client, and of nobody else'.replaceAll(' ', '-') };
const MAX_PAGES = 12;

/** Starts `oidc-provider` on this machine. */
export async function startOidcProvider(options: OidcProviderOptions = {}): Promise<OidcProvider> {
  const { redirectUris = [], port = 0, issuerInRedirects = true, idTokenAlgorithm = 'RS256' } = options;
  const accounts = new Map<string, ProviderAccount>();
  const places = new Set(redirectUris);
  const key = await makeKey(idTokenAlgorithm);
  const server = await listen(port);
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = await quietly(() => new library.default(issuer, configuration(accounts, key, options)));
  // Its clients are fixed once it runs, but it asks them.
  provider.Client.prototype.redirectUriAllowed = (uri) => places.has(uri);
  provider.on('server_error', () => undefined);
  if (!issuerInRedirects) keepToItself(provider, issuer);
  server.on('request', provider.callback());
  return {
    issuer,
    ...CLIENT,
    accounts,
    visit: (url, as) => logInAt(url, as === null ? { cancel: true } : { as }),
    addRedirectUri: (uri) => void places.add(uri),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function listen(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  return server;
}

/** Runs something without what the library says of everything that is for development, which all of this is. */
async function quietly<R>(work: () => R | Promise<R>): Promise<R> {
  const { console: terminal } = globalThis;
  const { warn, info } = terminal;
  const unless =
    (say: typeof warn): typeof warn =>
    (...words) => {
      if (!NOTICE.test(String(words[0]))) say.apply(terminal, words);
    };
  Object.assign(terminal, { warn: unless(warn), info: unless(info) });
  try {
    return await work();
  } finally {
    Object.assign(terminal, { warn, info });
  }
}

async function makeKey(algorithm: IdTokenAlgorithm): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: `of the tests, ${algorithm}`, alg: algorithm, use: 'sig' };
}

/** As a provider before RFC 9207: the library knows no setting for it. */
function keepToItself(provider: Provider, issuer: string): void {
  provider.use(async (context, next) => {
    await next();
    if (context.path === '/.well-known/openid-configuration')
      context.body = { ...(context.body as object), authorization_response_iss_parameter_supported: undefined };
    const location = context.response.get('location');
    if (!location || new URL(location, issuer).origin === issuer) return;
    const back = new URL(location);
    back.searchParams.delete('iss');
    context.set('location', back.href);
  });
}

function configuration(
  accounts: ReadonlyMap<string, ProviderAccount>,
  key: JWK,
  { redirectUris = [], idTokenAlgorithm = 'RS256', claimsInIdToken = false, accessTokenTtl = 60 }: OidcProviderOptions,
): Configuration {
  return {
    clients: [
      {
        client_id: CLIENT.clientId,
        client_secret: CLIENT.clientSecret,
        redirect_uris: redirectUris.length > 0 ? [...redirectUris] : ['https://nowhere.invalid/callback'],
        id_token_signed_response_alg: idTokenAlgorithm,
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: !claimsInIdToken,
    jwks: { keys: [{ ...key }] } as NonNullable<Configuration['jwks']>,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
    cookies: { keys: ['of the tests'] },
    ttl: {
      ...{ AccessToken: accessTokenTtl, AuthorizationCode: 60, IdToken: 300, RefreshToken: 600 },
      ...{ Grant: 600, Interaction: 600, Session: 600 },
    },
    issueRefreshToken: async () => true,
    renderError: (context, out) => {
      context.type = 'text';
      context.body = JSON.stringify(out);
    },
    findAccount: (_context, login): Account | undefined => {
      const account = accounts.get(login);
      return account && { accountId: login, claims: async () => ({ ...account }) };
    },
  };
}

/**
 * A browser without eyes: it keeps cookies, follows redirects within the provider, and fills its forms in.
 * @returns where it is sent in the end, away from the provider; it does not go there
 */
export async function logInAt(start: string | URL, visitor: Visitor): Promise<URL> {
  const { origin, href } = new URL(start);
  const cookies = new Map<string, string>();
  let request: { url: string; body?: URLSearchParams } = { url: href };
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const response = await fetch(request.url, {
      method: request.body ? 'POST' : 'GET',
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(request.body ? { body: request.body } : {}),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value) cookies.set(name, value);
      else cookies.delete(name);
    }
    const location = response.headers.get('location');
    if (location) {
      const next = new URL(location, request.url);
      if (next.origin !== origin) return next;
      request = { url: next.href };
    } else {
      request = answerPage(await response.text(), visitor, request.url);
    }
  }
  throw new Error('the provider has more pages than anybody has patience');
}

function answerPage(html: string, visitor: Visitor, url: string): { url: string; body?: URLSearchParams } {
  const { as = '', cancel = false } = visitor;
  const abort = /href="([^"]*\/abort)"/.exec(html)?.[1];
  if (cancel && abort) return { url: new URL(abort, url).href };
  const action = /<form[^>]*action="([^"]+)"/.exec(html)?.[1];
  if (!action) throw new Error(`the provider shows a page without a form: ${html.slice(0, 2_000)}`);
  const prompt = /name="prompt" value="([^"]+)"/.exec(html)?.[1] ?? '';
  const body = new URLSearchParams({ prompt, ...(prompt === 'login' ? { login: as, password: 'any' } : {}) });
  return { url: new URL(action, url).href, body };
}
