import { type App, createApp, type Parts } from './app.ts';
import { type Config, type Environment, loadConfig, unknownSettings } from './config.ts';
import { providerAccessToken } from './flows/provider-tokens.ts';
import { type HttpServer, listen } from './http/server.ts';
import { type EmbeddedDatabase, startEmbeddedDatabase } from './infra/embedded.ts';
import { createLogger, type Logger } from './infra/log.ts';
import { migrate } from './infra/migrate.ts';

export type { Parts } from './app.ts';
export { type Config, ConfigError, type Environment, loadConfig } from './config.ts';
export type {
  HookAccessToken,
  HookSocialLogin,
  Hooks,
  PopulatedUser,
  SocialLoginDecision,
  TextMessage,
} from './hooks.ts';
export type { Brand, MailMessages, RenderedMail, SmsMessages } from './mail/message.ts';
export type { OperatorConfig } from './operator-config.ts';
export type { ProviderEntry } from './providers/settings.ts';

/** A running gateway. */
export interface Postern {
  /** Where it listens. */
  readonly url: string;
  readonly config: Config;
  readonly log: Logger;
  /**
   * A token for calls to a provider in the name of a person, renewed if it is about to end. Needs
   * POSTERN_STORE_PROVIDER_TOKENS; no client gets to see one.
   * @returns null if none is kept, or the provider takes none of it any more
   */
  providerAccessToken(of: { readonly userId: string; readonly provider: string }): Promise<string | null>;
  /** Stops accepting, finishes what runs, closes sockets, ends the database. */
  stop(): Promise<void>;
}

/**
 * Starts a gateway: listens, finds or starts its database, brings that up to date, serves.
 * @param environment settings as environment variables name them
 * @throws ConfigError for settings that do not fit; an Error with a message for the operator for all else that keeps it
 * from starting. Whatever had been started by then is stopped again.
 */
export async function startPostern(environment: Environment, parts: Parts = {}): Promise<Postern> {
  const asked = loadConfig(environment, parts);
  const log = createLogger(asked.logLevel);
  const unknown = unknownSettings(environment);
  if (unknown.length > 0) log.warn({ names: unknown }, 'settings of these names are not known, and have no effect');

  let server: HttpServer | undefined;
  let database: EmbeddedDatabase | undefined;
  let app: App | undefined;
  const stop = async () => {
    await server?.drain();
    await app?.close();
    await database?.stop();
  };
  try {
    server = await listen(asked.host, asked.port).catch((error: unknown) => explainListening(error, asked));
    // A port that the system chose is part of the default public URL.
    const config = asked.port === 0 ? loadConfig({ ...environment, PORT: String(server.port) }, parts) : asked;
    if (!config.databaseUrl) {
      database = await startEmbeddedDatabase({ dataDir: config.dataDir, log: (message) => log.info(message) });
    }
    const databaseUrl = config.databaseUrl ?? database?.url ?? '';
    const applied = await migrate(databaseUrl, (message) => log.info(message)).catch(explainDatabase);
    if (applied.length > 0) log.info({ migrations: applied }, 'the database was brought up to date');
    app = await createApp({ ...config, databaseUrl }, log, parts);
    server.serve(app);
    const running = app;
    const url = `http://${urlHost(config.host)}:${server.port}`;
    return { url, config, log, stop, providerAccessToken: (of) => providerAccessToken(running, of) };
  } catch (error) {
    await stop();
    throw error;
  }
}

function explainListening(error: unknown, { host, port }: Config): never {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    throw new Error(
      `Port ${port} is taken. Choose another with PORT, such as PORT=${port + 1}, or PORT=0 for a free one.`,
    );
  if (code === 'EACCES') throw new Error(`Port ${port} may not be used by this user. Choose one above 1023 with PORT.`);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    throw new Error(`${host} is not an address of this machine. Choose another with HOST.`);
  throw error;
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

function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
