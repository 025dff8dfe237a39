import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { TaskList, WorkerEvents } from 'graphile-worker';
import pg from 'pg';
import type { Db } from './database.ts';
import { openPresence, type Presence } from './jobs/presence.ts';
import type { Logger } from './log.ts';

/** With graphile-worker's pauses of exp(min(10, attempt)) seconds, the last attempt is made about a day later. */
const MAX_ATTEMPTS = 13;
/** One attempt more than is told: for a last one that its instance did not survive. */
const SPARE_ATTEMPTS = 1;
const CONCURRENCY = 2;
/** One for each job, one that listens for new ones. */
const CONNECTIONS = 3;
/** What the jobs of an instance take: these, and the one that shows that it is alive. */
export const JOB_CONNECTIONS = CONNECTIONS + 1;
/** When a job is due again is looked up so often; of new ones PostgreSQL tells. */
const POLL_MS = 2_000;
const FREE_JOBS_EVERY_MS = 60_000;
const CLOSE_WITHIN_MS = 5_000;
const END_WITHIN_MS = 500;
const RESTART_AFTER_MS = 1_000;
/** A worker that was refused a job so often in a row is made anew. */
const MAX_REFUSALS = 5;
const SETTINGS = ['statement_timeout=5s', 'idle_in_transaction_session_timeout=10s'];

/** What is to be done later, or elsewhere, and must not be lost. */
export interface Job {
  readonly task: string;
  /** What survives JSON. It stands in the database as it is: a secret has to be sealed first. */
  readonly payload: unknown;
  readonly maxAttempts?: number;
  /** Of two jobs of the same key, the later one takes the place of the first, unless that is running. */
  readonly key?: string;
}

/** Does the work of a job; throws if it has to be tried again. It may be called more than once for the same job. */
export type Task = (payload: unknown, attempt: { readonly last: boolean }) => Promise<void>;

/** The jobs that this instance works on. */
export interface Jobs {
  /** Takes no more jobs, and waits for those that run, but not for ever: what does not end is done elsewhere, again. */
  close(): Promise<void>;
}

export interface JobOptions {
  readonly url: string;
  readonly tasks: Readonly<Record<string, Task>>;
  /** Patterns as of crontab(5), in UTC. Whatever the number of instances, a task is run once at each of its times. */
  readonly cron?: readonly { readonly task: string; readonly pattern: string }[];
  readonly log: Logger;
}

/** Adds a job within the transaction that it belongs to: both are committed, or neither is. */
export async function addJob(db: Db, { task, payload, maxAttempts = MAX_ATTEMPTS, key }: Job): Promise<void> {
  await db.execute`SELECT FROM graphile_worker.add_job(
    identifier => ${task}::text,
    payload => ${JSON.stringify(payload)}::json,
    max_attempts => ${maxAttempts + SPARE_ATTEMPTS}::int,
    job_key => ${key ?? null}::text
  )`;
}

/**
 * Works on jobs from now on. Whatever happens to the database in the meantime, it goes on when that is back.
 * @throws when the database cannot be reached now
 */
export async function startJobs(options: JobOptions): Promise<Jobs> {
  const closing = new AbortController();
  const closed = once(closing.signal, 'abort');
  let workers = await startWorkers(options);
  const watching = watch();

  async function watch(): Promise<void> {
    for (;;) {
      await Promise.race([workers.ended, closed]);
      if (closing.signal.aborted) return;
      options.log.warn('the workers of the jobs have ended; new ones are started');
      await workers.close();
      const next = await restart();
      // Closed in the meantime.
      if (closing.signal.aborted) return next?.close();
      if (next) workers = next;
    }
  }

  async function restart(): Promise<Workers | null> {
    for (;;) {
      await pause(RESTART_AFTER_MS, undefined, { signal: closing.signal }).catch(() => undefined);
      if (closing.signal.aborted) return null;
      try {
        return await startWorkers(options);
      } catch (error) {
        options.log.debug({ err: error }, 'the workers of the jobs cannot be started yet');
      }
    }
  }

  return {
    async close() {
      closing.abort();
      await workers.close();
      await watching;
    },
  };
}

