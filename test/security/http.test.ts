import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listen } from '../../src/http/server.ts';
import { exchange, wire } from '../http/raw.ts';

import { type Gateway, startGateway } from '../support/gateway.ts';
import { CURRENT_USER, LOG_IN, logIn, newPerson, type Person, SIGN_UP, signUp } from '../support/people.ts';

const UNLIMITED = { POSTERN_RATE_LIMITS: 'off' };
const PUBLIC_URL = 'https://auth.example.com';
const APP = 'https://app.example.com';

/** Reached by browsers at an https URL; an app of another origin is allowed. */
let gateway: Gateway;
/** As on a developer's machine. */
let plain: Gateway;

beforeAll(async () => {
  [gateway, plain] = await Promise.all([
    startGateway({
      env: { ...UNLIMITED, POSTERN_PUBLIC_URL: PUBLIC_URL, POSTERN_ALLOWED_ORIGINS: APP, POSTERN_GRAPHIQL: 'off' },
    }),
    startGateway({ env: UNLIMITED }),
  ]);
});
afterAll(() => Promise.all([gateway.stop(), plain.stop()]));

/** Origins of pages that are not ours, some of which look as if they were. */
const FOREIGN = [
  'null',
  '',
  'https://evil.example',
  'http://auth.example.com',
  'https://auth.example.com:8443',
  'https://auth.example.com.',
  'https://auth.example.com/',
  'https://AUTH.example.com',
  'https://auth.example.com.evil.example',
  'https://auth.example.comevil.example',
  'https://evilauth.example.com',
  'https://sub.auth.example.com',
  'https://example.com',
  'https://auth.example.com@evil.example',
  'https://evil.example/https://auth.example.com',
  'https://auth.example.com https://evil.example',
  'https://auth.example.com, https://evil.example',
  'file://',
  'chrome-extension://abcdef',
  '*',
];

const ROUTES = [
  '/graphql',
  '/health/live',
  '/health/ready',
  '/.well-known/jwks.json',
  '/.well-known/openid-configuration',
];

async function isAlive(of = gateway): Promise<boolean> {
  return (await fetch(`${of.url}/health/live`)).status === 200;
}

// Defence: isAllowedOrigin in src/http/origin.ts.
describe('C01: pages of other origins', () => {
  const OPERATIONS: Record<string, (person: Person) => { query: string; variables?: object }> = {
    signUp: () => ({ query: SIGN_UP, variables: { input: { ...newPerson(), credential: 'COOKIE' } } }),
    logInWithPassword: (person) => ({ query: LOG_IN, variables: { input: { ...person, credential: 'COOKIE' } } }),
    logOut: () => ({ query: 'mutation { logOut { __typename } }' }),
    issueAccessToken: () => ({ query: 'mutation { issueAccessToken { __typename } }' }),
    currentUser: () => ({ query: CURRENT_USER }),
  };

  test.each(FOREIGN)('%j: every operation is a 403, with and without a cookie, and nothing happens', async (origin) => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'COOKIE');
    const [before] = await gateway.sql('SELECT count(*) FROM sessions');
    for (const operation of Object.values(OPERATIONS)) {
      for (const client of [gateway.client(), held.client]) {
        const response = await client.post(JSON.stringify(operation(person)), { origin });
        expect(response.status).toBe(403);
        expect(response.headers.getSetCookie()).toEqual([]);
        expect(response.headers.get('access-control-allow-origin')).toBeNull();
        expect(response.headers.get('access-control-allow-credentials')).toBeNull();
        const text = await response.text();
        expect(JSON.parse(text).data).toBeUndefined();
        expect(text).not.toContain('example');
      }
    }
    expect((await gateway.sql('SELECT count(*) FROM sessions'))[0]).toEqual(before);
    expect((await held.client.send(CURRENT_USER)).result.id).toBe(held.userId);
  });

  test.each([PUBLIC_URL, APP])('%s: every operation is answered', async (origin) => {
    const person = newPerson();
    const client = gateway.client({ origin });
    const held = await signUp(client, person, 'COOKIE');
    await logIn(client, person, 'COOKIE');
    expect((await held.client.send(CURRENT_USER)).result.id).toBe(held.userId);
  });

  test('two Origin headers are as bad as a foreign one', async () => {
    const headers = [`Origin: ${APP}`, 'Origin: https://evil.example', 'Content-Type: application/json'];
    const body = '{"query":"{ __typename }"}';
    for (const order of [headers, [...headers].reverse()])
      expect((await exchange(gateway.url, wire('POST /graphql', order, body))).statuses).toEqual([403]);
  });

  test('a query by GET from a foreign page is refused too', async () => {
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }])
      expect((await fetch(`${gateway.url}/graphql?query={__typename}`, { headers })).status).toBe(403);
  });

  test('on a developer machine the loopback names of the port are its own, and another port is not', async () => {
    const { port } = new URL(plain.url);
    const status = async (origin: string) => (await plain.client({ origin }).post('{"query":"{ __typename }"}')).status;
    expect(await status(`http://localhost:${port}`)).toBe(200);
    expect(await status(`http://127.0.0.1:${port}`)).toBe(200);
    for (const origin of [
      `http://localhost:${Number(port) + 1}`,
      `https://localhost:${port}`,
      'http://localhost',
      'null',
    ])
      expect(await status(origin)).toBe(403);
  });
});

