import { readdir, readFile } from 'node:fs/promises';

const MIB = 1024;

/** The resident memory of a process in MiB; null where /proc does not tell. */
export async function residentMemory(pid: number): Promise<number | null> {
  return fieldOf(`/proc/${pid}/status`, 'VmRSS');
}

/**
 * The memory of all processes below this one in MiB, what they share counted once (PSS); null where /proc does not
 * tell, or not to this user.
 */
export async function memoryBelow(pid: number): Promise<number | null> {
  const parents = await Promise.all((await processes()).map(async (id) => [id, await parentOf(id)] as const));
  const tree = new Set([pid]);
  for (let size = 0; size !== tree.size; ) {
    size = tree.size;
    for (const [id, parent] of parents) if (parent !== null && tree.has(parent)) tree.add(id);
  }
  tree.delete(pid);
  const shares = await Promise.all([...tree].map((id) => fieldOf(`/proc/${id}/smaps_rollup`, 'Pss')));
  return shares.reduce<number | null>((sum, share) => (sum === null || share === null ? null : sum + share), 0);
}

async function processes(): Promise<number[]> {
  const names = await readdir('/proc').catch(() => []);
  return names.map(Number).filter((id) => id > 0);
}

async function parentOf(pid: number): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const [, parent] = /^PPid:\s+(\d+)/m.exec(status) ?? [];
  return parent === undefined ? null : Number(parent);
}

async function fieldOf(file: string, field: string): Promise<number | null> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const [, kib] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text) ?? [];
  return kib === undefined ? null : Number(kib) / MIB;
}
