import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { EmbeddedDatabaseError, errorCode } from './errors.ts';
import { passwordFile } from './password.ts';
import { findPostmaster, type Postmaster } from './postmaster.ts';
import { type Site, urlOf } from './site.ts';

/** Advisory locks belong to one database; this one exists in every cluster, before ours does. */
const MAINTENANCE_DATABASE = 'postgres';
const OWNER_LOCK = 7_067_837_001;

const ANSWER_MS = 5_000;
/** The server may need a moment to notice that the previous owner was killed. */
const PREVIOUS_OWNER_MS = 2_000;
const QUERY_MS = 60_000;
const GOODBYE_MS = 500;

/** What became of asking a server for the lock that its owner holds. */
type Claim =
  /** The lock is ours for as long as the connection lives. */
  | { readonly kind: 'owned'; readonly connection: pg.Client }
  /** A live gateway holds it. */
  | { readonly kind: 'taken' }
  /** The server runs, but does not answer. */
  | { readonly kind: 'silent' }
  /** The server ended, or made room for another. */
  | { readonly kind: 'gone' };

/**
 * Waits until the server answers, then asks for the lock that its owner holds.
 * @throws {EmbeddedDatabaseError} when the server does not accept our password
 */
export async function claimServer(site: Site, postmaster: Postmaster, deadline: number): Promise<Claim> {
  let answerBy = Date.now() + ANSWER_MS;
  for (;;) {
    const running = await findPostmaster(site.cluster);
    if (running?.pid !== postmaster.pid) return { kind: 'gone' };

    // Crash recovery and shutdown take the time they take, and end by themselves.
    if (running.status === 'starting' || running.status === 'stopping') answerBy = Date.now() + ANSWER_MS;
    else {
      const claim = await askForLock(site, running.port);
      if (claim) return claim;
    }
    if (Date.now() > Math.min(answerBy, deadline)) return { kind: 'silent' };
    await pause(10);
  }
}

/** Whether a server whose lock was lost together with its connection is ours again. */
export async function reclaimServer(site: Site, postmaster: Postmaster): Promise<boolean> {
  const claim = await claimServer(site, postmaster, Date.now() + ANSWER_MS);
  return claim.kind === 'owned';
}

/** Ends a connection. A server that hangs does not say goodbye, so this does not wait long for it. */
export async function hangUp(connection: pg.Client): Promise<void> {
  await Promise.race([connection.end().catch(() => undefined), pause(GOODBYE_MS, undefined, { ref: false })]);
}

/** Null when there was no answer worth having, and asking again may bring one. */
async function askForLock(site: Site, port: number): Promise<Claim | null> {
  const connection = new pg.Client({
    connectionString: urlOf(site, port, MAINTENANCE_DATABASE),
    application_name: 'postern owner',
    connectionTimeoutMillis: ANSWER_MS,
    query_timeout: QUERY_MS,
    keepAlive: true,
  });
  // pg reports a broken connection here as well as by rejecting; without a listener it would end the process.
  connection.on('error', () => undefined);
  try {
    await connection.connect();
    await connection.query(`SET lock_timeout = ${PREVIOUS_OWNER_MS}`);
    await connection.query('SELECT pg_advisory_lock($1)', [OWNER_LOCK]);
    await connection.query('RESET lock_timeout');
    return { kind: 'owned', connection };
  } catch (error) {
    await hangUp(connection);
    return claimFromError(error, site);
  }
}

function claimFromError(error: unknown, site: Site): Claim | null {
  switch (errorCode(error)) {
    case '55P03': // lock_not_available
    case '53300': // too_many_connections: somebody is using it
      return { kind: 'taken' };
    case '28P01': // invalid_password
      throw new EmbeddedDatabaseError(
        `The password in ${passwordFile(site.dataDir)} is not the one of the database beside it. ` +
          'Restore both from the same backup, or choose another folder with POSTERN_DATA_DIR.',
      );
    default:
      return null;
  }
}