// Defence: the rest of isAllowedOrigin, for requests that name no origin.
describe('C02: requests that name no origin', () => {
  test.each([
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ 'sec-fetch-site': 'CROSS-SITE' }, 403],
    [{ 'sec-fetch-site': '' }, 403],
    [{ 'sec-fetch-site': 'same-origin' }, 200],
    [{ 'sec-fetch-site': 'none' }, 200],
    [{ 'sec-fetch-site': 'cross-site', referer: `${APP}/page` }, 403],
    [{ referer: 'https://evil.example/' }, 403],
    [{ referer: 'https://auth.example.com.evil.example/' }, 403],
    [{ referer: 'https://evil.example/?https://auth.example.com/' }, 403],
    [{ referer: 'https://auth.example.com@evil.example/' }, 403],
    [{ referer: 'no url' }, 403],
    [{ referer: '' }, 403],
    [{ referer: `${APP}/page?x=1` }, 200],
    [{}, 200],
    // What names the origin counts, whatever stands beside it.
    [{ origin: APP, 'sec-fetch-site': 'cross-site' }, 200],
    [{ origin: 'https://evil.example', 'sec-fetch-site': 'same-origin', referer: `${APP}/` }, 403],
  ])('%j is answered with %i', async (headers, status) => {
    const body = JSON.stringify({ query: 'mutation { logOut { __typename } }' });
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    // By hand, since fetch sets some of these itself.
    const request = wire('POST /graphql', ['Content-Type: application/json', 'Connection: close', ...lines], body);
    expect((await exchange(gateway.url, request)).statuses).toEqual([status]);
  });
});

// Defence: corsHeaders in src/http/origin.ts.
describe('C03: CORS', () => {
  const preflight = (origin: string, method = 'POST') =>
    fetch(`${gateway.url}/graphql`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': 'content-type,x-session-token',
      },
    });
  const cors = ({ headers }: Response) => [...headers.keys()].filter((name) => name.startsWith('access-control-'));

  test.each(FOREIGN)('%j gets no CORS header, neither by preflight nor by request', async (origin) => {
    const asked = await preflight(origin);
    expect(asked.status).toBe(403);
    expect(cors(asked)).toEqual([]);
    for (const method of ['POST', 'GET', 'PUT']) {
      const response = await fetch(`${gateway.url}/graphql`, { method, headers: { origin } });
      expect(cors(response)).toEqual([]);
      expect(response.headers.get('vary')).toMatch(/\borigin\b/i);
    }
  });

  test('an allowed origin is named, with credentials, and never by a star', async () => {
    const asked = await preflight(APP);
    expect(asked.status).toBe(204);
    const answered = await gateway.client({ origin: APP }).send(CURRENT_USER);
    for (const { headers } of [asked, answered]) {
      expect(headers.get('access-control-allow-origin')).toBe(APP);
      expect(headers.get('access-control-allow-credentials')).toBe('true');
      expect(headers.get('vary')).toMatch(/\borigin\b/i);
    }
    expect(asked.headers.get('access-control-allow-methods')).toBe('GET, POST');
    expect(asked.headers.get('access-control-allow-headers')).not.toContain('*');
  });

  test('an allowed origin can read refusals too', async () => {
    const response = await gateway.client({ origin: APP }).post('{');
    expect(response.status).toBe(400);
    expect(response.headers.get('access-control-allow-origin')).toBe(APP);
  });

  test('a request without an origin gets no CORS header, and still varies by it', async () => {
    const { headers } = await gateway.client().send(CURRENT_USER);
    expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
    expect(headers.get('vary')).toMatch(/\borigin\b/i);
  });

  test('what is public may be read from anywhere, but not with credentials', async () => {
    for (const path of ['/.well-known/jwks.json', '/.well-known/openid-configuration']) {
      const { headers } = await fetch(gateway.url + path, { headers: { origin: 'https://evil.example' } });
      expect(headers.get('access-control-allow-origin')).toBe('*');
      expect(headers.get('access-control-allow-credentials')).toBeNull();
    }
    for (const path of ['/health/live', '/health/ready', '/nothing']) {
      const response = await fetch(gateway.url + path, { headers: { origin: 'https://evil.example' } });
      expect(cors(response)).toEqual([]);
    }
  });
});

