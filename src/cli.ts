#!/usr/bin/env node
import { createRequire } from 'node:module';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type Command, parseableOptions, table, UsageError } from './cli/command.ts';
import { doctor } from './cli/doctor.ts';
import { events } from './cli/events.ts';
import { importCommand } from './cli/import.ts';
import { keys } from './cli/keys.ts';
import { migrate } from './cli/migrate.ts';
import { schema } from './cli/schema.ts';
import { serve } from './cli/serve.ts';
import { users } from './cli/users.ts';
import { webhooks } from './cli/webhooks.ts';
import { describeSettings } from './config.ts';

const commands: Readonly<Record<string, Command>> = {
  serve,
  migrate,
  keys,
  users,
  events,
  webhooks,
  import: importCommand,
  schema,
  doctor,
};

const { version: VERSION } = createRequire(import.meta.url)('../package.json') as { version: string };

/** Runs a command line. The result is the status to end with. */
async function run([name, ...rest]: readonly string[]): Promise<number | undefined> {
  const command = Object.hasOwn(commands, name ?? '') ? commands[name ?? ''] : undefined;
  if (!command) {
    if (name === '--version') return say(`${VERSION}\n`);
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') return say(overview());
    throw new UsageError(`there is no command ${name}; postern --help lists them`);
  }
  const options: NonNullable<ParseArgsConfig['options']> = {
    ...parseableOptions(command),
    help: { type: 'boolean', short: 'h' },
  };
  const { values: set, positionals: words } = parseArgs({ args: [...rest], options, allowPositionals: true });
  if (set.help) return say(`${command.usage}\n  ${command.summary}\n${rows(Object.entries(command.options ?? {}))}`);
  if (words.length > (command.words ?? 0)) throw new UsageError(`${words.at(-1)} is one word too many`);
  const given = Object.entries(set);
  return command.run({
    words,
    flags: new Set(given.flatMap(([option, value]) => (value === true ? [option] : []))),
    values: Object.fromEntries(given.filter((entry): entry is [string, string] => typeof entry[1] === 'string')),
  });
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

function overview(): string {
  const usages = Object.values(commands).map(({ usage, summary }) => [usage, summary]);
  const settings = describeSettings().map((setting) => [
    setting.name,
    `${setting.meaning}${setting.default ? ` (${setting.default})` : ''}`,
  ]);
  return `postern COMMAND [--help]\n\n${rows(usages)}\nSettings, as environment variables or in a file .env:\n\n${rows(settings)}`;
}

function rows(cells: readonly (readonly string[])[]): string {
  return table(cells)
    .map((line) => `  ${line}\n`)
    .join('');
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
  // The gateway goes on running, and says by itself how it ends.
  if (process.argv[2] !== 'serve') process.exitCode = status ?? 0;
} catch (error) {
  if (error !== readerGone) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = isUsageError(error) ? 2 : 1;
  }
}

function isUsageError(error: unknown): boolean {
  return error instanceof UsageError || String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS');
}
