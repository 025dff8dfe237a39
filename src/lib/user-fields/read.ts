import { isReservedClaim } from '../extra-claims.ts';
import { HASURA_CLAIMS } from '../hasura.ts';
import type { UserField, UserFields } from './declaration.ts';
import { RESERVED_NAMES } from './reserved.ts';
import { readValue } from './values.ts';

/** Fields as they were declared, or everything that is wrong with the declaration. */
export type ReadFields =
  | { readonly fields: UserFields; readonly problems: readonly [] }
  | { readonly fields: null; readonly problems: readonly string[] };

const TYPES: readonly unknown[] = ['String', 'ID', 'Int', 'Float', 'Boolean', 'DateTime', 'Enum', '[String!]'];
const TEXTS: readonly unknown[] = ['String', 'ID', '[String!]'];
const DEFAULT_LENGTH = 200;
const DEFAULT_ITEMS = 20;
/** An entry of an index has a third of a page (2,704 bytes), and a character four bytes at most. */
const MAX_INDEXED_LENGTH = 500;
/** Characters of all fields of a person: they are in memory with each of their sessions. */
const MAX_TOGETHER = 16 * 1024;
/** Characters of all fields in an access token, which goes with every request. */
const MAX_IN_TOKEN = 1024;
/** Of a value of any other type. */
const OTHER_LENGTH = 32;
/** PostgreSQL cuts the names of indexes at 63 bytes. */
const NAME = /^[A-Za-z][A-Za-z0-9_]{0,39}$/;
const ENUM_VALUE = /^(?!true$|false$|null$)[A-Za-z][A-Za-z0-9_]{0,63}$/;

type Given = Readonly<Record<string, unknown>>;
/** What an option may be; a text says what it is not. */
type Check = (value: unknown, given: Given) => string | null;

const oneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value) ? null : `is none of ${values.join(', ')}`;
/** Of a type that is none, nothing more is said. */
const isOther = (type: unknown, than: readonly unknown[]) => TYPES.includes(type) && !than.includes(type);
const count: Check = (value, { type }) => {
  if (isOther(type, TEXTS)) return 'is only for texts';
  return Number.isInteger(value) && Number(value) > 0 ? null : 'is not a whole number above 0';
};

const OPTIONS: Readonly<Record<string, Check>> = {
  type: oneOf(...TYPES),
  description: (value) => (typeof value === 'string' ? null : 'is not a text'),
  write: oneOf('OWNER', 'ADMINISTRATOR', 'NOBODY'),
  onSignUp: (value, { write, index }) => {
    if (value !== 'NEVER' && write !== 'OWNER') return 'is only for what its owner may write';
    // Whether a value is taken would tell whether the sign-up before became an account.
    if (value !== 'NEVER' && index === 'UNIQUE')
      return 'is NEVER for what is unique: it would tell whose account there is';
    return oneOf('OPTIONAL', 'REQUIRED', 'NEVER')(value, {});
  },
  validate: (value) => (typeof value === 'function' ? null : 'is not a function'),
  default: (value, { index }) => {
    if (index === 'UNIQUE') return 'cannot be what everybody has, where no two may have the same';
    return value === null ? 'is null, which is what there is without one' : null;
  },
  index: (value, { type }) => {
    if (value === 'UNIQUE' && (type === 'Boolean' || type === '[String!]')) return `cannot be UNIQUE for ${type}`;
    return oneOf(true, false, 'UNIQUE')(value, {});
  },
  inAccessToken: (value) => {
    if (typeof value === 'boolean') return null;
    return typeof value === 'string' && /^[!-~]{1,100}$/.test(value) ? null : 'is neither true nor the name of a claim';
  },
  maxLength: count,
  maxItems: (value, given) => (isOther(given.type, ['[String!]']) ? 'is only for lists' : count(value, given)),
  multiline: (value, { type }) => {
    if (isOther(type, TEXTS)) return 'is only for texts';
    return typeof value === 'boolean' ? null : 'is neither true nor false';
  },
  values: (value, { type }) => {
    if (isOther(type, ['Enum'])) return 'is only for the type Enum';
    const fits = Array.isArray(value) && value.length > 0 && new Set(value).size === value.length;
    return fits && value.every((each) => typeof each === 'string' && ENUM_VALUE.test(each))
      ? null
      : 'is not a list of different names of GraphQL';
  },
};

/** Reads how an operator declares fields: all of them, or everything that is wrong with any of them. */
export function readUserFields(declared: unknown): ReadFields {
  if (!isObject(declared)) return { fields: null, problems: ['userFields is not an object'] };
  const read = Object.entries(declared).map(([name, given]) => readField(name, given));
  const fields = read.flatMap(({ field }) => field ?? []);
  const problems = [...read.flatMap(({ problems }) => problems), ...problemsTogether(fields)];
  return problems.length > 0 ? { fields: null, problems } : { fields, problems: [] };
}

/**
 * The same for where a declaration that does not fit is the end.
 * @param declared undefined for none
 * @throws Error with a message for the operator that names everything that is wrong
 */
export function requireUserFields(declared: unknown): UserFields {
  const { fields, problems } = readUserFields(declared ?? {});
  if (!fields) throw new Error(`The fields of people do not fit:\n${problems.map((each) => `  ${each}`).join('\n')}`);
  return fields;
}

/** A field as far as it can be read, and everything that is wrong with it. */
interface ReadField {
  readonly field: UserField | null;
  readonly problems: readonly string[];
}

