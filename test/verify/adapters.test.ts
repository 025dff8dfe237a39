import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { getRequestListener } from '@hono/node-server';
import { type Client, createClient } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { createSchema, createYoga } from 'graphql-yoga';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import {
  createVerifier,
  forApollo,
  forGraphqlWs,
  forYoga,
  type Identity,
  identityOf,
  type Verifier,
} from '../../src/verify/index.ts';
import { exchange, wire } from '../http/raw.ts';
import { type Front, openFront } from '../support/front.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { ORDERS, SERVICES } from '../support/introspect.ts';
import { type Held, ISSUE_ACCESS_TOKEN, LOG_OUT, newPerson, signUp } from '../support/people.ts';

let front: Front;
let gateway: Gateway;
/** Forgets nothing for long, as tests do not wait. */
let eager: Verifier;
const stops: (() => unknown)[] = [];
/** Where each framework listens: `open` recognises whoever comes, `closed` answers strangers itself. */
const urls: Record<string, { open: string; closed: string }> = {};

beforeAll(async () => {
  front = await openFront();
  gateway = await startGateway({ env: { ...SERVICES, POSTERN_PUBLIC_URL: front.url } });
  front.before(gateway.url);
  eager = createVerifier({ issuer: front.url, service: ORDERS, introspectionCache: 0 });
  Object.assign(process.env, { AUTH_URL: front.url, AUTH_SECRET: ORDERS.secret });
  await startExamples();
});
afterAll(async () => {
  for (const stop of stops) await stop();
  await gateway.stop();
  await front.close();
});
afterEach(() => {
  front.answer = null;
});

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Starts what the README shows. */
async function startExamples(): Promise<void> {
  const express = await listen(createServer((await import('./examples/express.ts')).app));
  const hono = await listen(createServer(getRequestListener((await import('./examples/hono.ts')).app.fetch)));
  const node = await listen((await import('./examples/node.ts')).server);
  const { app } = await import('./examples/fastify.ts');
  const fastify = await app.listen({ port: 0, host: '127.0.0.1' });
  stops.push(() => app.close());
  for (const [name, url] of Object.entries({ express, hono, node, fastify })) {
    urls[name] = { open: `${url}/`, closed: `${url}/orders` };
  }
  const query = '?query=%7Bme%7D';
  const { yoga } = await import('./examples/yoga.ts');
  const strictYoga = createYoga<{ identity: Identity }>({
    schema,
    plugins: [forYoga(eager, { require: true })],
    logging: false,
  });
  urls.yoga = {
    open: `${await listen(createServer(yoga))}/graphql${query}`,
    closed: `${await listen(createServer(strictYoga))}/graphql${query}`,
  };
  const { apollo, url } = await import('./examples/apollo.ts');
  const strictApollo = new ApolloServer<{ identity: Identity }>({ schema });
  const context = forApollo(eager, { require: true });
  const strict = await startStandaloneServer(strictApollo, { context, listen: { port: 0 } });
  stops.push(
    () => apollo.stop(),
    () => strictApollo.stop(),
  );
  urls.apollo = { open: url + query, closed: strict.url + query };
}

const schema = createSchema<{ identity: Identity }>({
  typeDefs: 'type Query { me: String }',
  resolvers: {
    Query: { me: (_root, _args, { identity }) => (identity.kind === 'Identified' ? identity.userId : null) },
  },
});

type Headers_ = Record<string, string>;

async function get(url = '', headers: Headers_ = {}) {
  // Apollo wants to know that no form of another page asks.
  const response = await fetch(url, {
    headers: { 'apollo-require-preflight': '1', accept: 'application/json', ...headers },
  });
  const text = await response.text();
  const body = text.startsWith('{') ? JSON.parse(text) : {};
  const isGraphQL = 'data' in body;
  return {
    status: response.status,
    headers: response.headers,
    text,
    userId: isGraphQL ? body.data.me : (body.userId ?? null),
    body,
  };
}
const issue = async ({ client }: Held) => String((await client.send(ISSUE_ACCESS_TOKEN)).result.accessToken);

