import { createReadStream } from 'node:fs';

/** Characters that one entry may have. */
export const MAX_ENTRY_LENGTH = 2 ** 20;

/** An entry of a file, and the line on which it begins. `fault`: it is no JSON, or too long. */
export type JsonEntry =
  | { readonly line: number; readonly value: unknown }
  | { readonly line: number; readonly fault: 'JSON' | 'LENGTH' };

/** Reads a file of JSON values, one a line. No more than a line is kept in memory, and of one that is too long nothing. */
export async function* jsonLines(path: string): AsyncGenerator<JsonEntry> {
  let [line, begun, endless] = [1, '', false];
  for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
    const parts = String(chunk).split('\n');
    for (const [nth, part] of parts.entries()) {
      if (begun.length + part.length > MAX_ENTRY_LENGTH) [begun, endless] = ['', true];
      else begun += part;
      if (nth === parts.length - 1) continue;
      yield* entryOf(begun, line, endless);
      [line, begun, endless] = [line + 1, '', false];
    }
  }
  yield* entryOf(begun, line, endless);
}

/** The entry that a text is; none if it is blank. */
export function* entryOf(written: string, line: number, endless: boolean): Generator<JsonEntry> {
  if (endless) yield { line, fault: 'LENGTH' };
  else if (written.trim() !== '') yield parse(written.replace(/^\ufeff/, ''), line);
}

function parse(written: string, line: number): JsonEntry {
  try {
    return { line, value: JSON.parse(written) };
  } catch {
    return { line, fault: 'JSON' };
  }
}
