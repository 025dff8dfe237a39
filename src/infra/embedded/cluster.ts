import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedDatabaseError } from './errors.ts';
import { exists } from './files.ts';
import { permissionHint, startProgram } from './programs.ts';
import { type Site, SUPERUSER } from './site.ts';

const SCRATCH_PREFIX = 'postgres.new-';

/**
 * Builds the cluster beside its place and moves it there at the end, so that a crash leaves nothing half-made.
 * @param more options of initdb
 * @throws {EmbeddedDatabaseError} with what initdb had to say
 */
export async function createCluster(site: Site, more: readonly string[] = []): Promise<void> {
  const scratch = join(site.dataDir, SCRATCH_PREFIX + randomBytes(6).toString('hex'));
  const made = join(scratch, 'data');
  const pwfile = join(scratch, 'password');
  try {
    await mkdir(scratch, { mode: 0o700 });
    await writeFile(pwfile, site.password, { mode: 0o600 });
    if (site.runAs) for (const path of [scratch, pwfile]) await chown(path, site.runAs.uid, site.runAs.gid);
    await runInitdb(site, made, pwfile, more);
    await rename(made, site.cluster);
    await flushFolder(site.dataDir);
  } catch (error) {
    // Another gateway may have been faster; its cluster is as good.
    if (!(await exists(site.cluster))) throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function runInitdb(site: Site, folder: string, pwfile: string, more: readonly string[]): Promise<void> {
  const child = await startProgram(
    site,
    site.binaries.initdb,
    [
      `--pgdata=${folder}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${pwfile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
      ...more,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let complaints = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  const [code] = await once(child, 'close');
  if (code === 0) return;
  throw new EmbeddedDatabaseError(
    `The embedded database could not be created.\n${complaints.trim()}${permissionHint(site)}`,
  );
}

// Makes a rename survive a power cut. Windows has no such call, and needs none.
async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder);
  await handle.sync().finally(() => handle.close());
}

/** Removes what gateways left behind that were killed while they built a cluster. For the owner of the database only. */
export async function removeScratchFolders(site: Site): Promise<void> {
  for (const name of await readdir(site.dataDir)) {
    if (name.startsWith(SCRATCH_PREFIX)) await rm(join(site.dataDir, name), { recursive: true, force: true });
  }
}
