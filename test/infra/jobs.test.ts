import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { type Database, openDatabase } from '../../src/infra/database.ts';
import { addJob, type JobOptions, type Jobs, startJobs } from '../../src/infra/jobs.ts';
import { createLogger } from '../../src/infra/log.ts';
import { MigrationError, migrate } from '../../src/infra/migrate.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let db: Database;
let admin: pg.Client;
beforeAll(async () => {
  database = await createDatabase(inject('templateUrl'));
  db = openDatabase({ url: database.url, connections: 4, onError: () => undefined });
  const elsewhere = new URL(database.url);
  elsewhere.pathname = '/template1';
  admin = new pg.Client({ connectionString: elsewhere.href });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await db.close();
  await database.drop();
});

let logs: string[] = [];
let running: Jobs[] = [];
beforeEach(async () => {
  logs = [];
  await db.execute`DELETE FROM graphile_worker._private_jobs`;
});
afterEach(async () => {
  for (const jobs of running.splice(0)) await jobs.close();
  running = [];
});

async function start(tasks: JobOptions['tasks'], more: Partial<JobOptions> = {}): Promise<Jobs> {
  const log = createLogger('debug', { write: (line) => logs.push(line) });
  const jobs = await startJobs({ url: database.url, tasks, log, ...more });
  running.push(jobs);
  return jobs;
}

interface Row {
  readonly locked_by: string | null;
  readonly attempts: number;
  readonly last_error: string | null;
}
const rows = () => db.query<Row>`SELECT locked_by, attempts, last_error FROM graphile_worker.jobs`;
/** What waits for its next attempt is due now. */
const hurry = () => db.execute`UPDATE graphile_worker._private_jobs SET run_at = now() WHERE locked_by IS NULL`;
const connections = async () =>
  (
    await db.query<{ count: number }>`SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'postern jobs'`
  )[0]?.count;
