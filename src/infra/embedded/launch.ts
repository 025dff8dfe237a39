import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EmbeddedDatabaseError } from './errors.ts';
import { readIfThere } from './files.ts';
import { removeForeignPidFile } from './foreign-pid-file.ts';
import { findPostmaster, type Postmaster, shutDown } from './postmaster.ts';
import { permissionHint, startProgram } from './programs.ts';
import { SERVER_SETTINGS } from './settings.ts';
import type { Site } from './site.ts';

/**
 * Starts the server of a cluster and waits until it is ready.
 *
 * @returns null when it should be tried again: the port was taken in between, or another gateway was faster
 * @throws {EmbeddedDatabaseError} when trying again would not help
 */
export async function launch(site: Site, deadline: number): Promise<Postmaster | null> {
  // A log of its own for each start, so that its last words are about this one.
  await writeFile(site.logFile, '', { mode: 0o600 });
  const child = await spawnPostgres(site, await freePort());

  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) {
      await refuseLastingFailure(site);
      await pause(50);
      return null;
    }
    const found = await findPostmaster(site.cluster);
    if (found && found.pid === child.pid && found.status === 'ready') return found;
    await pause(5);
  }
  if (child.pid !== undefined) await shutDown(site, child.pid);
  return null;
}

/** The end of the server's log on lines of their own, to be added to a message. */
export async function lastWords(site: Site): Promise<string> {
  const text = ((await readIfThere(site.logFile)) ?? '').trim();
  return text === '' ? '' : `\n${text.split('\n').slice(-12).join('\n')}`;
}

async function spawnPostgres(site: Site, port: number): Promise<ChildProcess> {
  // A file, because a pipe would break with the gateway and take the database's voice with it.
  const output = await open(site.logFile, 'a', 0o600);
  try {
    const child = await startProgram(site, site.binaries.postgres, serverOptions(site, { ...SERVER_SETTINGS, port }), {
      // A process group of its own: Ctrl-C in a terminal must not stop the database before the gateway has drained.
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    child.unref();
    return child;
  } finally {
    await output.close();
  }
}

/** What PostgreSQL is started with, to serve a cluster by these settings. */
export function serverOptions({ cluster }: Site, settings: Readonly<Record<string, string | number>>): string[] {
  return ['-D', cluster, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/** A port of loopback that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Returns when it is worth trying again, and throws what the operator should know otherwise. */
async function refuseLastingFailure(site: Site): Promise<void> {
  const words = await lastWords(site);
  if (/could not bind|could not create any TCP\/IP sockets|pre-existing shared memory block/.test(words)) return;
  if (/lock file "postmaster\.pid" (already exists|is empty)/.test(words)) {
    if (await findPostmaster(site.cluster)) return;
    if (await removeForeignPidFile(site.cluster)) return;
    throw new EmbeddedDatabaseError(
      `PostgreSQL believes that another server uses ${site.cluster}. If you are certain that none does, delete its postmaster.pid.${words}`,
    );
  }
  if (/incompatible with server/.test(words)) {
    const version = (await readFile(join(site.cluster, 'PG_VERSION'), 'utf8')).trim();
    throw new EmbeddedDatabaseError(
      `The database in ${site.cluster} was made by PostgreSQL ${version}, and this version of Postern brings another one. ` +
        'Export it with the version that made it (pg_dump) and import it into a new folder, or set DATABASE_URL.',
    );
  }
  throw new EmbeddedDatabaseError(`The embedded database could not be started.${words}${permissionHint(site)}`);
}
