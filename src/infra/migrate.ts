/**
 * Applies prisma/migrations with Prisma's own engine, so that there is no migrator of our own to trust, and an
 * operator may use `prisma migrate deploy` on the same database. The engine is WebAssembly: nothing is downloaded.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PrismaPg } from '@prisma/adapter-pg';
import type { ColumnType } from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import pg from 'pg';

/** The schema of the database cannot be brought to this version; the message is for the operator. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

type PrismaPgAdapter = Awaited<ReturnType<PrismaPg['connect']>>;
type Log = (message: string) => void;

interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** A row of `_prisma_migrations` that was not rolled back. */
interface RecordedMigration {
  readonly name: string;
  readonly checksum: string;
  readonly finished: boolean;
  readonly logs: string | null;
}

const prismaFolder = fileURLToPath(new URL('../../prisma', import.meta.url));
const migrationsFolder = join(prismaFolder, 'migrations');
const migrationFile = 'migration.sql';

/** A key of our own: the engine takes Prisma's, 72707369, on a connection of its own while it applies. */
const migrationLock = 72_707_370;
const lockTimeout = 60_000;

const notEmpty =
  'The database is not empty, and what is in it was not made by the migrations of Postern. Give Postern a database of its own.';

/** Everything is ours: no table is kept from the engine. */
const filters = { externalTables: [], externalEnums: [] };

/**
 * Brings a database to the schema of this version. Several instances may do so at once: one works, the others wait.
 * Costs one SELECT when there is nothing to do.
 *
 * @param databaseUrl connection string; its user must own the schema when there is something to apply
 * @param log receives a sentence for each thing an operator may want to know
 * @returns the names of the migrations that this call applied, oldest first
 * @throws {MigrationError} when an earlier migration failed, when the database is ahead of this version, when an
 *   applied migration was edited since, when rights are missing, or when another instance takes longer than a minute
 */
export async function migrate(databaseUrl: string, log: Log): Promise<string[]> {
  const connection = new pg.Client({ connectionString: databaseUrl, application_name: 'postern migrate' });
  // Queries reject by themselves; without a listener a connection that breaks would end the process as well.
  connection.on('error', () => undefined);
  const [migrations] = await Promise.all([readMigrations(), connection.connect()]);
  try {
    if (isUpToDate(migrations, await readRecord(connection))) return [];
    // Session level, so the lock ends with this connection, however this ends.
    await lock(connection, log);
    return await applyLocked(databaseUrl, connection, migrations, log);
  } finally {
    await connection.end();
  }
}

async function applyLocked(databaseUrl: string, connection: pg.Client, migrations: Migration[], log: Log) {
  const record = await readRecord(connection);
  refuseFailed(record);
  if (isUpToDate(migrations, record)) return [];
  await refuseMissingRights(connection);

  const applied = await withEngine(databaseUrl, null, async (engine) => {
    const migrationsList = listForEngine(migrations);
    const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList, filters });
    return appliedMigrationNames;
  }).catch(async (error: unknown) => {
    refuseFailed(await readRecord(connection));
    if (hasCode(error, 'P3005')) throw new MigrationError(notEmpty, { cause: error });
    throw new MigrationError(`The database could not be migrated: ${withoutTrace(messageOf(error))}`, { cause: error });
  });
  log(`applied the database migrations ${applied.join(', ')}`);
  return applied;
}

/**
 * Compares the end state of prisma/migrations with prisma/schema.prisma. For development: an installed package has
 * no schema.prisma.
 *
 * @param databaseUrl any database on a server where its user may create another, which is dropped afterwards
 * @returns the SQL that leads from the migrations to the schema; empty when they agree
 */
export async function diffMigrations(databaseUrl: string): Promise<string> {
  const schema = { path: join(prismaFolder, 'schema.prisma'), content: '' };
  schema.content = await readFile(schema.path, 'utf8');
  const migrationsList = listForEngine(await readMigrations());

  return withScratchDatabase(databaseUrl, (scratchUrl) =>
    withEngine(databaseUrl, scratchUrl, async (engine) => {
      const { exitCode, stdout } = await engine.diff({
        from: { tag: 'migrations', ...migrationsList },
        to: { tag: 'schemaDatamodel', files: [schema] },
        script: true,
        exitCode: true,
        filters,
      });
      return exitCode === 0 ? '' : (stdout ?? '');
    }),
  );
}

// ── What is recorded, and what that means ────────────────────────────────────────────────────────────────────────

async function readMigrations(): Promise<Migration[]> {
  const entries = await readdir(migrationsFolder, { withFileTypes: true }).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => ({
      name,
      sql: await readFile(join(migrationsFolder, name, migrationFile), 'utf8'),
    })),
  );
}

