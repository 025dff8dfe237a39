/** The tables of the jobs: graphile-worker's own, in a schema of their own. */
import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { hasCode, MigrationError } from './errors.ts';

const SCHEMA = 'graphile_worker';

/** Whether nothing is left to apply. Asks without loading graphile-worker, which most starts would do for nothing. */
export async function areJobTablesUpToDate(connection: pg.Client): Promise<boolean> {
  const [newest, applied] = await Promise.all([newestMigration(), newestApplied(connection)]);
  return applied >= newest;
}

/**
 * For who holds the lock of the migrations.
 * @throws {MigrationError} when the user of this database may not do it
 */
export async function installJobTables(databaseUrl: string): Promise<void> {
  const { Logger, runMigrations } = await import('graphile-worker');
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1, application_name: 'postern migrate' });
  // Whoever waits for an answer is told; without listeners, on both, the news would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  try {
    await runMigrations({ pgPool: pool, schema: SCHEMA, logger: new Logger(() => () => undefined) });
  } catch (error) {
    if (!hasCode(error, '42501')) throw error; // insufficient_privilege
    throw new MigrationError(
      `The database needs the tables of the jobs, but its user may not make them in a schema ${SCHEMA}. ` +
        'Make that user the owner of the database, or run `postern migrate` with the DATABASE_URL of a user who may.',
      { cause: error },
    );
  } finally {
    await pool.end();
  }
}

async function newestApplied(connection: pg.Client): Promise<number> {
  try {
    const { rows } = await connection.query<{ newest: number | null }>(
      `SELECT max(id) AS newest FROM ${SCHEMA}.migrations`,
    );
    return rows[0]?.newest ?? 0;
  } catch (error) {
    if (hasCode(error, '42P01')) return 0; // undefined_table: a database without jobs
    throw error;
  }
}

// The package ships its migrations as files, too: 000001.sql and so on.
async function newestMigration(): Promise<number> {
  const entry = createRequire(import.meta.url).resolve('graphile-worker/package.json');
  const files = await readdir(join(dirname(entry), 'sql'));
  return Math.max(...files.map((file) => Number.parseInt(file, 10)));
}
