/**
 * PostgreSQL from an npm package, for whoever has no DATABASE_URL yet.
 *
 * The database outlives a gateway that is killed, so there is always a next owner to think of. Ownership is a
 * session-level advisory lock in the database itself: it dies with the process that holds it and needs no file.
 * Only the holder may stop the server.
 */
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { claimServer, hangUp, reclaimServer } from './embedded/claim.ts';
import { createCluster, removeScratchFolders } from './embedded/cluster.ts';
import { DataDirTaken, EmbeddedDatabaseError } from './embedded/errors.ts';
import { exists } from './embedded/files.ts';
import { lastWords, launch } from './embedded/launch.ts';
import { findPostmaster, type Postmaster, shutDown } from './embedded/postmaster.ts';
import { prepareSite, type Site, urlOf } from './embedded/site.ts';

export { DataDirTaken, EmbeddedDatabaseError };

/** A PostgreSQL server that belongs to this process until it is stopped. */
export interface EmbeddedDatabase {
  /** Connection string for pg, with the password in it; names the database `postern`. */
  readonly url: string;
  /** Stops the server and resolves once it is gone. Calling it again waits for the same stop. */
  stop(): Promise<void>;
}

type Log = (message: string) => void;

const DATABASE = 'postern';
const START_WITHIN_MS = 60_000;
/** Looks for another gateway's server, after ours did not start. */
const FASTER_TRIES = 20;

/**
 * Starts the embedded PostgreSQL of a data folder, creating it at first use, or takes over the one that a killed
 * gateway left running. Listens on 127.0.0.1 only, on a port chosen at each start.
 *
 * @param options.dataDir folder for the database, its password and its log; created with mode 0700
 * @param options.log receives a sentence for each thing an operator may want to know
 * @returns the connection string, and how to stop
 * @throws {DataDirTaken} when another live gateway uses the folder
 * @throws {EmbeddedDatabaseError} when the database cannot be started here, with what to do about it
 */
export async function startEmbeddedDatabase(options: { dataDir: string; log: Log }): Promise<EmbeddedDatabase> {
  const dataDir = resolve(options.dataDir);
  try {
    return await startOrTakeOver(await prepareSite(dataDir), options.log);
  } catch (error) {
    if (!isFileError(error)) throw error;
    throw new EmbeddedDatabaseError(
      `The data folder ${dataDir} cannot be used (${error.message}). Choose another with POSTERN_DATA_DIR, or set DATABASE_URL.`,
      { cause: error },
    );
  }
}

async function startOrTakeOver(site: Site, log: Log): Promise<EmbeddedDatabase> {
  const deadline = Date.now() + START_WITHIN_MS;
  while (Date.now() < deadline) {
    const found = await findPostmaster(site.cluster);
    if (!found && !(await exists(site.cluster))) {
      log(`creating the database in ${site.dataDir}`);
      await createCluster(site);
      // That took long enough for another gateway to have started a server.
      continue;
    }
    const postmaster = found ?? (await launch(site, deadline).catch((error: unknown) => unlessFaster(site, error)));
    if (!postmaster) continue;

    const claim = await claimServer(site, postmaster, deadline);
    if (claim.kind === 'taken') throw new DataDirTaken(site.dataDir);
    if (claim.kind === 'owned') {
      if (found) log(`took over the database in ${site.dataDir}, left running by a gateway that was killed`);
      return own(site, postmaster, claim.connection, log);
    }
    if (claim.kind === 'silent') {
      log(`the database in ${site.dataDir} runs but does not answer: restarting it`);
      await shutDown(site, postmaster.pid);
    }
  }
  throw new EmbeddedDatabaseError(
    `The embedded database was not ready within ${START_WITHIN_MS / 1000} seconds.${await lastWords(site)}`,
  );
}

/** What was in the way may be the server of another gateway, which starts at the same moment and is not to be seen yet. */
async function unlessFaster(site: Site, error: unknown): Promise<null> {
  for (let tries = 0; tries < FASTER_TRIES; tries += 1) {
    if (await findPostmaster(site.cluster)) return null;
    await pause(50);
  }
  throw error;
}

async function own(site: Site, postmaster: Postmaster, connection: pg.Client, log: Log): Promise<EmbeddedDatabase> {
  let holdsLock = true;
  let stopping: Promise<void> | null = null;
  connection.once('end', () => {
    holdsLock = false;
    if (!stopping) log('lost the connection that marks the embedded database as ours');
  });

  const stop = async () => {
    // Without the lock the server may have found another owner, and is not ours to stop.
    const mayStop = holdsLock || (await reclaimServer(site, postmaster));
    // The lock is held until the server itself lets go of it, so that nobody claims what is about to end.
    if (mayStop) await shutDown(site, postmaster.pid);
    await hangUp(connection);
  };
  const owned: EmbeddedDatabase = {
    url: urlOf(site, postmaster.port, DATABASE),
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
  try {
    await createDatabase(connection);
    await removeScratchFolders(site);
    return owned;
  } catch (error) {
    await owned.stop();
    throw error;
  }
}

async function createDatabase(connection: pg.Client): Promise<void> {
  const { rowCount } = await connection.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
  if (rowCount === 0) await connection.query(`CREATE DATABASE ${DATABASE}`);
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'path' in error;
}
