import type { App } from '../app.ts';
import { type Environment, refuseInProduction } from '../config.ts';
import type { VirtualAuthenticator } from './authenticator.ts';
import { clockOf } from './clock.ts';
import { createScratchDatabase } from './database/scratch.ts';
import { sharedServer } from './database/server.ts';
import { type LoggedInAs, type LogInAsOptions, logIn } from './log-in-as.ts';
import { type OpenGateway, type OpenGatewayOptions, openGateway } from './open-gateway.ts';
import { createAuthenticator, makePerson, type PersonOptions, type PersonWith } from './people.ts';
import { type MockProvider, startMockProvider } from './provider.ts';

/** A gateway for tests, on a database of its own. */
export interface TestGateway extends Omit<OpenGateway, 'app' | 'another'> {
  /** An OpenID provider that people may log in with here. */
  readonly provider: MockProvider;
  /**
   * Makes somebody with an account, as a test needs them, without a mail and without an event.
   * @throws Error for what the gateway would not take, such as an address that is taken
   */
  aPerson<const O extends PersonOptions>(options?: O): Promise<PersonWith<O>>;
  /**
   * Logs somebody in without asking for anything, and without the cost of a password.
   * @throws Error if they are gone, or disabled
   */
  logInAs(person: { readonly id: string }, options?: LogInAsOptions): Promise<LoggedInAs>;
  /** An authenticator for passkeys, with none yet, in a browser on a page that may ask for them. */
  authenticator(): VirtualAuthenticator;
  /**
   * Another instance on the same database, with the same public URL, secret and clock. Stopped with this one.
   * @param env settings that differ
   */
  another(env?: Environment): Promise<TestGateway>;
  /** Stops it, and drops its database. Doing so twice changes nothing. */
  stop(): Promise<void>;
}

/** How a gateway for tests differs from one with the defaults of Postern. The parts are those of `postern.config`. */
export interface TestGatewayOptions extends OpenGatewayOptions {
  /**
   * A server to make the database on, by any database of it, and by a user who may create others. If left out, an
   * embedded PostgreSQL that all test processes share.
   */
  readonly databaseUrl?: string;
  /** How the mock provider is called, in place of `mock`. */
  readonly provider?: { readonly id?: string; readonly name?: string };
}

/**
 * Starts a gateway with the settings and parts of an app. Mails are kept, and so are text messages; `hooks.sendSms` is
 * never called.
 * @throws ConfigError for settings that do not fit; Error in production
 */
export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  refuseInProduction('postern/testing');
  const { databaseUrl, provider: called = {}, hooks, sms = hooks?.sendSms !== undefined, ...parts } = options;
  const clock = clockOf(options.clock);
  const database = await createScratchDatabase(databaseUrl ?? (await sharedServer()));
  let reached: OpenGateway | null = null;
  const provider = await startMockProvider({
    ...called,
    reach: (url) => (reached ? reachable(url, reached) : url),
  });
  const cleanUp = async () => {
    await provider.stop();
    await database.drop();
  };
  // What an app sends its messages with is not for tests.
  const { sendSms: _never, ...decisions } = hooks ?? {};
  const given = { ...parts, sms, clock, hooks: decisions, providers: [...(parts.providers ?? []), provider.entry] };
  reached = await openGateway(database.url, given, { cleanUp }).catch(async (error: unknown) => {
    await cleanUp();
    throw error;
  });
  return withPeople(reached, provider);
}

function withPeople({ app, ...gateway }: OpenGateway, provider: MockProvider): TestGateway {
  const addresses = new Map<string, string>();
  return {
    ...gateway,
    provider,
    aPerson: async <const O extends PersonOptions>(options?: O) =>
      (await makePerson(app, options ?? {})) as PersonWith<O>,
    async logInAs(person, options) {
      // Always from the same address: nothing is told of a new one.
      const known = addresses.get(person.id);
      const client = gateway.client(known === undefined ? {} : { 'x-forwarded-for': known });
      const ipAddress = client.headers['x-forwarded-for'] ?? '';
      addresses.set(person.id, ipAddress);
      return logIn(app, person, { client, address: { ipAddress, userAgent: null } }, options);
    },
    authenticator: () => createAuthenticator(app),
    another: async (env = {}) =>
      withPeople(await gateway.another({ POSTERN_PUBLIC_URL: app.config.publicUrl, ...env }), provider),
  };
}

/** A gateway that says it is elsewhere is where it listens. */
function reachable(url: URL, { app, url: here }: { readonly app: App; readonly url: string }): URL {
  return url.href.startsWith(`${app.config.publicUrl}/`) ? new URL(url.href.replace(app.config.publicUrl, here)) : url;
}
