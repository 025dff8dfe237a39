import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import type { Source } from '../../src/import/person.ts';
import { createAccountAt } from '../../src/import/providers.ts';
import type { Report } from '../../src/import/report.ts';
import { importPeople } from '../../src/import/run.ts';
import type { Gateway } from './gateway.ts';

/** The database of another system, made by a file of SQL. */
export interface ForeignDatabase {
  readonly url: string;
  sql(text: string, values?: unknown[]): Promise<void>;
  drop(): Promise<void>;
}

let made = 0;

/** Makes an empty database beside those of the gateways, and runs a fixture in it. */
export async function createForeignDatabase(fixture: string): Promise<ForeignDatabase> {
  const template = inject('templateUrl');
  const name = `foreign_${process.pid}_${made++}`;
  await run(template, '/template1', `CREATE DATABASE ${name} TEMPLATE template0`);
  await run(template, `/${name}`, fixtureText(fixture));
  const url = new URL(template);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    sql: (text, values) => run(template, `/${name}`, text, values),
    drop: () => run(template, '/template1', `DROP DATABASE ${name} WITH (FORCE)`),
  };
}

export function fixtureText(name: string): string {
  return readFileSync(join('test/import/fixtures', name), 'utf8');
}

async function run(server: string, database: string, text: string, values?: unknown[]): Promise<void> {
  const url = new URL(server);
  url.pathname = database;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query(text, values);
  } finally {
    await client.end();
  }
}

/** Takes the people of a source in, as the command does. */
export function takeIn(
  { app }: Gateway,
  source: Source,
  {
    name = 'there',
    dryRun = false,
    providers = {},
  }: { name?: string; dryRun?: boolean; providers?: Record<string, string> } = {},
): Promise<Report> {
  const accountAt = createAccountAt(app.config.social.providers, new Map(Object.entries(providers)));
  const target = { rpId: app.config.passkeys.rpId, cipher: app.cipher, accountAt, now: app.clock() };
  return importPeople(app.database, source, { name, dryRun, target });
}

/** What was left out, as `id: code`, or `line: code` where no id could be read. */
export function problemsOf({ problems }: Report): string[] {
  return problems.map(({ place, code }) => `${place.id ?? place.line}: ${code}`);
}

let files = 0;

/** Writes a file into a folder; its path. */
export async function fileOf(folder: string, content: string | Buffer): Promise<string> {
  const path = join(folder, `people.${files++}`);
  await writeFile(path, content);
  return path;
}