async function readRecord(connection: pg.Client): Promise<RecordedMigration[]> {
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
 */
function isUpToDate(migrations: Migration[], record: RecordedMigration[]): boolean {
  if (record.some(({ finished }) => !finished)) return false;
  refuseAhead(migrations, record);
  refuseEdited(migrations, record);
  const recorded = new Set(record.map(({ name }) => name));
  return migrations.every(({ name }) => recorded.has(name));
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
    const migration = migrations.find((candidate) => candidate.name === name);
    if (migration && !checksumsOf(migration.sql).includes(checksum)) {
      throw new MigrationError(
        `The migration ${name} was edited after it was applied to this database. ` +
          'Restore its file as it was, and put the change into a new migration.',
      );
    }
  }
}

function refuseFailed(record: RecordedMigration[]): void {
  const failed = record.find(({ finished }) => !finished);
  if (!failed) return;
  const reason = failed.logs ? `: ${withoutTrace(failed.logs)}` : ' or was interrupted';
  throw new MigrationError(
    `The migration ${failed.name} failed on this database${reason}. A migration is one transaction, so nothing of it remained. ` +
      'Once the cause is gone, allow another try with ' +
      `UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '${failed.name}' AND finished_at IS NULL;`,
  );
}

async function refuseMissingRights(connection: pg.Client): Promise<void> {
  const { rows } = await connection.query<{
    allowed: boolean | null;
    who: string;
    place: string;
    schema: string | null;
  }>(
    `SELECT has_schema_privilege(current_schema(), 'CREATE') AS allowed,
            current_user AS who, current_database() AS place, current_schema() AS schema`,
  );
  const [right] = rows;
  if (!right || right.allowed) return;
  throw new MigrationError(
    `The database needs a migration, but user ${right.who} may not create tables in schema ${right.schema ?? 'public'} of ${right.place}. ` +
      'Make that user the owner of the database, or run `postern migrate` with the DATABASE_URL of a user who may.',
  );
}

/** As Prisma does it: the same script with the line ends of another system is the same script. */
function checksumsOf(sql: string): string[] {
  const unix = sql.replaceAll('\r\n', '\n');
  return [sql, unix, unix.replaceAll('\n', '\r\n')].map((text) => createHash('sha256').update(text).digest('hex'));
}

async function lock(connection: pg.Client, log: Log): Promise<void> {
  const { rows } = await connection.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
    migrationLock,
  ]);
  if (rows[0]?.locked) return;
  log('another instance is migrating the database: waiting for it');
  try {
    await connection.query(`SET lock_timeout = ${lockTimeout}`);
    await connection.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    await connection.query('RESET lock_timeout');
  } catch (error) {
    if (!hasCode(error, '55P03')) throw error; // lock_not_available
    throw new MigrationError(
      `Another instance has been migrating this database for ${lockTimeout / 1000} seconds. Start this one again when it is done.`,
    );
  }
}

// ── Prisma's engine ──────────────────────────────────────────────────────────────────────────────────────────────

function listForEngine(migrations: Migration[]) {
  return {
    baseDir: migrationsFolder,
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"' },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: migrationFile, content: { tag: 'ok' as const, value: sql } },
    })),
  };
}

/** Loads the engine only now: a start that has nothing to migrate should not pay for it. */
async function withEngine<T>(
  databaseUrl: string,
  scratchUrl: string | null,
  work: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  const [{ bindMigrationAwareSqlAdapterFactory }, Engine] = await Promise.all([
    import('@prisma/driver-adapter-utils'),
    loadEngine(),
  ]);
  const adapters: PrismaPgAdapter[] = [];
  const connectTo = async (url: string) => {
    const adapter = await connectAdapter(url);
    adapters.push(adapter);
    return adapter;
  };
  try {
    const factory = bindMigrationAwareSqlAdapterFactory({
      provider: 'postgres',
      adapterName: '@prisma/adapter-pg',
      connect: () => connectTo(databaseUrl),
      // Prisma's own would replay the migrations into the database of the connection string itself.
      connectToShadowDb: () => {
        if (scratchUrl === null) throw new Error('no scratch database was asked for');
        return connectTo(scratchUrl);
      },
    });
    try {
      const instance = await Engine.new({ datamodels: undefined }, () => undefined, factory);
      return await work(instance).finally(() => instance.free());
    } catch (error) {
      // What the engine cannot describe it passes on as a number.
      const [, id] = /External error id#(\d+)/.exec(messageOf(error)) ?? [];
      throw factory.errorRegistry.consumeError(Number(id ?? -1))?.error ?? error;
    }
  } finally {
    for (const pool of adapters.map((adapter) => adapter.underlyingDriver())) if (!pool.ended) await pool.end();
  }
}

