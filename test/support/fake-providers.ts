import { createHash, createPublicKey, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';

/** A server that speaks as a known provider is documented to. */
export interface FakeProvider {
  readonly url: string;
  close(): Promise<void>;
}

interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly form: URLSearchParams;
}
interface Replied {
  readonly status?: number;
  readonly type?: string;
  readonly location?: string;
  readonly body?: string;
}

const json = (value: unknown, status = 200): Replied => ({
  status,
  type: 'application/json',
  body: JSON.stringify(value),
});

async function serve(answer: (asked: Asked) => Replied | Promise<Replied>): Promise<FakeProvider> {
  const server = createServer((request, response) => {
    handle(request, response).catch((error: Error) => response.writeHead(500).end(error.message));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method = '', headers } = request;
    const asked = { method, headers, url: new URL(request.url ?? '/', url), form: new URLSearchParams(body) };
    const { status = 200, type = 'text/html', location, body: sent = '' } = await answer(asked);
    response.writeHead(status, { 'content-type': type, ...(location ? { location } : {}) }).end(sent);
  }
  return {
    url,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What was asked for by whoever may redeem a code. */
interface Granted {
  readonly nonce: string;
  readonly challenge: string;
  readonly redirectUri: string;
}

function grant(grants: Map<string, Granted>, asked: URLSearchParams): string {
  const code = randomUUID();
  grants.set(code, {
    nonce: asked.get('nonce') ?? '',
    challenge: asked.get('code_challenge') ?? '',
    redirectUri: asked.get('redirect_uri') ?? '',
  });
  return code;
}

/** What a code is good for: once, by whoever asked for it, from where it was sent to. */
function redeem(grants: Map<string, Granted>, form: URLSearchParams): Granted | null {
  const code = form.get('code') ?? '';
  const granted = grants.get(code);
  grants.delete(code);
  const verifier = form.get('code_verifier') ?? '';
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  return granted?.challenge === challenge && granted.redirectUri === form.get('redirect_uri') ? granted : null;
}

/** What GitHub knows of somebody. */
export interface GitHubUser {
  readonly id: number;
  readonly login: string;
  readonly name: string | null;
  readonly email: string | null;
  readonly emails: readonly { readonly email: string; readonly primary: boolean; readonly verified: boolean }[];
}

/**
 * GitHub's OAuth apps (docs.github.com, "Authorizing OAuth apps", "Users", "Emails"): forms unless JSON is asked for,
 * errors with the status 200, an API that answers nobody without a User-Agent.
 * @param user who is at the browser; null for somebody who says no
 */
export async function startGitHub(user: () => GitHubUser | null): Promise<FakeProvider> {
  const grants = new Map<string, Granted>();
  return serve(({ url, headers, form }) => {
    if (url.pathname === '/login/oauth/authorize') {
      const back = new URL(url.searchParams.get('redirect_uri') ?? '');
      if (user()) back.searchParams.set('code', grant(grants, url.searchParams));
      else back.searchParams.set('error', 'access_denied');
      back.searchParams.set('state', url.searchParams.get('state') ?? '');
      return { status: 302, location: back.href };
    }
    if (url.pathname === '/login/oauth/access_token') {
      const granted = redeem(grants, form);
      const secret = form.get('client_id') === 'hub' && form.get('client_secret') === 'hub-secret';
      const token = {
        access_token: 'gho_16C7e42F292c6912E7710c838347Ae178B4a',
        scope: 'read:user,user:email',
        token_type: 'bearer',
      };
      const answer: Record<string, string> = !secret
        ? { error: 'incorrect_client_credentials' }
        : granted
          ? token
          : { error: 'bad_verification_code' };
      if (headers.accept !== 'application/json')
        return { type: 'application/x-www-form-urlencoded', body: String(new URLSearchParams(answer)) };
      return json(answer);
    }
    if (!headers['user-agent']) return json({ message: 'Request forbidden by administrative rules.' }, 403);
    if (headers.authorization !== 'Bearer gho_16C7e42F292c6912E7710c838347Ae178B4a')
      return json({ message: 'Requires authentication' }, 401);
    const known = user();
    if (!known) return json({ message: 'Bad credentials' }, 401);
    const { emails, ...profile } = known;
    // Where it is not github.com, its API has a path of its own (GitHub Enterprise Server).
    const resource = url.pathname.replace(/^\/api(?:\/v3)?(?=\/)/, '');
    if (resource === '/user') return json({ ...profile, node_id: 'MDQ6VXNlcjE=', type: 'User', site_admin: false });
    if (resource === '/user/emails') return json(emails.map((each) => ({ ...each, visibility: null })));
    return json({ message: 'Not Found' }, 404);
  });
}

/** What Apple knows of somebody. The name is told with the first redirect only. */
export interface AppleUser {
  readonly sub: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  /** Whether the address is one that Apple made up for this app. */
  readonly isPrivateEmail?: boolean;
}

/** How the developer of an app is known to Apple. */
export interface AppleKeys {
  readonly clientId: string;
  readonly teamId: string;
  readonly keyId: string;
  /** PEM, PKCS #8. */
  readonly privateKey: string;
  /** For whom client secrets have to be: Apple itself, as it documents, unless told. */
  readonly audience?: 'apple' | 'issuer';
}

/**
 * Sign in with Apple for the web (developer.apple.com, "Sign in with Apple REST API"): a form is posted back, the client
 * secret is a JWT by ES256, and truth in ID tokens may be written.
 * @param user who is at the browser; null for somebody who says no
 */
export async function startApple(user: () => AppleUser | null, keys: AppleKeys): Promise<FakeProvider> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'W6WcOKB', alg: 'RS256', use: 'sig' };
  const grants = new Map<string, Granted>();
  const consented = new Set<string>();
  const fake = await serve(async ({ url, form }) => {
    const issuer = url.origin;
    if (url.pathname === '/.well-known/openid-configuration')
      return json({
        issuer,
        authorization_endpoint: `${issuer}/auth/authorize`,
        token_endpoint: `${issuer}/auth/token`,
        jwks_uri: `${issuer}/auth/keys`,
        response_types_supported: ['code'],
        response_modes_supported: ['query', 'fragment', 'form_post'],
        subject_types_supported: ['pairwise'],
        id_token_signing_alg_values_supported: ['RS256'],
        token_endpoint_auth_methods_supported: ['client_secret_post'],
      });
    if (url.pathname === '/auth/keys') return json({ keys: [jwk] });
    const known = user();
    if (url.pathname === '/auth/authorize') {
      const asked = url.searchParams;
      // Asked for a name or an address, it takes no other way back.
      if (asked.get('response_mode') !== 'form_post') return { status: 400, body: 'invalid_request' };
      const [action, state] = [asked.get('redirect_uri') ?? '', asked.get('state') ?? ''];
      if (!known) return postBack(action, { error: 'user_cancelled_authorize', state });
      const { sub, email, firstName, lastName } = known;
      const first = { user: JSON.stringify({ name: { firstName, lastName }, email }) };
      const fields = { code: grant(grants, asked), state, ...(consented.has(sub) ? {} : first) };
      consented.add(sub);
      return postBack(action, fields);
    }
    if (url.pathname !== '/auth/token') return { status: 404 };
    const granted = redeem(grants, form);
    const audience = keys.audience === 'issuer' ? issuer : 'https://appleid.apple.com';
    if (!(await isOurs(form.get('client_secret') ?? '', form.get('client_id') ?? '', keys, audience)))
      return json({ error: 'invalid_client' }, 400);
    if (!granted || !known) return json({ error: 'invalid_grant' }, 400);
    const { sub, email, isPrivateEmail = false } = known;
    const claims = {
      nonce: granted.nonce,
      nonce_supported: true,
      email,
      email_verified: 'true',
      is_private_email: String(isPrivateEmail),
    };
    const idToken = await new SignJWT({ sub, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: jwk.kid })
      .setIssuer(issuer)
      .setAudience(keys.clientId)
      .setIssuedAt()
      .setExpirationTime('10m')
      .sign(privateKey);
    return json({
      access_token: 'a.token',
      expires_in: 3_600,
      id_token: idToken,
      refresh_token: 'r.token',
      token_type: 'Bearer',
    });
  });
  return fake;
}