describe.each(['express', 'fastify', 'hono', 'node', 'yoga', 'apollo'])('%s', (framework) => {
  const open = (headers?: Headers_) => get(urls[framework]?.open, headers);
  const closed = (headers?: Headers_) => get(urls[framework]?.closed, headers);

  test('knows who asks by either header and either credential', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const jwt = await issue(held);
    for (const headers of [
      { authorization: `Bearer ${held.token}` },
      { authorization: `bearer  ${jwt} ` },
      { 'x-session-token': held.token },
    ]) {
      for (const ask of [open, closed]) expect(await ask(headers)).toMatchObject({ status: 200, userId: held.userId });
    }
  });

  test('takes whoever shows nothing, or nothing good, for nobody, and refuses no request for it', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const jwt = await issue(held);
    const basic = { authorization: 'Basic eDp5', cookie: `postern=${held.token}` };
    for (const headers of [
      {},
      basic,
      { authorization: 'Bearer x' },
      { authorization: 'Bearer' },
      { 'x-session-token': jwt },
    ]) {
      expect(await open(headers as Headers_), JSON.stringify(headers)).toMatchObject({ status: 200, userId: null });
    }
  });

  test('answers strangers with 401 and a challenge itself, if it is told to (require)', async () => {
    const nothing = await closed();
    expect({ status: nothing.status, asks: nothing.headers.get('www-authenticate') }).toEqual({
      status: 401,
      asks: 'Bearer realm="Postern"',
    });
    for (const headers of [
      { authorization: 'Bearer x' },
      { authorization: 'Bearer' },
      { 'x-session-token': `ps_${'A'.repeat(43)}` },
    ] as Headers_[]) {
      const { status, headers: sent, text } = await closed(headers);
      expect({ status, asks: sent.get('www-authenticate') }).toEqual({
        status: 401,
        asks: 'Bearer realm="Postern", error="invalid_token"',
      });
      expect(text).toMatch(/invalid_token/i);
    }
  });

  test('refuses two credentials with 400, whatever they are (SEVERAL)', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const bearer = { authorization: `Bearer ${held.token}` };
    for (const headers of [
      { ...bearer, 'x-session-token': held.token },
      { authorization: `${bearer.authorization}, ${bearer.authorization}` },
    ]) {
      for (const ask of [open, closed]) expect((await ask(headers)).status).toBe(400);
    }
    const { pathname, search, origin } = new URL(urls[framework]?.open ?? '');
    const line = `Authorization: Bearer ${held.token}`;
    const more = ['Apollo-Require-Preflight: 1', 'Accept: application/json', 'Connection: close'];
    const twice = await exchange(origin, wire(`GET ${pathname}${search}`, [line, line, ...more]));
    expect(twice.statuses).toEqual([400]);
  });

  test('answers 503 while Postern has to be asked and is away, and lets nobody by (VerifierUnavailable)', async () => {
    const { token } = await signUp(gateway.client(), newPerson());
    front.answer = (request) => request.socket.destroy();
    for (const ask of [open, closed]) {
      const { status, headers, text } = await ask({ authorization: `Bearer ${token}` });
      expect({ status, again: headers.get('retry-after') }).toEqual({ status: 503, again: '1' });
      expect(text).not.toContain(token);
    }
    expect((await open()).status).toBe(200);
  });
});

test('a handler that no adapter stands before lets nobody by (identityOf)', () => {
  expect(() => identityOf({})).toThrow(/no adapter/);
});

test('a plugin of Envelop, without Yoga, asks in the context, and refuses there', async () => {
  const held = await signUp(gateway.client(), newPerson());
  const plugin = forYoga(eager);
  const build = async (headers: Headers_) => {
    let extended: { identity?: Identity } = {};
    const request = new Request('http://localhost', { headers });
    await plugin.onContextBuilding({ context: { request }, extendContext: (more) => (extended = more) });
    return extended.identity;
  };
  expect(await build({ authorization: `Bearer ${held.token}` })).toMatchObject({ userId: held.userId });
  expect(await build({})).toEqual({ kind: 'Unidentified', reason: 'NO_CREDENTIAL' });
  const two = build({ authorization: `Bearer ${held.token}`, 'x-session-token': held.token });
  await expect(two).rejects.toMatchObject({ extensions: { http: { status: 400 } } });
});

