import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { updateFieldIndexes } from '../../src/infra/field-indexes.ts';
import type { UserFieldDeclarations } from '../../src/lib/user-fields/declaration.ts';
import { requireUserFields } from '../../src/lib/user-fields/read.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { startGateway } from '../support/gateway.ts';
import { USER_FIELDS } from '../support/user-fields.ts';

let database: TestDatabase;
let pool: pg.Pool;
beforeAll(async () => {
  database = await createDatabase(inject('templateUrl'));
  pool = new pg.Pool({ connectionString: database.url, max: 4 });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const update = (declared: UserFieldDeclarations, url = database.url) =>
  updateFieldIndexes(url, requireUserFields(declared));
const { organization, memberNumber } = USER_FIELDS;

async function indexes(): Promise<Record<string, string>> {
  const { rows } = await pool.query<{ indexname: string; indexdef: string }>(
    `SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'users' AND indexname LIKE 'users\\_field\\_%'`,
  );
  return Object.fromEntries(rows.map((row) => [row.indexname, row.indexdef.replace(/^.* ON [\w.]+users /, '')]));
}

test('are made as they are declared when a gateway starts, and are used by whoever asks for a value', async () => {
  const gateway = await startGateway({ userFields: USER_FIELDS });
  try {
    const found = await gateway.sql(
      `SELECT indexname FROM pg_indexes WHERE tablename = 'users' AND indexname ~ '^users_field_' ORDER BY 1`,
    );
    expect(found).toEqual([
      { indexname: 'users_field_memberNumber_unique' },
      { indexname: 'users_field_organization_text' },
    ]);
    await gateway.sql(`INSERT INTO users (id, created_at, fields)
      SELECT gen_random_uuid(), now(), jsonb_build_object('organization', 'o' || n, 'memberNumber', 'm' || n) FROM generate_series(1, 5000) n`);
    await gateway.sql('ANALYZE users');
    for (const [name, index] of [
      ['organization', 'text'],
      ['memberNumber', 'unique'],
    ] as const) {
      const plan = await gateway.sql(`EXPLAIN SELECT id FROM users WHERE fields ->> '${name}' = 'o77'`);
      expect(JSON.stringify(plan)).toContain(`users_field_${name}_${index}`);
    }
  } finally {
    await gateway.stop();
  }
});

describe('the indexes of own fields', () => {
  test('follow the declaration: made, changed, and dropped; what is named otherwise is left alone', async () => {
    await pool.query('CREATE INDEX of_somebody_else ON users (name)');
    const declared: UserFieldDeclarations = {
      organization,
      age: { type: 'Int', write: 'NOBODY', index: true },
      tags: { type: '[String!]', write: 'NOBODY', index: true },
    };
    expect(await update(declared)).toEqual({
      made: ['users_field_organization_text', 'users_field_age_value', 'users_field_tags_list'],
      dropped: [],
    });
    expect(await indexes()).toEqual({
      users_field_organization_text: "USING btree (((fields ->> 'organization'::text)))",
      users_field_age_value: "USING btree (((fields -> 'age'::text)))",
      users_field_tags_list: "USING gin (((fields -> 'tags'::text)))",
    });
    expect(await update(declared)).toEqual({ made: [], dropped: [] });
    expect(await update({ organization: { ...organization, index: 'UNIQUE' } })).toEqual({
      made: ['users_field_organization_unique'],
      dropped: expect.arrayContaining([
        'users_field_organization_text',
        'users_field_age_value',
        'users_field_tags_list',
      ]),
    });
    expect(await update({})).toMatchObject({ dropped: ['users_field_organization_unique'] });
    expect(await indexes()).toEqual({});
    const { rows } = await pool.query(`SELECT 1 FROM pg_indexes WHERE indexname = 'of_somebody_else'`);
    expect(rows).toHaveLength(1);
  });

  test('are made once by instances that start together', async () => {
    const results = await Promise.all(Array.from({ length: 4 }, () => update({ organization, memberNumber })));
    expect(results.flatMap(({ made }) => made).sort()).toEqual([
      'users_field_memberNumber_unique',
      'users_field_organization_text',
    ]);
    expect(Object.keys(await indexes())).toHaveLength(2);
    await update({});
  });

  test('that were begun and not finished are made anew', async () => {
    await pool.query(
      `INSERT INTO users (id, created_at, fields) SELECT gen_random_uuid(), now(), '{"memberNumber": "twice"}' FROM generate_series(1, 2)`,
    );
    const refused = update({ memberNumber });
    await expect(refused).rejects.toThrow(
      /^The index of userFields\.memberNumber cannot be made: there are people with the same value\.$/,
    );
    // PostgreSQL leaves one behind that keeps nobody from anything.
    expect(Object.keys(await indexes())).toEqual(['users_field_memberNumber_unique']);
    await pool.query(`DELETE FROM users WHERE fields ->> 'memberNumber' = 'twice'`);
    expect(await update({ memberNumber })).toEqual({ made: ['users_field_memberNumber_unique'], dropped: [] });
    await update({});
  });

  test('are left to postern migrate where the gateway’s own user may make none', async () => {
    await pool.query(`DO $$ BEGIN
      CREATE ROLE fields_reader LOGIN PASSWORD 'fields';
    EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
    await pool.query('GRANT SELECT ON users TO fields_reader');
    const url = new URL(database.url);
    [url.username, url.password] = ['fields_reader', 'fields'];
    await expect(update({ organization }, url.href)).rejects.toThrow(
      'The index of userFields.organization cannot be made by this user of the database. Run `postern migrate` with the DATABASE_URL of its owner.',
    );
    await update({ organization });
    expect(await update({ organization }, url.href)).toEqual({ made: [], dropped: [] });
    await update({});
  });
});

test('a gateway does not start on a declaration with mistakes, and names them all', async () => {
  // As a file says it that nothing has type-checked.
  const userFields = JSON.parse('{ "email": { "type": "String", "write": "OWNER" }, "plan": { "type": "Enum" } }');
  await expect(startGateway({ userFields })).rejects.toThrow(
    /userFields\.email is a name that Postern itself uses\n {2}userFields\.plan\.write is needed\n {2}userFields\.plan\.values is needed/,
  );
});
