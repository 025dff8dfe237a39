import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { makeToken } from '../../src/lib/secrets.ts';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import {
  connectLive,
  lastEventId,
  openRaw,
  type RawSocket,
  REVOKE_OTHER_SESSIONS,
  SESSION_EVENTS,
  WATCH_SESSION,
} from '../support/live.ts';
import {
  CURRENT_USER,
  type Held,
  ISSUE_ACCESS_TOKEN,
  LOG_IN,
  LOG_OUT,
  logIn,
  newPerson,
  signUp,
} from '../support/people.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const ORIGIN = 'http://localhost:4000';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_ALLOWED_ORIGINS: ORIGIN } });
});
afterAll(() => gateway.stop());

const ada = () => signUp(gateway.client(), newPerson(), 'SESSION_TOKEN');

/** A socket that was acknowledged. */
async function acknowledged(held: Held, headers: Record<string, string> = {}): Promise<RawSocket> {
  const raw = await openRaw(gateway.url, { headers });
  raw.say({ type: 'connection_init', payload: { token: held.token } });
  await raw.hear('connection_ack');
  return raw;
}

/** How a socket ends that says these things one after the other. */
async function endOf(raw: RawSocket, ...messages: unknown[]) {
  for (const message of messages) raw.say(message);
  return raw.closed;
}

const init = (token: unknown) => ({ type: 'connection_init', payload: { token } });
const subscribe = (query: string, id = '1', variables = {}) => ({
  type: 'subscribe',
  id,
  payload: { query, variables },
});

// Defence: admit in src/http/websocket.ts.
describe('X01: the upgrade', () => {
  const upgrade = (headers: Record<string, string>) => openRaw(gateway.url, { headers });

  test.each([
    'https://evil.example',
    'null',
    `${ORIGIN}.evil.example`,
    ORIGIN.replace('http', 'https'),
    'http://localhost:4001',
    'http://localhost',
    `${ORIGIN}/`,
    '',
  ])('is a 403 for the origin %j', async (origin) => {
    await expect(upgrade({ origin })).rejects.toThrow(/403/);
  });

  test('lets an allowed origin in, and programs that name none', async () => {
    for (const headers of [{ origin: ORIGIN }, {}])
      (await upgrade(headers as Record<string, string>)).socket.terminate();
  });

  test('does not take a cookie from whoever names no origin: no browser does that', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const cookie = `postern=${held.token}`;
    await expect(upgrade({ cookie })).rejects.toThrow(/403/);
    const raw = await upgrade({ cookie, origin: ORIGIN });
    raw.say({ type: 'connection_init' });
    await raw.hear('connection_ack');
    raw.socket.terminate();
  });

  test('is a 400 with two credentials, and a 404 elsewhere', async () => {
    const { token } = await ada();
    await expect(upgrade({ 'x-session-token': token, authorization: `Bearer ${token}` })).rejects.toThrow(/400/);
    const elsewhere = new WebSocket(`${gateway.url.replace('http', 'ws')}/elsewhere`, 'graphql-transport-ws');
    const [error] = (await once(elsewhere, 'error')) as [Error];
    expect(error.message).toMatch(/404/);
  });

  test('refuses the older protocol, and none at all', async () => {
    for (const protocol of ['graphql-ws', 'mqtt'])
      await expect(openRaw(gateway.url, { protocol }).then(({ closed }) => closed)).rejects.toThrow();
    const bare = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`);
    const [code] = (await once(bare, 'close')) as [number];
    expect(code).toBe(4406);
  });
});

describe('an upgrade that is refused', () => {
  const UPGRADE = 'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  const dial = (allowHalfOpen = false) => {
    const { hostname: host, port } = new URL(gateway.url);
    return connect({ port: Number(port), host, allowHalfOpen });
  };

  // Defence: the listener for errors beside `upgrade` in src/http/server.ts. Without it the process of the gateway ends.
  test.each(['/', '/graphql', '/elsewhere'])('is survived when its client breaks off: %s', async (path) => {
    for (const delay of [0, 1, 5, 20]) {
      const socket = dial().on('error', () => undefined);
      socket.write(`GET ${path} HTTP/1.1\r\nOrigin: https://evil.example\r\n${UPGRADE}`);
      await sleep(delay);
      socket.resetAndDestroy();
    }
    await sleep(50);
    expect((await fetch(`${gateway.url}/health/live`)).status).toBe(200);
  });

  // Defence: the timer of `refuse` in src/http/websocket.ts.
  test('does not hold its connection, although its client does', async () => {
    const sockets = Array.from({ length: 20 }, () => dial(true).on('error', () => undefined));
    for (const socket of sockets) socket.write(`GET / HTTP/1.1\r\n${UPGRADE}`);
    await Promise.all(
      sockets.map(async (socket) => {
        socket.resume();
        await once(socket, 'end');
        // What is written to a connection that is gone comes back as a reset.
        const reset = new Promise((resolve) => socket.once('close', resolve));
        const writing = setInterval(() => socket.write('x'), 100);
        await reset;
        clearInterval(writing);
      }),
    );
  });

  // Defence: `answering` of src/http/server.ts. Without it two parsers read one connection, answers are mixed up, and the
  // process ends in an assertion of Node.
  test.each(['h2c', 'websocket'])('is no way into an answer that is on its way: %s', async (protocol) => {
    const body = JSON.stringify({ query: LOG_IN, variables: { input: newPerson() } });
    const first = `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const second = `GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
    const socket = dial().on('error', () => undefined);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.write(first + second);
    await Promise.race([once(socket, 'close'), sleep(1_000)]);
    socket.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n');
    await sleep(200);
    expect(text).not.toContain('"status":"ready"');
    socket.destroy();
    expect((await fetch(`${gateway.url}/health/live`)).status).toBe(200);
  });
});

