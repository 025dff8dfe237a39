import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { examine } from '../../src/doctor/examine.ts';
import { gatherFacts } from '../../src/doctor/facts.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { check, examined, newSecret, READY, SECRET } from '../support/doctor.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { logIn, newPerson, signUp } from '../support/people.ts';

const server = {
  version: 180_000,
  role: 'postern',
  superuser: false,
  privileged: false,
  changesTables: false,
  encrypted: false,
  network: 'public',
} as const;

check('database', {
  ok: {},
  failed: { database: { server: { ...server, version: 130_015 } } },
});
check('database-role', {
  ok: { database: { server } },
  warning: { database: { server: { ...server, changesTables: true } } },
  failed: { database: { server: { ...server, superuser: true } } },
});
check('database-tls', {
  ok: { database: { server: { ...server, network: 'local' } } },
  warning: { database: { server: { ...server, network: 'private' } } },
  failed: { database: { server } },
});
check('database-migrations', {
  ok: {},
  failed: { database: { pending: ['20261123060138_foundation'] } },
});
check('database-connections', {
  ok: { database: { capacity: { allowed: 60, instances: 2 } } },
  warning: { database: { capacity: { allowed: 31, instances: 2 } } },
  failed: { database: { capacity: { allowed: 29, instances: 2 } } },
});

test('an encrypted connection to whoever answers is not enough', async () => {
  for (const query of ['sslmode=no-verify', 'uselibpqcompat=true&sslmode=require']) {
    const env = { DATABASE_URL: `postgresql://a@db.example.com/postern?${query}` };
    expect(await examined('database-tls', { env })).toMatchObject({ verdict: 'warning' });
  }
});

test('a role that makes roles is told', async () => {
  const database = { server: { ...server, privileged: true } };
  expect(await examined('database-role', { database })).toMatchObject({ verdict: 'warning' });
});

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_SECRET: SECRET }, clock: 'real' });
});
afterAll(() => gateway.stop());

const factsFor = (DATABASE_URL: string, more: Record<string, string> = {}) =>
  gatherFacts({ environment: { ...READY, DATABASE_URL, ...more } });
const told = <T>(reading: { kind: 'read'; value: T } | { kind: 'unknown'; reason: string }): T => {
  if (reading.kind === 'unknown') throw new Error(reading.reason);
  return reading.value;
};

test('what is read of a real database is what is so', async () => {
  const person = newPerson();
  const held = await signUp(gateway.client(), person);
  const { database } = await factsFor(gateway.databaseUrl);
  expect(told(database.server)).toMatchObject({ superuser: true, changesTables: true, network: 'local' });
  expect(Math.abs(told(database.aheadMs))).toBeLessThan(1_000);
  expect(told(database.pending)).toEqual([]);
  expect(told(database.signingKeys)).toHaveLength(1);
  expect(told(database.keyUses).map(({ what }) => what)).toEqual(['passwords', 'signing keys']);
  expect(told(database.administrators)).toEqual({ all: 0, withoutFactor: 0 });
  expect(held.userId).toBeTruthy();
});

test('instances are counted while they run', async () => {
  const instances = async () => told((await factsFor(gateway.databaseUrl)).database.capacity).instances;
  const before = await instances();
  const other = await gateway.another();
  // An instance shows that it is alive before its first job.
  while ((await instances()) === before) await pause(50);
  expect(await instances()).toBe(before + 1);
  await other.stop();
  while ((await instances()) !== before) await pause(50);
});

test('people who administer are counted with their factors; recovery codes are none, and who is disabled is nobody', async () => {
  const people = await Promise.all(Array.from({ length: 4 }, () => signUp(gateway.client(), newPerson())));
  const [bare, withCodes, withApp, disabled] = people.map(({ userId }) => userId);
  await gateway.sql('UPDATE users SET roles = $1 WHERE id = ANY($2)', [
    ['staff', 'admin'],
    [bare, withCodes, withApp, disabled],
  ]);
  await gateway.sql('UPDATE users SET disabled_at = now() WHERE id = $1', [disabled]);
  const add = `INSERT INTO authenticators (id, user_id, kind, data, created_at) VALUES (gen_random_uuid(), $1, $2, '{}', now())`;
  await gateway.sql(add, [withCodes, 'RECOVERY_CODE']);
  await gateway.sql(add, [withApp, 'PASSKEY']);
  const { database } = await factsFor(gateway.databaseUrl);
  expect(told(database.administrators)).toEqual({ all: 3, withoutFactor: 2 });
  await gateway.sql('UPDATE users SET roles = DEFAULT');
});

test('what no secret opens is found, in every table that has something sealed', async () => {
  const person = newPerson();
  const { userId } = await signUp(gateway.client(), person);
  await gateway.sql(
    `INSERT INTO authenticators (id, user_id, kind, data, created_at) VALUES (gen_random_uuid(), $1, 'TOTP', $2, now())`,
    [userId, { sealedSecret: 'v1.aaaaaaaa.x' }],
  );
  await gateway.sql(
    `INSERT INTO social_connections (id, user_id, provider, issuer, subject, display_name, sealed_tokens, created_at)
     VALUES (gen_random_uuid(), $1::uuid, 'acme', 'https://acme.example', $1::uuid::text, 'Ada', 'v1.bbbbbbbb.x', now())`,
    [userId],
  );
  const other = await factsFor(gateway.databaseUrl, { POSTERN_SECRET: newSecret() });
  const [finding] = await examine(other, ['secret-opens']);
  for (const what of [
    '1 authenticator apps (key aaaaaaaa)',
    '1 tokens of providers (key bbbbbbbb)',
    'passwords',
    'signing keys',
  ])
    expect(finding?.reason).toContain(what);
  expect(told(other.database.keptTokens)).toBe(1);
  await gateway.sql('DELETE FROM authenticators');
  await gateway.sql('DELETE FROM social_connections');
  await logIn(gateway.client(), person);
});

test('a database that cannot be reached fails one check, and is no reason not to look at the rest', async () => {
  const facts = await factsFor('postgresql://ada:canary-password@127.0.0.1:1/postern');
  const findings = await examine(facts, [
    'verification',
    'database',
    'database-role',
    'secret-opens',
    'database-migrations',
  ]);
  expect(findings.map(({ verdict }) => verdict)).toEqual(['ok', 'skipped', 'failed', 'skipped', 'skipped']);
  expect(JSON.stringify(findings)).toContain('ECONNREFUSED');
  expect(JSON.stringify(findings)).not.toContain('canary');
});

test('a database without tables is one to migrate, and the doctor makes none', async () => {
  const empty = await createDatabase(inject('templateUrl'));
  const drop = await emptied(empty);
  const facts = await factsFor(empty.url);
  const findings = await examine(facts, ['database', 'database-migrations', 'signing-keys', 'administrators']);
  expect(findings.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['signing-keys', 'skipped'],
    ['administrators', 'skipped'],
    ['database', 'ok'],
    ['database-migrations', 'failed'],
  ]);
  expect(told(facts.database.pending).at(-1)).toBe('graphile_worker');
  expect(await drop()).toBe(0);
});

/** Takes everything out. The result counts what is in it then, and drops it. */
async function emptied(database: TestDatabase): Promise<() => Promise<number>> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('DROP SCHEMA public CASCADE; DROP SCHEMA graphile_worker CASCADE; CREATE SCHEMA public');
  return async () => {
    const { rows } = await client.query("SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace");
    await client.end();
    await database.drop();
    return rows.length;
  };
}
