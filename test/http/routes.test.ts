import { type OperationDefinitionNode, parse } from 'graphql';
import { createLocalJWKSet, jwtVerify } from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXAMPLES } from '../../src/graphql/examples.ts';
import { readAnswer } from '../support/client.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { cookieOf, newPerson, signUp, VERIFY_EMAIL } from '../support/people.ts';

const PUBLIC_URL = 'https://auth.example.com/base';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

async function read(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, body: await response.json() };
}

describe('health', () => {
  test('live and ready answer with a word', async () => {
    expect(await read(`${gateway.url}/health/live`)).toMatchObject({ status: 200, body: { status: 'live' } });
    expect(await read(`${gateway.url}/health/ready`)).toMatchObject({ status: 200, body: { status: 'ready' } });
  });

  test('while the database is away the gateway lives and is not ready, and becomes ready again by itself', async () => {
    const cut = await startGateway();
    const { pathname } = new URL(cut.databaseUrl);
    const elsewhere = new URL(cut.databaseUrl);
    elsewhere.pathname = '/template1';
    const admin = new pg.Client({ connectionString: elsewhere.href });
    await admin.connect();
    const name = pathname.slice(1);
    try {
      expect((await read(`${cut.url}/health/ready`)).status).toBe(200);
      await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
      await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
      expect(await read(`${cut.url}/health/ready`)).toMatchObject({ status: 503, body: { status: 'unavailable' } });
      expect((await read(`${cut.url}/health/live`)).status).toBe(200);
      expect((await read(`${cut.url}/.well-known/jwks.json`)).status).toBe(200);
      const { status, text } = await cut
        .client()
        .bearing(`ps_${'A'.repeat(43)}`)
        .send('{ currentUser { __typename } }');
      expect(status).toBe(503);
      expect(text).not.toMatch(/postgres|connect|test_/i);
    } finally {
      await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
      await admin.end();
    }
    await expect.poll(async () => (await read(`${cut.url}/health/ready`)).status, { timeout: 5_000 }).toBe(200);
    await cut.stop();
  });

  test('a gateway that stops takes no more requests', async () => {
    const stopping = await startGateway();
    await stopping.stop();
    await expect(fetch(`${stopping.url}/health/live`)).rejects.toThrow();
  });
});

describe('keys and discovery', () => {
  test('the key set holds public keys only, which verify what the gateway signs', async () => {
    const { status, headers, body } = await read(`${gateway.url}/.well-known/jwks.json`);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    expect(headers.get('cache-control')).toBe('public, max-age=300');
    expect(body.keys.length).toBeGreaterThan(0);
    for (const key of body.keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
      expect(key).toMatchObject({ alg: 'ES256', crv: 'P-256', kty: 'EC', use: 'sig' });
    }
    const { token, userId } = await signUp(gateway.client(), newPerson(), 'JWT');
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(body), {
      issuer: gateway.app.config.publicUrl,
      audience: gateway.app.config.publicUrl,
      typ: 'at+jwt',
      currentDate: gateway.clock(),
    });
    expect(payload.sub).toBe(userId);
    expect(body.keys.map(({ kid }: { kid: string }) => kid)).toContain(protectedHeader.kid);
  });

  test('discovery names the issuer and where its keys are', async () => {
    const other = await gateway.another({ POSTERN_PUBLIC_URL: `${PUBLIC_URL}/` });
    const { headers, body } = await read(`${other.url}/.well-known/openid-configuration`);
    expect(body).toEqual({
      issuer: PUBLIC_URL,
      jwks_uri: `${PUBLIC_URL}/.well-known/jwks.json`,
      id_token_signing_alg_values_supported: ['ES256'],
      subject_types_supported: ['public'],
    });
    expect(headers.get('cache-control')).toBe('public, max-age=300');
    expect(headers.get('access-control-allow-origin')).toBe('*');
  });
});