// Defence: graphql-ws, and isMalformedInit of src/http/socket-protocol.ts.
describe('X02 and X07: what is said before the acknowledgement', () => {
  test('who says nothing for three seconds is closed with 4408, pings or not', async () => {
    const raw = await openRaw(gateway.url);
    const pinging = setInterval(() => raw.say({ type: 'ping' }), 400);
    expect((await raw.closed).code).toBe(4408);
    clearInterval(pinging);
  });

  test('a second init is 4429', async () => {
    const raw = await acknowledged(await ada());
    expect((await endOf(raw, init('again'))).code).toBe(4429);
  });

  test('a subscription before the acknowledgement is 4401', async () => {
    expect((await endOf(await openRaw(gateway.url), subscribe(SESSION_EVENTS))).code).toBe(4401);
  });

  test.each(['{', 'null', '[]', '"text"', '{"type":"unheard"}', '{"type":1}', '{"type":"subscribe","id":"1"}'])(
    'what is no message is 4400: %s',
    async (text) => {
      expect((await endOf(await openRaw(gateway.url), text)).code).toBe(4400);
    },
  );

  test('a binary message is 4400', async () => {
    const raw = await openRaw(gateway.url);
    raw.socket.send(Buffer.from(JSON.stringify({ type: 'ping' })), { binary: true });
    expect((await raw.closed).code).toBe(4400);
  });

  test.each([
    { payload: { token: { not: '' } } },
    { payload: { token: ['ps_'] } },
    { payload: { token: null } },
    { payload: { token: 1 } },
    { payload: { token: '' } },
    { payload: {} },
    { payload: [] },
    { payload: null },
    { payload: 'text' },
    {},
  ])('an init that is not exactly a token is 4403: %j', async (more) => {
    expect((await endOf(await openRaw(gateway.url), { type: 'connection_init', ...more })).code).toBe(4403);
  });

  test('a good token beside anything else is 4403', async () => {
    const { token } = await ada();
    for (const payload of [
      { token, userId: '1' },
      { token, Token: token },
      { token, headers: {} },
    ])
      expect((await endOf(await openRaw(gateway.url), { type: 'connection_init', payload })).code).toBe(4403);
  });

  test('a token beside a credential of the upgrade is 4403', async () => {
    const { token } = await ada();
    const raw = await openRaw(gateway.url, { headers: { 'x-session-token': token } });
    expect((await endOf(raw, init(token))).code).toBe(4403);
  });

  // Defence: authenticate looks at the kind of a token.
  test('X08: no other token is a credential: refresh, login, link, cookie', async () => {
    const jwt = await signUp(gateway.client(), newPerson(), 'JWT');
    const cookie = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const others = [jwt.refreshToken, makeToken('login'), makeToken('link'), makeToken('session'), cookie.token];
    for (const token of others) expect((await endOf(await openRaw(gateway.url), init(token))).code).toBe(4403);
    expect((await acknowledged(jwt)).socket.readyState).toBe(WebSocket.OPEN);
  });

  test('an ended session is 4403, with the reason', async () => {
    const held = await ada();
    await held.client.send(LOG_OUT);
    expect(await endOf(await openRaw(gateway.url), init(held.token))).toEqual({ code: 4403, reason: 'REVOKED' });
  });
});

