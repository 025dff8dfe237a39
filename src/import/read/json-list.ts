import { createReadStream } from 'node:fs';
import { type JsonEntry, jsonEntry } from './json-lines.ts';
import { MAX_ENTRY_LENGTH } from './lines.ts';

/**
 * Reads the elements of a list in a file of JSON one after the other, without the file in memory: each is cut out and
 * parsed by itself, so that a broken one leaves the others alone.
 * @param key of the list in the object that the file is; null where the file is the list
 * @throws Error when there is no such list, or the file ends within it
 */
export async function* jsonList(path: string, key: string | null): AsyncGenerator<JsonEntry> {
  const splitter = createSplitter(key);
  for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
    yield* splitter.take(String(chunk));
    if (splitter.state === 'after') return;
  }
  if (splitter.state === 'before')
    throw new Error(key === null ? 'there is no list in the file' : `there is no list "${key}" in the file`);
  throw new Error(`the file ends within the list, at line ${splitter.line}`);
}

function createSplitter(key: string | null) {
  let state: 'before' | 'in' | 'after' = 'before';
  let [line, depth, listDepth] = [1, 0, 0];
  // Within a text, and behind a backslash in it.
  let [quoted, escaped] = [false, false];
  let [word, lastWord] = ['', ''];
  let [element, elementLine, endless] = ['', 0, false];

  function isListBegin(): boolean {
    return state === 'before' && (key === null ? depth === 0 : depth === 1 && lastWord === key);
  }

  function keep(part: string): void {
    if (element.length + part.length > MAX_ENTRY_LENGTH) [element, endless] = ['', true];
    else element += part;
  }

  function* emit(): Generator<JsonEntry> {
    yield* jsonEntry(endless ? null : element, elementLine || line);
    [element, elementLine, endless] = ['', 0, false];
  }

  function readQuoted(char: string): void {
    if (escaped) escaped = false;
    else if (char === '\\') escaped = true;
    else if (char === '"') {
      quoted = false;
      lastWord = word;
    }
    // Only keys of the outermost object are looked at.
    else if (state === 'before' && depth === 1 && word.length < 64) word += char;
  }

  return {
    get state() {
      return state;
    },
    get line() {
      return line;
    },
    *take(chunk: string): Generator<JsonEntry> {
      let from = 0;
      for (let at = 0; at < chunk.length && state !== 'after'; at += 1) {
        const char = chunk[at] ?? '';
        if (char === '\n') line += 1;
        if (quoted) {
          readQuoted(char);
          continue;
        }
        if (state === 'in' && elementLine === 0 && !/[\s,\]]/.test(char)) elementLine = line;
        if (char === '"') [quoted, word] = [true, ''];
        else if (char === '[' || char === '{') {
          const begins = char === '[' && isListBegin();
          depth += 1;
          if (begins) [state, listDepth, from] = ['in', depth, at + 1];
        } else if (char === ',' || char === ']' || char === '}') {
          if (state === 'in' && depth === listDepth) {
            keep(chunk.slice(from, at));
            yield* emit();
            from = at + 1;
            if (char !== ',') state = 'after';
          }
          if (char !== ',') depth -= 1;
        }
      }
      if (state === 'in') keep(chunk.slice(from));
    },
  };
}
