import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { type Prisma, PrismaClient } from '../generated/prisma/client.ts';

/**
 * What records read and write through: a transaction, or the client itself where one statement is all there is.
 * Statements that every request or login makes are written as SQL (`$queryRaw`), the others by Prisma's methods.
 */
export type Db = Prisma.TransactionClient;

/** The connections to PostgreSQL. */
export interface Database {
  readonly prisma: PrismaClient;
  /**
   * For counters that are written at each attempt: a commit does not wait for the disk. After a crash of PostgreSQL
   * the last half second may be missing, never more, and nothing is torn.
   */
  readonly relaxed: pg.Pool;
  close(): Promise<void>;
}

// A request waits for a connection, a statement or a lock only so long: better a clear failure than a pile of waiters.
const CONNECT_TIMEOUT_MS = 3_000;
const OPTIONS = ['statement_timeout=5s', 'idle_in_transaction_session_timeout=10s', 'TimeZone=UTC'];

/**
 * Opens the pools. Connections are made as they are needed.
 * @param connections how many at most, over all pools
 */
export function openDatabase(options: { url: string; connections: number; onError: (error: Error) => void }): Database {
  const relaxedConnections = Math.max(1, Math.floor(options.connections * 0.3));
  const main = openPool(options.url, options.connections - relaxedConnections, OPTIONS, options.onError);
  const relaxed = openPool(options.url, relaxedConnections, [...OPTIONS, 'synchronous_commit=off'], options.onError);
  const prisma = new PrismaClient({ adapter: new PrismaPg(main, { disposeExternalPool: false }) });
  return {
    prisma,
    relaxed,
    async close() {
      await prisma.$disconnect();
      await Promise.all([main.end(), relaxed.end()]);
    },
  };
}

function openPool(url: string, max: number, settings: string[], onError: (error: Error) => void): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    options: settings.map((setting) => `-c ${setting}`).join(' '),
  });
  // An idle connection that breaks is replaced at its next use; without a listener it would end the process.
  pool.on('error', onError);
  return pool;
}
