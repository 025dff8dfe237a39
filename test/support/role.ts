import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pg from 'pg';

/** A role that may do in a database what deploy/rights.sql says. */
export interface LimitedRole {
  readonly url: string;
  run(statement: string): Promise<unknown>;
  /** After its database is gone. */
  drop(): Promise<void>;
}

/** Makes such a role for a migrated database, under a name of its own: roles belong to the whole server. */
export async function limitedRole(databaseUrl: string): Promise<LimitedRole> {
  const name = `postern_app_${randomBytes(6).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  await on(databaseUrl, `CREATE ROLE ${name} LOGIN PASSWORD '${password}'`);
  await on(databaseUrl, readFileSync('deploy/rights.sql', 'utf8').replaceAll('postern_app', name));
  const url = new URL(databaseUrl);
  url.username = name;
  url.password = password;
  const server = new URL(databaseUrl);
  server.pathname = '/template1';
  return {
    url: url.href,
    run: (statement) => on(url.href, statement),
    drop: () => on(server.href, `DROP ROLE ${name}`),
  };
}

async function on(url: string, statements: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statements);
  } finally {
    await client.end();
  }
}
