import { createReadStream } from 'node:fs';

/** Characters that one entry may have. */
export const MAX_ENTRY_LENGTH = 2 ** 20;

/** A line of a file; null where it is too long. */
export interface Line {
  readonly line: number;
  readonly text: string | null;
}

/** Reads a file of UTF-8 line by line. No more than one is kept in memory, and of one that is too long nothing. */
export async function* readLines(path: string): AsyncGenerator<Line> {
  let [line, begun, endless] = [1, '', false];
  const read = () => ({ line, text: endless ? null : begun.replace(line === 1 ? /^\ufeff/ : /^$/, '') });
  for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
    const parts = String(chunk).split('\n');
    for (const [nth, part] of parts.entries()) {
      if (begun.length + part.length > MAX_ENTRY_LENGTH) [begun, endless] = ['', true];
      else begun += part;
      if (nth === parts.length - 1) continue;
      yield read();
      [line, begun, endless] = [line + 1, '', false];
    }
  }
  yield read();
}
