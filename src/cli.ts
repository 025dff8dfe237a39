#!/usr/bin/env node
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { secretsOf } from './app.ts';
import { type Config, describeSettings, loadConfig, readEnvironment } from './config.ts';
import { type Database, openDatabase } from './infra/database.ts';
import { DataDirTaken, startEmbeddedDatabase } from './infra/embedded.ts';
import { migrate } from './infra/migrate.ts';
import { createCipher } from './lib/cipher.ts';
import { parseEmailAddress } from './lib/email-address.ts';
import { isUuid } from './lib/uuid.ts';
import { idOf, type OperatorAction, type OperatorOutcome, operate } from './operator.ts';
import * as events from './records/events.ts';
import * as signingKeys from './records/signing-keys.ts';

interface Command {
  readonly usage: string;
  readonly summary: string;
  /** How many words may follow its name; none by default. */
  readonly words?: number;
  /** Those of the options that take a value. */
  readonly valued?: readonly string[];
  /** Beside `--help` and `--json`. */
  readonly options?: Readonly<Record<string, string>>;
  run(given: Given): Promise<void>;
}

interface Given {
  readonly words: readonly string[];
  readonly flags: ReadonlySet<string>;
  /** What was given with an option that takes a value. */
  readonly values: Readonly<Record<string, string>>;
}

const { version: VERSION } = createRequire(import.meta.url)('../package.json') as { version: string };

/** A command line that cannot be understood. */
class UsageError extends Error {}

const commands: Readonly<Record<string, Command>> = {
  serve: {
    usage: 'postern serve',
    summary: 'runs the gateway until SIGTERM or SIGINT',
    run: async () => {
      await import('./main.ts');
    },
  },
  migrate: {
    usage: 'postern migrate [--json]',
    summary: 'brings the database to the schema of this version',
    options: { '--json': 'print what was applied as JSON' },
    run: ({ flags }) =>
      withDatabaseUrl(loadConfig(readEnvironment()), async (url) => {
        const applied = await migrate(url, () => undefined);
        print(flags, { applied }, applied.length > 0 ? applied.map((name) => `applied ${name}`) : ['nothing to do']);
      }),
  },
  keys: {
    usage: 'postern keys list|rotate [--now] [--json]',
    summary: 'shows the keys that sign access tokens, or makes the next one',
    options: {
      '--now':
        'rotate: for a key that has leaked. The new one signs at once and all others go: their tokens are refused here at once, elsewhere as soon as the keys are fetched anew',
      '--json': 'print the keys as JSON',
    },
    words: 1,
    run: ({ words: [action], flags }) => {
      if (action !== 'list' && action !== 'rotate')
        throw new UsageError('say what to do with the keys: list or rotate');
      return withDatabase(async (config, database) => {
        if (action === 'rotate') await rotate(config, database, flags.has('--now') ? 'now' : 'soon');
        await listKeys(database, flags);
      });
    },
  },
  users: {
    usage: 'postern users disable|enable|revoke-sessions|roles WHO [ROLE …|--none] [--json]',
    summary: 'acts on the account of WHO, an id or an address, and ends what has to end at once on every instance',
    options: { '--none': 'roles: take all of them away', '--json': 'print what was done as JSON' },
    words: 50,
    run: ({ words: [action, who, ...roles], flags }) => {
      const asked = operatorAction(action, roles, flags.has('--none'));
      if (who === undefined) throw new UsageError('say to whom: an id or an address');
      return withExistingDatabase(async (database) => {
        const done = await operate(database, who, asked, new Date());
        if (!done) throw new Error(`There is nobody ${who}.`);
        print(flags, done, [describeOutcome(asked, done)]);
      });
    },
  },
  events: {
    usage: 'postern events export [--after ID] [--user WHO]',
    summary: 'prints the audit trail, an event a line as JSON (newline-delimited), the oldest first',
    options: {
      '--after ID': 'only what came after this event',
      '--user WHO': 'only what is about this person, by an id or an address',
    },
    valued: ['after', 'user'],
    words: 1,
    run: ({ words: [action], values: { after = '0', user = null } }) => {
      if (action !== 'export') throw new UsageError('say what to do with the events: export');
      const from = after === '0' ? 0n : events.parseId(after);
      if (from === null) throw new UsageError(`${after} is no id of an event`);
      if (user !== null && !isUuid(user) && !parseEmailAddress(user))
        throw new UsageError(`${user} is neither an id nor an address`);
      return withExistingDatabase(async (database) => {
        const userId = user && (await idOf(database, user));
        // Without this, an address of nobody would export everybody.
        if (user !== null && userId === null) throw new Error(`There is nobody ${user}.`);
        await exportEvents(database, from, userId);
      });
    },
  },
};

