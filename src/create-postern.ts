import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { GraphQLSchema } from 'graphql';
import { type App, createApp, type Parts } from './app.ts';
import { type Config, type Environment, readEnvironment, unknownSettings } from './config.ts';
import { providerAccessToken } from './flows/provider-tokens.ts';
import { userFieldsOf, type WriteUserFieldsResult, writeUserFields } from './flows/write-user-fields.ts';
import { schemaWith } from './graphql/schema.ts';
import { createFetch, type Fetch } from './http/fetch.ts';
import { createHandler, type Handler } from './http/handler.ts';
import { createIdentify, type Identify } from './http/identify.ts';
import { createInProcess } from './http/in-process.ts';
import { takeUpgrades } from './http/upgrades.ts';
import { type EmbeddedDatabase, startEmbeddedDatabase } from './infra/embedded.ts';
import { createLogger, type Logger } from './infra/log.ts';
import { migrate } from './infra/migrate.ts';
import type { FieldValue } from './lib/user-fields/declaration.ts';
import { configure, type OperatorConfig } from './operator-config.ts';

/** What a program that has Postern inside says: what may stand in `postern.config.ts`, and what is its own. */
export interface PosternOptions extends OperatorConfig, Pick<Parts, 'clock' | 'mailer'> {
  /** The settings, as environment variables name them; those of the process and of its `.env` file by default. */
  readonly settings?: Environment;
}

/** A gateway inside a program. */
export interface Postern {
  readonly config: Config;
  readonly log: Logger;
  /** The GraphQL schema, for tools. It answers through the handlers: there are its rules and limits. */
  readonly schema: GraphQLSchema;
  /**
   * Answers a request, for `node:http` and what is built on it, before anything has read its body. With `next`, as
   * Express and Connect give it, what is not Postern's goes on there; otherwise it is answered with 404.
   */
  readonly handler: (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;
  /**
   * Answers a request of the Fetch standard.
   * @param from the address of the peer, for the limits; without it all count as one, unless a trusted proxy says more
   */
  readonly fetch: Fetch;
  /**
   * Takes the WebSockets of a server that go to `/graphql`. Others stay with whoever listens for them.
   * @param server before it answers its first request
   */
  attach(server: Server): void;
  /** Who asks: by the session cookie, a session token or an access token, as Postern's own operations would see them. */
  readonly identify: Identify;
  /**
   * A token for calls to a provider in the name of a person, renewed if it is about to end. Needs
   * POSTERN_STORE_PROVIDER_TOKENS; no client gets to see one.
   * @returns null if none is kept, or the provider takes none of it any more
   */
  providerAccessToken(of: { readonly userId: string; readonly provider: string }): Promise<string | null>;
  /** What a person has of the operator's own fields, null for nothing; null for nobody. */
  userFieldsOf(userId: string): Promise<Readonly<Record<string, FieldValue | null>> | null>;
  /**
   * Writes some of a person's own fields, whoever else may write them: all of it, or nothing and every reason why not.
   * What is left out stays; null takes a value away.
   */
  writeUserFields(
    userId: string,
    fields: Readonly<Record<string, FieldValue | Date | null | undefined>>,
  ): Promise<WriteUserFieldsResult>;
  /** Finishes what runs, closes sockets and streams, ends the database. From then on everything gets 503. */
  close(): Promise<void>;
}

/**
 * Makes a gateway that answers through whatever listens: finds or starts its database, and brings that up to date.
 * @throws ConfigError naming everything at once that does not fit; an Error with a message for the operator for all else
 * that keeps it from starting. Whatever had been started by then is stopped again.
 */
export async function createPostern(options: PosternOptions = {}): Promise<Postern> {
  const { postern } = await createGateway(options);
  return postern;
}

/** The same, with the handler as the standalone server takes it. */
export async function createGateway(options: PosternOptions): Promise<{
  readonly postern: Postern;
  readonly handler: Handler;
}> {
  const config = configurationOf(options);
  const log = createLogger(config.logLevel);
  const unknown = unknownSettings(options.settings ?? readEnvironment());
  if (unknown.length > 0) log.warn({ names: unknown }, 'settings of these names are not known, and have no effect');

  let database: EmbeddedDatabase | undefined;
  let app: App | undefined;
  const end = async () => {
    await app?.close();
    await database?.stop();
  };
  try {
    if (!config.databaseUrl) {
      database = await startEmbeddedDatabase({ dataDir: config.dataDir, log: (message) => log.info(message) });
    }
    const databaseUrl = config.databaseUrl ?? database?.url ?? '';
    const applied = await migrate(databaseUrl, (message) => log.info(message)).catch(explainDatabase);
    if (applied.length > 0) log.info({ migrations: applied }, 'the database was brought up to date');
    app = await createApp({ ...config, databaseUrl }, log, options);
    return open(app, end);
  } catch (error) {
    await end();
    throw error;
  }
}

/**
 * What the options come to.
 * @throws ConfigError naming everything at once that does not fit
 */
export function configurationOf(options: PosternOptions): Config {
  const { settings = readEnvironment(), clock: _clock, mailer: _mailer, ...operatorConfig } = options;
  return configure(settings, operatorConfig);
}

function open(app: App, end: () => Promise<void>): { readonly postern: Postern; readonly handler: Handler } {
  const handler = createHandler(app);
  const inProcess = createInProcess(handler, app);
  let closed: Promise<void> | undefined;
  const postern: Postern = {
    config: app.config,
    log: app.log,
    schema: schemaWith(app.userFields),
    handler: inProcess.handler,
    fetch: createFetch({ request: inProcess.handler }),
    attach: (server) => takeUpgrades(server, () => inProcess),
    identify: createIdentify(app),
    providerAccessToken: (of) => providerAccessToken(app, of),
    userFieldsOf: (userId) => userFieldsOf(app, userId),
    writeUserFields: (userId, fields) => writeUserFields(app, userId, fields),
    close() {
      closed ??= inProcess.drain().then(end);
      return closed;
    },
  };
  return { postern, handler };
}

function explainDatabase(error: unknown): never {
  const { code = '', message } = error as Error & { code?: string };
  // Connections that fail have an error code of the system; logins that fail one of PostgreSQL's classes 28 and 3D.
  if (/^E[A-Z]+$|^28|^3D/.test(code)) {
    throw new Error(
      `The database of DATABASE_URL cannot be reached: ${message}. Without DATABASE_URL, Postern brings its own.`,
    );
  }
  throw error;
}
