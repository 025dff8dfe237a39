import { once } from 'node:events';
import { createServer } from 'node:http';
import express from 'express';
import { fastify } from 'fastify';
import { printSchema } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { ConfigError, createPostern, type Postern } from '../../src/index.ts';
import { GraphQLClient, readAnswer } from '../support/client.ts';
import { embed, listenOn } from '../support/embedded.ts';
import { newAddress } from '../support/gateway.ts';
import { connectLive, SESSION_EVENTS } from '../support/live.ts';
import { CURRENT_USER, hold, LOG_OUT, newPerson, SIGN_UP, signUp } from '../support/people.ts';

let postern: Postern;
let end: () => Promise<void>;
const ends: (() => Promise<void>)[] = [];
beforeAll(async () => {
  ({ postern, end } = await embed({
    userFields: { onboarded: { type: 'Boolean', write: 'OWNER', default: false } },
    settings: { POSTERN_TRUSTED_PROXIES: '1', POSTERN_RATE_LIMITS: '{"signUpPerAddress":"5/1m"}' },
  }));
});
afterAll(async () => {
  for (const each of ends) await each();
  await end();
});

async function serve(listener: Parameters<typeof listenOn>[0]): Promise<GraphQLClient> {
  const { url, end } = await listenOn(listener);
  ends.push(end);
  return new GraphQLClient(url, { 'x-forwarded-for': newAddress() });
}

describe('the handler', () => {
  test('answers node:http, and 404 for what is not its own', async () => {
    const client = await serve(postern.handler);
    const { client: held } = await signUp(client, newPerson());
    expect((await held.send(CURRENT_USER)).result.__typename).toBe('User');
    expect((await fetch(`${client.url}/elsewhere`)).status).toBe(404);
  });

  test('in Express leaves what is not its own to what comes after it', async () => {
    const app = express().use(postern.handler);
    app.get('/elsewhere', (_request, response) => void response.send('from Express'));
    const client = await serve(createServer(app));
    expect((await signUp(client, newPerson())).userId).toBeTruthy();
    expect(await (await fetch(`${client.url}/elsewhere`)).text()).toBe('from Express');
    expect((await fetch(`${client.url}/graphql/elsewhere`)).status).toBe(404);
    const methods = await Promise.all(
      ['GET', 'POST', 'DELETE'].map((method) => fetch(`${client.url}/.well-known/jwks.json`, { method })),
    );
    expect(methods.map(({ status }) => status)).toEqual([200, 405, 405]);
  });

  test('goes before Fastify, which reads bodies by itself', async () => {
    const app = fastify({
      serverFactory: (theirs) =>
        createServer((request, response) => postern.handler(request, response, () => theirs(request, response))),
    });
    app.post('/elsewhere', (request) => request.body);
    await app.ready();
    const client = await serve(app.server);
    expect((await signUp(client, newPerson())).userId).toBeTruthy();
    const theirs = await fetch(`${client.url}/elsewhere`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"from":"Fastify"}',
    });
    expect(await theirs.json()).toEqual({ from: 'Fastify' });
  });

  test('below a path of Express answers as it does at the root', async () => {
    const client = await serve(createServer(express().use('/auth', postern.handler)));
    const answer = await fetch(`${client.url}/auth/graphql?query=${encodeURIComponent(CURRENT_USER)}`);
    expect((await readAnswer(answer)).result).toMatchObject({ __typename: 'Unauthenticated' });
  });

  test('says at once that something has read the body before it', async () => {
    const client = await serve(createServer(express().use(express.json()).use(postern.handler)));
    const answer = await client.send(CURRENT_USER);
    expect(answer.status).toBe(500);
    expect(answer.errors[0]?.extensions?.code).toBe('UNAVAILABLE');
  });
});

