import { createHash } from 'node:crypto';
import pg from 'pg';

/** What a statement may be given. `undefined` is nothing that anybody means, so it is none of these. */
export type Value = string | number | boolean | Date | Buffer | null | readonly string[] | readonly number[];

/**
 * What records read and write through: a transaction, or the database itself where one statement is all there is.
 * Statements are written as tagged templates; whatever is filled in becomes a parameter, never text.
 *
 *     const rows = await db.query<{ id: string }>`SELECT id::text FROM users WHERE id = ${id}::uuid`;
 */
export interface Db {
  /** Runs a statement; its rows, typed as the caller says they are. */
  query<R>(text: TemplateStringsArray, ...values: readonly Value[]): Promise<R[]>;
  /** Runs a statement; the number of rows that it touched. */
  execute(text: TemplateStringsArray, ...values: readonly Value[]): Promise<number>;
}

/** The connections to PostgreSQL. */
export interface Database extends Db {
  /**
   * For counters that are written at each attempt: a commit does not wait for the disk. After a crash of PostgreSQL
   * the last half second may be missing, never more, and nothing is torn.
   */
  readonly relaxed: Db;
  /**
   * Runs work in one transaction: a return commits, a throw rolls back.
   * @param atCommit statements that travel together with the commit; if they fail, so does the transaction
   */
  transaction<R>(work: (db: Db) => Promise<R>, atCommit?: (db: Db) => Promise<unknown>): Promise<R>;
  close(): Promise<void>;
}

// A request waits for a connection, a statement or a lock only so long: better a clear failure than a pile of waiters.
const CONNECT_TIMEOUT_MS = 3_000;
/** A little above the server's own limit: then it is the connection that is dead, and it is given up. */
const QUERY_TIMEOUT_MS = 6_000;
const OPTIONS = ['statement_timeout=5s', 'idle_in_transaction_session_timeout=10s', 'TimeZone=UTC'];

/**
 * Opens the pools. Connections are made as they are needed.
 * @param connections how many at most, over all pools
 */
export function openDatabase(options: { url: string; connections: number; onError: (error: Error) => void }): Database {
  const relaxedConnections = Math.max(1, Math.floor(options.connections * 0.3));
  const main = openPool(options.url, options.connections - relaxedConnections, OPTIONS, options.onError);
  const relaxed = openPool(options.url, relaxedConnections, [...OPTIONS, 'synchronous_commit=off'], options.onError);
  return {
    ...sqlOver(main),
    relaxed: sqlOver(relaxed),
    transaction: (work, atCommit) => inTransaction(main, work, atCommit),
    async close() {
      await Promise.all([main.end(), relaxed.end()]);
    },
  };
}

async function inTransaction<R>(
  pool: pg.Pool,
  work: (db: Db) => Promise<R>,
  atCommit?: (db: Db) => Promise<unknown>,
): Promise<R> {
  const client = await pool.connect();
  const db = sqlOver(client);
  let broken: Error | undefined;
  try {
    // Not waited for: it travels with the first statement of the work, which fails if this does.
    const begun = client.query('BEGIN');
    begun.catch(() => undefined);
    const result = await work(db);
    const last = atCommit?.(db);
    const [, , committed] = await Promise.all([begun, last, client.query('COMMIT')]);
    // PostgreSQL answers the commit of a transaction that has failed with a rollback, not with an error.
    if (committed.command !== 'COMMIT') throw new Error('the transaction was rolled back');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

function sqlOver(connection: pg.Pool | pg.PoolClient): Db {
  const run = (strings: TemplateStringsArray, values: readonly Value[]) => {
    // PostgreSQL would read it as NULL, which is how filters that were forgotten match.
    if (values.some((value) => value === undefined)) throw new TypeError('a value of a statement is undefined');
    return connection.query({ ...statementOf(strings), values: [...values] });
  };
  return {
    query: async <R>(strings: TemplateStringsArray, ...values: readonly Value[]) =>
      (await run(strings, values)).rows as R[],
    execute: async (strings, ...values) => (await run(strings, values)).rowCount ?? 0,
  };
}

interface Statement {
  readonly name: string;
  readonly text: string;
}

// A statement with a name is parsed and planned once for each connection, which costs more than to run it. There are
// as many as there are templates in the code.
const statements = new WeakMap<TemplateStringsArray, Statement>();

function statementOf(strings: TemplateStringsArray): Statement {
  const known = statements.get(strings);
  if (known) return known;
  const text = strings.reduce((before, after, index) => `${before}$${index}${after}`);
  const statement = { name: createHash('sha256').update(text).digest('base64url'), text };
  statements.set(strings, statement);
  return statement;
}

function openPool(url: string, max: number, settings: string[], onError: (error: Error) => void): pg.Pool {
  const config: pg.PoolConfig & { pipeline: boolean } = {
    connectionString: url,
    max,
    // Kept for good: a new one costs tens of milliseconds on a busy machine, which is when it would be made.
    min: max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    options: settings.map((setting) => `-c ${setting}`).join(' '),
    // Statements that do not wait for each other travel together.
    pipeline: true,
  };
  const pool = new pg.Pool(config);
  // A connection that breaks is replaced at its next use, and whoever waits for an answer on it is told. Without a
  // listener on each of them, idle or not, the news would end the process.
  pool.on('error', onError);
  pool.on('connect', (client) => client.on('error', onError));
  // What cannot be connected yet is connected at its use, and whoever uses it is told.
  for (let n = 0; n < max; n += 1)
    pool
      .connect()
      .then((client) => client.release())
      .catch(() => undefined);
  return pool;
}
