import pg from 'pg';

/** Marks our advisory locks beside those of others; the second half of the key names a worker. */
export const LOCK_CLASS = 72_707_371;
const CONNECT_TIMEOUT_MS = 3_000;
const QUERY_TIMEOUT_MS = 5_000;
/** After so long without an answer from this machine, PostgreSQL gives the connection up, and the lock with it. */
const KEEPALIVE = ['tcp_keepalives_idle=10', 'tcp_keepalives_interval=5', 'tcp_keepalives_count=4'];

/** Shows the other instances that a worker is alive. */
export interface Presence {
  /**
   * Makes sure that the worker's lock is held. To be awaited before each job.
   * @throws when it cannot be taken: then no job may be taken either
   */
  hold(): Promise<void>;
  /**
   * Gives back the jobs of workers that are gone.
   * @returns the ids of those workers
   */
  freeJobsOfTheDead(): Promise<string[]>;
  close(): Promise<void>;
}

/**
 * A worker marks a job with its id. If it dies (kill -9, a machine that is gone) the mark stays, and graphile-worker
 * waits four hours before it believes that; by then a mailed code is long dead. PostgreSQL knows better: an advisory
 * lock of a session ends with its connection, and the connection ends with the process. So each worker holds a lock
 * that is named after its id, on a connection of its own that nothing else can keep busy or give back to a pool, and a
 * mark whose lock nobody holds is one of a dead worker.
 *
 * The lock is taken before the first job, so there is no mark yet that anybody could take for a dead one's. Ids are
 * random and never used again. Should this connection break while the process lives, the lock is taken anew before the
 * next job; the one that is running may then run twice, which is what a job must bear anyway.
 */
export function openPresence(options: { url: string; worker: string; onError: (error: Error) => void }): Presence {
  let connecting: Promise<pg.Client> | null = null;
  let closed = false;

  async function connect(): Promise<pg.Client> {
    if (closed) throw new Error('the worker is closing');
    const client = new pg.Client({
      connectionString: options.url,
      application_name: 'postern jobs',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      options: KEEPALIVE.map((setting) => `-c ${setting}`).join(' '),
    });
    client.on('error', options.onError);
    client.on('end', () => {
      connecting = null;
    });
    try {
      await client.connect();
      // Shared: the workers of two ids with the same hash do not wait for each other.
      await client.query('SELECT pg_advisory_lock_shared($1, hashtext($2))', [LOCK_CLASS, options.worker]);
      return client;
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  function connection(): Promise<pg.Client> {
    connecting ??= connect().catch((error: unknown) => {
      connecting = null;
      throw error;
    });
    return connecting;
  }

  return {
    async hold() {
      await connection();
    },
    async freeJobsOfTheDead() {
      const client = await connection();
      try {
        const { rows } = await client.query<{ worker: string }>(FREE_JOBS, [LOCK_CLASS, options.worker]);
        return rows.map(({ worker }) => worker);
      } catch (error) {
        // Whatever is wrong with it, a new connection is the answer; the next job asks for one.
        await client.end().catch(() => undefined);
        throw error;
      }
    },
    async close() {
      closed = true;
      const client = await connecting?.catch(() => null);
      await client?.end().catch(() => undefined);
    },
  };
}

// A lock that can be taken is held by nobody. It is given back with the end of the statement. A session never waits for
// itself, so its own id has to be left out.
const FREE_JOBS = `
  WITH holders AS MATERIALIZED (
    SELECT DISTINCT locked_by AS worker FROM graphile_worker.jobs WHERE locked_by IS NOT NULL AND locked_by <> $2
  ), dead AS MATERIALIZED (
    SELECT worker FROM holders WHERE pg_try_advisory_xact_lock($1, hashtext(worker))
  )
  SELECT worker, graphile_worker.force_unlock_workers(ARRAY[worker]) FROM dead`;
