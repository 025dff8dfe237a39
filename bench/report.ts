import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A row of the table. */
export interface Row {
  readonly what: string;
  readonly figure: string;
  /** The figure beside another one. */
  readonly beside?: string;
  readonly aim?: string;
  readonly holds?: boolean;
}

/** Where a run leaves what it found; not in the repository. */
export const RESULTS = fileURLToPath(new URL('./results', import.meta.url));
const README = new URL('./README.md', import.meta.url);
const BEGIN = '<!-- table: npm run bench -- --write -->';
const END = '<!-- /table -->';

export const perSecond = (value: number) => `${Math.round(value).toLocaleString('en')}/s`;
export const milliseconds = (value: number) =>
  `${value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0 })} ms`;
export const mebibytes = (value: number | null) => (value === null ? 'not told' : `${Math.round(value)} MiB`);
export const ratio = (value: number) => value.toFixed(2);

/** The rows as a table of Markdown. */
export function toMarkdown(rows: readonly Row[]): string {
  const lines = rows.map(({ what, figure, beside = '', aim = '', holds }) => {
    const mark = holds === undefined ? '' : holds ? ' ✓' : ' ✗';
    return `| ${what} | ${figure} | ${beside} | ${aim}${mark} |`;
  });
  return ['| | | | aim |', '|---|---|---|---|', ...lines].join('\n');
}

/** The rows for a terminal, as wide as they need. */
export function toText(rows: readonly Row[]): string {
  const cells = rows.map(({ what, figure, beside = '', aim = '', holds }) => [
    what.replaceAll('`', ''),
    figure.replaceAll('`', ''),
    beside,
    holds === undefined ? aim : `${holds ? '✓' : '✗'} ${aim}`,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Keeps a run: rows, figures, and what they were measured on. */
export async function writeResults(rows: readonly Row[], figures: object): Promise<string> {
  const file = join(RESULTS, 'latest.json');
  await mkdir(RESULTS, { recursive: true });
  const machine = {
    cores: cpus().length,
    model: cpus()[0]?.model ?? '',
    node: process.version,
    platform: process.platform,
  };
  await writeFile(file, `${JSON.stringify({ at: new Date().toISOString(), machine, figures, rows }, null, 2)}\n`);
  return file;
}

/** Puts the table into the page beside this file. */
export async function writeReadme(rows: readonly Row[]): Promise<void> {
  const page = await readFile(README, 'utf8');
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before < 0 || after < 0) throw new Error('bench/README.md has no place for the table');
  const machine = `Measured on ${cpus().length} cores (${cpus()[0]?.model.trim()}), Node ${process.version}, with gateway, PostgreSQL and load on the same machine.`;
  await writeFile(
    README,
    `${page.slice(0, before)}${BEGIN}\n\n${toMarkdown(rows)}\n\n${machine}\n\n${page.slice(after)}`,
  );
}