// Defence: securityHeaders in src/http/headers.ts, set before anything else happens.
describe('C04: the headers of every answer', () => {
  const json = { 'content-type': 'application/json' };
  const post = (body: string, headers: Record<string, string> = json): RequestInit => ({
    method: 'POST',
    body,
    headers,
  });
  const REQUESTS: readonly (readonly [status: number, path: string, init: RequestInit])[] = [
    [200, '/graphql', post('{"query":"{ __typename }"}')],
    [200, '/graphql?query={__typename}', {}],
    [204, '/graphql', { method: 'OPTIONS', headers: { origin: APP } }],
    [400, '/graphql', post('{')],
    [
      400,
      '/graphql',
      post('{"query":"{ __typename }"}', { ...json, authorization: 'Bearer a', 'x-session-token': 'b' }),
    ],
    [403, '/graphql', post('{}', { ...json, origin: 'https://evil.example' })],
    [405, '/graphql', { method: 'DELETE' }],
    [405, '/graphql?query=mutation{logOut{__typename}}', {}],
    [406, '/graphql', { headers: { accept: 'text/html' } }],
    [413, '/graphql', post('a'.repeat(70_000))],
    [415, '/graphql', post('{}', { 'content-type': 'text/plain' })],
    [200, '/health/live', {}],
    [200, '/health/ready', {}],
    [200, '/.well-known/jwks.json', {}],
    [200, '/.well-known/openid-configuration', {}],
    [405, '/health/live', { method: 'POST' }],
    [405, '/.well-known/jwks.json', { method: 'DELETE' }],
    [404, '/nothing', {}],
    [404, '/graphql/', {}],
    [404, '/health', {}],
    [404, '/.env', {}],
    [404, '/.git/config', {}],
    [404, '/metrics', {}],
  ];

  function expectHeaders(headers: Headers, https: boolean) {
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get('cross-origin-resource-policy')).toMatch(/^(same-site|cross-origin)$/);
    expect(headers.get('cache-control')).toMatch(/^(no-store|public, max-age=\d+)$/);
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('server')).toBeNull();
    const transport = headers.get('strict-transport-security');
    if (!https) return expect(transport).toBeNull();
    expect(transport).toContain('includeSubDomains');
    expect(Number(/max-age=(\d+)/.exec(transport ?? '')?.[1])).toBeGreaterThanOrEqual(31_536_000);
  }

  test.each(REQUESTS)('a %i for %s', async (status, path, init) => {
    const response = await fetch(gateway.url + path, init);
    expect(response.status).toBe(status);
    expectHeaders(response.headers, true);
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    // Over plain http the promise of TLS would be a lie.
    if (status !== 406) expectHeaders((await fetch(plain.url + path, init)).headers, false);
  });

  test('only what is public may be stored', async () => {
    for (const path of ROUTES) {
      const { headers } = await fetch(`${gateway.url}${path}?query={__typename}`);
      expect(headers.get('cache-control')).toBe(path.startsWith('/.well-known') ? 'public, max-age=300' : 'no-store');
    }
    const held = await signUp(gateway.client(), newPerson(), 'COOKIE');
    expect(held.answer.headers.get('cache-control')).toBe('no-store');
    expect((await held.client.send(CURRENT_USER)).headers.get('cache-control')).toBe('no-store');
  });

  test('the page of GraphiQL is framed by nobody and loads from nowhere else', async () => {
    const { headers } = await fetch(`${plain.url}/graphql`, { headers: { accept: 'text/html' } });
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/https?:|\*/);
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('a 503 of a server that has nothing to serve yet', async () => {
    const server = await listen('127.0.0.1', 0);
    const response = await fetch(`http://127.0.0.1:${server.port}/graphql`);
    await server.drain();
    expect(response.status).toBe(503);
    expectHeaders(response.headers, false);
  });
});