/** Runs a command line. The result is the status to end with. */
async function run([name, ...rest]: readonly string[]): Promise<number> {
  const command = commands[name ?? ''];
  if (!command) {
    if (name === '--version') return say(0, `${VERSION}\n`);
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') return say(0, overview());
    throw new UsageError(`there is no command ${name}; postern --help lists them`);
  }
  const { values, positionals } = parseArgs({ args: [...rest], options: OPTIONS, allowPositionals: true });
  if (values.help) {
    return say(0, `${command.usage}\n  ${command.summary}\n${table(Object.entries(command.options ?? {}))}`);
  }
  if (positionals.length > (command.words ?? 0)) throw new UsageError(`${positionals.at(-1)} is one word too many`);
  const { help: _help, after, user, ...set } = values;
  const valued = Object.entries({ after, user }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  const foreign = valued.find(([name = '']) => !command.valued?.includes(name));
  if (foreign) throw new UsageError(`${name} knows no option --${foreign[0]}`);
  const given = Object.keys(set).map((flag) => `--${flag}`);
  await command.run({ words: positionals, flags: new Set(given), values: Object.fromEntries(valued) });
  return 0;
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  now: { type: 'boolean' },
  none: { type: 'boolean' },
  after: { type: 'string' },
  user: { type: 'string' },
} as const;

function say(status: number, text: string): number {
  process.stdout.write(text);
  return status;
}

function overview(): string {
  const rows = Object.values(commands).map(({ usage, summary }) => [usage, summary] as const);
  const settings = describeSettings().map(
    (setting) => [setting.name, `${setting.meaning}${setting.default ? ` (${setting.default})` : ''}`] as const,
  );
  return `postern COMMAND [--help]\n\n${table(rows)}\nSettings, as environment variables or in a file .env:\n\n${table(settings)}`;
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}

function print(flags: ReadonlySet<string>, data: unknown, lines: readonly string[]): void {
  process.stdout.write(flags.has('--json') ? `${JSON.stringify(data)}\n` : `${lines.join('\n')}\n`);
}

async function withDatabaseUrl<R>(config: Config, work: (url: string) => Promise<R>): Promise<R> {
  if (config.databaseUrl) return work(config.databaseUrl);
  const embedded = await startEmbeddedDatabase({ dataDir: config.dataDir, log: () => undefined }).catch((error) => {
    if (!(error instanceof DataDirTaken)) throw error;
    throw new Error(`A gateway is running on ${config.dataDir}. Stop it first, or use a DATABASE_URL for both.`);
  });
  try {
    return await work(embedded.url);
  } finally {
    await embedded.stop();
  }
}

/** For what is no use on a database that is only made for it. */
function withExistingDatabase<R>(work: (database: Database) => Promise<R>): Promise<R> {
  const { databaseUrl, dataDir } = loadConfig(readEnvironment());
  if (!databaseUrl && !existsSync(join(dataDir, 'postgres', 'PG_VERSION')))
    throw new Error(`There is no database in ${dataDir}. Set DATABASE_URL, or POSTERN_DATA_DIR.`);
  return withDatabase((_config, database) => work(database));
}

function withDatabase<R>(work: (config: Config, database: Database) => Promise<R>): Promise<R> {
  const config = loadConfig(readEnvironment());
  return withDatabaseUrl(config, async (url) => {
    await migrate(url, () => undefined);
    const database = openDatabase({ url, connections: 2, onError: () => undefined });
    try {
      return await work(config, database);
    } finally {
      await database.close();
    }
  });
}

function operatorAction(name: string | undefined, roles: readonly string[], none: boolean): OperatorAction {
  if (name === 'roles') {
    const unfit = roles.find((role) => !/^[A-Za-z][A-Za-z0-9_:.-]{0,63}$/.test(role));
    if (unfit !== undefined) throw new UsageError(`${unfit} is no name of a role`);
    if (none && roles.length > 0) throw new UsageError('say which roles, or --none');
    return { kind: name, roles: roles.length > 0 || none ? [...new Set(roles)] : null };
  }
  if (none) throw new UsageError('--none is for roles');
  if (roles.length > 0) throw new UsageError(`${roles.at(-1)} is one word too many`);
  if (name === 'disable' || name === 'enable' || name === 'revoke-sessions') return { kind: name };
  throw new UsageError('say what to do: disable, enable, revoke-sessions, or roles');
}

function describeOutcome({ kind }: OperatorAction, { userId, changed, roles, sessionsEnded }: OperatorOutcome): string {
  const already = changed ? '' : ' already';
  if (kind === 'roles') return `${userId} has ${roles.length > 0 ? roles.join(', ') : 'no roles'}`;
  if (kind === 'enable') return `${userId} is enabled${already}`;
  const ended = `${sessionsEnded} session${sessionsEnded === 1 ? '' : 's'} ended`;
  return kind === 'disable' ? `${userId} is disabled${already}, ${ended}` : `${userId}: ${ended}`;
}

const EXPORTED_AT_ONCE = 1_000;

async function exportEvents(database: Database, from: bigint, userId: string | null): Promise<void> {
  for (let after = from, more = true; more; ) {
    const page = await events.listAll(database, { after, userId, limit: EXPORTED_AT_ONCE });
    const lines = page.map((event) => `${JSON.stringify({ ...event, id: String(event.id) })}\n`).join('');
    // A reader that is slow is waited for, so that a long trail does not gather here.
    if (!process.stdout.write(lines)) await once(process.stdout, 'drain');
    after = page.at(-1)?.id ?? after;
    more = page.length === EXPORTED_AT_ONCE;
  }
}

async function rotate(config: Config, database: Database, force: 'soon' | 'now'): Promise<void> {
  const cipher = createCipher(await secretsOf(config));
  const { algorithm, keyLifetime, lifetime } = config.accessToken;
  const policy = { algorithm, keyLifetime, tokenLifetime: lifetime };
  await database.transaction((db) => signingKeys.rotate(db, cipher, policy, new Date(), force));
}

async function listKeys(database: Database, flags: ReadonlySet<string>): Promise<void> {
  const stored = await signingKeys.list(database);
  const current = stored.findLast(({ signsAt }) => signsAt <= new Date());
  const keys = stored.map(({ kid, algorithm, createdAt, signsAt }) => ({
    kid,
    algorithm,
    state: kid === current?.kid ? 'signs' : signsAt > new Date() ? 'next' : 'retiring',
    createdAt: createdAt.toISOString(),
    signsAt: signsAt.toISOString(),
  }));
  const lines = keys.map(
    ({ kid, algorithm, state, signsAt }) => `${kid}  ${algorithm}  ${state.padEnd(8)}  from ${signsAt}`,
  );
  print(flags, keys, lines.length > 0 ? lines : ['there are no keys yet; the first start makes one']);
}

// Whoever reads the first lines and goes away has what they wanted. The command still ends in order: it may have a
// database to stop.
let readerGone: Error | undefined;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  readerGone = error;
});
try {
  const status = await run(process.argv.slice(2));
  // The gateway goes on running; every other command is done.
  if (process.argv[2] !== 'serve' || status !== 0) process.exitCode = status;
} catch (error) {
  if (error !== readerGone) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = isUsageError(error) ? 2 : 1;
  }
}

function isUsageError(error: unknown): boolean {
  return error instanceof UsageError || String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS');
}
