import { createClient } from 'graphql-sse';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import { lastEventId, SESSION_EVENTS, WATCH_SESSION } from '../support/live.ts';
import { CURRENT_USER, type Held, LOG_OUT, logIn, newPerson, signUp } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

interface ServerSentEvent {
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/** Reads an event stream as the HTML standard says, without coming back by itself. */
async function* read(response: Response): AsyncGenerator<ServerSentEvent> {
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const lines = block.split('\n').filter((line) => !line.startsWith(':'));
      const of = (name: string) =>
        lines
          .find((line) => line.startsWith(`${name}:`))
          ?.slice(name.length + 1)
          .trim();
      if (of('data') !== undefined)
        yield { id: of('id') ?? null, event: of('event') ?? 'message', data: of('data') ?? '' };
    }
  }
}

/** As EventSource does: a GET, and where it was before. */
async function open(
  query: string,
  { variables = {}, headers = {} }: { variables?: object; headers?: Record<string, string> },
) {
  const parameters = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  const abort = new AbortController();
  const response = await fetch(`${gateway.url}/graphql?${parameters}`, {
    headers: { accept: 'text/event-stream', 'x-forwarded-for': newAddress(), ...headers },
    signal: abort.signal,
  });
  const events = read(response);
  return {
    response,
    next: async () => (await events.next()).value as ServerSentEvent | undefined,
    close: () => abort.abort(),
  };
}

const cookieOf = (held: Held) => ({ cookie: `postern=${held.token}` });