describe('X03: what one socket may ask for', () => {
  // Defence: maxPayload of src/http/websocket.ts.
  test('a message of more than 64 KiB is 1009, before the acknowledgement and after', async () => {
    expect((await endOf(await openRaw(gateway.url), init('x'.repeat(70_000)))).code).toBe(1009);
    const raw = await acknowledged(await ada());
    expect((await endOf(raw, subscribe(`{ a${'a'.repeat(1024 * 1024)} }`))).code).toBe(1009);
  });

  // Defence: maxFragments of src/http/websocket.ts.
  test('a message in crumbs of one byte is closed before it is whole', async () => {
    const raw = await openRaw(gateway.url);
    const text = JSON.stringify(init('x'.repeat(2_000)));
    for (const [at, character] of [...text].entries())
      raw.socket.send(character, { fin: at === text.length - 1 }, () => undefined);
    expect((await raw.closed).code).toBe(1008);
  });

  // Defence: createAllowance of src/http/caps.ts.
  test('more than a hundred messages in a minute are 4429', async () => {
    const raw = await acknowledged(await ada());
    for (let n = 0; n < 99; n += 1) raw.say({ type: 'ping' });
    await expect.poll(() => raw.messages.filter(({ type }) => type === 'pong').length).toBe(99);
    expect((await endOf(raw, { type: 'ping' })).code).toBe(4429);
  });

  // Defence: MAX_OPERATIONS of src/http/socket-protocol.ts.
  test('more than twenty operations at once are 4429', async () => {
    const raw = await acknowledged(await ada());
    for (let n = 0; n < 20; n += 1) raw.say(subscribe(WATCH_SESSION, `${n}`));
    await expect.poll(() => raw.messages.filter(({ type }) => type === 'next').length).toBe(20);
    expect((await endOf(raw, subscribe(WATCH_SESSION, '20'))).code).toBe(4429);
  });

  // Defence: MAX_REASON_BYTES of src/http/websocket.ts: a reason that names a long id does not fit into a frame.
  test.each(['1', 'x'.repeat(200)])('an id that is in use is 4409: %s', async (id) => {
    const raw = await acknowledged(await ada());
    expect((await endOf(raw, subscribe(WATCH_SESSION, id), subscribe(WATCH_SESSION, id))).code).toBe(4409);
  });

  // Defence: connectionsPerAccount.
  test('the eleventh socket of one person is 4429, and one that closes makes room', async () => {
    const held = await ada();
    const open = await Promise.all(Array.from({ length: 10 }, () => acknowledged(held)));
    expect((await endOf(await openRaw(gateway.url), init(held.token))).code).toBe(4429);
    open[0]?.socket.close();
    await open[0]?.closed;
    const next = await acknowledged(held);
    for (const { socket } of [...open, next]) socket.terminate();
  });

  // Defence: connectionsPerAddress, counted before anybody says who they are.
  test('the fifty-first socket of one address is a 429 at the upgrade', async () => {
    const headers = { 'x-forwarded-for': newAddress() };
    const open = await Promise.all(Array.from({ length: 50 }, () => openRaw(gateway.url, { headers })));
    await expect(openRaw(gateway.url, { headers })).rejects.toThrow(/429/);
    open[0]?.socket.close();
    await open[0]?.closed;
    await expect
      .poll(() => openRaw(gateway.url, { headers }).then(({ socket }) => socket.terminate(), String))
      .toBe(undefined);
    for (const { socket } of open) socket.terminate();
  });
});

