import { valuesOf } from '../lib/user-fields/values.ts';
import * as emails from '../records/emails.ts';
import type { User } from '../records/users.ts';
import * as users from '../records/users.ts';
import type { Unit } from '../unit.ts';

/** Somebody as hooks are told of them, read for it. */
export async function readHookPerson({ db, userFields }: Pick<Unit, 'userFields' | 'db'>, userId: string) {
  const [roles, email, fields] = await Promise.all([
    users.rolesOf(db, userId),
    emails.primaryOf(db, userId),
    userFields.length > 0 ? users.fieldsOf(db, userId) : null,
  ]);
  return { userId, email, roles, fields: valuesOf(userFields, fields ?? {}) };
}

/** Somebody who is known, as hooks are told of them. */
export function asHookPerson({ userFields }: Pick<Unit, 'userFields'>, { id, email, roles, fields }: User) {
  return { userId: id, email, roles, fields: valuesOf(userFields, fields) };
}
