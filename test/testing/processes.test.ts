import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { findPostmaster } from '../../src/infra/embedded/postmaster.ts';

// Each starts a program that is not compiled yet, some of them two.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

// A temporary folder of their own for all processes here, so that their server is shared with no others.
let folder: string;
let children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-kit-'));
  // Root lends PostgreSQL to another user.
  await chmod(folder, 0o711);
  return async () => {
    await untilServerIsGone();
    await rm(folder, { recursive: true, force: true });
  };
});

afterEach(async () => {
  for (const child of children) await kill(child);
  children = [];
});

/** A process with the kit in it, as a test runner starts it. */
function run(options: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const { PATH = '', HOME = '', TMPDIR = tmpdir() } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', ...options], {
    env: { PATH, HOME, TMPDIR, SERVER_FOLDER: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  return child;
}

/** A test process that holds on to the server until it is killed. */
async function startHolder(): Promise<{ child: ChildProcess; databaseUrl: string }> {
  const child = run(['test/support/test-server-child.ts']);
  let complaints = '';
  child.stderr?.on('data', (text) => (complaints += text));
  const lines = createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> });
  const [line] = await Promise.race([once(lines, 'line'), once(child, 'exit')]);
  if (typeof line !== 'string') throw new Error(`it ended before it was ready: ${complaints}`);
  return { child, databaseUrl: line };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(sql).finally(() => client.end());
  return rows;
}

/** How many people there are in a database. */
async function people(url: string): Promise<unknown> {
  const [row] = await query(url, 'SELECT count(*)::int AS people FROM users');
  return row?.people;
}

/** Where the server lives; null before the first was started. */
async function home(): Promise<string | null> {
  const found = (await readdir(folder, { recursive: true })).find((path) => path.endsWith('/postgres/PG_VERSION'));
  return found ? join(folder, found, '..', '..') : null;
}

async function postmaster() {
  const place = await home();
  return place === null ? null : findPostmaster(join(place, 'postgres'));
}

async function untilServerIsGone(): Promise<void> {
  while (await postmaster()) await pause(50);
}

/** Whether the keeper of the server still has an open door. */
async function keeperAnswers(): Promise<boolean> {
  const { port } = JSON.parse(await readFile(join((await home()) ?? '', 'server.json'), 'utf8'));
  return fetch(`http://127.0.0.1:${port}`).then(
    () => true,
    (error) => !/ECONNREFUSED/.test(String(error.cause?.code)),
  );
}

test('processes that start at once share one server, which is gone after the last of them, however it ends', async () => {
  const [one, other] = await Promise.all([startHolder(), startHolder()]);
  expect(new URL(one.databaseUrl).host).toBe(new URL(other.databaseUrl).host);
  expect(one.databaseUrl).not.toBe(other.databaseUrl);

  await kill(one.child);
  // Longer than the keeper waits for somebody.
  await pause(2_500);
  expect(await people(other.databaseUrl)).toBe(0);

  await kill(other.child);
  await untilServerIsGone();
  await expect.poll(keeperAnswers, { timeout: 10_000 }).toBe(false);
});

test('what a process left behind that was killed is gone at the next start', async () => {
  const first = await startHolder();
  await kill(first.child);
  await untilServerIsGone();
  const { databaseUrl } = await startHolder();
  const left = new URL(first.databaseUrl).pathname.slice(1);
  expect(await query(databaseUrl, `SELECT FROM pg_database WHERE datname = '${left}'`)).toEqual([]);
});

test('a server whose keeper was killed is ended by the next start', async () => {
  const first = await startHolder();
  const orphan = await postmaster();
  const { stdout } = await promisify(execFile)('ps', ['-o', 'ppid=', '-p', String(orphan?.pid)]);
  process.kill(Number(stdout), 'SIGKILL');
  await kill(first.child);
  const next = await startHolder();
  expect(await people(next.databaseUrl)).toBe(0);
  expect((await postmaster())?.pid).not.toBe(orphan?.pid);
});

test('a cluster that was not shut down is made anew: nothing in it waited for the disk', async () => {
  const first = await startHolder();
  await kill(first.child);
  await untilServerIsGone();
  const cluster = join((await home()) ?? '', 'postgres');
  const before = await stat(join(cluster, 'PG_VERSION'));
  await writeFile(join(cluster, 'postmaster.pid'), '4194304\n');
  const next = await startHolder();
  expect(await people(next.databaseUrl)).toBe(0);
  expect((await stat(join(cluster, 'PG_VERSION'))).ino).not.toBe(before.ino);
});

test("tests of Node's own runner pass, and the runner ends by itself", async () => {
  const child = run(['--test', 'test/support/node-test-child.ts']);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (output += text));
  const [status] = await once(child, 'exit');
  expect(output).toMatch(/pass 1\b/);
  expect(status).toBe(0);
});

test.each(['production', 'prod'])('with NODE_ENV=%s it does not even load', async (NODE_ENV) => {
  const child = run(['--eval', "import('./src/testing/index.ts').catch((error) => console.log(error.message))"], {
    NODE_ENV,
  });
  let output = '';
  child.stdout?.on('data', (text) => (output += text));
  await once(child, 'exit');
  expect(output).toContain('postern/testing is for tests');
});