async function connectAdapter(connectionString: string): Promise<PrismaPgAdapter> {
  const [{ PrismaPg }, { ColumnTypeEnum, DriverAdapterError }] = await Promise.all([
    import('@prisma/adapter-pg'),
    import('@prisma/driver-adapter-utils'),
  ]);
  const adapter = await new PrismaPg({ connectionString, application_name: 'postern migrate' }).connect();
  const pool = adapter.underlyingDriver();
  teachChar(adapter, ColumnTypeEnum.Character);
  // Prisma's own cuts a script at every semicolon, the ones in function bodies included. Sent whole it is understood,
  // and PostgreSQL makes one transaction of it: a migration is applied entirely or not at all.
  adapter.executeScript = async (script) => {
    await pool.query(script).catch((error: unknown) => {
      if (!isDatabaseError(error)) throw error;
      const { code = '', severity = 'ERROR', message, detail, column, hint } = error;
      throw new DriverAdapterError({ kind: 'postgres', code, severity, message, detail, column, hint });
    });
  };
  return adapter;
}

/** The engine reads PostgreSQL's catalogue, whose one-letter type "char" Prisma's adapter does not know. */
function teachChar(adapter: PrismaPgAdapter, character: ColumnType): void {
  const { CHAR, TEXT } = pg.types.builtins;
  const letters = new WeakMap<unknown[], number[]>();
  const pool = adapter.underlyingDriver();
  const query = pool.query.bind(pool);
  const queryRaw = adapter.queryRaw.bind(adapter);

  Object.assign(pool, {
    async query(config: pg.QueryConfig) {
      const result = await query(config);
      if (Array.isArray(result)) return result; // of a script: nobody reads it
      const columns: number[] = [];
      for (const [column, field] of result.fields.entries()) {
        if (field.dataTypeID !== CHAR) continue;
        field.dataTypeID = TEXT;
        columns.push(column);
      }
      letters.set(result.rows, columns);
      return result;
    },
  });
  adapter.queryRaw = async (question) => {
    const result = await queryRaw(question);
    for (const column of letters.get(result.rows) ?? []) result.columnTypes[column] = character;
    return result;
  };
}

/** By its shape: the adapter may have a copy of pg of its own. */
function isDatabaseError(error: unknown): error is pg.DatabaseError {
  return error instanceof Error && 'severity' in error;
}

declare const WebAssembly: {
  instantiate(bytes: Uint8Array, imports: Record<string, object>): Promise<{ instance: { exports: EngineExports } }>;
};

interface EngineExports {
  __wbindgen_start(): void;
}

let engine: Promise<typeof SchemaEngine> | undefined;

/** Once in a process: its bindings have one memory for whatever was instantiated last, and confuse it with the first. */
function loadEngine(): Promise<typeof SchemaEngine> {
  engine ??= instantiateEngine();
  return engine;
}

/** What the package's own entry does, for a Node that cannot import WebAssembly as a module. */
async function instantiateEngine(): Promise<typeof SchemaEngine> {
  const bindings = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const entry = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm');
  const bytes = await readFile(join(dirname(entry), 'schema_engine_bg.wasm'));
  const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': bindings });
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  // The engine looks here when it panics, and would hide its reason behind a TypeError if there were nothing.
  const panics = {
    set_message(message: string) {
      throw new Error(`Prisma's migration engine gave up: ${message}`);
    },
  };
  const registry = 'PRISMA_WASM_PANIC_REGISTRY';
  if (!(registry in globalThis)) Object.assign(globalThis, { [registry]: panics });
  return bindings.SchemaEngine;
}

async function withScratchDatabase<T>(databaseUrl: string, work: (scratchUrl: string) => Promise<T>): Promise<T> {
  const name = `postern_scratch_${randomBytes(6).toString('hex')}`;
  const scratchUrl = new URL(databaseUrl);
  scratchUrl.pathname = `/${name}`;
  const connection = new pg.Client({ connectionString: databaseUrl });
  await connection.connect();
  try {
    await connection.query(`CREATE DATABASE ${name}`);
    return await work(scratchUrl.href);
  } finally {
    await connection.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await connection.end();
  }
}

/** The engine's messages end in the places of its source they came from. */
function withoutTrace(message: string): string {
  return message
    .split('\n')
    .filter((line) => !/^\s+(\d+:|with |at )/.test(line))
    .join(' ')
    .trim();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