describe('X04: operations over a socket', () => {
  async function answerTo(query: string, variables = {}) {
    const raw = await acknowledged(await ada());
    raw.say(subscribe(query, '1', variables));
    const message = await Promise.race([raw.hear('error'), raw.hear('next')]);
    raw.socket.terminate();
    return JSON.stringify(message);
  }

  // Defence: read of src/graphql/server.ts, which is the same for each transport.
  test.each([
    ['two mutation fields', 'mutation { a: logOut { __typename } b: logOut { __typename } }', 'ONE_MUTATION_FIELD'],
    [
      'too many aliases',
      `{ ${Array.from({ length: 16 }, (_, n) => `a${n}: __typename`).join(' ')} }`,
      'LIMIT_EXCEEDED',
    ],
    ['too many tokens', `{ ${'__typename '.repeat(1_001)} }`, 'LIMIT_EXCEEDED'],
    ['an unknown field', '{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    [
      'two subscription fields',
      'subscription { currentSession { __typename } a: currentSession { __typename } }',
      'GRAPHQL_VALIDATION_FAILED',
    ],
    ['syntax', '{', 'GRAPHQL_PARSE_FAILED'],
  ])('are held to the rules of documents: %s', async (_what, query, code) => {
    expect(await answerTo(query)).toContain(code);
  });

  test('tell nothing of the schema where introspection is off', async () => {
    const closed = await startGateway({ env: { POSTERN_INTROSPECTION: 'off' } });
    const held = await signUp(closed.client(), newPerson(), 'SESSION_TOKEN');
    const live = connectLive(closed.url, { token: held.token });
    const following = live.follow('{ __schema { types { name } } }');
    expect(JSON.stringify(await following.ended)).toContain('GRAPHQL_VALIDATION_FAILED');
    live.dispose();
    await closed.stop();
  });

  test.each([
    { extensions: 1 },
    { query: '' },
    { query: '{ __typename }', evil: 1 },
    { query: '{ __typename }', variables: [] },
  ])('need a request in the form of one: %j', async (payload) => {
    const raw = await acknowledged(await ada());
    raw.say({ type: 'subscribe', id: '1', payload });
    const closed = raw.closed.then(({ code }) => code);
    const outcome = await Promise.race([raw.hear('error').then((message) => JSON.stringify(message)), closed]);
    expect(typeof outcome === 'number' ? outcome === 4400 : outcome.includes('BAD_REQUEST')).toBe(true);
    raw.socket.terminate();
  });

  // Defence: givesOutCredentials of src/graphql/over-socket.ts.
  test('hand out no credentials: each mutation that could is refused before it runs', async () => {
    const held = await ada();
    const person = newPerson();
    await signUp(gateway.client(), person);
    const raw = await acknowledged(held);
    raw.say(subscribe(LOG_IN, '1', { input: person }));
    expect(JSON.stringify(await raw.hear('error'))).toContain('HTTP_ONLY');
    raw.say(subscribe(ISSUE_ACCESS_TOKEN, '3'));
    await expect.poll(() => raw.messages.filter(({ type }) => type === 'error').length).toBe(2);
    raw.say(
      subscribe(
        'mutation($input: LogInWithPasswordInput!) { ...Hidden } fragment Hidden on Mutation { ... { a: logInWithPassword(input: $input) { __typename } } }',
        '2',
        { input: person },
      ),
    );
    await expect.poll(() => raw.messages.filter(({ type }) => type === 'error').length).toBe(3);
    expect(raw.messages.filter(({ type }) => type !== 'error')).toEqual([{ type: 'connection_ack' }]);
    raw.socket.terminate();
    const opened = await gateway.sql(
      'SELECT 1 FROM sessions s JOIN emails e ON e.user_id = s.user_id WHERE e.address = $1',
      [person.email],
    );
    expect(opened).toHaveLength(1);
  });

  test('may be queries and mutations, as the person behind it', async () => {
    const held = await ada();
    const live = connectLive(gateway.url, { token: held.token });
    expect(await live.send(CURRENT_USER)).toMatchObject({ __typename: 'User', id: held.userId });
    expect(await live.send(LOG_OUT)).toMatchObject({ __typename: 'LoggedOut', sessionId: held.sessionId });
    expect(await live.closed).toMatchObject({ code: 4403, reason: 'REVOKED' });
  });

  // Defence: the flows count by account and address, whatever the transport.
  test('count against the same limits', async () => {
    const held = await ada();
    const live = connectLive(gateway.url, { token: held.token });
    const wrong = { input: { token: makeToken('session') } };
    const renew = 'mutation($input: RenewConnectionInput!) { renewConnection(input: $input) { __typename } }';
    const kinds = new Set<unknown>();
    for (let n = 0; n < 32; n += 1) kinds.add((await live.send(renew, wrong)).__typename);
    expect(kinds).toEqual(new Set(['Unauthenticated', 'RateLimited']));
    live.dispose();
  });
});

