import { createHash, randomBytes } from 'node:crypto';
import pg from 'pg';
import { readMigrations } from '../../infra/migrate/migrations.ts';
import { migrate } from '../../infra/migrate.ts';

/** A database of one's own, gone after {@link ScratchDatabase.drop}. */
export interface ScratchDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

const SCRATCH_PREFIX = 'postern_test_';
const TEMPLATE_PREFIX = 'postern_template_';
/** Held while a template is made: of several that need one, one makes it. */
const TEMPLATE_LOCK = 7_067_837_002;
/** The version that brought the way of copying that does not write the copy to the log first. */
const FILE_COPY_SINCE = 150_000;

/**
 * Makes a migrated database on a server: a copy of a template, which is made at first use and stays.
 * @param serverUrl any database of the server, of a user who may create others
 */
export async function createScratchDatabase(serverUrl: string): Promise<ScratchDatabase> {
  const name = `${SCRATCH_PREFIX}${randomBytes(8).toString('hex')}`;
  await onServer(serverUrl, async (connection) => {
    const template = await findTemplate(serverUrl, connection);
    const { rows } = await connection.query("SELECT current_setting('server_version_num')::int AS version");
    const strategy = rows[0].version >= FILE_COPY_SINCE ? 'STRATEGY FILE_COPY' : '';
    await connection.query(`CREATE DATABASE ${name} TEMPLATE ${template} ${strategy}`);
  });
  return {
    url: urlOf(serverUrl, name),
    drop: () => onServer(serverUrl, (connection) => drop(connection, name)),
  };
}

/** Drops what processes left behind that were killed. For a server that nobody else uses. */
export function dropLeftovers(serverUrl: string): Promise<void> {
  return onServer(serverUrl, async (connection) => {
    const { rows } = await connection.query('SELECT datname FROM pg_database WHERE starts_with(datname, $1)', [
      SCRATCH_PREFIX,
    ]);
    for (const { datname } of rows) await drop(connection, datname);
  });
}

async function findTemplate(serverUrl: string, connection: pg.Client): Promise<string> {
  const name = `${TEMPLATE_PREFIX}${await digestOfMigrations()}`;
  if (await exists(connection, name)) return name;
  await connection.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK]);
  try {
    if (await exists(connection, name)) return name;
    // It gets its name once it is whole.
    const draft = `${SCRATCH_PREFIX}draft_${randomBytes(8).toString('hex')}`;
    await connection.query(`CREATE DATABASE ${draft}`);
    await migrate(urlOf(serverUrl, draft), () => undefined);
    await connection.query(`ALTER DATABASE ${draft} RENAME TO ${name}`);
    return name;
  } finally {
    await connection.query('SELECT pg_advisory_unlock($1)', [TEMPLATE_LOCK]);
  }
}

async function exists(connection: pg.Client, name: string): Promise<boolean> {
  const { rowCount } = await connection.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  return rowCount === 1;
}

async function drop(connection: pg.Client, name: string): Promise<void> {
  await connection.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
}

/** What a template is made of: another one for each set of migrations. */
async function digestOfMigrations(): Promise<string> {
  const hash = createHash('sha256');
  for (const { name, sql } of await readMigrations()) hash.update(`${name}\n${sql}\n`);
  return hash.digest('hex').slice(0, 16);
}

async function onServer<R>(serverUrl: string, work: (connection: pg.Client) => Promise<R>): Promise<R> {
  const connection = new pg.Client({ connectionString: serverUrl, application_name: 'postern testing' });
  // Queries reject by themselves; without a listener a connection that breaks would end the process as well.
  connection.on('error', () => undefined);
  await connection.connect();
  return work(connection).finally(() => connection.end());
}

function urlOf(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}
