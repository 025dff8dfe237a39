import { readFile, writeFile } from 'node:fs/promises';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from './src/graphql/schema.ts';

const FILE = new URL('schema.graphql', import.meta.url);

/** The SDL of the schema as it is kept in `schema.graphql`: sorted, so that a change shows as what it is. */
export function printedSchema(): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n`;
}

/** Whether `schema.graphql` says what the code says. */
export async function isSchemaFresh(): Promise<boolean> {
  return (await readFile(FILE, 'utf8')) === printedSchema();
}

if (process.argv[1]?.endsWith('codegen.ts')) {
  await writeFile(FILE, printedSchema());
  process.stdout.write('schema.graphql is written\n');
}