describe('graphql-ws', () => {
  const RECHECK_MS = 20;
  let example: string;
  let open: string;
  let closed: string;
  beforeAll(async () => {
    const { server } = await import('./examples/graphql-ws.ts');
    stops.push(() => server.close());
    example = await urlOf(server);
    open = await serve(forGraphqlWs(eager, { recheckEvery: RECHECK_MS }));
    closed = await serve(forGraphqlWs(eager, { require: true, recheckEvery: RECHECK_MS }));
  });

  async function urlOf(server: WebSocketServer): Promise<string> {
    if (!server.address()) await once(server, 'listening');
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
  }
  async function serve(adapter: ReturnType<typeof forGraphqlWs>): Promise<string> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/graphql' });
    useServer({ schema, ...adapter }, server);
    stops.push(() => server.close());
    return urlOf(server);
  }

  /** A connection that stays until it is closed, with the code and the reason by which it was. */
  function connect(url: string, connectionParams?: Record<string, unknown>) {
    const closings: { code: number; reason: string }[] = [];
    const client: Client = createClient({
      url,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      lazy: false,
      onNonLazyError: () => undefined,
      ...(connectionParams ? { connectionParams } : {}),
      on: { closed: (event) => void closings.push(event as { code: number; reason: string }) },
    });
    stops.push(() => client.dispose());
    const me = () =>
      new Promise<unknown>((resolve, reject) =>
        client.subscribe(
          { query: '{ me }' },
          { next: ({ data }) => resolve(data?.me), error: reject, complete: () => undefined },
        ),
      );
    return { me, closedWith: () => closings[0]?.code, closedBecause: () => closings[0]?.reason, client };
  }

  test('knows who asks by the token of connection_init, session token or JWT', async () => {
    const held = await signUp(gateway.client(), newPerson());
    for (const url of [example, open, closed]) {
      for (const token of [held.token, await issue(held)]) expect(await connect(url, { token }).me()).toBe(held.userId);
    }
  });

  test('takes whoever shows nothing, or nothing good, for nobody, or gives them no connection (require)', async () => {
    for (const params of [undefined, {}, { token: 'x' }, { token: `ps_${'A'.repeat(43)}` }]) {
      expect(await connect(open, params).me()).toBeNull();
      const refused = connect(closed, params);
      await expect.poll(refused.closedWith).toBe(4403);
    }
  });

  test('gives no connection to what is not exactly { token } (identify)', async () => {
    const { token } = await signUp(gateway.client(), newPerson());
    for (const params of [
      { token, more: 1 },
      { token: [token] },
      { token: 7 },
      { token: null },
      { authorization: `Bearer ${token}` },
    ]) {
      const refused = connect(open, params);
      await expect.poll(refused.closedWith, { message: JSON.stringify(params) }).toBe(4403);
    }
  });

  test('closes the connection of a session that has ended, and of nobody else (recheck)', async () => {
    const [held, other] = [await signUp(gateway.client(), newPerson()), await signUp(gateway.client(), newPerson())];
    const [ending, staying, nobody] = [
      connect(open, { token: held.token }),
      connect(open, { token: other.token }),
      connect(open),
    ];
    expect([await ending.me(), await staying.me(), await nobody.me()]).toEqual([held.userId, other.userId, null]);
    await pause(3 * RECHECK_MS);
    expect(ending.closedWith()).toBeUndefined();
    await held.client.send(LOG_OUT);
    await expect.poll(ending.closedWith).toBe(4403);
    await pause(3 * RECHECK_MS);
    expect([staying.closedWith(), nobody.closedWith()]).toEqual([undefined, undefined]);
    expect(await staying.me()).toBe(other.userId);
  });

  test('asks its client to come back when nobody can say whether it is good, and opens none (VerifierUnavailable)', async () => {
    const { token } = await signUp(gateway.client(), newPerson());
    const there = connect(open, { token });
    await there.me();
    front.answer = (request) => request.socket.destroy();
    for (const connection of [there, connect(open, { token })]) {
      await expect.poll(connection.closedWith).toBe(1013);
      expect(connection.closedBecause()).toBe('Try again later');
    }
  });

  test('asks about no connection that is closed (onClose)', async () => {
    const { token } = await signUp(gateway.client(), newPerson());
    const { me, client } = connect(open, { token });
    await me();
    await client.dispose();
    await pause(2 * RECHECK_MS);
    const before = front.seen.filter((line) => line.includes(token)).length;
    await pause(5 * RECHECK_MS);
    expect(front.seen.filter((line) => line.includes(token))).toHaveLength(before);
  });
});
