import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createCluster, removeScratchFolders } from '../../infra/embedded/cluster.ts';
import { exists, readIfThere } from '../../infra/embedded/files.ts';
import { freePort, lastWords, serverOptions } from '../../infra/embedded/launch.ts';
import { findPostmaster, pidFile, shutDown } from '../../infra/embedded/postmaster.ts';
import { invocationOf } from '../../infra/embedded/programs.ts';
import { SERVER_SETTINGS } from '../../infra/embedded/settings.ts';
import { prepareSite, type Site, urlOf } from '../../infra/embedded/site.ts';
import { homeOfServer } from './home.ts';
import type { KeeperJob, KeeperReport } from './keeper.js';
import { KEPT } from './kept.js';
import { dropLeftovers } from './scratch.ts';
import { waitForTurn } from './turn.ts';

/** The file by which processes find the server. */
const PUBLISHED = 'server.json';
const KEEPER = fileURLToPath(new URL('./keeper.js', import.meta.url));
const READY_WITHIN_MS = 60_000;
/** On a busy machine it is slow, and one that is given up is ended, with the databases of others. */
const ANSWER_MS = 15_000;
/** Systems clean temporary folders up file by file, after three days or more without use. */
const CLUSTER_MAX_AGE_MS = 2 * 86_400_000;

/** What is in these databases is of no use tomorrow: nothing waits for the disk. */
const SETTINGS = {
  ...SERVER_SETTINGS,
  max_connections: '500',
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '1GB',
};
/** 1 MiB for each piece of the log, of which there are several from the start. */
const INITDB_OPTIONS = ['--no-sync', '--no-data-checksums', '--wal-segsize=1'];

/** A server as processes find it. */
interface Published {
  /** Of its maintenance database, as the superuser. */
  readonly url: string;
  /** Where its keeper is held on to. */
  readonly port: number;
  readonly token: string;
}

let held: Promise<string> | null = null;

/**
 * The embedded PostgreSQL that all test processes of this user share. The first of them starts it, and it ends a moment
 * after the last of them, however that ends.
 * @returns the connection string of its maintenance database, as the superuser
 * @throws EmbeddedDatabaseError when PostgreSQL does not run here
 */
export function sharedServer(): Promise<string> {
  held ??= holdServer().catch((error: unknown) => {
    held = null;
    throw error;
  });
  return held;
}

async function holdServer(): Promise<string> {
  const home = await homeOfServer();
  const find = async () => {
    const published = await readIfThere(join(home, PUBLISHED));
    return published === null ? null : holdOnTo(JSON.parse(published));
  };
  const turn = await waitForTurn(join(home, 'turn'), find);
  if ('done' in turn) return turn.done;
  try {
    const published = await start(home);
    const url = await holdOnTo(published);
    if (url === null) throw new Error(`the test database was started, and is gone.${await readLog(home)}`);
    // Before anybody else has a database there.
    await dropLeftovers(url);
    await publish(home, published);
    return url;
  } finally {
    await turn.end();
  }
}

/** Tells other processes of a server. */
async function publish(home: string, published: Published): Promise<void> {
  const draft = join(home, `${PUBLISHED}.${process.pid}`);
  await writeFile(draft, JSON.stringify(published), { mode: 0o600 });
  await rename(draft, join(home, PUBLISHED));
}

/** Holds on to a server until this process ends. Null if it is over, or is about to be. */
async function holdOnTo({ url, port, token }: Published): Promise<string | null> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => socket.destroy());
  socket.write(token);
  const answer = await Promise.race([
    once(socket, 'data').then(String, () => ''),
    once(socket, 'close').then(() => ''),
    pause(ANSWER_MS, '', { ref: false }),
  ]);
  if (answer !== KEPT) {
    socket.destroy();
    return null;
  }
  socket.unref();
  return url;
}

/** For who has the turn. */
async function start(home: string): Promise<Published> {
  const cluster = join(home, 'postgres');
  if (!(await isSound(cluster))) await rm(cluster, { recursive: true, force: true });
  const site = await prepareSite(home);
  // Its keeper was killed, and nobody waits for it.
  const left = await findPostmaster(site.cluster);
  if (left) await shutDown(site, left.pid);
  if (!(await exists(site.cluster))) await createCluster(site, INITDB_OPTIONS);
  await removeScratchFolders(site);
  try {
    return await launch(site);
  } catch (error) {
    // Whatever is wrong with it, there is nothing in it to be kept.
    await rm(site.cluster, { recursive: true, force: true });
    throw error;
  }
}

/** Whether a cluster is whole. One that was not shut down may not be: nothing of it waited for the disk. */
async function isSound(cluster: string): Promise<boolean> {
  if (await findPostmaster(cluster).catch(() => null)) return true;
  if (await exists(pidFile(cluster))) return false;
  const made = await stat(join(cluster, 'PG_VERSION')).catch(() => null);
  return made !== null && Date.now() - made.mtimeMs < CLUSTER_MAX_AGE_MS;
}

/** Starts the server under a keeper, and waits until it is ready. */
async function launch(site: Site): Promise<Published> {
  await writeFile(site.logFile, '', { mode: 0o600 });
  const port = await freePort();
  const token = randomBytes(24).toString('base64url');
  const options = serverOptions(site, { ...SETTINGS, port });
  const invocation = invocationOf(site, site.binaries.postgres, options);
  // A process group of its own: Ctrl-C in a terminal must not stop the database before the tests have ended.
  const keeper = spawn(process.execPath, [KEEPER], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    cwd: invocation.how.cwd,
    env: invocation.how.env,
    windowsHide: true,
  });
  const job: KeeperJob = { ...invocation, options: [...invocation.options], logFile: site.logFile, token };
  const { pid, port: door } = await instruct(keeper, job);
  for (const until = Date.now() + READY_WITHIN_MS; ; await pause(5)) {
    const found = await findPostmaster(site.cluster);
    if (found?.pid === pid && found.status === 'ready')
      return { url: urlOf(site, port, 'postgres'), port: door, token };
    if (keeper.exitCode !== null || keeper.signalCode !== null || Date.now() > until)
      throw new Error(`the test database does not start.${await lastWords(site)}`);
  }
}

/** Tells a keeper what to do, and lets it go. */
async function instruct(keeper: ChildProcess, job: KeeperJob): Promise<KeeperReport> {
  const gone = once(keeper, 'exit').then(() => {
    throw new Error('the keeper of the test database does not start');
  });
  gone.catch(() => undefined);
  // It says first that it listens.
  await Promise.race([once(keeper, 'message'), gone]);
  keeper.send(job);
  const [report] = await Promise.race([once(keeper, 'message'), gone]);
  keeper.disconnect();
  keeper.unref();
  return report;
}

async function readLog(home: string): Promise<string> {
  return `\n${await readFile(join(home, 'postgres.log'), 'utf8').catch(() => '')}`;
}