describe('X05 and X06: who is told what', () => {
  test('nobody is told of anybody else, in five hundred events of two people (without the person in the query they are)', async () => {
    const people = await Promise.all([0, 1].map(() => signUp(gateway.client(), newPerson(), 'SESSION_TOKEN')));
    const following = await Promise.all(
      people.map(async (held) => {
        const client = connectLive(gateway.url, { token: held.token });
        return { client, events: client.follow(SESSION_EVENTS, { after: await lastEventId(held) }) };
      }),
    );
    const [one, other] = people.map(({ userId }) => userId);
    // In turn, and more than a feed keeps.
    await gateway.sql(
      `INSERT INTO events (at, kind, user_id, data)
       SELECT now(), 'ProfileUpdated', CASE WHEN n % 2 = 0 THEN $1::uuid ELSE $2::uuid END, '{}' FROM generate_series(1, 500) n`,
      [one, other],
    );
    gateway.app.live.announceEvents(people.map(({ userId }) => userId));
    for (const [who, { events, client }] of following.entries()) {
      for (let n = 0; n < 250; n += 1) expect((await events.next()).user).toMatchObject({ id: people[who]?.userId });
      client.dispose();
    }
  });

  // Defence: isOf of src/records/events.ts.
  test('a cursor of somebody else, an unknown and a malformed one are one error', async () => {
    const [one, other] = await Promise.all([ada(), ada()]);
    const [foreign] = await gateway.sql<{ id: string }>('SELECT id::text FROM events WHERE user_id = $1', [
      other.userId,
    ]);
    const live = connectLive(gateway.url, { token: one.token });
    const answers = new Set<string>();
    for (const after of [
      foreign?.id,
      '999999999999',
      '9223372036854775807',
      '9223372036854775808',
      '-1',
      '0',
      '',
      'x',
      '1e3',
      ' 1',
      '1 OR 1=1',
    ]) {
      const following = live.follow(SESSION_EVENTS, { after });
      await following.ended;
      answers.add(JSON.stringify(following.values));
    }
    expect(answers.size).toBe(1);
    expect([...answers][0]).toContain('INVALID_CURSOR');
    live.dispose();
  });

  test('after the end of a session nothing is told, whatever happens then', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'SESSION_TOKEN');
    const raw = await acknowledged(held);
    raw.say(subscribe(SESSION_EVENTS));
    raw.say(subscribe(WATCH_SESSION, '2'));
    await raw.hear('next');
    const other = await logIn(gateway.client(), person, 'SESSION_TOKEN');
    await other.client.send(REVOKE_OTHER_SESSIONS);
    await Promise.all(
      Array.from({ length: 20 }, () =>
        gateway.sql("INSERT INTO events (at, kind, user_id, data) VALUES (now(), 'ProfileUpdated', $1, '{}')", [
          held.userId,
        ]),
      ),
    );
    gateway.app.live.announceEvents([held.userId]);
    expect((await raw.closed).code).toBe(4403);
    const events = raw.messages.filter(({ type, id }) => type === 'next' && id === '1');
    expect(JSON.stringify(events.at(-1))).toContain('SessionEnded');
    expect(JSON.stringify(events)).not.toContain('AccountChanged');
  });
});

