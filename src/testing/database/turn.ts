import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY_MS = 25;

/**
 * Waits for the turn of this process among those that would do the same, and says whether there is still something to
 * do.
 * @param file by which they know each other; it tells who has the turn, and is void once that process is gone
 * @param isDone asked before each attempt: what somebody else has done need not be done again
 * @returns what was done elsewhere, or how to end the turn
 */
export async function waitForTurn<R>(
  file: string,
  isDone: () => Promise<R | null>,
): Promise<{ readonly done: R } | { readonly end: () => Promise<void> }> {
  for (;;) {
    const done = await isDone();
    if (done !== null) return { done };
    if (await take(file)) return { end: () => rm(file, { force: true }) };
    await removeIfVoid(file);
    await pause(LOOK_EVERY_MS);
  }
}

async function take(file: string): Promise<boolean> {
  // Written beside it first: nobody finds it without the name of its holder in it.
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  await handle.writeFile(String(process.pid)).finally(() => handle.close());
  try {
    await link(draft, file);
    return true;
  } catch {
    return false;
  } finally {
    await rm(draft, { force: true });
  }
}

async function removeIfVoid(file: string): Promise<void> {
  if (!(await isVoid(file))) return;
  const aside = `${file}.${randomBytes(6).toString('hex')}`;
  await rename(file, aside).catch(() => undefined);
  // Somebody may have been faster, and have the turn by now: then it is given back.
  if (!(await isVoid(aside))) await link(aside, file).catch(() => undefined);
  await rm(aside, { force: true });
}

async function isVoid(file: string): Promise<boolean> {
  const holder = await readFile(file, 'utf8').catch(() => null);
  return holder !== null && !isAlive(Number(holder));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
