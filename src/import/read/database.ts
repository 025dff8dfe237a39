import pg from 'pg';
import type { Entry, ForeignPerson, Source } from '../person.ts';
import { object, text } from './values.ts';

/** A row of somebody else's table, as JSON. */
export type Row = Readonly<Record<string, unknown>>;

/** What the database of another system has. */
export interface Schema {
  /** Whether there is a table, such as `account_emailaddress` or `auth.users`. */
  has(table: string): boolean;
  /** The columns of a table; none if there is no such table. */
  columns(table: string): ReadonlySet<string>;
}

/** How people are read from a database. */
export interface Reading {
  /** By the names of these everything else is found. */
  readonly tables: readonly string[];
  /**
   * The statement that reads them: a row for each, with a column `person` of JSON.
   * @throws Error with a message for the operator if the database is not of this system
   */
  statement(schema: Schema): string;
  personOf(row: Row): ForeignPerson | { readonly refused: 'BROKEN' | 'GONE'; readonly detail: string | null };
}

const ROWS_AT_ONCE = 500;

/**
 * A source over a database of PostgreSQL. It is read as it is at one moment, in a transaction that cannot write, some
 * rows at a time.
 */
export function databaseSource(url: string, reading: Reading): Source {
  return {
    async *read() {
      const client = new pg.Client({
        connectionString: url,
        connectionTimeoutMillis: 10_000,
        application_name: 'postern import',
      });
      client.on('error', () => undefined);
      await client.connect();
      try {
        await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
        await client.query("SET LOCAL TimeZone = 'UTC'");
        const statement = reading.statement(await schemaOf(client, reading.tables));
        await client.query(`DECLARE people NO SCROLL CURSOR FOR ${statement}`);
        for (;;) {
          const { rows } = await client.query<{ person: unknown }>(`FETCH ${ROWS_AT_ONCE} FROM people`);
          for (const { person } of rows) yield entryOf(object(person), reading);
          if (rows.length < ROWS_AT_ONCE) break;
        }
      } finally {
        await client.end();
      }
    },
    close: async () => undefined,
  };
}

function entryOf(row: Row, { personOf }: Reading): Entry {
  const person = personOf(row);
  const place = { line: null, id: 'refused' in person ? text(row.id) : text(person.id) };
  return 'refused' in person ? { place, ...person } : { place, person };
}

async function schemaOf(client: pg.Client, tables: readonly string[]): Promise<Schema> {
  const { rows } = await client.query<{ written: string; columns: string[] }>(
    `SELECT written, ARRAY(SELECT attname::text FROM pg_attribute
       WHERE attrelid = to_regclass(written) AND attnum > 0 AND NOT attisdropped) AS columns
     FROM unnest($1::text[]) written WHERE to_regclass(written) IS NOT NULL`,
    [tables.map(quoted)],
  );
  const found = new Map(rows.map(({ written, columns }) => [written, new Set(columns)]));
  return {
    has: (table) => found.has(quoted(table)),
    columns: (table) => found.get(quoted(table)) ?? new Set(),
  };
}

/** A name of a table, with its schema or without, as it is written in a statement. */
export function quoted(table: string): string {
  return table.split('.').map(pg.escapeIdentifier).join('.');
}

/** An expression for the rows of a table that belong to the person `u`, as a list of JSON. */
export function rowsOf(table: string, column: string, key = 'id'): string {
  const owned = `${quoted(table)} r WHERE r.${pg.escapeIdentifier(column)} = u.${pg.escapeIdentifier(key)}`;
  return `(SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM ${owned})`;
}
