import { realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EmbeddedDatabaseError, errorCode } from './errors.ts';
import { readIfThere } from './files.ts';
import { commandOf, outputOf, workingFolder } from './processes.ts';
import type { Site } from './site.ts';

/** How long each way of stopping may take. */
const SHUTDOWN_MS = 10_000;

/** What `postmaster.pid` says of a server that really runs. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  /** `starting`, which includes crash recovery, `ready` or `stopping`. */
  readonly status: string;
}

/** Where a server keeps its pid while it runs, and where it stays when the server is killed. */
export function pidFile(cluster: string): string {
  return join(cluster, 'postmaster.pid');
}

/** The server of this cluster, if one runs. A pid file alone proves nothing: pids are used again. */
export async function findPostmaster(cluster: string): Promise<Postmaster | null> {
  const [pid, , , port, , , , status] = ((await readIfThere(pidFile(cluster))) ?? '').split('\n');
  const postmaster = { pid: Number(pid), port: Number(port), status: status?.trim() || 'starting' };
  if (!(postmaster.pid > 0)) return null;
  return (await servesCluster(postmaster.pid, cluster)) ? postmaster : null;
}

/** Ends a server as PostgreSQL wants it ended: first fast, then immediate; never by SIGKILL. */
export async function shutDown(site: Site, pid: number): Promise<void> {
  for (const signal of ['INT', 'QUIT'] as const) {
    await send(signal, pid, site);
    if (await hasEnded(pid, site)) return;
  }
  throw new EmbeddedDatabaseError(
    `The embedded database (process ${pid}) in ${site.dataDir} does not stop. Look for what holds it up before starting again.`,
  );
}

async function send(signal: 'INT' | 'QUIT', pid: number, site: Site): Promise<void> {
  if (!(await servesCluster(pid, site.cluster))) return;
  if (process.platform === 'win32') {
    await outputOf(site.binaries.pg_ctl, ['kill', signal, String(pid)]);
    return;
  }
  try {
    process.kill(pid, `SIG${signal}`);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

async function hasEnded(pid: number, site: Site): Promise<boolean> {
  const deadline = Date.now() + SHUTDOWN_MS;
  while (await servesCluster(pid, site.cluster)) {
    if (Date.now() > deadline) return false;
    await pause(10);
  }
  return true;
}

async function servesCluster(pid: number, cluster: string): Promise<boolean> {
  const command = await commandOf(pid);
  if (!command || !/^postgres(\.exe)?$/.test(basename(command.program))) return false;
  // The command names the folder if we started it, the working folder does whoever did.
  return command.line.includes(cluster) || (await workingFolder(pid)) === (await realpath(cluster));
}