describe('request ids', () => {
  test('every answer carries one of its own, and the log has one line with it', async () => {
    const requests: [path: string, init: RequestInit, status: number][] = [
      ['/health/live', {}, 200],
      ['/nothing', {}, 404],
      ['/graphql?query={__typename}', {}, 200],
      ['/graphql', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }, 400],
      ['/graphql', { method: 'DELETE' }, 405],
    ];
    for (const [target, init, status] of requests) {
      const response = await fetch(gateway.url + target, {
        ...init,
        headers: { ...init.headers, 'x-request-id': 'mine' },
      });
      const id = response.headers.get('x-request-id') ?? '';
      expect(id).toMatch(/^[0-9a-f]{8}-/);
      const lines = () => gateway.logs.filter((line) => line.includes(id)).map((line) => JSON.parse(line));
      await expect.poll(lines).toHaveLength(1);
      const [path] = target.split('?');
      expect(lines()[0]).toMatchObject({
        requestId: id,
        method: init.method ?? 'GET',
        // What no route is called may hold anything, so it is not written down.
        ...(status === 404 ? {} : { path }),
        status,
        peer: '127.0.0.1',
      });
      expect(lines()[0].ms).toBeGreaterThanOrEqual(0);
      expect(JSON.stringify(lines())).not.toContain('__typename');
    }
  });

  test('a request that its client breaks off has one line, too, and is no error', async () => {
    const before = gateway.logs.length;
    const abort = new AbortController();
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"query":"')),
    });
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', body, duplex: 'half', headers, signal: abort.signal } as RequestInit;
    const broken = fetch(`${gateway.url}/graphql`, init).catch(() => undefined);
    setTimeout(() => abort.abort(), 50);
    await broken;
    const lines = () => gateway.logs.slice(before).map((line) => JSON.parse(line));
    await expect.poll(lines).toHaveLength(1);
    expect(lines()[0]).toMatchObject({ level: 'info', path: '/graphql', aborted: true, peer: '127.0.0.1' });
  });
});

describe('GraphiQL', () => {
  test('a browser gets a page with the examples, a program does not', async () => {
    const page = await fetch(`${gateway.url}/graphql`, {
      headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' },
    });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const html = await page.text();
    expect(html).toContain('Ada signs up');
    expect(html).not.toMatch(/<(?:script|link)[^>]+(?:src|href)="https?:/);
    const program = await fetch(`${gateway.url}/graphql`, { headers: { accept: 'application/json' } });
    expect(program.headers.get('content-type')).toMatch(/^application\/json/);
    const query = await fetch(`${gateway.url}/graphql?query={__typename}`, { headers: { accept: 'text/html, */*' } });
    expect(await query.text()).toContain('"Query"');
  });

  /** What each example comes to, in its order. */
  const EXPECTED: readonly (readonly [name: string, typename: string | undefined, part: object])[] = [
    ['SignUp', 'EmailVerificationRequired', { email: 'ada@example.com' }],
    ['LogInWithPassword', 'LoggedIn', {}],
    ['CurrentUser', 'User', { email: 'ada@example.com', hasPassword: true, hasMfa: false }],
    ['CurrentSession', undefined, { credential: 'COOKIE', methods: [{ method: 'PASSWORD' }] }],
    ['IssueAccessToken', undefined, { accessToken: expect.stringMatching(/^ey/) }],
    ['SessionEvents', undefined, {}],
    ['LogOut', 'LoggedOut', {}],
    ['RequestLoginCode', 'LoginCodeRequired', {}],
    ['RequestPasswordReset', 'CodeSent', {}],
    ['AuthConfig', undefined, { signUpOpen: true, passwordMinLength: 8 }],
  ];

  test('the examples run as they stand, from top to bottom, in one browser', async () => {
    const operations = parse(EXAMPLES).definitions.map(
      (definition) => (definition as OperationDefinitionNode).name?.value,
    );
    expect(operations).toEqual(EXPECTED.map(([name]) => name));
    const fresh = await startGateway({ env: { POSTERN_EMAIL_VERIFICATION: 'mandatory' } });
    const { origin } = new URL(fresh.app.config.publicUrl);
    let [cookie, held] = ['', false];
    let events: Response | null = null;
    for (const [operationName, typename, part] of EXPECTED) {
      const headers = { origin, 'sec-fetch-site': 'same-origin', ...(cookie ? { cookie } : {}) };
      const body = JSON.stringify({ query: EXAMPLES, operationName });
      if (operationName === 'SessionEvents') {
        events = await fresh.client({ ...headers, accept: 'text/event-stream' }).post(body);
        continue;
      }
      const answer = await readAnswer(await fresh.client(headers).post(body));
      expect(answer, `${operationName}: ${answer.text}`).toMatchObject({ status: 200, errors: [] });
      expect(answer.result).toMatchObject(part);
      if (typename) expect(answer.result.__typename).toBe(typename);
      const set = cookieOf(answer, 'postern');
      if (set !== null) cookie = set ? `postern=${set}` : '';
      held ||= cookie !== '';
      if (operationName !== 'SignUp') continue;
      // What the person does in the other tab.
      const { token } = await fresh.mails.next('ada@example.com');
      await fresh.client().send(VERIFY_EMAIL, { input: { proof: { token } } });
    }
    expect(held).toBe(true);
    expect(await events?.text()).toContain('"reason":"LOGGED_OUT"');
    await fresh.stop();
  });
});
