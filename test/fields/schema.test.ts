import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { codegen } from '@graphql-codegen/core';
import * as operations from '@graphql-codegen/typescript-operations';
import { buildSchema, parse, printType } from 'graphql';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { printSubgraph } from '../../src/graphql/federation.ts';
import { schemaWith } from '../../src/graphql/schema.ts';
import { requireUserFields } from '../../src/lib/user-fields/read.ts';
import { createDatabase } from '../support/database.ts';
import { compose, POSTERN_SDL, POSTS_SDL } from '../support/federation.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { newPerson, signUp } from '../support/people.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/process.ts';
import { USER_FIELDS } from '../support/user-fields.ts';

const sdl = printSubgraph(schemaWith(requireUserFields(USER_FIELDS)));

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

/** Runs the command line in the folder of an operator. */
async function postern(words: readonly string[], settings: Record<string, string> = {}) {
  const { PATH = '', HOME = '' } = process.env;
  const program = [resolve('dist/cli.js'), ...words];
  const child = spawn(process.execPath, program, { cwd: folder.path, env: { PATH, HOME, ...settings } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (err += chunk));
  const [status] = (await once(child, 'close')) as [number];
  return { status, out, err };
}

describe('the schema', () => {
  test('is schema.graphql, to the byte, where an operator declares nothing', () => {
    expect(printSubgraph(schemaWith(requireUserFields(undefined)))).toBe(POSTERN_SDL);
    expect(printSubgraph(schemaWith(requireUserFields({})))).toBe(POSTERN_SDL);
  });

  test('has the fields, typed, where they belong, and is otherwise the same', () => {
    const [own, plain] = [buildSchema(sdl), buildSchema(readFileSync('schema.graphql', 'utf8'))];
    const changed = Object.values(own.getTypeMap()).flatMap((type) => {
      const before = plain.getType(type.name);
      const lines = new Set(before ? printType(before).split('\n') : []);
      const added = printType(type)
        .split('\n')
        .filter((line) => line !== '' && !lines.has(line));
      return added.length > 0 ? [[type.name, added.map((line) => line.trim())]] : [];
    });
    const description = '"""Where the office reaches this person, in E.164."""';
    const shown = [
      'memberNumber: String',
      'onboarded: Boolean!',
      'organization: String',
      description,
      'phoneNumber: String',
      'plan: UserPlan',
    ];
    expect(Object.fromEntries(changed)).toEqual({
      User: shown,
      Account: shown,
      UserPlan: ['enum UserPlan {', 'FREE', 'PRO', '}'],
      SignUpInput: ['onboarded: Boolean', description, 'phoneNumber: String'],
      CompleteProviderSignUpInput: ['onboarded: Boolean', description, 'phoneNumber: String'],
      UpdateUserInput: [
        'memberNumber: String',
        'onboarded: Boolean',
        'organization: String',
        description,
        'phoneNumber: String',
      ],
      UpdateProfileInput: ['memberNumber: String', 'onboarded: Boolean', description, 'phoneNumber: String'],
    });
    const gone = Object.keys(plain.getTypeMap()).filter((name) => !own.getType(name));
    expect(gone).toEqual([]);
  });

  test('composes with another subgraph, and _service tells it', async () => {
    const { publicSdl, errors } = compose({ postern: sdl, posts: POSTS_SDL });
    expect(errors).toBeUndefined();
    expect(/^type User \{[^}]*\}/m.exec(publicSdl ?? '')?.[0]).toMatch(/onboarded: Boolean![\s\S]*posts: \[Post!\]!/);
    const [gateway, bare] = await Promise.all([startGateway({ userFields: USER_FIELDS }), startGateway()]);
    try {
      const told = async (at: Gateway) => (await at.client().send('{ _service { sdl } }')).result.sdl;
      // Each gateway has its own, also in one process.
      expect([await told(gateway), await told(bare), await told(gateway)]).toEqual([sdl, POSTERN_SDL, sdl]);
      const held = await signUp(gateway.client(), newPerson());
      const representations = [{ __typename: 'User', id: held.userId }];
      const document = `query E($representations: [_Any!]!) {
        _entities(representations: $representations) { ... on User { onboarded phoneNumber } }
      }`;
      const { text } = await held.client.send(document, { representations });
      expect(JSON.parse(text).data._entities).toEqual([{ onboarded: false, phoneNumber: null }]);
    } finally {
      await Promise.all([gateway.stop(), bare.stop()]);
    }
  });
});