/** A page that a browser posts back by itself, as `submitForm` does (OAuth 2.0 Form Post Response Mode). */
function postBack(action: string, fields: Readonly<Record<string, string>>): Replied {
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`,
  );
  const form = `<form method="post" action="${escapeHtml(action)}">${inputs.join('')}</form>`;
  return { body: `<!doctype html><body onload="document.forms[0].submit()">${form}</body>` };
}

async function isOurs(
  secret: string,
  clientId: string,
  { teamId, keyId, privateKey, ...keys }: AppleKeys,
  audience: string,
) {
  try {
    const { payload, protectedHeader } = await jwtVerify(secret, createPublicKey(privateKey), {
      algorithms: ['ES256'],
      issuer: teamId,
      subject: keys.clientId,
      audience,
      requiredClaims: ['iat', 'exp'],
    });
    const lifetime = (payload.exp ?? 0) - (payload.iat ?? 0);
    return protectedHeader.kid === keyId && clientId === keys.clientId && lifetime <= 15_777_000;
  } catch {
    return false;
  }
}

/** What a browser sends when a page submits its form by itself. */
export function submitForm(html: string): { readonly action: string; readonly body: URLSearchParams } {
  const body = new URLSearchParams();
  for (const [, name = '', value = ''] of html.matchAll(/name="([^"]+)" value="([^"]*)"/g))
    body.set(name, unescapeHtml(value));
  return { action: unescapeHtml(/action="([^"]+)"/.exec(html)?.[1] ?? ''), body };
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}

function unescapeHtml(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}
