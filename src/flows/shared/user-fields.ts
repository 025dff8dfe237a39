import type { FieldChanges } from '../../lib/user-fields/values.ts';
import * as users from '../../records/users.ts';
import type { Unit } from '../../unit.ts';
import type { InputIssue } from './outcomes.ts';

/**
 * Which of these values are somebody else's, and may not be. The index has the last word: of two that write the same at
 * once, one finds that the other came first, and its transaction begins again.
 */
export async function takenFields(
  { db, userFields }: Pick<Unit, 'db' | 'userFields'>,
  userId: string,
  changes: FieldChanges,
): Promise<InputIssue[]> {
  const issues: InputIssue[] = [];
  for (const { name } of userFields.filter(({ index }) => index === 'UNIQUE')) {
    const value = changes[name] ?? null;
    if (value !== null && (await users.hasFieldValue(db, name, String(value), userId)))
      issues.push({ path: [name], code: 'TAKEN' });
  }
  return issues;
}
