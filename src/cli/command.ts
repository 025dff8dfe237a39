/** A command of the command line, such as `postern keys`. */
export interface Command {
  readonly usage: string;
  readonly summary: string;
  /** How many words may follow its name; none by default. */
  readonly words?: number;
  /** Beside `--help`, by how they are written: `--now` is given or not, `--after ID` takes a value. */
  readonly options?: Readonly<Record<string, string>>;
  /** The status to end with, if it is not 0; `serve` never ends by itself. */
  run(given: Given): Promise<number | undefined>;
}

/** What a command was given. */
export interface Given {
  readonly words: readonly string[];
  /** Such as `now`. */
  readonly flags: ReadonlySet<string>;
  /** What was given with an option that takes a value, such as `after`. */
  readonly values: Readonly<Record<string, string>>;
}

/** A command line that cannot be understood. */
export class UsageError extends Error {}

/** What `--json` means for every command that prints data. */
export const JSON_OPTION = { '--json': 'print it as JSON' } as const;

/** The options of a command as `parseArgs` wants them. */
export function parseableOptions({ options = {} }: Command): Record<string, { type: 'boolean' | 'string' }> {
  return Object.fromEntries(
    Object.keys(options).map((written) => {
      const [name = '', value] = written.slice('--'.length).split(' ');
      return [name, { type: value ? ('string' as const) : ('boolean' as const) }];
    }),
  );
}

/** Prints data for machines, if they asked for it, or else the lines for people. */
export function print({ flags }: Given, data: unknown, lines: readonly string[]): void {
  process.stdout.write(flags.has('json') ? `${JSON.stringify(data)}\n` : lines.map((line) => `${line}\n`).join(''));
}

/** Sets rows in columns. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
