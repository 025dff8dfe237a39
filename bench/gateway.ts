import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** A gateway as it is deployed: the build, in a process of its own, logging into a file. */
export interface Gateway {
  readonly port: number;
  readonly pid: number;
  /** The issuer of its tokens. */
  readonly issuer: string;
  /** From the start of its process to the first "ready", in milliseconds. */
  readonly startedIn: number;
  /** Lines of the log that tell of an error. */
  errorsLogged(): Promise<number>;
  stop(): Promise<void>;
}

export interface GatewayOptions {
  readonly dataDir: string;
  /** None: an embedded PostgreSQL in `dataDir`. */
  readonly databaseUrl?: string;
  /** None: mails go into a folder. */
  readonly smtpUrl?: string;
  /** By default a sign-up logs in at once. */
  readonly emailVerification?: 'none' | 'mandatory';
  /** Overrides of its rate limits, by name. */
  readonly rateLimits?: Readonly<Record<string, string>>;
  /** By default all have one issuer, since they share a database. */
  readonly ownIssuer?: boolean;
  /** A folder for CPU profiles, written when it stops. */
  readonly profileInto?: string | undefined;
}

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
/** Secret and issuer are the same for all, since they share a database. */
const SECRET = randomBytes(48).toString('base64url');
const START_WITHIN_MS = 60_000;

/**
 * Starts a gateway and waits until it is ready. Its rate limits are those of a new installation; one proxy is trusted,
 * so that the load may come from many addresses.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const {
    dataDir,
    databaseUrl,
    smtpUrl,
    emailVerification = 'none',
    rateLimits = {},
    ownIssuer,
    profileInto,
  } = options;
  await mkdir(dataDir, { recursive: true });
  const port = await freePort();
  const issuer = ownIssuer ? `http://127.0.0.1:${port}` : 'http://localhost:4000';
  const logFile = join(dataDir, 'gateway.log');
  const log = openSync(logFile, 'a');
  const begun = performance.now();
  const flags = profileInto ? ['--cpu-prof', `--cpu-prof-dir=${profileInto}`] : [];
  const child = spawn(process.execPath, [...flags, MAIN], {
    cwd: dataDir,
    stdio: ['ignore', log, log],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      PORT: String(port),
      POSTERN_DATA_DIR: dataDir,
      POSTERN_SECRET: SECRET,
      POSTERN_PUBLIC_URL: issuer,
      POSTERN_RATE_LIMITS: JSON.stringify(rateLimits),
      POSTERN_LOG_LEVEL: 'info',
      POSTERN_TRUSTED_PROXIES: '1',
      POSTERN_EMAIL_VERIFICATION: emailVerification,
      ...(smtpUrl ? { POSTERN_SMTP_URL: smtpUrl } : {}),
      ...(databaseUrl ? { DATABASE_URL: databaseUrl } : {}),
    },
  });
  closeSync(log);
  await ready(child, port, logFile);
  return {
    port,
    pid: child.pid ?? 0,
    issuer,
    startedIn: performance.now() - begun,
    async errorsLogged() {
      const lines = (await readFile(logFile, 'utf8')).split('\n');
      return lines.filter((line) => /"level":"(error|fatal)"/.test(line)).length;
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function ready(child: ChildProcess, port: number, logFile: string): Promise<void> {
  const patience = performance.now() + START_WITHIN_MS;
  while (child.exitCode === null && performance.now() < patience) {
    if ((await statusOf(port)) === 200) return;
    await pause(5);
  }
  child.kill('SIGTERM');
  throw new Error(`the gateway did not start:\n${(await readFile(logFile, 'utf8')).slice(-2_000)}`);
}

function statusOf(port: number): Promise<number> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/health/ready', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', () => resolve(0));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
