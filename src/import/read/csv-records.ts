import { type Line, MAX_ENTRY_LENGTH, readLines } from './lines.ts';

/** A record of a file, and the line on which it begins. `fault`: its quotes do not fit, or it is too long. */
export type CsvRecord =
  | { readonly line: number; readonly fields: readonly string[] }
  | { readonly line: number; readonly fault: 'QUOTES' | 'LENGTH' };

/** Lines that one record may have. */
const MAX_LINES = 100;

/**
 * Reads a file of comma-separated values (RFC 4180). A record that is broken ends with its first line, so that a quote
 * too many costs nobody else: parsers that go on from there take whatever stands up to the next quote with it.
 */
export async function* csvRecords(path: string): AsyncGenerator<CsvRecord> {
  const ahead: Line[] = [];
  for await (const line of readLines(path)) {
    ahead.push(line);
    yield* recordsIn(ahead, false);
  }
  yield* recordsIn(ahead, true);
}

function* recordsIn(ahead: Line[], isEnd: boolean): Generator<CsvRecord> {
  for (;;) {
    const [first] = ahead;
    const found = first && recordAt(first, ahead, isEnd);
    if (!found) return;
    ahead.splice(0, found.lines);
    if (found.record) yield found.record;
  }
}

/** The record that begins with the first line, and its lines; undefined where more of them have to be read. */
function recordAt(
  { line, text: first }: Line,
  ahead: readonly Line[],
  isEnd: boolean,
): { readonly lines: number; readonly record: CsvRecord | null } | undefined {
  if (first === null) return { lines: 1, record: { line, fault: 'LENGTH' } };
  if (first.trim() === '') return { lines: 1, record: null };
  const broken = { lines: 1, record: { line, fault: 'QUOTES' } } as const;
  let whole = '';
  for (const [nth, { text }] of ahead.slice(0, MAX_LINES).entries()) {
    if (text === null || whole.length + text.length > MAX_ENTRY_LENGTH) return broken;
    whole += nth === 0 ? text : `\n${text}`;
    if (countQuotes(whole) % 2 === 1) continue;
    const fields = fieldsOf(whole.replace(/\r$/, ''));
    return fields ? { lines: nth + 1, record: { line, fields } } : broken;
  }
  return isEnd || ahead.length >= MAX_LINES ? broken : undefined;
}

function countQuotes(text: string): number {
  return text.split('"').length - 1;
}

/** One field, and what ends it. */
const FIELD = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;

/** The fields of a whole record; null if a quote stands where none may. */
function fieldsOf(record: string): string[] | null {
  const fields: string[] = [];
  FIELD.lastIndex = 0;
  for (;;) {
    const found = FIELD.exec(record);
    if (!found) return null;
    const [, quoted, plain = '', end] = found;
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === '') return fields;
  }
}
