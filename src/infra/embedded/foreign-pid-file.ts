import { readdir, realpath, rm, stat } from 'node:fs/promises';
import { pidFile } from './postmaster.ts';
import { commandOf, workingFolder } from './processes.ts';

/**
 * PostgreSQL refuses to start when the pid in its pid file belongs to any process of the same user, which is common
 * in containers, where pids are small and used again. The file may go once it is certain that no process of this
 * cluster lives, backends without a postmaster included. Only Linux lets us be certain.
 *
 * @returns whether the file was removed
 */
export async function removeForeignPidFile(cluster: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (await mayUseCluster(Number(pid), cluster)) return false;
  }
  await rm(pidFile(cluster), { force: true });
  return true;
}

// In doubt true. PostgreSQL only ever runs as the owner of its folder, and from within it; /proc shows a process that
// was given a capability as one of root's.
async function mayUseCluster(pid: number, cluster: string): Promise<boolean> {
  const command = await commandOf(pid);
  if (!command || !/^(.*\/)?postgres(:|$)/.test(command.program)) return false;
  const runner = await stat(`/proc/${pid}`).catch(() => null);
  if (!runner || (runner.uid !== 0 && runner.uid !== (await stat(cluster)).uid)) return false;
  const folder = await workingFolder(pid);
  return folder === null || folder === (await realpath(cluster));
}