describe('fetch', () => {
  const post = (query: string, variables = {}, headers: Record<string, string> = {}) =>
    new Request('http://localhost:4000/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query, variables }),
    });

  test('signs somebody up with a cookie, and recognises it', async () => {
    const input = { ...newPerson(), credential: 'COOKIE' };
    const response = await postern.fetch(post(SIGN_UP, { input }), { address: newAddress() });
    expect(response.headers.get('transfer-encoding')).toBeNull();
    const { result } = await readAnswer(response.clone());
    expect(result.__typename).toBe('LoggedIn');
    const [cookie = ''] = response.headers.getSetCookie();
    const again = await postern.fetch(post(CURRENT_USER, {}, { cookie: cookie.split(';')[0] ?? '' }));
    expect((await readAnswer(again)).result).toMatchObject({ __typename: 'User', email: input.email });
  });

  test('counts for its limits by the address that it is given', async () => {
    const address = newAddress();
    const signUpFrom = async (from: string) => {
      const input = { ...newPerson(), credential: 'SESSION_TOKEN' };
      return (await readAnswer(await postern.fetch(post(SIGN_UP, { input }), { address: from }))).result.__typename;
    };
    for (let index = 0; index < 5; index += 1) expect(await signUpFrom(address)).toBe('LoggedIn');
    expect(await signUpFrom(address)).toBe('RateLimited');
    expect(await signUpFrom(newAddress())).toBe('LoggedIn');
  });

  test('has no body where there is none, and refuses as HTTP does', async () => {
    const preflight = await postern.fetch(
      new Request('http://localhost:4000/graphql', { method: 'OPTIONS', headers: { origin: 'http://localhost:4000' } }),
    );
    expect([preflight.status, await preflight.text()]).toEqual([204, '']);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('http://localhost:4000');
    const head = await postern.fetch(new Request('http://localhost:4000/health/live', { method: 'HEAD' }));
    expect([head.status, await head.text()]).toEqual([200, '']);
    const tooLarge = new Request('http://localhost:4000/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"query":"${' '.repeat(200_000)}"}`,
    });
    expect((await postern.fetch(tooLarge)).status).toBe(413);
    expect((await postern.fetch(new Request('http://localhost:4000/elsewhere'))).status).toBe(404);
  });

  test('streams events, until its reader goes away', async () => {
    const client = await serve(postern.handler);
    const { token, client: held } = await signUp(client, newPerson());
    const controller = new AbortController();
    const request = new Request('http://localhost:4000/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', 'x-session-token': token },
      body: JSON.stringify({ query: SESSION_EVENTS }),
      signal: controller.signal,
    });
    const response = await postern.fetch(request, { address: newAddress() });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    const readUntil = async (pattern: RegExp) => {
      for (let text = ''; ; ) {
        const { value, done } = await reader.read();
        text += decoder.decode(value, { stream: true });
        if (pattern.test(text)) return text;
        if (done) throw new Error(`ended before ${pattern}: ${text}`);
      }
    };
    await readUntil(/^:/);
    await held.send(LOG_OUT);
    expect(await readUntil(/event: complete/)).toContain('SessionEnded');

    const aborted = AbortSignal.abort();
    await expect(
      postern.fetch(new Request('http://localhost:4000/health/live', { signal: aborted })),
    ).rejects.toThrow();
  });
});

describe('attach', () => {
  test('takes the sockets that go to GraphQL, and leaves others to whoever listens for them', async () => {
    const server = createServer(postern.handler);
    const others = new WebSocketServer({ noServer: true });
    others.on('connection', (socket) => socket.send('from another'));
    server.on('upgrade', (request, connection, head) => {
      if (request.url === '/others')
        others.handleUpgrade(request, connection, head, (ws) => others.emit('connection', ws));
    });
    postern.attach(server);
    const client = await serve(server);
    const { token, client: held } = await signUp(client, newPerson());
    const live = connectLive(client.url, { token });
    const following = live.follow(SESSION_EVENTS);
    expect(await live.send(CURRENT_USER)).toMatchObject({ __typename: 'User' });
    await held.send(LOG_OUT);
    expect(await following.next()).toMatchObject({ __typename: 'SessionEnded' });
    expect((await live.closed).code).toBe(4403);

    const other = new WebSocket(`${client.url.replace('http', 'ws')}/others`);
    const [message] = await once(other, 'message');
    expect(String(message)).toBe('from another');
    other.close();
    live.dispose();
  });

  test('of a server that nobody else listens to, refuses a socket to anything else', async () => {
    const server = createServer(postern.handler);
    postern.attach(server);
    const client = await serve(server);
    const socket = new WebSocket(`${client.url.replace('http', 'ws')}/elsewhere`);
    const [error] = await once(socket, 'error');
    expect(String(error)).toContain('404');
  });
});

