import { createHash } from 'node:crypto';
import type pg from 'pg';
import { hasCode, MigrationError, withoutTrace } from './errors.ts';
import type { Migration } from './migrations.ts';

/** A row of `_prisma_migrations` that was not rolled back. */
export interface RecordedMigration {
  readonly name: string;
  readonly checksum: string;
  readonly finished: boolean;
  readonly logs: string | null;
}

/** What was applied to a database so far. */
export async function readRecord(connection: pg.Client): Promise<RecordedMigration[]> {
  try {
    const { rows } = await connection.query<RecordedMigration>(
      `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished, logs
         FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at`,
    );
    return rows;
  } catch (error) {
    if (hasCode(error, '42P01')) return []; // undefined_table: a fresh database
    throw error;
  }
}

/**
 * False when something is left to apply, or unfinished: only who holds the lock can tell a migration that failed from
 * one that is running.
 *
 * @throws {MigrationError} when the record is not one of these migrations
 */
export function isUpToDate(migrations: Migration[], record: RecordedMigration[]): boolean {
  if (record.some(({ finished }) => !finished)) return false;
  refuseAhead(migrations, record);
  refuseEdited(migrations, record);
  const recorded = new Set(record.map(({ name }) => name));
  return migrations.every(({ name }) => recorded.has(name));
}

/**
 * For who holds the lock.
 * @throws {MigrationError} when a migration did not finish, with what to do about it
 */
export function refuseFailed(record: RecordedMigration[]): void {
  const failed = record.find(({ finished }) => !finished);
  if (!failed) return;
  const reason = failed.logs ? `: ${withoutTrace(failed.logs)}` : ' or was interrupted';
  throw new MigrationError(
    `The migration ${failed.name} failed on this database${reason}. A migration is one transaction, so nothing of it remained. ` +
      'Once the cause is gone, allow another try with ' +
      `UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '${failed.name}' AND finished_at IS NULL;`,
  );
}

function refuseAhead(migrations: Migration[], record: RecordedMigration[]): void {
  const known = new Set(migrations.map(({ name }) => name));
  const ahead = record.filter(({ name }) => !known.has(name)).map(({ name }) => name);
  if (ahead.length === 0) return;
  throw new MigrationError(
    `The database is ahead of this version of Postern: it has ${ahead.join(', ')}, which this version does not know. ` +
      'Start the version that applied it, or a later one.',
  );
}

function refuseEdited(migrations: Migration[], record: RecordedMigration[]): void {
  for (const { name, checksum } of record) {
    const migration = migrations.find((each) => each.name === name);
    if (migration && !checksumsOf(migration.sql).includes(checksum)) {
      throw new MigrationError(
        `The migration ${name} was edited after it was applied to this database. ` +
          'Restore its file as it was, and put the change into a new migration.',
      );
    }
  }
}

// As Prisma does it: the same script with the line ends of another system is the same script.
function checksumsOf(sql: string): string[] {
  const unix = sql.replaceAll('\r\n', '\n');
  return [sql, unix, unix.replaceAll('\n', '\r\n')].map((text) => createHash('sha256').update(text).digest('hex'));
}
