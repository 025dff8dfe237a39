import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Database, openDatabase } from '../../src/infra/database.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

let own: TestDatabase;
let database: Database;
beforeAll(async () => {
  own = await createDatabase(inject('templateUrl'));
  // One connection in each pool.
  database = openDatabase({ url: own.url, connections: 2, onError: () => undefined });
});
afterAll(async () => {
  await database.close();
  await own.drop();
});

const backend = async () => (await database.query<{ pid: number }>`SELECT pg_backend_pid() AS pid`)[0]?.pid ?? 0;

test('a connection that does not answer any more is given up, and its place taken by another (without query_timeout it keeps it as long as TCP likes)', async () => {
  const dead = await backend();
  process.kill(dead, 'SIGSTOP');
  try {
    const waiting = database.transaction((db) => db.query`SELECT 1`);
    await expect(waiting).rejects.toThrow(/timeout|terminated/i);
    expect(await backend()).not.toBe(dead);
  } finally {
    process.kill(dead, 'SIGCONT');
  }
});

test('a statement is prepared once for a connection, however often it runs with whatever values', async () => {
  for (let time = 0; time < 5; time += 1) await database.query`SELECT ${time}::int AS value`;
  const prepared = await database.query<{ count: number }>`
    SELECT count(*)::int FROM pg_prepared_statements WHERE statement LIKE '%::int AS value'`;
  expect(prepared).toEqual([{ count: 1 }]);
});

test('rows come back as what they are: instants, bytes, lists, objects, nothing', async () => {
  const at = new Date('2026-01-02T03:04:05.678Z');
  const bytes = Buffer.from([0, 1, 255]);
  const [row] = await database.query`
    SELECT ${at}::timestamptz AS at, ${bytes}::bytea AS bytes, ${['a', 'b"c']}::text[] AS list,
      ${JSON.stringify({ a: [1] })}::jsonb AS object, ${null}::text AS nothing, ${true}::boolean AS yes`;
  expect(row).toEqual({ at, bytes, list: ['a', 'b"c'], object: { a: [1] }, nothing: null, yes: true });
});
