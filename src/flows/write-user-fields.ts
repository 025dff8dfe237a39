import type { App } from '../app.ts';
import type { FieldValue } from '../lib/user-fields/declaration.ts';
import { parseFieldValues, valuesOf, withChanges } from '../lib/user-fields/values.ts';
import { isUuid } from '../lib/uuid.ts';
import * as users from '../records/users.ts';
import { type Client, transact } from '../unit.ts';
import { type InvalidInput, invalidInput, type NotFound } from './shared/outcomes.ts';
import { takenFields } from './shared/user-fields.ts';

/** What a person has of the operator's own fields; null for nothing. */
export interface UserFieldsWritten {
  readonly kind: 'UserFieldsWritten';
  readonly fields: Readonly<Record<string, FieldValue | null>>;
}

export type WriteUserFieldsResult = UserFieldsWritten | InvalidInput | NotFound;

/** The operator's own program comes from nowhere. */
const PROGRAM: Client = { ipAddress: '', userAgent: null };

/**
 * Writes some of a person's own fields for the operator's own code, whoever else may write them: all of it, or nothing
 * and every reason why not. What is left out stays; null takes a value away.
 */
export async function writeUserFields(
  app: App,
  userId: string,
  given: Readonly<Record<string, FieldValue | Date | null | undefined>>,
): Promise<WriteUserFieldsResult> {
  if (!isUuid(userId)) return { kind: 'NotFound' };
  const { changes, issues } = parseFieldValues(app.userFields, given, 'CODE');
  if (issues.length > 0) return invalidInput(...issues);
  return transact(app, PROGRAM, async (unit): Promise<WriteUserFieldsResult> => {
    const { db, emit } = unit;
    const before = (await users.lock(db, userId)) ? await users.fieldsOf(db, userId) : null;
    if (!before) return { kind: 'NotFound' };
    const taken = await takenFields(unit, userId, changes);
    if (taken.length > 0) return invalidInput(...taken);
    if (await users.setFields(db, userId, changes)) emit({ kind: 'ProfileUpdated', userId });
    return { kind: 'UserFieldsWritten', fields: valuesOf(app.userFields, withChanges(before, changes)) };
  });
}

/** What a person has of the operator's own fields, for the operator's own code; null for nobody. */
export async function userFieldsOf(app: App, userId: string): Promise<UserFieldsWritten['fields'] | null> {
  if (!isUuid(userId)) return null;
  const stored = await users.fieldsOf(app.database, userId);
  return stored && valuesOf(app.userFields, stored);
}
