import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { UserField, UserFields } from '../lib/user-fields/declaration.ts';

/** A key of our own, beside that of the migrations. */
const LOCK = 72_707_372;
const LOCK_WITHIN_MS = 60_000;
const LOOK_AGAIN_MS = 200;

/** Only what is named so is ours to drop. */
const PREFIX = 'users_field_';

/** What was done. */
export interface FieldIndexes {
  readonly made: readonly string[];
  readonly dropped: readonly string[];
}

/**
 * Makes the indexes that the operator's own fields are declared with, and drops those of fields that are not any more.
 * Nobody waits for it: rows are read and written meanwhile. Several instances may do so at once: one works, the others
 * wait. Costs one SELECT when there is nothing to do.
 * @throws Error with a message for the operator when rights are missing, or when two people have the same value of a
 * field that is to be unique
 */
export async function updateFieldIndexes(databaseUrl: string, fields: UserFields): Promise<FieldIndexes> {
  const wanted = new Map(fields.flatMap((field) => (field.index ? [[nameOf(field), field] as const] : [])));
  const connection = new pg.Client({ connectionString: databaseUrl, application_name: 'postern indexes' });
  // Queries reject by themselves; without a listener a connection that breaks would end the process as well.
  connection.on('error', () => undefined);
  await connection.connect();
  try {
    if (isDone(await compare(connection, wanted))) return { made: [], dropped: [] };
    await lock(connection);
    // A large table takes its time.
    await connection.query('SET statement_timeout = 0');
    const { missing, left } = await compare(connection, wanted);
    for (const name of left) await connection.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`).catch(explain);
    for (const field of missing) await make(connection, field);
    return { made: missing.map(nameOf), dropped: left.filter((name) => !wanted.has(unquoted(name))).map(unquoted) };
  } finally {
    await connection.end();
  }
}

interface Difference {
  readonly missing: UserFields;
  /** Quoted, with their schema: what nobody declares any more, and what was begun and not finished. */
  readonly left: readonly string[];
}

function isDone({ missing, left }: Difference): boolean {
  return missing.length === 0 && left.length === 0;
}

async function compare(connection: pg.Client, wanted: ReadonlyMap<string, UserField>): Promise<Difference> {
  const { rows } = await connection.query<{ name: string; quoted: string; valid: boolean }>(
    `SELECT c.relname AS name, c.oid::regclass::text AS quoted, i.indisvalid AS valid
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      WHERE i.indrelid = 'users'::regclass AND starts_with(c.relname, $1)`,
    [PREFIX],
  );
  const valid = new Set(rows.filter((row) => row.valid).map(({ name }) => name));
  return {
    missing: [...wanted].filter(([name]) => !valid.has(name)).map(([, field]) => field),
    left: rows.filter(({ name, valid }) => !valid || !wanted.has(name)).map(({ quoted }) => quoted),
  };
}

function unquoted(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1).replaceAll('"', '');
}

/**
 * Asks again and again rather than waiting in a statement: a statement that waits has a snapshot, and whoever holds the
 * lock and makes an index waits for all older snapshots to go.
 */
async function lock(connection: pg.Client): Promise<void> {
  const until = performance.now() + LOCK_WITHIN_MS;
  for (;;) {
    // Session level, so the lock ends with this connection, however this ends.
    const { rows } = await connection.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [LOCK]);
    if (rows[0]?.locked) return;
    if (performance.now() > until)
      throw new Error(
        `Another instance has been making the indexes of userFields for ${LOCK_WITHIN_MS / 1000} seconds. Start this one again when it is done.`,
      );
    await pause(LOOK_AGAIN_MS);
  }
}

async function make(connection: pg.Client, field: UserField): Promise<void> {
  const unique = field.index === 'UNIQUE' ? 'UNIQUE ' : '';
  const name = pg.escapeIdentifier(nameOf(field));
  await connection
    .query(`CREATE ${unique}INDEX CONCURRENTLY ${name} ON users ${expressionOf(field)}`)
    .catch((error: unknown) => explain(error, field));
}

/** How a statement has to ask for a value, so that the index answers. */
function expressionOf(field: UserField): string {
  const key = pg.escapeLiteral(field.name);
  switch (kindOf(field)) {
    case 'list':
      return `USING gin ((fields -> ${key}))`;
    case 'value':
      return `((fields -> ${key}))`;
    default:
      return `((fields ->> ${key}))`;
  }
}

function nameOf(field: UserField): string {
  return `${PREFIX}${field.name}_${kindOf(field)}`;
}

function kindOf({ type, index }: UserField): 'unique' | 'list' | 'value' | 'text' {
  if (index === 'UNIQUE') return 'unique';
  if (type === '[String!]') return 'list';
  return type === 'Int' || type === 'Float' || type === 'Boolean' ? 'value' : 'text';
}

function explain(error: unknown, field?: UserField): never {
  const { code, message } = error as Error & { code?: string };
  const about = field
    ? `The index of userFields.${field.name} cannot be made`
    : 'An index of userFields cannot be dropped';
  // insufficient_privilege: only the owner of a table makes its indexes.
  if (code === '42501')
    throw new Error(
      `${about} by this user of the database. Run \`postern migrate\` with the DATABASE_URL of its owner.`,
    );
  // unique_violation, whose message names the value.
  if (code === '23505') throw new Error(`${about}: there are people with the same value.`);
  throw new Error(`${about}: ${message}`, { cause: error });
}
