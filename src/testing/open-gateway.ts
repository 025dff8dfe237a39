import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { type App, createApp, type Parts } from '../app.ts';
import { type Environment, loadConfig } from '../config.ts';
import { createHandler } from '../http/handler.ts';
import { type HttpServer, listen } from '../http/server.ts';
import { createLogger } from '../infra/log.ts';
import { DELIVER } from '../unit.ts';
import { newAddress } from './addresses.ts';
import { GraphQLClient } from './client.ts';
import { type ChosenClock, clockOf, type TestClock } from './clock.ts';
import { createMailboxes, createTelephones, type Mailboxes, type Telephones } from './mailboxes.ts';

/** A gateway on a database, listening on a port of its own. */
export interface OpenGateway {
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
  another(env?: Environment): Promise<OpenGateway>;
  stop(): Promise<void>;
}

export interface OpenGatewayOptions extends Omit<Parts, 'clock'> {
  /** Settings, as environment variables name them. */
  readonly env?: Environment;
  /** Whether text messages can be sent. They are kept, unless a hook of one's own sends them. */
  readonly sms?: boolean;
  /** `real` lets time pass by itself. If left out, it stands still from now on. */
  readonly clock?: ChosenClock;
}

/** Hashing costs next to nothing; one proxy is trusted, so that each client of a test has an address of its own. */
const TEST_SETTINGS: Environment = {
  POSTERN_SECRET: 'the secret of the tests is long enough to be one',
  POSTERN_PASSWORD_HASH: 'm=64,t=1,p=1',
  POSTERN_TRUSTED_PROXIES: '1',
  POSTERN_DATABASE_CONNECTIONS: '5',
  POSTERN_LOG_LEVEL: 'info',
};

/** What else is to be done, and known, where a gateway is opened. */
interface Surroundings {
  /** Settings below those of the options. */
  defaults?(env: Environment): Environment;
  /** Runs once the gateway has stopped. */
  cleanUp?(): Promise<void>;
}

/** Opens a gateway as `npm start` would, on a migrated database. */
export async function openGateway(
  databaseUrl: string,
  options: OpenGatewayOptions,
  surroundings: Surroundings = {},
): Promise<OpenGateway> {
  const { env = {}, clock: chosen, sms = false, hooks, ...parts } = options;
  const { defaults, cleanUp } = surroundings;
  const server: HttpServer = await listen('127.0.0.1', 0);
  const clock = clockOf(chosen);
  const logs: string[] = [];
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  pool.on('error', () => undefined);
  const settled = () => untilNoJobIsLeft(pool);
  const { mails, mailer } = createMailboxes(settled);
  const { texts, sendSms } = createTelephones(settled);

  async function build(): Promise<App> {
    const own = { DATABASE_URL: databaseUrl, PORT: String(server.port) };
    const config = loadConfig({ ...TEST_SETTINGS, ...defaults?.(env), ...env, ...own }, parts);
    const log = createLogger(config.logLevel, { write: (line) => logs.push(line) });
    const all = { mailer, ...parts, hooks: { ...(sms ? { sendSms } : {}), ...hooks }, clock };
    return createApp({ ...config, databaseUrl }, log, all);
  }
  const app = await build().catch(async (error: unknown) => {
    await server.drain();
    throw error;
  });
  server.serve(createHandler(app));
  const url = `http://127.0.0.1:${server.port}`;
  const others: OpenGateway[] = [];
  let stopped = false;

  return {
    url,
    app,
    clock,
    databaseUrl,
    logs,
    mails,
    texts,
    client: (headers = {}) => new GraphQLClient(url, { 'x-forwarded-for': newAddress(), ...headers }),
    async sql<R>(text: string, values: unknown[] = []) {
      return (await pool.query(text, values)).rows as R[];
    },
    async another(more = {}) {
      const other = await openGateway(
        databaseUrl,
        { ...options, env: { ...env, ...more }, clock },
        defaults ? { defaults } : {},
      );
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
