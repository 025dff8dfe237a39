import { mkdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Binaries, findBinaries } from './binaries.ts';
import { exists } from './files.ts';
import { readPassword } from './password.ts';
import { chooseRunAs, type RunAs } from './run-as.ts';

/** The role that owns everything in the cluster. */
export const SUPERUSER = 'postern';

/** Everything about a data folder that stays the same from start to stop. */
export interface Site {
  readonly dataDir: string;
  /** PostgreSQL's own folder in it. */
  readonly cluster: string;
  readonly logFile: string;
  readonly password: string;
  readonly binaries: Binaries;
  /** Null to run PostgreSQL as ourselves. */
  readonly runAs: RunAs | null;
}

/**
 * Finds or makes whatever has to be there before PostgreSQL is run.
 * @param dataDir an absolute path
 */
export async function prepareSite(dataDir: string): Promise<Site> {
  const binaries = await findBinaries();
  // In two steps, because the mode holds for every folder that a recursive one makes.
  await mkdir(dirname(dataDir), { recursive: true });
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  // As a running server will name it.
  const cluster = join(await realpath(dataDir), 'postgres');
  // A cluster always comes after its password, so looking in this order cannot mistake a new one for a lost one.
  const password = await readPassword(dataDir, await exists(cluster));
  const runAs = await chooseRunAs(dataDir, cluster, binaries.postgres);
  return { dataDir, cluster, password, binaries, runAs, logFile: join(dataDir, 'postgres.log') };
}

/** The connection string for one of the cluster's databases. */
export function urlOf(site: Site, port: number, database: string): string {
  return `postgresql://${SUPERUSER}:${site.password}@127.0.0.1:${port}/${database}`;
}
