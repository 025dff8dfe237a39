import { readFileSync } from 'node:fs';
import { buildSchema, isInputObjectType, isObjectType } from 'graphql';
import { describe, expect, test } from 'vitest';
import { readUserFields, requireUserFields } from '../../src/lib/user-fields/read.ts';
import { RESERVED_NAMES } from '../../src/lib/user-fields/reserved.ts';
import { fieldValue, parseFieldValues } from '../../src/lib/user-fields/values.ts';
import { problemsOfOperatorConfig } from '../../src/operator-config.ts';
import { USER_FIELDS } from '../support/user-fields.ts';

const problemsOf = (declared: unknown) => readUserFields(declared).problems;

describe('a declaration', () => {
  test('that fits says who writes a field, what a sign-up takes, and what the token tells', () => {
    const fields = requireUserFields(USER_FIELDS);
    expect(fields.map(({ name, write, onSignUp, index, claim }) => [name, write, onSignUp, index, claim])).toEqual([
      ['phoneNumber', 'OWNER', 'OPTIONAL', null, null],
      ['organization', 'ADMINISTRATOR', 'NEVER', 'PLAIN', 'organization'],
      ['onboarded', 'OWNER', 'OPTIONAL', null, null],
      // What is unique would tell at a sign-up whose account there is.
      ['memberNumber', 'OWNER', 'NEVER', 'UNIQUE', null],
      ['plan', 'NOBODY', 'NEVER', null, 'https://example.com/plan'],
    ]);
  });

  test('with mistakes names all of them at once, and is refused with the rest of the file', () => {
    const userFields = {
      email: { type: 'String', write: 'OWNER' },
      'e-mail': { type: 'String', write: 'OWNER' },
      toString: { type: 'String', write: 'OWNER' },
      organization: { type: 'Strin', wriet: 'OWNER', index: 3, inAccessToken: 'sub' },
      onboarded: { type: 'Boolean', write: 'OWNER', default: 'yes', maxLength: 3 },
      scope: { type: 'Int', write: 'NOBODY', inAccessToken: true, onSignUp: 'REQUIRED' },
      memberNumber: { type: 'ID', write: 'OWNER', index: 'UNIQUE', onSignUp: 'OPTIONAL', default: '1' },
      plan: { type: 'Enum', write: 'NOBODY', values: ['FREE', 'true'] },
      bio: { type: 'String', write: 'OWNER', index: true, maxLength: 20_000, validate: true },
      tags: 3,
    };
    expect(problemsOfOperatorConfig({ userFields, hook: {} })).toEqual([
      'userFields.email is a name that Postern itself uses',
      'userFields.e-mail is no name: letters, digits and _, 40 at most, a letter first',
      'userFields.toString is a name that Postern itself uses',
      'userFields.organization.type is none of String, ID, Int, Float, Boolean, DateTime, Enum, [String!]',
      expect.stringMatching(/^userFields\.organization\.wriet is not known; there are type, description, write/),
      'userFields.organization.index is none of true, false, UNIQUE',
      'userFields.organization.write is needed',
      'userFields.organization.inAccessToken is the claim sub, which is not its to set',
      'userFields.onboarded.maxLength is only for texts',
      'userFields.onboarded.default is INVALID',
      'userFields.scope.onSignUp is only for what its owner may write',
      'userFields.scope.inAccessToken is the claim scope, which is not its to set',
      'userFields.memberNumber.onSignUp is NEVER for what is unique: it would tell whose account there is',
      'userFields.memberNumber.default cannot be what everybody has, where no two may have the same',
      'userFields.plan.values is not a list of different names of GraphQL',
      'userFields.bio.validate is not a function',
      'userFields.bio.maxLength is above 500, which an index cannot hold',
      'userFields.tags is not an object',
      'userFields may have more than 16384 characters together',
      expect.stringMatching(/^hook is not known/),
    ]);
    expect(() => requireUserFields(userFields)).toThrow(/email is a name[\s\S]*tags is not an object/);
  });

  test.each([
    ['no object', [], 'userFields is not an object'],
    [
      'two fields of one claim',
      {
        a: { type: 'Int', write: 'NOBODY', inAccessToken: 'c' },
        b: { type: 'Int', write: 'NOBODY', inAccessToken: 'c' },
      },
      'userFields.b.inAccessToken is the claim of another field',
    ],
    [
      'more than a token may carry',
      Object.fromEntries(
        ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => [name, { type: 'String', write: 'OWNER', inAccessToken: true }]),
      ),
      'userFields of the access token may have more than 1024 characters together',
    ],
    [
      'a default that its own validation refuses',
      { a: { type: 'String', write: 'OWNER', default: 'x', validate: () => 'TOO_SHORT' } },
      'userFields.a.default is TOO_SHORT',
    ],
    [
      'the claim of Hasura',
      { a: { type: 'Int', write: 'NOBODY', inAccessToken: 'https://hasura.io/jwt/claims' } },
      'userFields.a.inAccessToken is the claim https://hasura.io/jwt/claims, which is not its to set',
    ],
    [
      'a boolean that is unique',
      { a: { type: 'Boolean', write: 'NOBODY', index: 'UNIQUE' } },
      'userFields.a.index cannot be UNIQUE for Boolean',
    ],
  ])('of %s is refused', (_title, declared, problem) => {
    expect(problemsOf(declared)).toEqual([problem]);
  });

  test('has no name that User or an input has already, nor that of a type', () => {
    const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
    const inputs = ['SignUpInput', 'UpdateProfileInput', 'CompleteProviderSignUpInput', 'UpdateUserInput'];
    const types = ['User', 'Account', ...inputs].map((name) => {
      const type = schema.getType(name);
      return isObjectType(type) || isInputObjectType(type) ? Object.keys(type.getFields()) : [];
    });
    const names = types.flat();
    const enums = Object.keys(schema.getTypeMap())
      .filter((name) => /^User[A-Z]/.test(name))
      .map((name) => name.charAt(4).toLowerCase() + name.slice(5));
    expect(names.length).toBeGreaterThan(20);
    expect([...names, ...enums].filter((name) => !RESERVED_NAMES.has(name))).toEqual([]);
  });
});