const CONFIG = `import { parsePhoneNumber } from 'postern';
export default { userFields: {
  phoneNumber: {
    type: 'String', write: 'OWNER', description: 'Where the office reaches this person, in E.164.',
    validate: (typed) => { const value = parsePhoneNumber(typed); return value ? { value } : false; },
  },
  organization: { type: 'String', write: 'ADMINISTRATOR', index: true, inAccessToken: true },
  onboarded: { type: 'Boolean', write: 'OWNER', default: false },
} };`;

// Each is a process of its own.
describe('the command line, in a folder with a postern.config', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    await writeFile(
      join(folder.path, 'postern.config.mjs'),
      CONFIG.replace("'postern'", JSON.stringify(resolve('dist/lib/phone-number.js'))),
    );
  });

  test('prints the schema with its fields, or writes it', async () => {
    const printed = await postern(['schema']);
    expect(printed).toMatchObject({ status: 0, err: '' });
    expect(printed.out).toMatch(/^type User [^}]*onboarded: Boolean!\n {2}organization: String\n/m);
    expect(await postern(['schema', '--out', 'postern.graphql'])).toEqual({ status: 0, out: '', err: '' });
    expect(await readFile(join(folder.path, 'postern.graphql'), 'utf8')).toBe(printed.out);
  });

  test('migrates to the indexes of its fields, and says so', async () => {
    const database = await createDatabase(inject('templateUrl'));
    try {
      const settings = { DATABASE_URL: database.url };
      expect((await postern(['migrate'], settings)).out).toBe('made the index users_field_organization_text\n');
      expect(JSON.parse((await postern(['migrate', '--json'], settings)).out)).toEqual({
        applied: [],
        made: [],
        dropped: [],
      });
    } finally {
      await database.drop();
    }
  });
});

test('the types that are generated of it know the fields: what is there, what may be sent, and what may not', {
  timeout: 120_000,
}, async () => {
  const documents = [
    {
      location: 'app.graphql',
      document: parse(`
        query Me { currentUser { __typename ... on User { phoneNumber organization onboarded } } }
        mutation Save($input: UpdateProfileInput!) { updateProfile(input: $input) { __typename } }
        mutation Join($input: SignUpInput!) { signUp(input: $input) { __typename } }`),
    },
  ];
  const types = await codegen({
    filename: 'generated.ts',
    schema: parse(sdl),
    documents,
    config: { scalars: { DateTime: 'string', JSONObject: 'Record<string, unknown>' } },
    plugins: [{ operations: {} }],
    pluginMap: { operations },
  });
  await writeFile(join(folder.path, 'generated.ts'), types);
  const program = (lines: string) =>
    `import type { MeQuery, SaveMutationVariables, JoinMutationVariables } from './generated.ts';\n${lines}`;
  await writeFile(
    join(folder.path, 'right.ts'),
    program(`
      export function read(me: MeQuery): [string, string, boolean] {
        if (me.currentUser.__typename !== 'User') return ['', '', false];
        const { phoneNumber, organization, onboarded } = me.currentUser;
        return [phoneNumber ?? '', organization ?? '', onboarded];
      }
      export const save: SaveMutationVariables = { input: { phoneNumber: null, onboarded: true } };
      export const join: JoinMutationVariables = { input: { credential: 'COOKIE', phoneNumber: '+12025550123' } };`),
  );
  await writeFile(
    join(folder.path, 'wrong.ts'),
    program(`
      export const text: SaveMutationVariables = { input: { onboarded: 'yes' } };
      export const other: SaveMutationVariables = { input: { organization: 'Acme' } };
      export const unsure = (me: Extract<MeQuery['currentUser'], { __typename: 'User' }>): string => me.phoneNumber;`),
  );
  await symlink(resolve('node_modules'), join(folder.path, 'node_modules'));
  const check = async (file: string) => {
    const flags = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--allowImportingTsExtensions',
      '--skipLibCheck',
      '--types',
      'node',
    ];
    const child = spawn(resolve('node_modules/.bin/tsc'), [...flags, file], { cwd: folder.path });
    let out = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    await once(child, 'close');
    return [...out.matchAll(/error (TS\d+)/g)].map(([, code]) => code);
  };
  expect(await check('right.ts')).toEqual([]);
  expect(await check('wrong.ts')).toEqual(['TS2322', 'TS2353', 'TS2322']);
});