// Defence: the methods that src/http/graphql.ts and src/http/routes.ts know, and the `connect` listener.
describe('C05: methods', () => {
  const statusOf = async (line: string, headers: string[] = []) => {
    const { statuses, text, closed } = await exchange(gateway.url, wire(line, ['Connection: close', ...headers]));
    return { status: statuses[0], statuses, text, closed };
  };

  test.each(['TRACE', 'PUT', 'DELETE', 'PATCH', 'PROPFIND', 'SEARCH', 'MKCOL', 'M-SEARCH'])(
    '%s is a 405 on every route',
    async (method) => {
      for (const path of ROUTES) {
        const { status, text } = await statusOf(`${method} ${path}`, ['Cookie: a=secret', 'X-Echo: secret']);
        expect(status, `${method} ${path}`).toBe(405);
        expect(text).toMatch(/^Allow: .*GET/im);
        expect(text).not.toContain('secret');
      }
    },
  );

  test.each(['localhost:443', '/graphql', 'evil.example:80'])('CONNECT %s opens no tunnel', async (target) => {
    const { statuses, closed } = await statusOf(`CONNECT ${target}`);
    expect(statuses.every((status) => status >= 400)).toBe(true);
    expect(closed).toBe(true);
  });

  test.each(['GETS', 'get', 'HELLO', '', 'PRI'])('the unknown method "%s" is a 400 or nothing', async (method) => {
    const { statuses } = await statusOf(`${method} /graphql`);
    expect(statuses.every((status) => status === 400)).toBe(true);
    expect(await isAlive()).toBe(true);
  });

  test('HEAD is answered like GET, without a body, where there is something to read', async () => {
    for (const path of ROUTES.filter((route) => route !== '/graphql')) {
      const { status, text } = await statusOf(`HEAD ${path}`);
      expect(status).toBe(200);
      expect(text.endsWith('\r\n\r\n')).toBe(true);
    }
    expect((await statusOf('HEAD /graphql')).status).toBe(405);
    expect((await statusOf('HEAD /nothing')).status).toBe(404);
  });

  test('OPTIONS is for preflights of the endpoint, and does nothing elsewhere', async () => {
    expect((await statusOf('OPTIONS /graphql')).status).toBe(204);
    for (const path of ROUTES.filter((route) => route !== '/graphql'))
      expect((await statusOf(`OPTIONS ${path}`)).status).toBe(405);
    expect((await statusOf('OPTIONS /nothing')).status).toBe(404);
    expect((await statusOf('OPTIONS *')).status).toBeLessThan(500);
  });
});