describe('a value', () => {
  const fields = requireUserFields({
    name1: { type: 'String', write: 'OWNER', maxLength: 5 },
    text: { type: 'String', write: 'OWNER', multiline: true },
    count: { type: 'Int', write: 'OWNER' },
    ratio: { type: 'Float', write: 'OWNER' },
    born: { type: 'DateTime', write: 'OWNER' },
    plan: { type: 'Enum', values: ['FREE', 'PRO'], write: 'OWNER' },
    tags: { type: '[String!]', write: 'OWNER', maxItems: 2, maxLength: 5 },
    needed: { type: 'Boolean', write: 'OWNER', onSignUp: 'REQUIRED' },
    code: {
      type: 'String',
      write: 'OWNER',
      validate: (value: string) => (value === 'bad' ? 'NOT_ALLOWED' : value !== 'worse'),
    },
    staff: { type: 'Boolean', write: 'ADMINISTRATOR' },
    secret: { type: 'String', write: 'NOBODY' },
  });
  const read = (given: Record<string, unknown>) => parseFieldValues(fields, given, 'OWNER');

  test.each<[name: string, given: unknown, stored: unknown]>([
    ['name1', '  Ada ', 'Ada'],
    ['name1', 'e\u0301', '\u00e9'],
    ['name1', '🜁🜁🜁🜁🜁', '🜁🜁🜁🜁🜁'],
    ['name1', '  ', null],
    ['text', 'a\r\nb\tc', 'a\nb\tc'],
    ['count', 0, 0],
    ['ratio', 0.5, 0.5],
    ['born', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['born', '1970-01-01T01:00:00+01:00', '1970-01-01T00:00:00.000Z'],
    ['plan', 'PRO', 'PRO'],
    ['tags', [' a ', '', 'b'].slice(0, 2), ['a']],
    ['tags', [], null],
    ['needed', false, false],
    ['code', null, null],
  ])('of %s: %j is stored as %j', (name, given, stored) => {
    expect(read({ [name]: given })).toEqual({ changes: { [name]: stored }, issues: [] });
  });

  test.each<[name: string, given: unknown, code: string]>([
    ['name1', 'Ada Lovelace', 'TOO_LONG'],
    ['name1', 'a'.repeat(1e6), 'TOO_LONG'],
    ['name1', 'a\nb', 'INVALID'],
    ['name1', 'a\0b', 'INVALID'],
    ['name1', '\ud800', 'INVALID'],
    ['name1', '\u202eb', 'INVALID'],
    ['name1', 3, 'INVALID'],
    ['text', 'a\0', 'INVALID'],
    ['count', 0.5, 'INVALID'],
    ['count', 2 ** 31, 'INVALID'],
    ['ratio', Number.POSITIVE_INFINITY, 'INVALID'],
    ['ratio', Number.NaN, 'INVALID'],
    ['born', 'yesterday', 'INVALID'],
    ['plan', 'GOLD', 'INVALID'],
    ['tags', ['a', 'b', 'c'], 'TOO_LONG'],
    ['tags', ['abcdef'], 'TOO_LONG'],
    ['tags', [3], 'INVALID'],
    ['needed', null, 'REQUIRED'],
    ['code', 'bad', 'NOT_ALLOWED'],
    ['code', 'worse', 'INVALID'],
    ['staff', true, 'NOT_ALLOWED'],
    ['secret', 'x', 'NOT_ALLOWED'],
    ['unknown', 'x', 'NOT_ALLOWED'],
    ['__proto__x', {}, 'NOT_ALLOWED'],
  ])('of %s: %j is refused as %s', (name, given, code) => {
    expect(read({ [name]: given })).toEqual({ changes: {}, issues: [{ path: [name], code }] });
  });

  test('may be written by those who may, and by those above them', () => {
    const given = { count: 1, staff: true, secret: 'x' };
    const refused = (writer: 'OWNER' | 'ADMINISTRATOR' | 'CODE') =>
      parseFieldValues(fields, given, writer).issues.map(({ path: [name] }) => name);
    expect([refused('OWNER'), refused('ADMINISTRATOR'), refused('CODE')]).toEqual([
      ['staff', 'secret'],
      ['secret'],
      [],
    ]);
  });

  test('that its validation answers with what is no answer is a mistake of the operator, told without the value', () => {
    const validate = async () => true;
    const [field] = [requireUserFields({ hidden: { type: 'String', write: 'OWNER', validate } })];
    expect(() => parseFieldValues(field, { hidden: 'my secret' }, 'OWNER')).toThrow(
      /^the validation of userFields\.hidden gave neither true nor false nor a code nor \{ value \}$/,
    );
  });

  test('that was stored when its field was declared otherwise is none', () => {
    const [count] = requireUserFields({ count: { type: 'Int', write: 'OWNER' } });
    if (!count) throw new Error('no field');
    expect(fieldValue(count, { count: 'three' })).toBeNull();
    expect(fieldValue({ ...count, default: 3 }, {})).toBe(3);
    expect(fieldValue(count, { count: 3 })).toBe(3);
  });
});
