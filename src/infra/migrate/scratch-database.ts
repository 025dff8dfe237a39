import { randomBytes } from 'node:crypto';
import pg from 'pg';

/**
 * Lends a database that exists only for this work.
 * @param databaseUrl any database on a server where its user may create another
 */
export async function withScratchDatabase<T>(
  databaseUrl: string,
  work: (scratchUrl: string) => Promise<T>,
): Promise<T> {
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