/** One run of graphile-worker's. It may end by itself. */
interface Workers {
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

async function startWorkers({ url, tasks, cron = [], log }: JobOptions): Promise<Workers> {
  const { Logger: WorkerLogger, parseCronItems, run } = await import('graphile-worker');
  let closing = false;
  // Of what breaks while it is being closed nobody needs to hear.
  const onError = (error: Error) => {
    if (!closing) log.warn({ err: error }, 'the connection of the jobs to the database broke');
  };
  const { pool, end } = openPool(url, onError);
  const events: WorkerEvents = new EventEmitter();
  const refused = refusalsIn(events);
  let presence: Presence | undefined;
  events.on('pool:create', ({ workerPool: { id } }) => {
    presence = openPresence({ url, worker: id, onError });
  });
  const freeJobs = async () => {
    const dead = (await presence?.freeJobsOfTheDead()) ?? [];
    if (dead.length > 0) log.info({ workers: dead }, 'jobs of instances that are gone are taken over');
  };
  const onFreeingFailed = (error: unknown) => log.debug({ err: error }, 'jobs cannot be taken over now');

  try {
    const runner = await run({
      pgPool: pool,
      schema: 'graphile_worker',
      concurrency: CONCURRENCY,
      pollInterval: POLL_MS,
      noHandleSignals: true,
      events,
      taskList: taskListOf(tasks, log),
      parsedCronItems: parseCronItems(
        cron.map(({ task, pattern }) => ({
          task,
          match: pattern,
          options: { backfillPeriod: 0, maxAttempts: MAX_ATTEMPTS + SPARE_ATTEMPTS },
        })),
      ),
      // Without the details that it adds: payloads are among them.
      logger: new WorkerLogger(() => (_level, message) => log.debug({ worker: true }, message)),
      // Asked before each job. It forbids none, but until it has answered no job is taken.
      forbiddenFlags: async () => {
        await presence?.hold();
        return null;
      },
      // By default a job's end is written without anybody waiting for it, and a failure of that would be a promise
      // that nobody catches: it would end the process. As a batch, it ends the workers.
      preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
    });
    await freeJobs().catch(onFreeingFailed);
    const timer = setInterval(() => void freeJobs().catch(onFreeingFailed), FREE_JOBS_EVERY_MS).unref();
    const ended = Promise.race([runner.promise.catch(() => undefined), refused]);
    return {
      ended,
      async close() {
        closing = true;
        clearInterval(timer);
        // It refuses to stop twice.
        const stopped = runner.stop().catch(() => undefined);
        await Promise.race([stopped, pause(CLOSE_WITHIN_MS, undefined, { ref: false })]);
        await end();
        // Last: from now on others may take what still runs here.
        await presence?.close();
      },
    };
  } catch (error) {
    await end();
    await presence?.close();
    throw error;
  }
}

function taskListOf(tasks: Readonly<Record<string, Task>>, log: Logger): TaskList {
  const entries = Object.entries(tasks).map(([name, task]) => {
    const work: TaskList[string] = async (payload, { job }) => {
      const last = job.attempts >= job.max_attempts - SPARE_ATTEMPTS;
      try {
        await task(payload, { last });
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error('something that is no error was thrown');
        const line = { err: error, task: name, job: job.id, attempt: job.attempts };
        // A job that is given up counts as done, so that nothing of it stays in the database.
        if (last) return log.error(line, 'a job has failed for the last time and is given up');
        log.warn(line, 'a job has failed and will be tried again');
        // This one is stored beside the job: its message says nothing of what it was about.
        throw new Error([error.name, (error as { code?: unknown }).code].filter(Boolean).join(' '));
      }
    };
    return [name, work] as const;
  });
  return Object.fromEntries(entries);
}

// What graphile-worker has once failed to look up about the tasks, it fails to look up for ever.
function refusalsIn(events: WorkerEvents): Promise<void> {
  let inARow = 0;
  const heard = () => {
    inARow = 0;
  };
  events.on('worker:getJob:empty', heard);
  events.on('job:start', heard);
  return new Promise((resolve) => {
    events.on('worker:getJob:error', () => {
      inARow += 1;
      if (inARow >= MAX_REFUSALS) resolve();
    });
  });
}

// Our own: graphile-worker does not wait for the end of one that it opens.
function openPool(url: string, onError: (error: Error) => void): { pool: pg.Pool; end(): Promise<void> } {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'postern jobs',
    max: CONNECTIONS,
    connectionTimeoutMillis: 3_000,
    query_timeout: 6_000,
    keepAlive: true,
    options: SETTINGS.map((setting) => `-c ${setting}`).join(' '),
  });
  const clients = new Set<pg.PoolClient>();
  pool.on('error', onError);
  pool.on('connect', (client) => {
    clients.add(client);
    client.on('error', onError);
  });
  pool.on('remove', (client) => clients.delete(client));
  return {
    pool,
    async end() {
      if (pool.ending) return;
      const ended = pool.end();
      const inTime = await Promise.race([ended.then(() => true), pause(END_WITHIN_MS, false, { ref: false })]);
      // Somebody has not given back a connection, and will not.
      if (!inTime) await Promise.all([...clients].map((client) => (client as unknown as pg.Client).end()));
    },
  };
}
