import { extendSchema, type GraphQLSchema, isObjectType, parse } from 'graphql';
import type { UserField, UserFields } from '../lib/user-fields/declaration.ts';
import { enumName } from '../lib/user-fields/read.ts';
import { fieldValue, onSignUp, writableBy } from '../lib/user-fields/values.ts';
import type { User } from '../records/users.ts';
import type { Context } from './context.ts';

// The operator's own fields. The schema of the builder is the same for everybody, and these are put on top of it: so
// they are as typed as any other, and what an input does not declare no client can send.

/** The inputs of a sign-up. */
const SIGN_UP_INPUTS = ['SignUpInput', 'CompleteProviderSignUpInput'];

/** The types that show them: to their person, and to administrators. */
const SHOWN_BY = ['User', 'Account'];

/** The schema with the fields in the types that show them, and in the inputs of those who may write them. */
export function extendByUserFields(schema: GraphQLSchema, fields: UserFields): GraphQLSchema {
  const extended = extendSchema(schema, parse(extensionFor(fields)));
  const shown = SHOWN_BY.map((name) => extended.getType(name)).filter(isObjectType);
  for (const [type, field] of shown.flatMap((type) => fields.map((field) => [type, field] as const))) {
    const own = type.getFields()[field.name];
    if (own) own.resolve = ({ fields: stored }: Pick<User, 'fields'>) => asOutput(field, stored);
  }
  return extended;
}

/** What an input has of the operator's own fields. */
export function givenFields({ app }: Pick<Context, 'app'>, input: object): Readonly<Record<string, unknown>> {
  const names = new Set(app.userFields.map(({ name }) => name));
  return Object.fromEntries(Object.entries(input).filter(([name]) => names.has(name)));
}

function asOutput(field: UserField, stored: User['fields']) {
  const value = fieldValue(field, stored);
  return field.type === 'DateTime' && typeof value === 'string' ? new Date(value) : value;
}

function extensionFor(fields: UserFields): string {
  const written = writableBy(fields, 'OWNER');
  const enums = fields.filter(({ type }) => type === 'Enum');
  return [
    ...enums.map(({ name, values }) => `enum ${enumName(name)} { ${values.join(' ')} }`),
    // With a default there is always a value.
    ...SHOWN_BY.map((type) => extension(`type ${type}`, fields, (field) => (field.default === null ? '' : '!'))),
    extension('input UpdateProfileInput', written),
    extension('input UpdateUserInput', writableBy(fields, 'ADMINISTRATOR')),
    ...SIGN_UP_INPUTS.map((input) => extension(`input ${input}`, onSignUp(written))),
  ].join('\n');
}

function extension(of: string, fields: UserFields, nullability = (_field: UserField) => ''): string {
  if (fields.length === 0) return '';
  const lines = fields.map((field) => {
    const description = field.description === null ? '' : `${JSON.stringify(field.description)} `;
    return `${description}${field.name}: ${typeOf(field)}${nullability(field)}`;
  });
  return `extend ${of} { ${lines.join('\n')} }`;
}

function typeOf({ name, type }: UserField): string {
  return type === 'Enum' ? enumName(name) : type;
}
