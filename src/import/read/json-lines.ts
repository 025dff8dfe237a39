import { readLines } from './lines.ts';

/** An entry of a file, and the line on which it begins. `fault`: it is no JSON, or too long. */
export type JsonEntry =
  | { readonly line: number; readonly value: unknown }
  | { readonly line: number; readonly fault: 'JSON' | 'LENGTH' };

/** Reads a file of JSON values, one a line. */
export async function* jsonLines(path: string): AsyncGenerator<JsonEntry> {
  for await (const { line, text } of readLines(path)) yield* jsonEntry(text, line);
}

/** The entry that a text is; none if it is blank. Null: it is too long. */
export function* jsonEntry(written: string | null, line: number): Generator<JsonEntry> {
  if (written === null) yield { line, fault: 'LENGTH' };
  else if (written.trim() !== '') yield parse(written, line);
}

function parse(written: string, line: number): JsonEntry {
  try {
    return { line, value: JSON.parse(written) };
  } catch {
    return { line, fault: 'JSON' };
  }
}
