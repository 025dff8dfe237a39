import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** A gateway in a process of its own, as `npm start` runs it. */
export interface GatewayProcess {
  readonly process: ChildProcess;
  /** All that it wrote so far. */
  output(): string;
  /** The URL that it says it is ready at. Fails if it ends before. */
  ready(): Promise<string>;
  /** Sends a signal and waits for the end; the status, or the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/**
 * Starts a gateway with exactly these settings.
 * @param options of Node, before the program
 * @param folder where it looks for `postern.config.ts`
 */
export function spawnGateway(
  settings: Record<string, string>,
  options: readonly string[] = [],
  folder = '.',
): GatewayProcess {
  const { PATH = '', HOME = '', TMPDIR = '' } = process.env;
  const child = spawn(process.execPath, [...options, resolve('dist/main.js')], {
    cwd: folder,
    env: { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}), PORT: '0', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals]>;

  return {
    process: child,
    output: () => output,
    async ready() {
      for (;;) {
        const [, url] = /"url":"([^"]+)"/.exec(output) ?? [];
        if (url) return url;
        const over = await Promise.race([ended, new Promise<null>((resolve) => setTimeout(resolve, 20, null))]);
        if (over) throw new Error(`the gateway ended before it was ready: ${output}`);
      }
    },
    async end(signal) {
      child.kill(signal);
      const [status, by] = await ended;
      return status ?? by;
    },
  };
}

/** A folder that is gone after {@link TemporaryFolder.remove}. */
export interface TemporaryFolder {
  readonly path: string;
  remove(): Promise<void>;
}

export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), 'postern-process-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