const advisoryLocks = async () =>
  (
    await db.query<{ count: number }>`SELECT count(*)::int AS count FROM pg_locks
      WHERE locktype = 'advisory' AND classid = 72707371
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
  )[0]?.count;

describe('a job', () => {
  test('is run once its transaction is committed, and leaves nothing', async () => {
    const done: unknown[] = [];
    await start({ note: async (payload) => void done.push(payload) });
    await db.transaction(async (tx) => {
      await addJob(tx, { task: 'note', payload: { n: 1, text: "O'Hara" } });
      await sleep(300);
      expect(done).toEqual([]);
    });
    await expect.poll(() => done, { timeout: 1_500 }).toEqual([{ n: 1, text: "O'Hara" }]);
    await expect.poll(rows).toEqual([]);
  });

  test('is none if its transaction is rolled back', async () => {
    const done: unknown[] = [];
    await start({ note: async (payload) => void done.push(payload) });
    const failed = db.transaction(async (tx) => {
      await addJob(tx, { task: 'note', payload: { n: 2 } });
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await rows()).toEqual([]);
    await sleep(300);
    expect(done).toEqual([]);
  });

  test('waits for an instance that knows its task', async () => {
    await addJob(db, { task: 'later', payload: {} });
    await start({ other: async () => undefined });
    await sleep(300);
    expect(await rows()).toHaveLength(1);
    const done: unknown[] = [];
    await start({ later: async () => void done.push(1) });
    await expect.poll(() => done).toEqual([1]);
  });

  test('takes the place of one with the same key', async () => {
    for (const n of [1, 2, 3]) await addJob(db, { task: 'note', payload: { n }, key: 'only one' });
    const done: unknown[] = [];
    await start({ note: async (payload) => void done.push(payload) });
    await expect.poll(() => done).toEqual([{ n: 3 }]);
    await sleep(200);
    expect(done).toHaveLength(1);
  });

  test('is run once, by one of two instances', async () => {
    const done: string[] = [];
    const note = async (payload: unknown) => {
      done.push(`${(payload as { n: number }).n}`);
      await sleep(5);
    };
    await Promise.all([start({ note }), start({ note })]);
    await db.transaction(async (tx) => {
      for (let n = 0; n < 50; n += 1) await addJob(tx, { task: 'note', payload: { n } });
    });
    await expect.poll(rows, { timeout: 10_000 }).toEqual([]);
    expect(done.sort()).toEqual(Array.from({ length: 50 }, (_, n) => `${n}`).sort());
  });
});

describe('a job that fails', () => {
  test('is tried again until its last attempt, which it is told, and is given up then', async () => {
    const attempts: boolean[] = [];
    await start({
      fail: async (_payload, { last }) => {
        attempts.push(last);
        throw Object.assign(new Error('the mail server said no to ada@example.com'), { code: 'EAUTH' });
      },
    });
    await addJob(db, { task: 'fail', payload: { code: 'BCDF-GHJK' }, maxAttempts: 3 });
    await expect.poll(() => attempts).toEqual([false]);
    await expect.poll(rows).toEqual([{ locked_by: null, attempts: 1, last_error: 'Error EAUTH' }]);
    await hurry();
    await expect.poll(() => attempts, { timeout: 5_000 }).toEqual([false, false]);
    await expect.poll(async () => (await rows())[0]?.locked_by).toBeNull();
    await hurry();
    await expect.poll(() => attempts, { timeout: 5_000 }).toEqual([false, false, true]);
    await expect.poll(rows).toEqual([]);
    const told = logs.map((line) => JSON.parse(line)).filter(({ task }) => task === 'fail');
    expect(told.map(({ level, attempt, msg }) => [level, attempt, msg])).toEqual([
      ['warn', 1, 'a job has failed and will be tried again'],
      ['warn', 2, 'a job has failed and will be tried again'],
      ['error', 3, 'a job has failed for the last time and is given up'],
    ]);
  });

  test('waits with growing pauses', async () => {
    await start({ fail: () => Promise.reject(new Error('no')) });
    await addJob(db, { task: 'fail', payload: {} });
    await expect.poll(async () => (await rows())[0]?.last_error).toBe('Error');
    const [row] = await db.query<{ seconds: number; max: number }>`
      SELECT extract(epoch FROM run_at - updated_at)::float AS seconds, max_attempts AS max FROM graphile_worker.jobs`;
    expect(row?.seconds).toBeGreaterThan(2);
    expect(row?.seconds).toBeLessThan(3.5);
    expect(row?.max).toBe(14);
  });

  test('leaves neither its payload nor what its error quotes where others read [only the name and code of an error are stored; graphile-worker logs messages without their details]', async () => {
    const printed = [
      ...(['log', 'info', 'warn', 'error', 'trace', 'debug'] as const).map((way) => vi.spyOn(console, way)),
      vi.spyOn(process.stderr, 'write'),
    ];
    await start({
      fail: async (payload) => {
        throw new Error(`cannot send ${JSON.stringify(payload)}\nsecond line`);
      },
    });
    await addJob(db, { task: 'fail', payload: { sealed: 'SENTINEL-PAYLOAD' } });
    await expect.poll(async () => (await rows())[0]?.last_error).toBe('Error');
    expect(logs.length).toBeGreaterThan(2);
    expect(logs.join('')).not.toContain('SENTINEL');
    for (const spy of printed) {
      expect(spy.mock.calls.flat().join(' ')).not.toMatch(/SENTINEL|worker/i);
      spy.mockRestore();
    }
  });
});

describe('an instance that dies', () => {
  test('leaves its job to the next one, at once [its advisory lock ended with its connection]', async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/worker-child.ts', database.url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk) => (said += chunk));
    await expect.poll(() => said, { timeout: 10_000 }).toContain('started');
    await addJob(db, { task: 'hang', payload: {} });
    await expect.poll(() => said, { timeout: 5_000 }).toContain('taken');
    const [held] = await rows();
    expect(held?.locked_by).toMatch(/^pool-/);

    // While it lives, nobody takes its job away.
    const done: unknown[] = [];
    const early = await start({ hang: async () => void done.push('early') });
    await sleep(2_500);
    expect((await rows())[0]?.locked_by).toBe(held?.locked_by);
    await early.close();
    expect(done).toEqual([]);

    child.kill('SIGKILL');
    await once(child, 'exit');
    await start({ hang: async (_payload, { last }) => void done.push(last) });
    await expect.poll(() => done, { timeout: 5_000 }).toEqual([false]);
    await expect.poll(rows).toEqual([]);
  });

  test('in the last attempt leaves one more, so that whoever gives up is told', async () => {
    await addJob(db, { task: 'note', payload: {}, maxAttempts: 1 });
    await db.execute`UPDATE graphile_worker._private_jobs
      SET attempts = 1, locked_at = now(), locked_by = 'pool-of-somebody-dead'`;
    const done: boolean[] = [];
    await start({ note: async (_payload, { last }) => void done.push(last) });
    await expect.poll(() => done, { timeout: 5_000 }).toEqual([true]);
  });

  test('would be noticed from its first job on [no job is taken before the lock is]', async () => {
    for (let n = 0; n < 3; n += 1) await addJob(db, { task: 'note', payload: { n } });
    const held: (boolean | undefined)[] = [];
    const note = async () => {
      const [row] = await db.query<{ held: boolean }>`SELECT bool_and(EXISTS (
          SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 72707371
            AND objid = (hashtext(locked_by)::bigint & 4294967295)::oid
        )) AS held FROM graphile_worker.jobs WHERE locked_by IS NOT NULL`;
      held.push(row?.held);
    };
    const between = await slowLock();
    const starting = start({ note }, { url: between.url });
    await sleep(500);
    expect(await connections()).toBeGreaterThan(0);
    expect(held).toEqual([]);
    expect((await rows()).map(({ locked_by }) => locked_by)).toEqual([null, null, null]);
    between.release();
    await starting;
    await expect.poll(() => held).toEqual([true, true, true]);
    await (await starting).close();
    between.close();
  });
});

/** A way to the database on which the connection of the lock is kept waiting. */
async function slowLock(): Promise<{ url: string; release(): void; close(): void }> {
  const waiting: (() => void)[] = [];
  const url = new URL(database.url);
  const { hostname, port } = url;
  const server = createServer((client) => {
    client.on('error', () => undefined);
    client.once('data', (first) => {
      client.pause();
      const forward = () => {
        const upstream = connect(Number(port), hostname, () => {
          upstream.write(first);
          client.pipe(upstream).pipe(client);
        });
        upstream.on('error', () => client.destroy());
      };
      if (first.includes('tcp_keepalives_idle')) waiting.push(forward);
      else forward();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    release() {
      for (const forward of waiting.splice(0)) forward();
    },
    close: () => server.close(),
  };
}

describe('workers', () => {
  test('run a cron task', async () => {
    await start({ sweep: async () => undefined }, { cron: [{ task: 'sweep', pattern: '*/5 * * * *' }] });
    const known = () => db.query`SELECT identifier FROM graphile_worker._private_known_crontabs`;
    await expect.poll(known).toEqual([{ identifier: 'sweep' }]);
    await expect(start({}, { cron: [{ task: 'sweep', pattern: 'often' }] })).rejects.toThrow();
  });

  test('close when what runs has ended, and leave no connection, no lock and no signal handler', async () => {
    const handlers = () => ['SIGTERM', 'SIGINT', 'SIGHUP'].map((signal) => process.listenerCount(signal));
    const before = handlers();
    const done: string[] = [];
    const jobs = await start({
      slow: async () => {
        done.push('begun');
        await sleep(700);
        done.push('ended');
      },
    });
    expect(handlers()).toEqual(before);
    await addJob(db, { task: 'slow', payload: {} });
    await expect.poll(() => done).toEqual(['begun']);
    expect(await connections()).toBeGreaterThan(1);
    expect(await advisoryLocks()).toBe(1);
    await addJob(db, { task: 'slow', payload: { next: true } });
    await expect.poll(() => done.length).toBe(2);
    await jobs.close();
    expect(done.filter((each) => each === 'begun')).toHaveLength(2);
    expect(done.filter((each) => each === 'ended')).toHaveLength(2);
    expect(await rows()).toEqual([]);
    await expect.poll(connections).toBe(0);
    expect(await advisoryLocks()).toBe(0);
    expect(handlers()).toEqual(before);
    await addJob(db, { task: 'slow', payload: {} });
    await sleep(300);
    expect(done).toHaveLength(4);
  });

  test('do not wait for ever for what hangs: it is done elsewhere', async () => {
    const done: string[] = [];
    const jobs = await start({
      hang: async () => {
        done.push('taken');
        await new Promise(() => undefined);
      },
    });
    await addJob(db, { task: 'hang', payload: {} });
    await expect.poll(() => done).toEqual(['taken']);
    const begun = performance.now();
    await jobs.close();
    expect(performance.now() - begun).toBeLessThan(6_500);
    await expect.poll(connections).toBe(0);
    await start({ hang: async () => void done.push('done') });
    await expect.poll(() => done, { timeout: 5_000 }).toEqual(['taken', 'done']);
  });

  test('go on when the database was away in the middle of a job, and the process does too [the end of a job is written as a batch]', async () => {
    const name = new URL(database.url).pathname.slice(1);
    const done: string[] = [];
    await start({
      note: async () => {
        done.push('taken');
        if (done.length > 1) return;
        await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
        await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
      },
    });
    await addJob(db, { task: 'note', payload: {} });
    await expect.poll(() => done).toEqual(['taken']);
    await sleep(1_500);
    await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    await expect.poll(() => done, { timeout: 15_000 }).toEqual(['taken', 'taken']);
    await expect.poll(rows, { timeout: 5_000 }).toEqual([]);
    await addJob(db, { task: 'note', payload: {} });
    await expect.poll(() => done, { timeout: 5_000 }).toHaveLength(3);
  });

  test('do not start where nobody listens', async () => {
    await expect(start({}, { url: 'postgresql://postgres@127.0.0.1:1/none' })).rejects.toThrow();
  });
});

describe('the tables of the jobs', () => {
  const has = async () => {
    const [row] = await db.query<{ has: boolean }>`SELECT to_regproc('graphile_worker.add_job') IS NOT NULL AS has`;
    return row?.has;
  };
  afterEach(async () => {
    await migrate(database.url, () => undefined);
  });

  test('are made where there are none, by one of several instances', async () => {
    await db.execute`DROP SCHEMA graphile_worker CASCADE`;
    const said: string[] = [];
    await Promise.all([1, 2, 3].map(() => migrate(database.url, (message) => said.push(message))));
    expect(await has()).toBe(true);
    expect(said.filter((message) => message === 'made the tables of the jobs')).toHaveLength(1);
  });

  test('are asked for in words where the user may not make them', async () => {
    await db.execute`DROP SCHEMA graphile_worker CASCADE`;
    await admin.query("CREATE ROLE no_owner LOGIN PASSWORD 'no_owner'");
    await db.execute`GRANT CREATE, USAGE ON SCHEMA public TO no_owner`;
    await db.execute`GRANT SELECT ON ALL TABLES IN SCHEMA public TO no_owner`;
    const url = new URL(database.url);
    url.username = 'no_owner';
    url.password = 'no_owner';
    await expect(migrate(url.href, () => undefined)).rejects.toThrow(MigrationError);
    await expect(migrate(url.href, () => undefined)).rejects.toThrow('may not make them in a schema graphile_worker');
    await db.execute`DROP OWNED BY no_owner`;
    await admin.query('DROP ROLE no_owner');
  });
});
