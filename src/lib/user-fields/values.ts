import type { FieldProblem, FieldValue, FieldValues, FieldWriter, UserField, UserFields } from './declaration.ts';

/** What is wrong with the value of a field. */
export interface FieldIssue {
  readonly path: readonly [field: string];
  readonly code: FieldProblem;
}

/** Values to be written: null takes one away. */
export type FieldChanges = Readonly<Record<string, FieldValue | null>>;

/** Values as they were read, and every problem of those that do not do. */
export interface ReadValues {
  readonly changes: FieldChanges;
  readonly issues: readonly FieldIssue[];
}

const PROBLEMS: readonly unknown[] = ['REQUIRED', 'INVALID', 'TOO_SHORT', 'TOO_LONG', 'NOT_ALLOWED'];
const MAY_WRITE: Readonly<Record<FieldWriter, readonly UserField['write'][]>> = {
  OWNER: ['OWNER'],
  ADMINISTRATOR: ['OWNER', 'ADMINISTRATOR'],
  CODE: ['OWNER', 'ADMINISTRATOR', 'NOBODY'],
};

/** The fields that somebody may write. */
export function writableBy(fields: UserFields, writer: FieldWriter): UserFields {
  return fields.filter(({ write }) => MAY_WRITE[writer].includes(write));
}

/** The fields that a sign-up takes. */
export function onSignUp(fields: UserFields): UserFields {
  return fields.filter((field) => field.onSignUp !== 'NEVER');
}

/**
 * Reads values as somebody gives them, each by what its field is. What is left out stays; null, and a text or list of
 * nothing, takes the value away, unless the field is one that everybody has to have.
 * @param given by name; an instant as a Date or as a text of ISO 8601
 * @returns the values that do, and every problem of the others: a name that is none, or not theirs to write, is NOT_ALLOWED
 */
export function parseFieldValues(
  fields: UserFields,
  given: Readonly<Record<string, unknown>>,
  writer: FieldWriter,
): ReadValues {
  const changes: Record<string, FieldValue | null> = {};
  const issues: FieldIssue[] = [];
  const writable = writableBy(fields, writer);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const field = writable.find((each) => each.name === name);
    const read = field ? readValue(field, value) : { problem: 'NOT_ALLOWED' as const };
    if ('problem' in read) issues.push({ path: [name], code: read.problem });
    else changes[name] = read.value;
  }
  return { changes, issues };
}

/** What a sign-up must have and does not mention. */
export function missingOnSignUp(fields: UserFields, given: Readonly<Record<string, unknown>>): FieldIssue[] {
  return fields
    .filter(({ name, onSignUp }) => onSignUp === 'REQUIRED' && given[name] === undefined)
    .map(({ name }) => ({ path: [name], code: 'REQUIRED' }));
}

/** The values that somebody has once these changes are made. */
export function withChanges(values: FieldValues, changes: FieldChanges): FieldValues {
  const kept = Object.entries({ ...values, ...changes }).filter(([, value]) => value !== null);
  return Object.fromEntries(kept) as FieldValues;
}

/**
 * Reads one value.
 * @throws Error that names the field, and no value, if its validation says nothing that it may say
 */
export function readValue(
  field: UserField,
  given: unknown,
): { readonly value: FieldValue | null } | { readonly problem: FieldProblem } {
  const read = given === null ? null : readForm(field, given);
  if (read !== null && typeof read === 'object' && 'problem' in read) return read;
  if (read === null) return field.onSignUp === 'REQUIRED' ? { problem: 'REQUIRED' } : { value: null };
  if (!field.validate) return { value: read };
  const verdict = field.validate(read);
  if (verdict === true) return { value: read };
  if (verdict === false) return { problem: 'INVALID' };
  if (PROBLEMS.includes(verdict)) return { problem: verdict as FieldProblem };
  const other = typeof verdict === 'object' && verdict !== null && 'value' in verdict ? verdict.value : null;
  const rewritten = other === null ? null : readForm(field, other);
  if (rewritten === null || (typeof rewritten === 'object' && 'problem' in rewritten))
    throw new Error(`the validation of userFields.${field.name} gave neither true nor false nor a code nor { value }`);
  return { value: rewritten };
}

/** The value that a person has; null for none. What was stored when the field was declared otherwise is none. */
export function fieldValue(field: UserField, stored: FieldValues): FieldValue | null {
  const value = stored[field.name];
  return value !== undefined && hasForm(field, value) ? value : field.default;
}

/** What a person has of all that is declared, as hooks and programs are told of it. */
export function valuesOf(fields: UserFields, stored: FieldValues): Readonly<Record<string, FieldValue | null>> {
  return Object.fromEntries(fields.map((field) => [field.name, fieldValue(field, stored)]));
}

/** What the access tokens of a person say of it. */
export function claimsOf(fields: UserFields, stored: FieldValues): FieldValues {
  const claims = fields.flatMap((field) => {
    const value = field.claim === null ? null : fieldValue(field, stored);
    return value === null ? [] : [[field.claim, value] as const];
  });
  return Object.fromEntries(claims);
}

function hasForm(field: UserField, value: unknown): boolean {
  switch (field.type) {
    case 'Int':
      return Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 31;
    case 'Float':
      return Number.isFinite(value);
    case 'Boolean':
      return typeof value === 'boolean';
    case 'DateTime':
      return typeof value === 'string' && !Number.isNaN(Date.parse(value));
    case 'Enum':
      return typeof value === 'string' && field.values.includes(value);
    case '[String!]':
      return Array.isArray(value) && value.every((each) => typeof each === 'string');
    default:
      return typeof value === 'string';
  }
}

type Form = FieldValue | null | { readonly problem: FieldProblem };

/** A value in the form in which it is stored; null for nothing. */
function readForm(field: UserField, given: unknown): Form {
  if (field.type === 'DateTime') return readInstant(given);
  if (!hasForm(field, given)) return { problem: 'INVALID' };
  if (field.type === 'String' || field.type === 'ID') return readText(field, given as string);
  return field.type === '[String!]' ? readList(field, given as readonly string[]) : (given as FieldValue);
}

function readInstant(given: unknown): Form {
  const instant = given instanceof Date || typeof given === 'string' ? new Date(given) : null;
  return instant && !Number.isNaN(instant.getTime()) ? instant.toISOString() : { problem: 'INVALID' };
}

function readList(field: UserField, given: readonly string[]): Form {
  if (given.length > field.maxItems) return { problem: 'TOO_LONG' };
  const read = given.map((each) => readText(field, each));
  const wrong = read.find((each) => typeof each === 'object');
  if (wrong) return wrong;
  const texts = read.filter((each) => typeof each === 'string');
  return texts.length > 0 ? texts : null;
}

/** In NFC, surrounding blanks gone. Null: no text at all. */
function readText(
  { maxLength, multiline }: UserField,
  typed: string,
): string | null | { readonly problem: FieldProblem } {
  // Normalizing takes time that grows with the square of a run of combining marks: only what may fit is normalized.
  if (typed.length > 8 * maxLength) return { problem: 'TOO_LONG' };
  // Control characters forge lines in mails, logs and headers; PostgreSQL takes no NUL, nor halves of characters.
  const unfit = multiline ? /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u : /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
  const text = typed.normalize('NFC').trim().replaceAll('\r\n', '\n');
  if (unfit.test(multiline ? text.replace(/[\n\t]/g, '') : text) || !text.isWellFormed()) return { problem: 'INVALID' };
  return [...text].length > maxLength ? { problem: 'TOO_LONG' } : text || null;
}
