import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../src/infra/embedded.ts';
import { GraphQLClient } from './support/client.ts';
import { createDatabase, type TestDatabase } from './support/database.ts';
import { newAddress } from './support/gateway.ts';
import {
  connectLive,
  type Following,
  type LiveClient,
  lastEventId,
  REVOKE_OTHER_SESSIONS,
  REVOKE_SESSION,
  SESSION_EVENTS,
  WATCH_SESSION,
} from './support/live.ts';
import { CURRENT_USER, type Held, logIn, newPerson, signUp } from './support/people.ts';
import { type GatewayProcess, spawnGateway } from './support/process.ts';

const SETTINGS = {
  POSTERN_SECRET: 'one secret that both of the instances know',
  POSTERN_PUBLIC_URL: 'http://localhost:4000',
  POSTERN_PASSWORD_HASH: 'm=64,t=1,p=1',
  POSTERN_RATE_LIMITS: 'off',
  POSTERN_EMAIL_VERIFICATION: 'none',
  POSTERN_TRUSTED_PROXIES: '1',
  POSTERN_SMTP_URL: 'smtp://127.0.0.1:9',
};

const at = (url: string) => new GraphQLClient(url, { 'x-forwarded-for': newAddress() });
const start = (databaseUrl: string) => spawnGateway({ ...SETTINGS, DATABASE_URL: databaseUrl });

describe('two instances on one PostgreSQL', () => {
  let database: TestDatabase;
  let processes: GatewayProcess[];
  let urls: string[];
  beforeAll(async () => {
    database = await createDatabase(inject('templateUrl'));
    processes = [start(database.url), start(database.url)];
    urls = await Promise.all(processes.map(({ ready }) => ready()));
  });
  afterAll(async () => {
    await Promise.all(processes.map(({ end }) => end('SIGTERM')));
    await database.drop();
  });

  test('what one revokes the other closes, with the last event, and accepts no more (X05, under load)', async () => {
    const [here = '', there = ''] = urls;
    const person = newPerson();
    const keeper = await signUp(at(here), person, 'SESSION_TOKEN');
    // Somebody else's sessions come and go all the time.
    const noise = newPerson();
    await signUp(at(there), noise);
    let quiet = false;
    const load = Promise.all(
      [here, there].map(async (url) => {
        while (!quiet) await logIn(at(url), noise);
      }),
    ).finally(() => {
      quiet = true;
    });
    for (let round = 0; round < 5 && !quiet; round += 1) {
      const sessions: Held[] = [];
      while (sessions.length < 20) sessions.push(await logIn(at(here), person, 'SESSION_TOKEN'));
      const open = await Promise.all(sessions.map((held) => follow(there, held)));
      for (const [index, held] of sessions.entries()) {
        const revoked = await keeper.client.send(REVOKE_SESSION, { input: { id: held.sessionId } });
        expect(revoked.result.__typename).toBe('SessionRevoked');
        const { client, events } = open[index] as Open;
        expect(await client.closed).toMatchObject({ code: 4403, reason: 'REVOKED' });
        expect(events.values.at(-1)).toMatchObject({ sessionId: held.sessionId, reason: 'REVOKED' });
        expect((await at(there).bearing(held.token).send(CURRENT_USER)).result.reason).toBe('REVOKED');
      }
    }
    quiet = true;
    await load;
  }, 120_000);

  test('one that is killed in the middle of a stream loses nothing: the other goes on, once and in order', async () => {
    const [here = '', there = ''] = urls;
    const person = newPerson();
    const held = await signUp(at(there), person, 'SESSION_TOKEN');
    const started: string[] = [];
    let done = false;
    const making = (async () => {
      while (!done) started.push((await logIn(at(there), person, 'SESSION_TOKEN')).sessionId);
    })();
    const first = await follow(here, held);
    while (first.events.values.length < 6) await sleep(5);
    await processes[0]?.end('SIGKILL');
    await first.events.ended;
    const seen = [...first.events.values];
    while (started.length < 16) await sleep(5);
    const second = await follow(there, held, String(seen.at(-1)?.id));
    while (started.length < 24) await sleep(5);
    done = true;
    await making;
    const told = () =>
      [...seen, ...second.events.values]
        .filter(({ __typename }) => __typename === 'SessionStarted')
        .map(({ session }) => (session as { id: string }).id);
    await expect.poll(() => told().length, { timeout: 10_000 }).toBeGreaterThanOrEqual(started.length);
    expect(told()).toEqual(started);
    second.client.dispose();
    processes[0] = start(database.url);
    urls[0] = await processes[0].ready();
  }, 60_000);

  test('revokeOtherSessions on one closes the sockets on both', async () => {
    const person = newPerson();
    const keeper = await signUp(at(urls[0] ?? ''), person, 'SESSION_TOKEN');
    const open = await Promise.all(
      urls.flatMap((url) => [0, 1, 2].map(async () => follow(url, await logIn(at(url), person, 'SESSION_TOKEN')))),
    );
    expect((await keeper.client.send(REVOKE_OTHER_SESSIONS)).result).toMatchObject({ count: 6 });
    for (const { client } of open) expect(await client.closed).toMatchObject({ code: 4403 });
  });
});