// Defence: Node's strict parser (no insecureHTTPParser), which these tests hold on to.
describe('C06: requests that two parsers could read in two ways', () => {
  const body = '{"query":"{ __typename }"}';
  const head = (...lines: string[]) => wire('POST /graphql', ['Content-Type: application/json', ...lines]);
  const SMUGGLED = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const BAD: Record<string, string | string[]> = {
    'a length and chunks': `${head('Content-Length: 6', 'Transfer-Encoding: chunked')}0\r\n\r\n${SMUGGLED}`,
    'chunks and a length': `${head('Transfer-Encoding: chunked', 'Content-Length: 6')}0\r\n\r\n${SMUGGLED}`,
    'two lengths': `${head(`Content-Length: ${body.length}`, 'Content-Length: 5')}${body}`,
    'the same length twice': `${head(`Content-Length: ${body.length}`, `Content-Length: ${body.length}`)}${body}`,
    'a list of lengths': `${head(`Content-Length: ${body.length}, ${body.length}`)}${body}`,
    'a negative length': `${head('Content-Length: -5')}${body}`,
    'a length with a sign': `${head(`Content-Length: +${body.length}`)}${body}`,
    'a length in hex': `${head('Content-Length: 0x1a')}${body}`,
    'an enormous length': `${head('Content-Length: 99999999999999999999999')}${body}`,
    'a length that is no number': `${head('Content-Length: abc')}${body}`,
    'an unknown transfer coding': `${head('Transfer-Encoding: xchunked')}0\r\n\r\n`,
    'chunked before another coding': `${head('Transfer-Encoding: chunked, identity')}0\r\n\r\n`,
    'chunked twice': `${head('Transfer-Encoding: chunked', 'Transfer-Encoding: identity')}0\r\n\r\n`,
    'a chunk size that is no number': `${head('Transfer-Encoding: chunked')}zz\r\n${body}\r\n0\r\n\r\n`,
    'a negative chunk size': `${head('Transfer-Encoding: chunked')}-1\r\n${body}\r\n0\r\n\r\n`,
    'a chunk size beyond all bounds': `${head('Transfer-Encoding: chunked')}fffffffffffffffff\r\n${body}\r\n0\r\n\r\n`,
    'a chunk that is longer than it says': `${head('Transfer-Encoding: chunked')}5\r\n${body}\r\n0\r\n\r\n`,
    'a space before a colon': `POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n${body}`,
    'a folded header': `GET /health/live HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\tc: d\r\n Content-Length: 5\r\n\r\n`,
    'a bare CR in a header': 'GET /health/live HTTP/1.1\r\nHost: a\r\nX-A: b\rX-B: c\r\n\r\n',
    'a NUL in a header': 'GET /health/live HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n',
    'no Host': 'GET /health/live HTTP/1.1\r\n\r\n',
    'a line that is no request': 'hello there\r\n\r\n',
    'a TLS greeting': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'a flood of headers': `GET /health/live HTTP/1.1\r\nHost: a\r\n${'X-A: b\r\n'.repeat(5_000)}\r\n`,
    'a header without end': `GET /health/live HTTP/1.1\r\nHost: a\r\nX-A: ${'b'.repeat(40_000)}\r\n\r\n`,
    'a URL without end': `GET /${'a'.repeat(40_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  };

  test.each(Object.keys(BAD))('%s: refused with a 4xx or cut off, and the server lives on', async (name) => {
    const { statuses, text } = await exchange(gateway.url, BAD[name] ?? '');
    // "No 2xx" is the heart of it: a second request in the same bytes would have been answered with one.
    if (!/bare CR|folded/.test(name))
      expect(
        statuses.every((status) => status >= 400 && status < 500),
        text,
      ).toBe(true);
    expect(text).not.toContain('"live"'.repeat(2));
    expect(await isAlive()).toBe(true);
  });

  test('a connection that is broken off in the middle, again and again, hurts nobody', async () => {
    const starts = [
      `${head('Content-Length: 500')}{"query`,
      `${head('Transfer-Encoding: chunked')}5\r\n{"que`,
      `${head('Transfer-Encoding: chunked')}20000\r\n${'a'.repeat(0x20000)}\r\n`,
      `${head(`Content-Length: ${body.length}`)}${body}`,
      'POST /graphql HT',
    ];
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => {
        const { port, hostname } = new URL(gateway.url);
        return new Promise<void>((resolve) => {
          const socket = connect(Number(port), hostname, () => {
            socket.write(starts[index % starts.length] ?? '', () => {
              setTimeout(() => socket.resetAndDestroy(), index % 7);
            });
          });
          socket.on('error', () => undefined);
          socket.on('close', () => resolve());
        });
      }),
    );
    expect(await isAlive()).toBe(true);
    expect(gateway.logs.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });

  test('several requests in one piece are answered one by one, in order', async () => {
    const one = wire('GET /health/live');
    const { statuses } = await exchange(gateway.url, one + wire('GET /nothing') + one);
    expect(statuses).toEqual([200, 404, 200]);
  });
});