describe('while the bus is cut', () => {
  const cut = () =>
    gateway.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
       AND query IN ('LISTEN postern', 'SELECT 1') AND pid <> pg_backend_pid()`,
    );

  // Defence: connections.wakeAll and feeds.wakeAll of src/app.ts, when the bus is lost, gone, and back.
  test('sockets of sessions that are ended by another hand close, and the others are told all', async () => {
    const person = newPerson();
    const keeper = await signUp(gateway.client(), person, 'SESSION_TOKEN');
    const live = connectLive(gateway.url, { token: keeper.token });
    const events = live.follow(SESSION_EVENTS, { after: await lastEventId(keeper) });
    const others = [];
    for (let n = 0; n < 5; n += 1) {
      const held = await logIn(gateway.client(), person, 'SESSION_TOKEN');
      const client = connectLive(gateway.url, { token: held.token });
      await client.send('{ __typename }');
      others.push({ held, client });
    }
    let over = false;
    const cutting = (async () => {
      while (!over) {
        await cut();
        await sleep(50);
      }
    })();
    for (const { held } of others)
      await gateway.sql(
        `WITH ended AS (
           UPDATE sessions SET ended_at = now(), end_reason = 'REVOKED' WHERE id = $1 RETURNING id, user_id
         )
         INSERT INTO events (at, kind, user_id, session_id, data)
         SELECT now(), 'SessionEnded', user_id, id, '{"reason": "REVOKED"}' FROM ended`,
        [held.sessionId],
      );
    for (const { client } of others) expect(await client.closed).toMatchObject({ code: 4403, reason: 'REVOKED' });
    over = true;
    await cutting;
    const told: unknown[] = [];
    while (told.length < 10) told.push((await events.next()).__typename);
    expect(told).toEqual([...Array(5).fill('SessionStarted'), ...Array(5).fill('SessionEnded')]);
    expect((await keeper.client.send(CURRENT_USER)).result.id).toBe(keeper.userId);
    live.dispose();
  }, 40_000);
});

describe('X09 to X12: what a socket costs', () => {
  // Defence: MAX_UNREAD_BYTES of src/http/websocket.ts.
  test('who asks and asks and reads nothing is dropped', async () => {
    const roomy = await startGateway({ env: { POSTERN_RATE_LIMITS: 'off' } });
    const held = await signUp(roomy.client(), newPerson(), 'SESSION_TOKEN');
    const raw = await openRaw(roomy.url);
    raw.say(init(held.token));
    await raw.hear('connection_ack');
    raw.socket.pause();
    const query = '{ __schema { types { name description fields { name description args { name description } } } } }';
    raw.socket.on('error', () => undefined);
    // Some megabytes fit into the buffers of the system. By the pings it would be gone much later.
    for (let n = 0; roomy.app.live.connections.size > 0 && n < 1_500; n += 1) {
      raw.say(subscribe(query, `${n}`));
      await sleep(2);
    }
    expect(roomy.app.live.connections.size).toBe(0);
    await roomy.stop();
  }, 60_000);

  // Defence: the signal of a stream, by which it ends while it waits, and before it has begun.
  test('X12: ten thousand subscriptions that come and go leave nothing behind, no handle and no memory', async () => {
    const roomy = await startGateway({ env: { POSTERN_RATE_LIMITS: 'off' } });
    const held = await signUp(roomy.client(), newPerson(), 'SESSION_TOKEN');
    const live = connectLive(roomy.url, { token: held.token });
    const cycle = async (times: number) => {
      for (let n = 0; n < times; n += 1) {
        const watching = live.follow(WATCH_SESSION);
        const following = live.follow(SESSION_EVENTS);
        await watching.next();
        watching.stop();
        following.stop();
      }
      await expect.poll(() => roomy.app.live.feeds.userIds).toEqual([]);
      collectGarbage();
      return { handles: process.getActiveResourcesInfo().length, heap: process.memoryUsage().heapUsed };
    };
    const before = await cycle(500);
    const after = await cycle(5_000);
    expect(after.handles).toBeLessThanOrEqual(before.handles + 2);
    expect(after.heap - before.heap).toBeLessThan(5_000_000);
    expect(roomy.app.live.connections.size).toBe(1);
    live.dispose();
    await expect.poll(() => roomy.app.live.connections.size).toBe(0);
    await roomy.stop();
  }, 120_000);

  test('sockets that break off in the middle of anything leave nothing behind', async () => {
    const roomy = await startGateway({ env: { POSTERN_RATE_LIMITS: 'off' } });
    const held = await signUp(roomy.client(), newPerson(), 'SESSION_TOKEN');
    await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const raw = await openRaw(roomy.url);
        raw.say(init(held.token));
        if (n % 3 > 0) await raw.hear('connection_ack');
        if (n % 3 > 1) raw.say(subscribe(SESSION_EVENTS));
        raw.socket.terminate();
      }),
    );
    await expect.poll(() => [roomy.app.live.connections.size, roomy.app.live.feeds.userIds]).toEqual([0, []]);
    await roomy.stop();
  });

  // Defence: the pings of src/http/websocket.ts.
  test('X10: a peer that answers no ping is dropped, and one that does is not', async () => {
    const held = await ada();
    const silent = await openRaw(gateway.url, { autoPong: false });
    silent.say(init(held.token));
    const answering = await acknowledged(held);
    await silent.closed;
    expect(answering.socket.readyState).toBe(WebSocket.OPEN);
    answering.socket.terminate();
  }, 40_000);

  // Defence: `counts` of authenticate.
  test('X11: neither an open socket nor what goes through it keeps a session alive', async () => {
    const brief = await startGateway({ env: { POSTERN_SESSION_IDLE: '10m' } });
    const held = await signUp(brief.client(), newPerson(), 'SESSION_TOKEN');
    const live = connectLive(brief.url, { token: held.token });
    const following = live.follow(SESSION_EVENTS);
    for (let minute = 0; minute < 9; minute += 1) {
      expect(await live.send(CURRENT_USER)).toMatchObject({ id: held.userId });
      brief.clock.advance(60_000);
    }
    brief.clock.advance(60_001);
    expect(await live.closed).toMatchObject({ code: 4403, reason: 'EXPIRED' });
    expect(following.values).toEqual([expect.objectContaining({ __typename: 'SessionEnded', reason: 'EXPIRED' })]);
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ reason: 'EXPIRED' });
    await brief.stop();
  });

  test('X13: a gateway that stops asks its clients to come back', async () => {
    const stopping = await startGateway();
    const held = await signUp(stopping.client(), newPerson(), 'SESSION_TOKEN');
    const live = connectLive(stopping.url, { token: held.token });
    await live.send(CURRENT_USER);
    await stopping.stop();
    expect((await live.closed).code).toBe(1012);
  });

  test('what is no WebSocket but asks to be one is answered and closed', async () => {
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    socket.write('GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(String(answer)).toMatch(/^HTTP\/1\.1 400/);
    socket.destroy();
  });
});
