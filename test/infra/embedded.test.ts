import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  DataDirTaken,
  type EmbeddedDatabase,
  EmbeddedDatabaseError,
  startEmbeddedDatabase,
} from '../../src/infra/embedded.ts';

const child = fileURLToPath(new URL('../support/embedded-child.ts', import.meta.url));

let parent: string;
let dataDir: string;
let messages: string[];
let open: EmbeddedDatabase[];
let owners: ChildProcess[];

// One folder for all, because making a database takes longest; a test that needs a new one takes a new one.
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'postern-embedded-'));
});

afterAll(async () => {
  await rm(parent, { recursive: true, force: true });
});

beforeEach(() => {
  dataDir = join(parent, 'data');
  messages = [];
  open = [];
  owners = [];
});

afterEach(async () => {
  for (const owner of owners) await kill(owner);
  for (const database of open) await database.stop();
  // Whoever was killed left a server behind.
  if (owners.length > 0) await (await start()).stop();
});

async function start(): Promise<EmbeddedDatabase> {
  const database = await startEmbeddedDatabase({ dataDir, log: (message) => messages.push(message) });
  open.push(database);
  return database;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(sql).finally(() => client.end());
  return rows;
}

/** Another gateway: a process of its own that starts the same database. */
async function startOwner(): Promise<{ owner: ChildProcess; url?: string; error?: string }> {
  const owner = spawn(process.execPath, ['--import', 'tsx', child, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  owners.push(owner);
  const [line] = await once(createInterface({ input: owner.stdout }), 'line');
  return { owner, ...JSON.parse(line) };
}

async function kill(owner: ChildProcess): Promise<void> {
  if (owner.exitCode !== null || owner.signalCode !== null) return;
  owner.kill('SIGKILL');
  await once(owner, 'exit');
}

const pidFile = () => join(dataDir, 'postgres', 'postmaster.pid');
const postmasterPid = async () => Number((await readFile(pidFile(), 'utf8')).split('\n')[0]);
/** The server removes its pid file last. A process that nobody reaped would still have a pid. */
const stopped = async () =>
  access(pidFile()).then(
    () => false,
    () => true,
  );

describe('the embedded database', () => {
  it('keeps its data from one start to the next', async () => {
    const first = await start();
    await query(first.url, "DROP TABLE IF EXISTS notes; CREATE TABLE notes AS SELECT 'kept' AS text");
    await first.stop();
    const second = await start();
    expect(await query(second.url, 'SELECT text FROM notes')).toEqual([{ text: 'kept' }]);
  });

  it('is closed to everybody else on the machine', async () => {
    const { url } = await start();
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
    expect((await stat(join(dataDir, 'postgres'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(dataDir, 'postgres-password'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(dataDir, 'postgres.log'))).mode & 0o777).toBe(0o600);
    expect((await readdir(dataDir)).sort()).toEqual(['postgres', 'postgres-password', 'postgres.log']);
    const guess = new URL(url);
    guess.password = 'guess';
    await expect(query(guess.href, 'SELECT 1')).rejects.toThrow('password authentication failed');
    expect(await query(url, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    expect(await query(url, 'SHOW unix_socket_directories')).toEqual([{ unix_socket_directories: '' }]);
  });

  it('speaks UTF-8 and writes what it acknowledged to the disk', async () => {
    const { url } = await start();
    expect(await query(url, "SELECT lower('ÅDA') AS name, current_setting('server_encoding') AS encoding")).toEqual([
      { name: 'åda', encoding: 'UTF8' },
    ]);
    expect(
      await query(
        url,
        "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'data_checksums') ORDER BY name",
      ),
    ).toEqual([
      { name: 'data_checksums', setting: 'on' },
      { name: 'fsync', setting: 'on' },
      { name: 'synchronous_commit', setting: 'on' },
    ]);
  });

  it('writes neither statements nor their values to its log', async () => {
    const { url } = await start();
    await query(url, 'CREATE TABLE secrets (word text UNIQUE)');
    await query(url, "INSERT INTO secrets VALUES ('hunter2')");
    await expect(query(url, "INSERT INTO secrets VALUES ('hunter2')")).rejects.toThrow('duplicate key');
    const log = await readFile(join(dataDir, 'postgres.log'), 'utf8');
    expect(log).toContain('duplicate key');
    expect(log).not.toContain('hunter2');
  });

  it('stops once, however often it is asked, and is gone then', async () => {
    const database = await start();
    expect(await stopped()).toBe(false);
    await Promise.all([database.stop(), database.stop()]);
    await database.stop();
    expect(await stopped()).toBe(true);
  });

  it('stops while clients are still connected', async () => {
    const database = await start();
    const client = new pg.Client({ connectionString: database.url });
    client.on('error', () => undefined);
    await client.connect();
    const began = Date.now();
    await database.stop();
    expect(Date.now() - began).toBeLessThan(2_000);
  });

  it('is refused to a second gateway while the first one lives', async () => {
    const { url } = await start();
    const refusal = await start().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(DataDirTaken);
    expect(String(refusal)).toContain('POSTERN_DATA_DIR');
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('goes to exactly one of two gateways that start together on a new folder', async () => {
    dataDir = join(parent, 'new');
    const results = await Promise.all([startOwner(), startOwner()]);
    expect(results.map(({ error }) => error).sort()).toEqual(['DataDirTaken', undefined]);
    const url = results.find((result) => result.url)?.url ?? '';
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await readdir(dataDir)).toHaveLength(3);
  });

  it('is taken over from a gateway that was killed', async () => {
    const { owner, url = '' } = await startOwner();
    await query(url, "DROP TABLE IF EXISTS notes; CREATE TABLE notes AS SELECT 'kept' AS text");
    await kill(owner);
    const database = await start();
    expect(database.url).toBe(url);
    expect(messages).toEqual([expect.stringContaining('took over')]);
    expect(await query(database.url, 'SELECT text FROM notes')).toEqual([{ text: 'kept' }]);
    await database.stop();
    expect(await stopped()).toBe(true);
  });

  it('recovers when the gateway and PostgreSQL were killed together', async () => {
    const { owner, url = '' } = await startOwner();
    await query(url, "DROP TABLE IF EXISTS notes; CREATE TABLE notes AS SELECT 'kept' AS text");
    process.kill(await postmasterPid(), 'SIGKILL');
    await kill(owner);
    const database = await start();
    expect(await query(database.url, 'SELECT text FROM notes')).toEqual([{ text: 'kept' }]);
  });

  it('starts beside a pid file whose process is gone, or is somebody else', async () => {
    await (await start()).stop();
    const bystander = spawn('sleep', ['60']);
    try {
      for (const pid of [4_194_300, bystander.pid]) {
        await writeFile(pidFile(), `${pid}\n${dataDir}/postgres\n1700000000\n1\n\n127.0.0.1\n\nready   \n`);
        await (await start()).stop();
      }
      expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
    } finally {
      bystander.kill();
    }
  });

  it('restarts a server that runs but does not answer', async () => {
    const { owner } = await startOwner();
    const pid = await postmasterPid();
    await kill(owner);
    const lines = (await readFile(pidFile(), 'utf8')).split('\n');
    await writeFile(pidFile(), lines.with(3, '1').join('\n'));
    const database = await start();
    expect(messages).toEqual([expect.stringContaining('does not answer')]);
    expect(await postmasterPid()).not.toBe(pid);
    expect(await query(database.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('says which PostgreSQL made the folder when it was another one', async () => {
    await (await start()).stop();
    const file = join(dataDir, 'postgres', 'PG_VERSION');
    const version = await readFile(file, 'utf8');
    await writeFile(file, '15\n');
    const refusal = await start().catch((error: unknown) => error);
    await writeFile(file, version);
    expect(refusal).toBeInstanceOf(EmbeddedDatabaseError);
    expect(String(refusal)).toContain('made by PostgreSQL 15');
  });

  it('leaves a server alone that found another owner meanwhile', async () => {
    const database = await start();
    await query(
      database.url,
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'postern owner'",
    );
    await expect.poll(() => messages.at(-1)).toContain('lost the connection');
    const next = await start();
    await database.stop();
    expect(await query(next.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});
