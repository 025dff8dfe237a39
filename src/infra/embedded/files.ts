import { lstat, readFile } from 'node:fs/promises';
import { errorCode } from './errors.ts';

/** Whether there is anything by this name. Fails when that cannot be told. */
export async function exists(path: string): Promise<boolean> {
  return (await unlessMissing(lstat(path))) !== null;
}

/** The text of a file, or null when there is none. */
export async function readIfThere(file: string): Promise<string | null> {
  return unlessMissing(readFile(file, 'utf8'));
}

async function unlessMissing<T>(outcome: Promise<T>): Promise<T | null> {
  return outcome.catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  });
}
