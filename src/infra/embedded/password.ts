import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedDatabaseError, errorCode } from './errors.ts';
import { readIfThere } from './files.ts';

/** Where the superuser's password is kept. */
export function passwordFile(dataDir: string): string {
  return join(dataDir, 'postgres-password');
}

/**
 * The superuser's password, made at first use. Two gateways that start together agree on one.
 * @throws {EmbeddedDatabaseError} when there is a database, but no password for it
 */
export async function readPassword(dataDir: string, clusterExists: boolean): Promise<string> {
  const file = passwordFile(dataDir);
  const known = await readIfThere(file);
  if (known !== null) return known.trim();
  if (clusterExists) {
    throw new EmbeddedDatabaseError(
      `The password of the database in ${dataDir} is missing: restore ${file}, or choose another folder with POSTERN_DATA_DIR.`,
    );
  }
  await makePassword(file);
  return (await readFile(file, 'utf8')).trim();
}

async function makePassword(file: string): Promise<void> {
  const scratch = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(scratch, randomBytes(24).toString('base64url'), { mode: 0o600, flush: true });
  try {
    // Unlike a rename this fails when somebody else was faster, and unlike an open it never shows half a password.
    await link(scratch, file);
  } catch (error) {
    // Not every file system has hard links.
    if (errorCode(error) !== 'EEXIST') await rename(scratch, file);
  } finally {
    await rm(scratch, { force: true });
  }
}
