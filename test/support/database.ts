import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedDatabase } from '../../src/infra/embedded.ts';
import { migrate } from '../../src/infra/migrate.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The PostgreSQL of this run; its database `postern` is migrated and empty, and serves as the template. */
    templateUrl: string;
  }
}

/** Builds what processes of the tests run, and starts one PostgreSQL for the whole run, with one migrated database to copy. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  execFileSync(process.execPath, ['scripts/build.js'], { stdio: 'inherit' });
  const dataDir = await mkdtemp(join(tmpdir(), 'postern-test-'));
  const database = await startEmbeddedDatabase({ dataDir, log: () => undefined });
  await migrate(database.url, () => undefined);
  project.provide('templateUrl', database.url);
  return async () => {
    await database.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
}

/** A database of one's own: a copy of the template, gone after {@link TestDatabase.drop}. */
export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

let made = 0;

/** Copies the template. Several may be asked for at once. */
export async function createDatabase(templateUrl: string): Promise<TestDatabase> {
  const name = `test_${process.pid}_${made++}`;
  await onServer(templateUrl, `CREATE DATABASE ${name} TEMPLATE postern STRATEGY FILE_COPY`);
  const url = new URL(templateUrl);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => onServer(templateUrl, `DROP DATABASE ${name} WITH (FORCE)`) };
}

async function onServer(templateUrl: string, statement: string): Promise<void> {
  const url = new URL(templateUrl);
  url.pathname = '/template1';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
