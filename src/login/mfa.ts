import { hasMfa } from '../factors/index.ts';
import * as authenticators from '../records/authenticators.ts';
import * as users from '../records/users.ts';
import type { Unit } from '../unit.ts';
import { readHookPerson } from './hook-person.ts';

type Asking = Pick<Unit, 'db' | 'config' | 'hooks' | 'userFields'>;

/** Whether a person must have a second factor, by the operator's hook or else by the setting. */
export async function isMfaRequired(unit: Asking, userId: string): Promise<boolean> {
  const { config, hooks } = unit;
  const { required } = config.mfa;
  if (!hooks.requiresMfa && !Array.isArray(required)) return required === 'everyone';
  const person = await readHookPerson(unit, userId);
  // An operator's code is asked of people only.
  const decided = userId === users.NOBODY ? null : ((await hooks.requiresMfa?.(person)) ?? null);
  if (decided !== null) return decided;
  return required === 'everyone' || (required !== 'off' && required.some((role) => person.roles.includes(role)));
}

/** Whether a person must have a second factor and has none. */
export async function isEnrollmentDue(unit: Asking, userId: string): Promise<boolean> {
  if (unit.config.mfa.required === 'off' && !unit.hooks.requiresMfa) return false;
  const held = await authenticators.list(unit.db, userId);
  return !hasMfa(held.map(({ kind }) => kind)) && isMfaRequired(unit, userId);
}
