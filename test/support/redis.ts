import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';

const PLACES = ['redis-server', 'valkey-server'].flatMap((name) => [`/usr/bin/${name}`, `/usr/local/bin/${name}`]);

/** Where a Redis is; null if there is none: it comes with the system, not with npm. */
export function findRedis(): string | null {
  const found = PLACES.find((place) => existsSync(place)) ?? null;
  if (!found && process.env.POSTERN_TEST_REDIS === 'required')
    throw new Error(`there is no Redis at ${PLACES.join(', ')}`);
  if (!found)
    process.stderr.write('\nNOT RUN: the tests over Redis, which is not installed (apt-get install redis-server)\n\n');
  return found;
}

/** A Redis of one's own, on loopback, that keeps nothing. */
export interface TestRedis {
  readonly url: string;
  /** What it holds, and everything else that a client may ask. */
  readonly client: Redis;
  /** Ends it at once, as a crash does: what it held is gone. */
  kill(): Promise<void>;
  /** Starts it again, empty, on the same port. */
  start(): Promise<void>;
  /** Lets it hang: it takes connections, and answers nothing. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** Starts one. @param password that it asks for */
export async function startRedis({ password = '' }: { readonly password?: string } = {}): Promise<TestRedis> {
  const program = findRedis();
  if (!program) throw new Error('Redis is not installed');
  const dir = await mkdtemp(join(tmpdir(), 'postern-redis-'));
  const port = await freePort();
  const auth = password ? ['--requirepass', password] : [];
  const url = `redis://${password ? `:${encodeURIComponent(password)}@` : ''}127.0.0.1:${port}`;
  const client = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => 20 });
  client.on('error', () => undefined);
  let child: ChildProcess | undefined;
  // A test that failed before it stopped its Redis leaves none behind: workers are ended by a signal.
  const onExit = () => child?.kill('SIGKILL');
  const onSignal = () => process.exit();
  process.once('exit', onExit).once('SIGTERM', onSignal);

  async function start(): Promise<void> {
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no'];
    child = spawn(program ?? '', [...settings, ...auth], { stdio: 'ignore' });
    if (client.status === 'wait') client.connect().catch(() => undefined);
    while (client.status !== 'ready') {
      if (child.exitCode !== null) throw new Error(`Redis ended with status ${child.exitCode}`);
      await pause(5);
    }
  }

  async function kill(): Promise<void> {
    const gone = child && once(child, 'exit');
    child?.kill('SIGKILL');
    await gone;
    while (client.status === 'ready') await pause(5);
  }

  await start();
  return {
    url,
    client,
    kill,
    start,
    pause: () => child?.kill('SIGSTOP'),
    resume: () => child?.kill('SIGCONT'),
    async stop() {
      process.off('exit', onExit).off('SIGTERM', onSignal);
      client.disconnect();
      if (child?.exitCode === null && child.signalCode === null) await kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