function readField(name: string, given: unknown): ReadField {
  const where = `userFields.${name}`;
  const problems = problemsOfName(name).map((problem) => `${where} ${problem}`);
  if (!isObject(given)) return { field: null, problems: [...problems, `${where} is not an object`] };
  const wrong = new Map(
    Object.entries(given).flatMap(([option, value]) => {
      const problem = problemOf(option, value, given);
      return problem === null ? [] : [[option, problem] as const];
    }),
  );
  for (const needed of ['type', 'write', ...(given.type === 'Enum' ? ['values'] : [])])
    if (given[needed] === undefined) wrong.set(needed, 'is needed');
  const claim = given.inAccessToken === true ? name : given.inAccessToken;
  if (typeof claim === 'string' && (isReservedClaim(claim) || claim === HASURA_CLAIMS))
    wrong.set('inAccessToken', `is the claim ${claim}, which is not its to set`);
  // What is right of it is looked at as a whole, whatever else is wrong: all problems at once.
  const field = wrong.has('type') || wrong.has('values') ? null : asField(name, without(given, wrong));
  const readDefault = field && !wrong.has('default') ? withDefault(field, given.default) : field;
  if (typeof readDefault === 'string') wrong.set('default', readDefault);
  if (field?.index && isText(field) && field.maxLength > MAX_INDEXED_LENGTH)
    wrong.set('maxLength', `is above ${MAX_INDEXED_LENGTH}, which an index cannot hold`);
  problems.push(...[...wrong].map(([option, problem]) => `${where}.${option} ${problem}`));
  return { field: typeof readDefault === 'string' ? field : readDefault, problems };
}

function problemsOfName(name: string): string[] {
  if (!NAME.test(name)) return ['is no name: letters, digits and _, 40 at most, a letter first'];
  // What every object has by itself would be found on one that has no such value.
  return RESERVED_NAMES.has(name) || name in {} ? ['is a name that Postern itself uses'] : [];
}

function problemOf(option: string, value: unknown, given: Given): string | null {
  if (!Object.hasOwn(OPTIONS, option)) return `is not known; there are ${Object.keys(OPTIONS).join(', ')}`;
  return value === undefined ? null : (OPTIONS[option]?.(value, given) ?? null);
}

function without(given: Given, names: ReadonlyMap<string, unknown>): Given {
  return Object.fromEntries(Object.entries(given).filter(([name]) => !names.has(name)));
}

function asField(name: string, given: Given): UserField {
  // What each of these is was looked at above, one option after the other.
  const {
    type,
    write,
    index = false,
    inAccessToken = false,
  } = given as {
    readonly type: UserField['type'];
    readonly write: UserField['write'];
    readonly index?: boolean | 'UNIQUE';
    readonly inAccessToken?: boolean | string;
  };
  const option = <T>(key: string, otherwise: T): T => (given[key] as T | undefined) ?? otherwise;
  return {
    name,
    type,
    write,
    description: option<string | null>('description', null),
    values: [...option<readonly string[]>('values', [])],
    onSignUp: option('onSignUp', write === 'OWNER' && index !== 'UNIQUE' ? 'OPTIONAL' : 'NEVER'),
    default: null,
    index: index === 'UNIQUE' ? index : index ? 'PLAIN' : null,
    claim: inAccessToken === true ? name : inAccessToken || null,
    maxLength: option('maxLength', DEFAULT_LENGTH),
    maxItems: option('maxItems', DEFAULT_ITEMS),
    multiline: option('multiline', false),
    validate: option<UserField['validate']>('validate', null),
  };
}

/** A default is a value like any other. */
function withDefault(field: UserField, value: unknown): UserField | string {
  if (value === undefined) return field;
  try {
    const read = readValue({ ...field, onSignUp: 'NEVER' }, value);
    if ('problem' in read) return `is ${read.problem}`;
    return read.value === null ? 'is nothing' : { ...field, default: read.value };
  } catch {
    return 'is a value that its validation cannot take';
  }
}

function problemsTogether(fields: UserFields): string[] {
  const problems: string[] = [];
  const total = (of: UserFields) => of.reduce((sum, field) => sum + longest(field), 0);
  if (total(fields) > MAX_TOGETHER) problems.push(`userFields may have more than ${MAX_TOGETHER} characters together`);
  const told = fields.filter(({ claim }) => claim !== null);
  if (total(told) > MAX_IN_TOKEN)
    problems.push(`userFields of the access token may have more than ${MAX_IN_TOKEN} characters together`);
  const twice = told.find(({ claim }, at) => told.findIndex((other) => other.claim === claim) < at);
  if (twice) problems.push(`userFields.${twice.name}.inAccessToken is the claim of another field`);
  const types = fields.filter(({ type }) => type === 'Enum').map(({ name }) => enumName(name));
  const same = types.find((name, at) => types.indexOf(name) < at);
  if (same) problems.push(`userFields has two enums ${same}`);
  return problems;
}

/** The GraphQL type of a field that is an enum. */
export function enumName(field: string): string {
  return `User${field.charAt(0).toUpperCase()}${field.slice(1)}`;
}

function longest(field: UserField): number {
  if (field.type === 'Enum') return Math.max(...field.values.map(({ length }) => length));
  if (field.type === '[String!]') return field.maxItems * (field.maxLength + '"",'.length);
  return isText(field) ? field.maxLength : OTHER_LENGTH;
}

function isText({ type }: UserField): boolean {
  return TEXTS.includes(type);
}

function isObject(value: unknown): value is Given {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