// Defence: one cookie with one opaque token, which a login replaces.
describe('C07: cookies stay small', () => {
  test('the cookie of a session is a fraction of what browsers keep, and fifty logins leave one', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => gateway.client().send(LOG_IN, { input: { ...person, credential: 'COOKIE' } })),
    );
    const jar = new Map<string, string>();
    for (const { headers } of answers) {
      for (const line of headers.getSetCookie()) {
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(4096);
        const [pair = ''] = line.split(';');
        jar.set(pair.slice(0, pair.indexOf('=')), pair);
      }
    }
    expect([...jar.keys()]).toEqual(['__Host-postern']);
    expect([...jar.values()].join('; ').length).toBeLessThan(200);
  });

  test('a login in the browser of somebody else replaces the cookie instead of adding one', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const person = newPerson();
    await signUp(gateway.client(), person);
    const { answer } = await logIn(held.client, person, 'COOKIE');
    expect(answer.headers.getSetCookie()).toHaveLength(1);
  });
});

describe('C08: nothing about the machinery', () => {
  // Defence: routes that answer with a word.
  test('health says a word, and there are no metrics', async () => {
    for (const path of ['/health/live', '/health/ready']) {
      const text = await (await fetch(gateway.url + path)).text();
      expect(JSON.parse(text)).toEqual({ status: path.endsWith('live') ? 'live' : 'ready' });
    }
    for (const path of [
      '/metrics',
      '/debug',
      '/status',
      '/health',
      '/version',
      '/actuator',
      '/package.json',
      '/graphiql',
    ])
      expect((await fetch(gateway.url + path)).status).toBe(404);
  });

  // Defence: Hono's plain "404 Not Found".
  test('an unknown route is a 404 that repeats nothing of it', async () => {
    for (const path of [
      '/kanarienvogel',
      '/graphql/kanarienvogel',
      '/kanarienvogel?x=kanarienvogel',
      '/%6banarienvogel',
      '/<script>kanarienvogel</script>',
    ]) {
      const response = await fetch(gateway.url + path, { headers: { accept: 'text/html' } });
      expect(response.status).toBe(404);
      expect(await response.text()).not.toMatch(/kanarienvogel|script/);
      expect(JSON.stringify([...response.headers])).not.toContain('kanarienvogel');
    }
  });
});

