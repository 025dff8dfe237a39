/**
 * Applies prisma/migrations with Prisma's own engine, so that there is no migrator of our own to trust, and an
 * operator may use `prisma migrate deploy` on the same database. The engine is WebAssembly: nothing is downloaded.
 */
import pg from 'pg';
import { hasCode, MigrationError, withoutTrace } from './migrate/errors.ts';
import { areJobTablesUpToDate, installJobTables } from './migrate/job-tables.ts';
import { listForEngine, type Migration, readMigrations, readSchema } from './migrate/migrations.ts';
import { isUpToDate, readRecord, refuseFailed } from './migrate/record.ts';
import { FILTERS, withEngine } from './migrate/schema-engine.ts';
import { withScratchDatabase } from './migrate/scratch-database.ts';

export { MigrationError };

type Log = (message: string) => void;

/** A key of our own: the engine takes Prisma's, 72707369, on a connection of its own while it applies. */
const MIGRATION_LOCK = 72_707_370;
const LOCK_TIMEOUT_MS = 60_000;
const LOOK_WITHIN_MS = 5_000;

/**
 * Brings a database to the schema of this version, the tables of the jobs included. Several instances may do so at
 * once: one works, the others wait. Costs two SELECTs when there is nothing to do.
 *
 * @param databaseUrl connection string; its user must own the schema when there is something to apply
 * @param log receives a sentence for each thing an operator may want to know
 * @returns the names of the migrations that this call applied, oldest first
 * @throws {MigrationError} when an earlier migration failed, when the database is ahead of this version, when an
 *   applied migration was edited since, when rights are missing, or when another instance takes longer than a minute
 */
export async function migrate(databaseUrl: string, log: Log): Promise<string[]> {
  const migrations = await readMigrations();
  const connection = new pg.Client({ connectionString: databaseUrl, application_name: 'postern migrate' });
  // Queries reject by themselves; without a listener a connection that breaks would end the process as well.
  connection.on('error', () => undefined);
  await connection.connect();
  try {
    if (isUpToDate(migrations, await readRecord(connection)) && (await areJobTablesUpToDate(connection))) return [];
    // Session level, so the lock ends with this connection, however this ends.
    await lock(connection, log);
    const applied = await applyLocked(databaseUrl, connection, migrations, log);
    if (!(await areJobTablesUpToDate(connection))) {
      await installJobTables(databaseUrl);
      log('made the tables of the jobs');
    }
    return applied;
  } finally {
    await connection.end();
  }
}

/**
 * What {@link migrate} would do, without doing it.
 * @returns the names of the migrations that are to be applied, oldest first, and `graphile_worker` for the tables of the jobs
 * @throws {MigrationError} as `migrate` does, where no migration would help
 */
export async function pendingMigrations(databaseUrl: string): Promise<string[]> {
  const migrations = await readMigrations();
  const connection = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'postern migrate',
    connectionTimeoutMillis: LOOK_WITHIN_MS,
    query_timeout: LOOK_WITHIN_MS,
  });
  connection.on('error', () => undefined);
  await connection.connect();
  try {
    const record = await readRecord(connection);
    refuseFailed(record);
    const recorded = new Set(record.map(({ name }) => name));
    const pending = isUpToDate(migrations, record) ? [] : migrations.filter(({ name }) => !recorded.has(name));
    return [
      ...pending.map(({ name }) => name),
      ...((await areJobTablesUpToDate(connection)) ? [] : ['graphile_worker']),
    ];
  } finally {
    await connection.end();
  }
}

async function lock(connection: pg.Client, log: Log): Promise<void> {
  const { rows } = await connection.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
    MIGRATION_LOCK,
  ]);
  if (rows[0]?.locked) return;
  log('another instance is migrating the database: waiting for it');
  try {
    await connection.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await connection.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
  } catch (error) {
    if (!hasCode(error, '55P03')) throw error; // lock_not_available
    throw new MigrationError(
      `Another instance has been migrating this database for ${LOCK_TIMEOUT_MS / 1000} seconds. Start this one again when it is done.`,
    );
  }
}

async function applyLocked(
  databaseUrl: string,
  connection: pg.Client,
  migrations: Migration[],
  log: Log,
): Promise<string[]> {
  const record = await readRecord(connection);
  refuseFailed(record);
  if (isUpToDate(migrations, record)) return [];
  await refuseMissingRights(connection);

  const migrationsList = listForEngine(migrations);
  const { appliedMigrationNames } = await withEngine(databaseUrl, null, (engine) =>
    engine.applyMigrations({ migrationsList, filters: FILTERS }),
  ).catch(async (error: unknown) => {
    refuseFailed(await readRecord(connection));
    throw new MigrationError(reasonOf(error), { cause: error });
  });
  log(`applied the database migrations ${appliedMigrationNames.join(', ')}`);
  return appliedMigrationNames;
}

function reasonOf(error: unknown): string {
  if (hasCode(error, 'P3005')) {
    return 'The database is not empty, and what is in it was not made by the migrations of Postern. Give Postern a database of its own.';
  }
  return `The database could not be migrated: ${withoutTrace(error instanceof Error ? error.message : String(error))}`;
}

async function refuseMissingRights(connection: pg.Client): Promise<void> {
  const { rows } = await connection.query<{ who: string; place: string; schema: string }>(
    `SELECT current_user AS who, current_database() AS place, coalesce(current_schema(), 'public') AS schema
      WHERE has_schema_privilege(current_schema(), 'CREATE') IS NOT TRUE`,
  );
  const [refusal] = rows;
  if (!refusal) return;
  throw new MigrationError(
    `The database needs a migration, but user ${refusal.who} may not create tables in schema ${refusal.schema} of ${refusal.place}. ` +
      'Make that user the owner of the database, or run `postern migrate` with the DATABASE_URL of a user who may.',
  );
}

/**
 * Compares the end state of prisma/migrations with prisma/schema.prisma. For development: an installed package has
 * no schema.prisma.
 *
 * @param databaseUrl any database on a server where its user may create another, which is dropped afterwards
 * @returns the SQL that leads from the migrations to the schema; empty when they agree
 */
export async function diffMigrations(databaseUrl: string): Promise<string> {
  const schema = await readSchema();
  const migrationsList = listForEngine(await readMigrations());

  return withScratchDatabase(databaseUrl, (scratchUrl) =>
    withEngine(databaseUrl, scratchUrl, async (engine) => {
      const { exitCode, stdout } = await engine.diff({
        from: { tag: 'migrations', ...migrationsList },
        to: { tag: 'schemaDatamodel', files: [schema] },
        script: true,
        exitCode: true,
        filters: FILTERS,
      });
      return exitCode === 0 ? '' : (stdout ?? '');
    }),
  );
}
