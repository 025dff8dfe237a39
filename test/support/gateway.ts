import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { inject } from 'vitest';
import { type App, createApp, type Parts } from '../../src/app.ts';
import { type Environment, loadConfig } from '../../src/config.ts';
import { createHandler } from '../../src/http/handler.ts';
import { type HttpServer, listen } from '../../src/http/server.ts';
import { createLogger } from '../../src/infra/log.ts';
import { DELIVER } from '../../src/unit.ts';
import { GraphQLClient } from './client.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { createMailboxes, createTelephones, type Mailboxes, type Telephones } from './mails.ts';
import { startRedis } from './redis.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where gateways count for the rate limits, unless a test says otherwise. */
    counters: 'postgres' | 'redis';
  }
}

/** A clock that only moves when told. */
export interface TestClock {
  (): Date;
  advance(milliseconds: number): void;
}

/** A gateway on a database of its own, listening on a port of its own. */
export interface Gateway {
  readonly url: string;
  readonly app: App;
  readonly clock: TestClock;
  readonly databaseUrl: string;
  /** Every line that was logged. */
  readonly logs: string[];
  readonly mails: Mailboxes;
  /** The text messages, with `sms`. */
  readonly texts: Telephones;
  /** A client with headers of its own and an address that nobody else uses. */
  client(headers?: Record<string, string>): GraphQLClient;
  /** Runs SQL behind the gateway's back. */
  sql<R = Record<string, unknown>>(text: string, values?: unknown[]): Promise<R[]>;
  /** Another instance on the same database, with the same secret and clock. Stopped with this one. */
  another(env?: Environment): Promise<Gateway>;
  stop(): Promise<void>;
}

export interface GatewayOptions extends Omit<Parts, 'clock'> {
  /** Whether text messages can be sent. */
  readonly sms?: boolean;
  readonly env?: Environment;
  /** `real` lets time pass by itself. */
  readonly clock?: 'real' | TestClock;
}

/** Hashing costs next to nothing; one proxy is trusted, so that each client of a test has an address of its own. */
const TEST_SETTINGS: Environment = {
  POSTERN_SECRET: 'the secret of the tests is long enough to be one',
  POSTERN_PASSWORD_HASH: 'm=64,t=1,p=1',
  POSTERN_TRUSTED_PROXIES: '1',
  POSTERN_EMAIL_VERIFICATION: 'none',
  POSTERN_DATABASE_CONNECTIONS: '5',
  POSTERN_LOG_LEVEL: 'info',
};

/** What the software authenticator of the tests says by itself. */
const OWN_PASSKEYS: Environment = { POSTERN_PASSKEY_ORIGINS: 'http://localhost:4000' };

/** Starts a gateway as `npm start` would, with cheap hashing and a clock that stands still. Stop it after the tests. */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const database = await createDatabase(inject('templateUrl'));
  const redis = inject('counters') === 'redis' && !options.env?.POSTERN_REDIS_URL ? await startRedis() : null;
  const env = { ...(redis ? { POSTERN_REDIS_URL: redis.url } : {}), ...options.env };
  return open(database, { ...options, env }, testClock(), async () => {
    await database.drop();
    await redis?.stop();
  });
}

async function open(
  database: TestDatabase,
  options: GatewayOptions,
  clock: TestClock,
  cleanUp?: () => Promise<void>,
): Promise<Gateway> {
  const { env = {}, clock: chosen = clock, sms = false, hooks, ...parts } = options;
  const server: HttpServer = await listen('127.0.0.1', 0);
  const environment = {
    ...TEST_SETTINGS,
    ...(env.POSTERN_PUBLIC_URL || env.POSTERN_FRONTEND_URL ? {} : OWN_PASSKEYS),
    ...env,
    DATABASE_URL: database.url,
    PORT: String(server.port),
  };
  const config = loadConfig(environment, parts);
  const logs: string[] = [];
  const log = createLogger(config.logLevel, { write: (line) => logs.push(line) });
  const now = chosen === 'real' ? Object.assign(() => new Date(), { advance: () => undefined }) : chosen;
  const pool = new pg.Pool({ connectionString: database.url, max: 2 });
  pool.on('error', () => undefined);
  const settled = () => untilNoJobIsLeft(pool);
  const { mails, mailer } = createMailboxes(settled);
  const { texts, sendSms } = createTelephones(settled);
  const app = await createApp({ ...config, databaseUrl: database.url }, log, {
    mailer,
    ...parts,
    hooks: { ...(sms ? { sendSms } : {}), ...hooks },
    clock: now,
  });
  server.serve(createHandler(app));
  const url = `http://127.0.0.1:${server.port}`;
  const others: Gateway[] = [];
  let stopped = false;

  return {
    url,
    app,
    clock: now,
    databaseUrl: database.url,
    logs,
    mails,
    texts,
    client: (headers = {}) => new GraphQLClient(url, { 'x-forwarded-for': newAddress(), ...headers }),
    async sql<R>(text: string, values: unknown[] = []) {
      return (await pool.query(text, values)).rows as R[];
    },
    async another(more = {}) {
      const other = await open(database, { ...options, env: { ...env, ...more }, clock: now }, now);
      others.push(other);
      return other;
    },
    async stop() {
      // One beside it may be stopped before it.
      if (stopped) return;
      stopped = true;
      for (const other of others) await other.stop();
      await server.drain();
      await app.close();
      await pool.end();
      await cleanUp?.();
    },
  };
}

async function untilNoJobIsLeft(pool: pg.Pool): Promise<void> {
  for (;;) {
    const { rows } = await pool.query('SELECT 1 FROM graphile_worker.jobs WHERE task_identifier = $1 LIMIT 1', [
      DELIVER,
    ]);
    if (rows.length === 0) return;
    await pause(10);
  }
}

function testClock(): TestClock {
  let now = Date.now();
  return Object.assign(() => new Date(now), {
    advance(milliseconds: number) {
      now += milliseconds;
    },
  });
}

let addresses = 0;

/** An address of 10.0.0.0/8 that was not given out before in this process. */
export function newAddress(): string {
  addresses += 1;
  return `10.${(addresses >> 16) & 255}.${(addresses >> 8) & 255}.${addresses & 255}`;
}