describe('the target and the host of a request', () => {
  const body = '{"query":"{ __typename }"}';
  const json = ['Content-Type: application/json', 'Connection: close'];

  // Defence: one exact path leads to GraphQL (pathOf in src/http/server.ts).
  test.each([
    '//graphql',
    '/graphql/',
    '/GraphQL',
    '/./graphql',
    '/x/../graphql',
    '/%67raphql',
    '/graphql%00',
    '/graphql;x',
    '/graphql%2f',
  ])('%s is not the endpoint', async (path) => {
    const { statuses } = await exchange(gateway.url, wire(`POST ${path}`, json, body));
    expect(statuses).toEqual([404]);
  });

  test.each([
    '//health/live',
    '//evil.example/health/live',
    '/\\evil.example',
    '/..%2f..%2fetc/passwd',
    '/%',
    '/%zz',
    '/nothing?',
    '/nothing#',
    '/health/live/..',
  ])('GET %s is a 4xx that sends nobody anywhere', async (path) => {
    const { statuses, text } = await exchange(gateway.url, wire(`GET ${path}`, ['Connection: close']));
    expect(
      statuses.every((status) => status >= 400 && status < 500),
      text,
    ).toBe(true);
    expect(text).not.toMatch(/^location:/im);
  });

  test('a target in absolute form names a path, and its host means nothing', async () => {
    const answers = await Promise.all(
      ['http://evil.example/.well-known/openid-configuration', 'http://localhost/.well-known/openid-configuration'].map(
        (target) => exchange(gateway.url, wire(`GET ${target}`, ['Connection: close'])),
      ),
    );
    for (const { text, statuses } of answers) {
      expect(statuses).toEqual([200]);
      expect(text).toContain(PUBLIC_URL);
      expect(text).not.toContain('evil.example');
    }
    const { statuses, text } = await exchange(gateway.url, wire('POST http://evil.example/graphql', json, body));
    expect(statuses).toEqual([200]);
    expect(text).toContain('"__typename":"Query"');
  });

  // Defence: everything that names the gateway comes from the configuration.
  const SPOOFS: readonly string[][] = [
    ['Host: evil.example'],
    ['Host: evil.example:99999'],
    ['Host: [::1'],
    ['Host: a b'],
    ['Host: a/b?c#d'],
    ['Host: evil.example', 'X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: http', 'X-Forwarded-Port: 80'],
    ['Host: localhost', 'Forwarded: host=evil.example;proto=http;for=1.2.3.4'],
    ['Host: localhost', 'X-Original-URL: /health/live', 'X-Rewrite-URL: /health/live'],
    ['Host: localhost', 'X-HTTP-Method-Override: DELETE'],
    ['Host: '],
  ];

  test.each(SPOOFS)('%s: the issuer, discovery and cookies stay the same', async (...spoof) => {
    const login = async (credential: string) => {
      const input = JSON.stringify({ query: SIGN_UP, variables: { input: { ...newPerson(), credential } } });
      return exchange(gateway.url, wire('POST /graphql', [...spoof, ...json], input), 2_000);
    };
    const [cookie, jwt, discovery] = [
      await login('COOKIE'),
      await login('JWT'),
      await exchange(gateway.url, wire('GET /.well-known/openid-configuration', [...spoof, 'Connection: close'])),
    ];
    expect(cookie.text).toMatch(
      /^Set-Cookie: __Host-postern=[^;]+; Path=\/; HttpOnly; SameSite=Lax; Secure; Expires=/im,
    );
    const [, payload = ''] = /"accessToken":"[^".]+\.([^".]+)\./.exec(jwt.text) ?? [];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString() || '{}');
    expect(claims).toMatchObject({ iss: PUBLIC_URL, aud: PUBLIC_URL });
    // A host that is none may be refused where a URL is made of it; what is answered is the same.
    if (discovery.statuses[0] === 200) expect(discovery.text).toContain(`"issuer":"${PUBLIC_URL}"`);
    else expect(discovery.statuses).toEqual([400]);
    for (const { text } of [cookie, jwt, discovery]) expect(text).not.toMatch(/evil/);
  });
});

describe('a request with thousands of headers', () => {
  // Defence: server.maxHeadersCount in src/http/server.ts. By default Node leaves out all beyond two thousand.
  const FLOOD = Array.from({ length: 2_100 }, () => 'a:');

  test('hides no second credential and no foreign origin behind them', async () => {
    const held = await signUp(plain.client(), newPerson());
    const body = '{"query":"{ currentUser { __typename } }"}';
    const head = ['Content-Type: application/json', `Content-Length: ${body.length}`, `X-Session-Token: ${held.token}`];
    const twice = wire('POST /graphql', [...head, ...FLOOD, 'Authorization: Bearer another'], body);
    const foreign = wire('POST /graphql', [...head, ...FLOOD, 'Origin: https://evil.example'], body);
    expect((await exchange(plain.url, twice)).statuses).toEqual([400]);
    expect((await exchange(plain.url, foreign)).statuses).toEqual([403]);
  });

  test('cannot put an address of its own before the one that the trusted proxy adds at the end (L05)', async () => {
    const person = newPerson();
    const body = JSON.stringify({ query: SIGN_UP, variables: { input: person } });
    const head = [
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'X-Forwarded-For: 66.66.66.66',
    ];
    const { statuses } = await exchange(
      plain.url,
      wire('POST /graphql', [...head, ...FLOOD, 'X-Forwarded-For: 7.7.7.7'], body),
    );
    expect(statuses).toEqual([200]);
    const rows = await plain.sql(
      'SELECT s.ip_address FROM sessions s JOIN emails e ON e.user_id = s.user_id WHERE e.address = $1',
      [person.email],
    );
    expect(rows).toEqual([{ ip_address: '7.7.7.7' }]);
  });
});