describe('an event stream', () => {
  test('is what a browser with a cookie gets: each event with its id, complete at the end', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'COOKIE');
    const after = await lastEventId(held);
    const stream = await open(SESSION_EVENTS, { variables: { after }, headers: cookieOf(held) });
    expect(stream.response.status).toBe(200);
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(stream.response.headers.get('cache-control')).toBe('no-store');
    const other = await logIn(gateway.client(), person, 'SESSION_TOKEN');
    const first = await stream.next();
    expect(first?.event).toBe('next');
    expect(JSON.parse(first?.data ?? '').data.sessionEvents).toMatchObject({
      id: first?.id,
      __typename: 'SessionStarted',
      session: { id: other.sessionId },
    });
    await held.client.send(LOG_OUT);
    expect((await stream.next())?.data).toContain('SessionEnded');
    expect(await stream.next()).toEqual({ id: null, event: 'complete', data: '' });
    expect(await stream.next()).toBeUndefined();
  });

  test('goes on where a browser was, whatever its URL says', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'COOKIE');
    const after = await lastEventId(held);
    await logIn(gateway.client(), person);
    const seen = await lastEventId(held);
    await logIn(gateway.client(), person);
    const stream = await open(SESSION_EVENTS, {
      variables: { after },
      headers: { ...cookieOf(held), 'last-event-id': seen },
    });
    expect(BigInt((await stream.next())?.id ?? 0)).toBeGreaterThan(BigInt(seen));
    stream.close();
  });

  test('tells nobody that they are nobody, and refuses what makes no sense with a status', async () => {
    const stream = await open(WATCH_SESSION, {});
    expect((await stream.next())?.data).toBe(
      '{"data":{"currentSession":{"__typename":"Unauthenticated","reason":"NO_CREDENTIAL"}}}',
    );
    expect((await stream.next())?.event).toBe('complete');
    expect((await open(SESSION_EVENTS, {})).response.status).toBe(400);
    const held = await signUp(gateway.client(), newPerson(), 'COOKIE');
    for (const lastEventId of ['x', '999999999'])
      expect(
        (await open(SESSION_EVENTS, { headers: { ...cookieOf(held), 'last-event-id': lastEventId } })).response.status,
      ).toBe(400);
  });

  // Defence: createCaps.
  test('counts as a connection: the eleventh of one person is a 429, and one that closes makes room', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const streams = await Promise.all(
      Array.from({ length: 10 }, () => open(WATCH_SESSION, { headers: cookieOf(held) })),
    );
    for (const { next } of streams) await next();
    expect((await open(WATCH_SESSION, { headers: cookieOf(held) })).response.status).toBe(429);
    streams[0]?.close();
    await expect.poll(async () => (await open(WATCH_SESSION, { headers: cookieOf(held) })).response.status).toBe(200);
    for (const { close } of streams) close();
  });

  test('is no use of the session, and ends with it', async () => {
    const brief = await startGateway({ env: { POSTERN_SESSION_IDLE: '10m' } });
    const held = await signUp(brief.client(), newPerson(), 'SESSION_TOKEN');
    const response = await held.client
      .with({ accept: 'text/event-stream' })
      .post(JSON.stringify({ query: WATCH_SESSION }));
    const events = read(response);
    await events.next();
    brief.clock.advance(10 * 60_000 + 1);
    const told: string[] = [];
    for await (const { event, data } of events) told.push(`${event} ${data}`);
    expect(told.at(-2)).toContain('"reason":"EXPIRED"');
    expect(told.at(-1)).toBe('complete ');
    await brief.stop();
  });

  test('leaves nothing behind when its client goes away', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const after = await lastEventId(held);
    for (let n = 0; n < 30; n += 1) {
      const stream = await open(SESSION_EVENTS, { variables: { after }, headers: cookieOf(held) });
      stream.close();
      await expect.poll(() => gateway.app.live.feeds.userIds.includes(held.userId)).toBe(false);
    }
  });

  // Defence: whenClosed of src/http/event-stream.ts: a client may be gone before there is anything to close.
  test('that is given up while it is being opened leaves nothing behind either, and no place taken', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const after = await lastEventId(held);
    const parameters = new URLSearchParams({ query: SESSION_EVENTS, variables: JSON.stringify({ after }) });
    const giveUp = async (delay: number) => {
      const abort = new AbortController();
      const headers = { accept: 'text/event-stream', 'x-forwarded-for': newAddress(), ...cookieOf(held) };
      const asked = fetch(`${gateway.url}/graphql?${parameters}`, { headers, signal: abort.signal });
      setTimeout(() => abort.abort(), delay);
      await asked.catch(() => undefined);
    };
    const before = gateway.app.live.connections.size;
    for (let n = 0; n < 200; n += 1) await giveUp(n % 8);
    // While the database takes its time.
    const client = new pg.Client(gateway.databaseUrl);
    await client.connect();
    await client.query('BEGIN; LOCK TABLE sessions, events IN ACCESS EXCLUSIVE MODE');
    gateway.app.sessions.dropAll();
    const given = Array.from({ length: 12 }, (_, n) => giveUp(20 + n));
    await Promise.all(given);
    await client.query('ROLLBACK');
    await client.end();
    await expect.poll(() => [gateway.app.live.connections.size, gateway.app.live.feeds.userIds]).toEqual([before, []]);
    const streams = await Promise.all(
      Array.from({ length: 10 }, () => open(WATCH_SESSION, { headers: cookieOf(held) })),
    );
    for (const { response, close } of streams) {
      expect(response.status).toBe(200);
      close();
    }
  });

  test('outlives the deadline of answers', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const stream = await open(SESSION_EVENTS, {
      variables: { after: await lastEventId(held) },
      headers: cookieOf(held),
    });
    await new Promise((resolve) => setTimeout(resolve, 10_500));
    await held.client.send(LOG_OUT);
    expect((await stream.next())?.data).toContain('SessionEnded');
  });
});

// The client of the protocol's author, in the only form that needs nothing but an endpoint.
describe('the client graphql-sse', () => {
  test('subscribes, and sends queries and mutations', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'SESSION_TOKEN');
    const client = createClient({
      url: `${gateway.url}/graphql`,
      headers: { authorization: `Bearer ${held.token}`, 'x-forwarded-for': newAddress() },
      retryAttempts: 0,
    });
    const events = client.iterate<{ sessionEvents: Record<string, unknown> }>({
      query: SESSION_EVENTS,
      variables: { after: await lastEventId(held) },
    });
    const first = events.next();
    const user = await client.iterate({ query: CURRENT_USER }).next();
    expect(user.value.data.currentUser.id).toBe(held.userId);
    const other = await logIn(gateway.client(), person, 'SESSION_TOKEN');
    expect((await first).value.data.sessionEvents).toMatchObject({ session: { id: other.sessionId } });
    await client.iterate({ query: LOG_OUT }).next();
    expect((await events.next()).value.data.sessionEvents).toMatchObject({ reason: 'LOGGED_OUT' });
    expect((await events.next()).done).toBe(true);
    client.dispose();
  });
});
