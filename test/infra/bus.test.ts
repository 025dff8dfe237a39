import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Bus, type Change, openBus } from '../../src/infra/bus.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let sql: pg.Client;
beforeAll(async () => {
  database = await createDatabase(inject('templateUrl'));
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

const toClose: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0)) await close();
});

interface Listening {
  readonly bus: Bus;
  readonly changes: Change[];
  readonly errors: Error[];
}

async function listening(url = database.url): Promise<Listening> {
  const changes: Change[] = [];
  const errors: Error[] = [];
  const bus = await openBus({
    url,
    onChange: (change) => changes.push(change),
    onError: (error) => errors.push(error),
  });
  toClose.push(() => bus.close());
  return { bus, changes, errors };
}

/** Waits until something holds, and tells how long it took. */
async function until(holds: () => boolean | Promise<boolean>, within: number): Promise<number> {
  const begun = performance.now();
  while (!(await holds())) {
    if (performance.now() - begun > within) throw new Error(`it does not hold after ${within} ms`);
    await sleep(5);
  }
  return performance.now() - begun;
}

const user = '8c5bd3f6-4d5f-4a3b-9d0b-0d9b4d9a0a01';
const session = '8c5bd3f6-4d5f-4a3b-9d0b-0d9b4d9a0a02';
const listeners = async () =>
  (
    await sql.query(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND query IN ('LISTEN postern', 'SELECT 1')`,
    )
  ).rows.map(({ pid }) => Number(pid));

/** A wire between the bus and PostgreSQL that can be cut, go dead without a word, or let callers wait. */
async function wire() {
  const { port, hostname } = new URL(database.url);
  const sockets = new Set<Socket>();
  let dead = false;
  let knocks: (() => void)[] | null = null;
  const server = createServer((near) => {
    sockets.add(near.on('error', () => undefined));
    if (dead) return;
    if (knocks) knocks.push(() => join(near));
    else join(near);
  }).listen(0, '127.0.0.1');
  const join = (near: Socket) => {
    const far = connect(Number(port), hostname).on('error', () => undefined);
    sockets.add(far);
    near.on('data', (chunk) => dead || far.write(chunk)).on('close', () => far.destroy());
    far.on('data', (chunk) => dead || near.write(chunk)).on('close', () => near.destroy());
  };
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  toClose.push(cut, () => server.close());
  const url = new URL(database.url);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    cut,
    setDead(value: boolean) {
      dead = value;
    },
    /** From now on connections wait until they are answered. */
    hold() {
      knocks = [];
      return knocks;
    },
  };
}

describe('the bus', () => {
  test('begins with everything in doubt, and is live', async () => {
    const { bus, changes } = await listening();
    expect(changes).toEqual([{ kind: 'unknown' }]);
    expect(bus.isLive()).toBe(true);
  });

  test('hears of sessions, people and keys as soon as they are committed, by whatever hand', async () => {
    const { changes } = await listening();
    changes.length = 0;
    await sql.query(`INSERT INTO users (id, created_at) VALUES ($1, now())`, [user]);
    await sql.query(
      `INSERT INTO sessions (id, user_id, credential, methods, created_at, last_seen_at, expires_at)
       VALUES ($1, $2, 'JWT', '[]', now(), now(), now())`,
      [session, user],
    );
    await sql.query(`UPDATE sessions SET last_seen_at = now() + interval '1 s'`);
    await sql.query(`UPDATE sessions SET ended_at = now()`);
    await sql.query(`UPDATE users SET disabled_at = now()`);
    await sql.query(`INSERT INTO passwords (user_id, hash, changed_at) VALUES ($1, '', now())`, [user]);
    await sql.query(`INSERT INTO signing_keys VALUES ('k', 'ES256', '{}', '', now(), now())`);
    await sql.query(`DELETE FROM users`);
    await sql.query(`DELETE FROM signing_keys`);
    await until(() => changes.filter(({ kind }) => kind === 'signing-keys').length === 2, 1_000);
    // Making a session, or using it, is no news.
    expect(changes).toEqual([
      { kind: 'session', id: session },
      { kind: 'user', id: user },
      { kind: 'user', id: user },
      { kind: 'signing-keys' },
      ...changes.slice(4, -1).filter(({ kind }) => kind === 'user' || kind === 'session'),
      { kind: 'signing-keys' },
    ]);
    expect(changes.slice(4)).toEqual(
      expect.arrayContaining([
        { kind: 'user', id: user },
        { kind: 'session', id: session },
      ]),
    );
  });

  test('hears nothing of what is rolled back', async () => {
    const { changes } = await listening();
    changes.length = 0;
    await sql.query('BEGIN');
    await sql.query(`NOTIFY postern, 'session:rolled back'`);
    await sql.query('ROLLBACK');
    await sql.query(`NOTIFY postern, 'session:committed'`);
    await until(() => changes.length > 0, 1_000);
    expect(changes).toEqual([{ kind: 'session', id: 'committed' }]);
  });

  test.each(['', 'session', 'session:', 'user:', 'something:else', ':', 'signing-keys-of-another-kind'])(
    'takes news that it does not understand for the worst: %j',
    async (payload) => {
      const { changes } = await listening();
      changes.length = 0;
      await sql.query('SELECT pg_notify($1, $2)', ['postern', payload]);
      await until(() => changes.length > 0, 1_000);
      expect(changes).toEqual([{ kind: 'unknown' }]);
    },
  );

  test('that loses its connection is not live, says that changes may be missed, and listens again', async () => {
    const { bus, changes, errors } = await listening();
    changes.length = 0;
    for (const pid of await listeners()) await sql.query('SELECT pg_terminate_backend($1)', [pid]);
    await until(() => !bus.isLive(), 1_000);
    expect(changes).toEqual([{ kind: 'unknown' }]);
    expect(errors).not.toEqual([]);
    await until(() => bus.isLive(), 3_000);
    expect(changes.at(-1)).toEqual({ kind: 'unknown' });
    expect(changes).toHaveLength(2);
    await sql.query(`NOTIFY postern, 'session:heard'`);
    await until(() => changes.length === 3, 1_000);
    expect(changes.at(-1)).toEqual({ kind: 'session', id: 'heard' });
  });

  test('notices within a second that its connection died without a word, and recovers from it', async () => {
    const between = await wire();
    const { bus, changes } = await listening(between.url);
    changes.length = 0;
    between.setDead(true);
    expect(await until(() => !bus.isLive(), 1_500)).toBeLessThan(1_000);
    await sleep(1_500);
    expect(bus.isLive()).toBe(false);
    between.setDead(false);
    between.cut();
    await until(() => bus.isLive(), 5_000);
    expect(changes.at(-1)).toEqual({ kind: 'unknown' });
  });

  test('recovers when the server, while it was away, took connections and never answered', async () => {
    const between = await wire();
    const { bus } = await listening(between.url);
    between.setDead(true);
    between.cut();
    await until(() => !bus.isLive(), 1_000);
    // Longer than an attempt to connect waits: the next attempt must come by itself.
    await sleep(3_500);
    between.setDead(false);
    await until(() => bus.isLive(), 5_000);
  });

  test('is not live while nothing in this process could have heard anything', async () => {
    const { bus } = await listening();
    const end = performance.now() + 1_000;
    while (performance.now() < end);
    expect(bus.isLive()).toBe(false);
    await until(() => bus.isLive(), 2_000);
  });

  test('leaves no connection behind when it is closed, even in the middle of connecting', async () => {
    const between = await wire();
    const { bus } = await listening(between.url);
    const knocks = between.hold();
    between.cut();
    await until(() => knocks.length > 0, 2_000);
    await bus.close();
    for (const answer of knocks) answer();
    // Long enough for what was begun to be finished, if nobody stops it.
    await sleep(300);
    expect(await listeners()).toEqual([]);
    expect(bus.isLive()).toBe(false);
  });

  test('does not open where nobody listens', async () => {
    await expect(listening('postgresql://postgres@127.0.0.1:1/none')).rejects.toThrow();
  });
});