describe('a PostgreSQL that crashes under load', () => {
  let folder: string;
  let database: EmbeddedDatabase;
  let gateway: GatewayProcess;
  let url: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'postern-crash-'));
    database = await startEmbeddedDatabase({ dataDir: folder, log: () => undefined });
    gateway = start(database.url);
    url = await gateway.ready();
  });
  afterAll(async () => {
    await gateway.end('SIGTERM');
    await database.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('gives no wrong answer, ends no stream, and everything goes on afterwards', async () => {
    const person = newPerson();
    const held = await signUp(at(url), person, 'SESSION_TOKEN');
    const ended = await logIn(at(url), person, 'SESSION_TOKEN');
    const stream = await follow(url, held);
    await held.client.send(REVOKE_SESSION, { input: { id: ended.sessionId } });
    const wrong: unknown[] = [];
    let done = false;
    const load = Promise.all(
      [held, ended].map(async ({ token }) => {
        const right = token === held.token ? 'User' : 'Unauthenticated';
        while (!done) {
          const { result, status, errors } = await at(url).bearing(token).send(CURRENT_USER);
          // Either the truth, or that it cannot be told.
          const away = status === 503 || errors.some(({ extensions }) => extensions?.code === 'UNAVAILABLE');
          if (!away && result.__typename !== right) wrong.push(result);
        }
      }),
    );
    // One backend that dies makes PostgreSQL end all of them and recover.
    const client = new pg.Client(database.url);
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
    process.kill(rows[0].pid, 'SIGKILL');
    await expect
      .poll(
        async () =>
          logIn(at(url), person, 'SESSION_TOKEN').then(
            ({ sessionId }) => sessionId,
            () => null,
          ),
        {
          timeout: 20_000,
        },
      )
      .not.toBeNull();
    done = true;
    await load;
    expect(wrong).toEqual([]);
    await expect
      .poll(() => stream.events.values.map(({ __typename }) => __typename))
      .toEqual(['SessionEnded', 'SessionStarted']);
    expect(gateway.process.exitCode).toBeNull();
    stream.client.dispose();
  }, 60_000);
});

interface Open {
  readonly client: LiveClient;
  readonly events: Following;
}

/** A socket that follows the events of its person, from now on or from after an event. */
async function follow(url: string, held: Held, after?: string): Promise<Open> {
  const client = connectLive(url, { token: held.token });
  const events = client.follow(SESSION_EVENTS, { after: after ?? (await lastEventId(held)) });
  await client.follow(WATCH_SESSION).next();
  return { client, events };
}
