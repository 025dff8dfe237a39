import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mailer, OutgoingMail } from './mailer.ts';

const KEPT = 200;
/** The instant, a number for mails of one instant, the id. */
const FILE = /^\d{15}-\d{6}-([\w-]+)\.json$/;

/** A mail that was put here instead of being sent. */
export interface KeptMail extends OutgoingMail {
  /** ISO 8601. */
  readonly sentAt: string;
}

/** The mails of a development machine. */
export interface Outbox extends Mailer {
  /** The newest first. */
  list(): Promise<KeptMail[]>;
  get(id: string): Promise<KeptMail | null>;
}

/**
 * Keeps mails as files, the newest 200, instead of sending them.
 * @param options.dir made when the first one comes; nobody else may read in it, for the mails hold codes and links
 */
export function createOutbox({ dir }: { dir: string }): Outbox {
  let made = 0;

  /** Names of files, the newest first. */
  async function names(): Promise<string[]> {
    const files = await readdir(dir).catch((error: unknown) => ifMissing(error, []));
    return files
      .filter((file) => FILE.test(file))
      .sort()
      .reverse();
  }

  async function read(file: string): Promise<KeptMail[]> {
    // Gone since, because there are newer ones.
    const text = await readFile(join(dir, file), 'utf8').catch((error: unknown) => ifMissing(error, null));
    return text === null ? [] : [JSON.parse(text) as KeptMail];
  }

  return {
    async send(mail) {
      const now = new Date();
      const file = `${digits(now.getTime(), 15)}-${digits(made++ % 1e6, 6)}-${mail.id}.json`;
      if (!FILE.test(file)) throw new Error('the id of a mail is no id');
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await chmod(dir, 0o700);
      const draft = join(dir, `.${randomUUID()}`);
      const kept: KeptMail = { ...mail, sentAt: now.toISOString() };
      await writeFile(draft, JSON.stringify(kept, null, 2), { mode: 0o600, flag: 'wx' });
      // A file appears whole or not at all.
      await rename(draft, join(dir, file));
      for (const old of (await names()).slice(KEPT)) await rm(join(dir, old), { force: true });
    },
    async list() {
      return (await Promise.all((await names()).map(read))).flat();
    },
    async get(id) {
      // Looked for, not opened: an id of a request is no path.
      const file = (await names()).find((name) => FILE.exec(name)?.[1] === id);
      return (file && (await read(file))[0]) || null;
    },
    async close() {},
  };
}

function digits(value: number, length: number): string {
  return String(value).padStart(length, '0');
}

function ifMissing<T>(error: unknown, instead: T): T {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return instead;
  throw error;
}