describe('identify', () => {
  test('knows the person behind every credential, and what they may do', async () => {
    const client = await serve(postern.handler);
    const person = newPerson();
    const held = await signUp(client, person);
    const cookie = await client
      .send(SIGN_UP, { input: { ...newPerson(), credential: 'COOKIE' } })
      .then((answer) => hold(client, answer));
    const byToken = new Request('http://localhost/', { headers: { 'x-session-token': held.token } });
    expect(await postern.identify(byToken)).toMatchObject({
      kind: 'Identified',
      userId: held.userId,
      sessionId: held.sessionId,
      email: person.email,
      roles: [],
      hasMfa: false,
      fields: { onboarded: false },
      methods: ['pwd'],
    });
    const headers = { cookie: cookie.client.headers.cookie ?? '' };
    expect(await postern.identify(new Request('http://localhost/', { headers }))).toMatchObject({
      userId: cookie.userId,
    });

    const elsewhere = new Request('http://localhost/', { headers: { ...headers, origin: 'https://evil.example' } });
    expect(await postern.identify(elsewhere)).toMatchObject({ kind: 'Unidentified', reason: 'INVALID_CREDENTIAL' });
    const two = new Request('http://localhost/', { headers: { ...headers, 'x-session-token': held.token } });
    expect(await postern.identify(two)).toMatchObject({ kind: 'Unidentified', reason: 'INVALID_CREDENTIAL' });

    await held.client.send(LOG_OUT);
    expect(await postern.identify(byToken)).toEqual({ kind: 'Unidentified', reason: 'REVOKED' });
    expect(await postern.identify(new Request('http://localhost/'))).toEqual({
      kind: 'Unidentified',
      reason: 'NO_CREDENTIAL',
    });
  });
});

test('behind a public URL with a path, answers with the path before its routes and without', async () => {
  const { postern: below, end } = await embed({ settings: { POSTERN_PUBLIC_URL: 'http://localhost:4000/auth' } });
  ends.push(end);
  const server = createServer(below.handler);
  below.attach(server);
  const client = await serve(server);
  const { token } = await signUp(client, newPerson());
  const paths = ['/auth/graphql', '/graphql', '/auth/health/live', '/auth/elsewhere', '/authgraphql'];
  const statuses = await Promise.all(
    paths.map(async (path) => (await fetch(`${client.url}${path}?query=%7B__typename%7D`)).status),
  );
  expect(statuses).toEqual([200, 200, 200, 404, 404]);
  const live = connectLive(`${client.url}/auth`, { token });
  expect(await live.send(CURRENT_USER)).toMatchObject({ __typename: 'User' });
  live.dispose();
});

test('the schema is there for tools', () => {
  expect(printSchema(postern.schema)).toContain('currentUser: CurrentUserResult!');
});

test('closing finishes what runs, closes sockets, and refuses what comes later', async () => {
  const { postern: closing, end } = await embed();
  const server = createServer(closing.handler);
  closing.attach(server);
  const client = await serve(server);
  const { token } = await signUp(client, newPerson());
  const live = connectLive(client.url, { token });
  await live.send(CURRENT_USER);
  const running = client.send(SIGN_UP, { input: { ...newPerson(), credential: 'SESSION_TOKEN' } });
  await Promise.all([closing.close(), closing.close()]);
  expect((await running).result.__typename).toBe('LoggedIn');
  expect((await live.closed).code).toBe(1012);
  expect((await client.send(CURRENT_USER)).status).toBe(503);
  const socket = new WebSocket(`${client.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  expect(String((await once(socket, 'error'))[0])).toContain('503');
  await end();
});

test('what does not fit is named at once, settings and code together', async () => {
  const wrong = createPostern({
    settings: { PORT: 'many', POSTERN_SIGN_UP: 'perhaps' },
    ...JSON.parse('{ "hooks": { "requireMfa": 1 }, "provider": [], "providers": [{ "id": "acme", "type": "oidc" }] }'),
  });
  const error = await wrong.catch((error: unknown) => error);
  expect(error).toBeInstanceOf(ConfigError);
  const { problems } = error as ConfigError;
  expect(problems.map((problem) => problem.split(' ')[0])).toEqual(
    expect.arrayContaining(['hooks.requireMfa', 'provider', 'PORT', 'POSTERN_SIGN_UP', 'POSTERN_PROVIDERS']),
  );
});
