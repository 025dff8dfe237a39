import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/infra/embedded.ts';
import { diffMigrations, MigrationError, migrate } from '../../src/infra/migrate.ts';

let dataDir: string;
let server: EmbeddedDatabase;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'postern-migrate-'));
  server = await startEmbeddedDatabase({ dataDir, log: quiet });
});

afterAll(async () => {
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
});

function quiet(): void {}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return work(client).finally(() => client.end());
}

const run = (url: string, sql: string) => withClient(url, async (client) => (await client.query(sql)).rows);

async function freshDatabase(): Promise<string> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await run(server.url, `CREATE DATABASE ${name}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return url.href;
}

async function migratedDatabase(): Promise<string> {
  const url = await freshDatabase();
  await migrate(url, quiet);
  return url;
}

const refusal = async (url: string) => {
  const error: unknown = await migrate(url, quiet).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(MigrationError);
  return String(error);
};

describe('migrate', () => {
  it('applies each migration once when five instances start together', async () => {
    const url = await freshDatabase();
    const applied = await Promise.all(Array.from({ length: 5 }, () => migrate(url, quiet)));
    const recorded = await run(url, 'SELECT migration_name AS name FROM _prisma_migrations ORDER BY started_at');
    expect(applied.flat()).toEqual(recorded.map(({ name }) => name));
    expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
    expect(new Set(applied.flat()).size).toBe(applied.flat().length);
  });

  it('does nothing the second time, and says nothing', async () => {
    const url = await migratedDatabase();
    const messages: string[] = [];
    expect(await migrate(url, (message) => messages.push(message))).toEqual([]);
    expect(messages).toEqual([]);
  });

  it('refuses a database that is ahead of this version', async () => {
    const url = await migratedDatabase();
    await run(
      url,
      "INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at) VALUES ('x', 'x', '29990101000000_later', now())",
    );
    expect(await refusal(url)).toContain('ahead of this version of Postern: it has 29990101000000_later');
  });

  it('refuses a database on which a migration failed', async () => {
    const url = await migratedDatabase();
    await run(url, "UPDATE _prisma_migrations SET finished_at = NULL, logs = 'the disk was full'");
    const message = await refusal(url);
    expect(message).toContain('_foundation failed on this database: the disk was full');
    expect(message).toContain('SET rolled_back_at = now()');
  });

  it('refuses when an applied migration was edited since', async () => {
    const url = await migratedDatabase();
    await run(url, "UPDATE _prisma_migrations SET checksum = 'something else'");
    expect(await refusal(url)).toContain('_foundation was edited after it was applied');
  });

  it('leaves nothing of a migration that fails, and applies it once the cause is gone', async () => {
    const url = await freshDatabase();
    await run(url, "CREATE FUNCTION postern_notify_session() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    await expect(migrate(url, quiet)).rejects.toThrow(MigrationError);
    expect(await refusal(url)).toContain('_foundation failed on this database');
    expect(await run(url, "SELECT to_regclass('users') AS users")).toEqual([{ users: null }]);
    await run(url, 'DROP FUNCTION postern_notify_session()');
    await run(url, 'UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL');
    expect(await migrate(url, quiet)).not.toEqual([]);
  });

  it('refuses a database that belongs to something else', async () => {
    const url = await freshDatabase();
    await run(url, 'CREATE TABLE orders (id int)');
    expect(await refusal(url)).toContain('Give Postern a database of its own');
  });

  it('says whose rights are missing', async () => {
    const url = new URL(await freshDatabase());
    await run(url.href, "CREATE ROLE reader LOGIN PASSWORD 'reader'");
    url.username = 'reader';
    url.password = 'reader';
    expect(await refusal(url.href)).toContain('user reader may not create tables in schema public');
  });

  it('waits for an instance that is migrating', async () => {
    const url = await freshDatabase();
    const messages: string[] = [];
    const waiting = await withClient(url, async (client) => {
      await client.query('SELECT pg_advisory_lock(72707370)');
      const outcome = migrate(url, (message) => messages.push(message));
      await expect.poll(() => messages).toEqual([expect.stringContaining('waiting')]);
      return { outcome };
    });
    expect(await waiting.outcome).not.toEqual([]);
  });
});

describe('the migrations', () => {
  it('agree with prisma/schema.prisma', async () => {
    expect(await diffMigrations(server.url)).toBe('');
    expect(await run(server.url, "SELECT 1 FROM pg_database WHERE datname LIKE 'postern_scratch_%'")).toEqual([]);
  });

  const ada = '00000000-0000-4000-8000-00000000000a';
  const email = '00000000-0000-4000-8000-0000000000e1';
  const session = '00000000-0000-4000-8000-0000000000f1';
  const addEmail = (id: string, address: string) =>
    `INSERT INTO emails (id, user_id, address, is_primary, created_at) VALUES ('${id}', '${ada}', '${address}', true, now())`;

  it('allow one primary address per person', async () => {
    const url = await migratedDatabase();
    await run(url, `INSERT INTO users (id, created_at) VALUES ('${ada}', now())`);
    await run(url, addEmail(email, 'ada@example.com'));
    await expect(run(url, addEmail(session, 'ada@example.org'))).rejects.toThrow('emails_one_primary_per_user');
  });

  it('announce whatever may change what a session opens, and nothing else', async () => {
    const url = await migratedDatabase();
    await withClient(url, async (client) => {
      let heard: (string | undefined)[] = [];
      client.on('notification', ({ payload }) => heard.push(payload));
      await client.query('LISTEN postern');
      const heardAfter = async (sql: string) => {
        heard = [];
        await client.query(sql);
        // A notification may arrive after the answer to its statement, but before the answer to the next.
        await client.query('SELECT 1');
        return heard;
      };

      expect(await heardAfter(`INSERT INTO users (id, created_at) VALUES ('${ada}', now())`)).toEqual([]);
      expect(await heardAfter("UPDATE users SET name = 'Ada'")).toEqual([`user:${ada}`]);
      expect(await heardAfter('UPDATE users SET last_login_at = now()')).toEqual([]);
      expect(await heardAfter('UPDATE users SET disabled_at = now(), last_login_at = now()')).toEqual([`user:${ada}`]);
      expect(await heardAfter(addEmail(email, 'ada@example.com'))).toEqual([`user:${ada}`]);
      expect(await heardAfter('UPDATE emails SET verified_at = now()')).toEqual([`user:${ada}`]);
      expect(await heardAfter('DELETE FROM emails')).toEqual([`user:${ada}`]);
      expect(
        await heardAfter(`INSERT INTO passwords (user_id, hash, changed_at) VALUES ('${ada}', 'hash', now())`),
      ).toEqual([`user:${ada}`]);
      expect(await heardAfter('UPDATE passwords SET consecutive_attempts = 1')).toEqual([]);
      expect(await heardAfter('DELETE FROM passwords')).toEqual([`user:${ada}`]);
      expect(
        await heardAfter(
          `INSERT INTO authenticators (id, user_id, kind, data, created_at) VALUES ('${email}', '${ada}', 'TOTP', '{}', now())`,
        ),
      ).toEqual([`user:${ada}`]);
      expect(
        await heardAfter(
          `INSERT INTO sessions (id, user_id, credential, methods, created_at, last_seen_at, expires_at)
           VALUES ('${session}', '${ada}', 'COOKIE', '[]', now(), now(), now())`,
        ),
      ).toEqual([]);
      expect(await heardAfter("UPDATE sessions SET last_seen_at = now() + '1s'")).toEqual([]);
      expect(await heardAfter('UPDATE sessions SET ended_at = now(), last_seen_at = now()')).toEqual([
        `session:${session}`,
      ]);
      expect(
        await heardAfter(
          `INSERT INTO signing_keys (id, algorithm, public_jwk, sealed_private_jwk, created_at, signs_at)
           VALUES ('key', 'ES256', '{}', 'sealed', now(), now())`,
        ),
      ).toEqual(['signing-keys']);
      expect((await heardAfter('DELETE FROM users')).sort()).toEqual([`session:${session}`, `user:${ada}`]);
    });
  });
});
