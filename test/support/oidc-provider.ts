import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type Account, type Configuration } from 'oidc-provider';

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
  close(): Promise<void>;
}

export interface OidcProviderOptions {
  readonly redirectUris: readonly string[];
  /** Listens there, rather than on a port that is free. */
  readonly port?: number;
}

const CLIENT = { clientId: 'postern', clientSecret: 'of the client, and of nobody else'.replaceAll(' ', '-') };
const MAX_PAGES = 12;

/** Starts `oidc-provider` on this machine. */
export async function startOidcProvider(options: OidcProviderOptions): Promise<OidcProvider> {
  const { redirectUris, port = 0 } = options;
  const accounts = new Map<string, ProviderAccount>();
  const server = await listen(port);
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, configuration(accounts, redirectUris));
  // It speaks of everything that is for development, which all of this is.
  provider.on('server_error', () => undefined);
  server.on('request', provider.callback());
  return {
    issuer,
    ...CLIENT,
    accounts,
    visit: (url, as) => visit(url, as, issuer),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function listen(port: number): Promise<Server> {
  const { createServer } = await import('node:http');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  return server;
}

function configuration(accounts: ReadonlyMap<string, ProviderAccount>, redirectUris: readonly string[]): Configuration {
  return {
    clients: [
      {
        client_id: CLIENT.clientId,
        client_secret: CLIENT.clientSecret,
        redirect_uris: [...redirectUris],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
    cookies: { keys: ['of the tests'] },
    ttl: { AccessToken: 60, AuthorizationCode: 60, Grant: 600, IdToken: 300, Interaction: 600, Session: 600 },
    issueRefreshToken: async () => true,
    findAccount: (_context, login): Account | undefined => {
      const account = accounts.get(login);
      return account && { accountId: login, claims: async () => ({ ...account }) };
    },
  };
}

/** A browser without eyes: it keeps cookies, follows redirects within the provider, and fills its forms in. */
async function visit(start: string, as: string | null, issuer: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let request: { url: string; body?: URLSearchParams } = { url: start };
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const response = await fetch(request.url, {
      method: request.body ? 'POST' : 'GET',
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(request.body ? { body: request.body } : {}),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (location) {
      const next = new URL(location, request.url);
      if (next.origin !== issuer) return next;
      request = { url: next.href };
    } else {
      request = answerPage(await response.text(), as, request.url);
    }
  }
  throw new Error('the provider has more pages than anybody has patience');
}

function answerPage(html: string, as: string | null, url: string): { url: string; body?: URLSearchParams } {
  const abort = /href="([^"]*\/abort)"/.exec(html)?.[1];
  if (as === null && abort) return { url: new URL(abort, url).href };
  const action = /<form[^>]*action="([^"]+)"/.exec(html)?.[1];
  if (!action) throw new Error(`the provider shows a page without a form: ${html.slice(0, 2_000)}`);
  const prompt = /name="prompt" value="([^"]+)"/.exec(html)?.[1] ?? '';
  const body = new URLSearchParams({ prompt, ...(prompt === 'login' ? { login: as ?? '', password: 'any' } : {}) });
  return { url: new URL(action, url).href, body };
}
