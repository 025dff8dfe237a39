import { open } from 'node:fs/promises';
import type { Entry, ForeignPerson, Source } from '../person.ts';
import { type JsonEntry, jsonLines } from './json-lines.ts';
import { jsonList } from './json-list.ts';
import { object, text } from './values.ts';

/** What an object of a file says of a person: them, or why there is none. */
export type PersonOf = (
  written: Readonly<Record<string, unknown>>,
) => ForeignPerson | { readonly refused: 'BROKEN' | 'GONE'; readonly detail: string | null };

/**
 * A source over a file of JSON.
 * @param key of the list of people in it; null for a list, or for an object a line
 */
export function jsonSource(path: string, key: string | null, personOf: PersonOf): Source {
  return {
    async *read() {
      const entries = key !== null || (await beginsWith(path, '[')) ? jsonList(path, key) : jsonLines(path);
      for await (const entry of entries) yield entryOf(entry, personOf);
    },
    close: async () => undefined,
  };
}

function entryOf(read: JsonEntry, personOf: PersonOf): Entry {
  const { line } = read;
  if ('fault' in read) return { place: { line, id: null }, refused: 'BROKEN', detail: read.fault };
  const { value } = read;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { place: { line, id: null }, refused: 'BROKEN', detail: 'JSON' };
  const person = personOf(object(value));
  if ('refused' in person) return { place: { line, id: null }, ...person };
  return { place: { line, id: text(person.id) }, person };
}

async function beginsWith(path: string, char: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1_024), 0, 1_024, 0);
    return buffer
      .toString('utf8', 0, bytesRead)
      .replace(/^\ufeff/, '')
      .trimStart()
      .startsWith(char);
  } finally {
    await file.close();
  }
}
