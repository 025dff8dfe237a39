import * as accounts from '../../administration/accounts.ts';
import type { Act } from '../../administration/act.ts';
import { isRole } from '../../lib/roles.ts';
import { operate } from '../../operator.ts';
import { rolesOf } from '../../records/users.ts';
import { type Given, print, UsageError } from '../command.ts';
import { operatorPartsOf, withExistingDatabase } from '../database.ts';

type Outcome =
  | accounts.UserAdministered
  | accounts.UserDeleted
  | accounts.PasswordNotSet
  | { readonly kind: 'LastAdministrator' };

/** What can be done to an account, by the word for it. */
export const ACTS: Readonly<Record<string, (act: Act, userId: string) => Promise<Outcome>>> = {
  disable: accounts.disable,
  enable: accounts.enable,
  roles: async (act, userId) => accounts.setRoles(act, userId, await rolesOf(act.db, userId)),
  'require-password-change': accounts.requirePasswordChange,
  'revoke-sessions': accounts.revokeSessions,
  'reset-mfa': accounts.resetFactors,
  delete: accounts.remove,
};

/** Acts on one account, and says what became of it. */
export function actOnUser(given: Given, action: string, who: string, words: readonly string[]): Promise<undefined> {
  const act = action === 'roles' ? rolesAct(words, given.flags.has('none')) : ACTS[action];
  if (!act) throw new UsageError(`there is nothing like ${action}`);
  return withExistingDatabase(async (database, config) => {
    const done = await operate(await operatorPartsOf(config, database), who, new Date(), act);
    if (!done) throw new Error(`There is nobody ${who}.`);
    if (done.kind === 'PasswordNotSet') throw new Error(`${who} has no password.`);
    if (done.kind === 'LastAdministrator') throw new Error('There would be nobody left who administrates.');
    if (done.kind === 'UserDeleted') {
      print(given, { userId: done.userId, deleted: true }, [`${done.userId} is deleted`]);
      return undefined;
    }
    const { user, changed, sessionsEnded } = done;
    const outcome = { userId: user.id, changed, roles: user.roles, sessionsEnded };
    print(given, outcome, [describe(action, done)]);
    return undefined;
  });
}

/** Without a word it only looks. */
function rolesAct(words: readonly string[], none: boolean): (typeof ACTS)[string] | undefined {
  const unfit = words.find((role) => !isRole(role));
  if (unfit !== undefined) throw new UsageError(`${unfit} is no name of a role`);
  if (none && words.length > 0) throw new UsageError('say which roles, or --none');
  const roles = [...new Set(words)];
  return roles.length > 0 || none ? (act, userId) => accounts.setRoles(act, userId, roles) : ACTS.roles;
}

function describe(action: string, { user, changed, sessionsEnded }: accounts.UserAdministered): string {
  const already = changed ? '' : ' already';
  const ended = `${sessionsEnded} session${sessionsEnded === 1 ? '' : 's'} ended`;
  if (action === 'roles') return `${user.id} has ${user.roles.length > 0 ? user.roles.join(', ') : 'no roles'}`;
  if (action === 'enable') return `${user.id} is enabled${already}`;
  if (action === 'disable') return `${user.id} is disabled${already}, ${ended}`;
  if (action === 'require-password-change') return `${user.id} has to choose another password, ${ended}`;
  if (action === 'reset-mfa') return `${user.id} has no second factor${already}, ${ended}`;
  return `${user.id}: ${ended}`;
}
