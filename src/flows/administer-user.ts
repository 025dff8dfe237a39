import type { PasswordNotSet, UserAdministered, UserDeleted } from '../administration/accounts.ts';
import * as accounts from '../administration/accounts.ts';
import type { LastAdministrator } from '../administration/act.ts';
import type { App } from '../app.ts';
import { parsePersonName } from '../lib/person-name.ts';
import { parseRoles } from '../lib/roles.ts';
import { parseFieldValues } from '../lib/user-fields/values.ts';
import { actOn, type Barred, type FreshAdministrator } from './shared/administrator.ts';
import { type Caller, type InputIssue, type InvalidInput, invalidInput, type NotFound } from './shared/outcomes.ts';
import { takenFields } from './shared/user-fields.ts';

/** Whom an administrator means. */
export interface Subject {
  readonly id: string;
}

/** What is left out stays; null takes it away. */
export interface UpdateUserInput extends Subject {
  readonly name?: string | null | undefined;
  /** The operator's own fields, by name. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Resetting their own factors would let an administrator around what removing them asks for. */
export interface OwnAccount {
  readonly kind: 'OwnAccount';
}

export type DisableUserResult = UserAdministered | LastAdministrator | NotFound | Barred;
export type EnableUserResult = UserAdministered | NotFound | Barred;
export type SetUserRolesResult = UserAdministered | LastAdministrator | InvalidInput | NotFound | Barred;
export type UpdateUserResult = UserAdministered | InvalidInput | NotFound | Barred;
export type RequirePasswordChangeResult = UserAdministered | PasswordNotSet | NotFound | Barred;
export type RevokeUserSessionsResult = UserAdministered | NotFound | Barred;
export type ResetUserFactorsResult = UserAdministered | OwnAccount | NotFound | Barred;
export type DeleteUserResult = UserDeleted | LastAdministrator | NotFound | Barred;

/** Ends every session of a person at once, and lets nobody in as them. */
export function disableUser(
  app: App,
  caller: Caller,
  viewer: FreshAdministrator,
  { id }: Subject,
): Promise<DisableUserResult> {
  return actOn<UserAdministered | LastAdministrator>(app, caller, viewer, id, (act) => accounts.disable(act, id));
}

/** Lets a person in again. */
export function enableUser(
  app: App,
  caller: Caller,
  viewer: FreshAdministrator,
  { id }: Subject,
): Promise<EnableUserResult> {
  return actOn(app, caller, viewer, id, (act) => accounts.enable(act, id));
}

/** Replaces the roles of a person. */
export async function setUserRoles(
  app: App,
  caller: Caller,
  viewer: FreshAdministrator,
  { id, roles }: Subject & { readonly roles: readonly string[] },
): Promise<SetUserRolesResult> {
  const read = parseRoles(roles);
  if (!read) return invalidInput({ path: ['roles'], code: 'INVALID' });
  return actOn<UserAdministered | LastAdministrator>(app, caller, viewer, id, (act) =>
    accounts.setRoles(act, id, read),
  );
}

/** Names a person, and writes the operator's own fields that an administrator may write: all of it, or nothing. */
export async function updateUser(
  app: App,
  caller: Caller,
  viewer: FreshAdministrator,
  { id, name: typed, fields: given }: UpdateUserInput,
): Promise<UpdateUserResult> {
  const { changes: fields, issues: unfit } = parseFieldValues(app.userFields, given, 'ADMINISTRATOR');
  const issues: InputIssue[] = [...unfit];
  const name = typed === undefined ? undefined : parsePersonName(typed ?? '');
  if (name && typeof name === 'object') issues.push({ path: ['name'], code: name.problem });
  if (issues.length > 0) return invalidInput(...issues);
  const changes =
    typeof name === 'object' && name !== null ? { fields } : { ...(name === undefined ? {} : { name }), fields };
  return actOn<UserAdministered | InvalidInput>(app, caller, viewer, id, async (act) => {
    const taken = await takenFields({ db: act.db, userFields: app.userFields }, id, fields);
    return taken.length > 0 ? invalidInput(...taken) : accounts.update(act, id, changes);
  });
}

/** Ends every session of a person, whose next login asks for another password. */
export function requirePasswordChange(
  app: App,
  caller: Caller,
  viewer: FreshAdministrator,
  { id }: Subject,
): Promise<RequirePasswordChangeResult> {
  return actOn<UserAdministered | PasswordNotSet>(app, caller, viewer, id, (act) =>
    accounts.requirePasswordChange(act, id),
  );
}

/** Ends every session of a person. */
export function revokeUserSessions(
  app: App,
  caller: Caller,
  viewer: FreshAdministrator,
  { id }: Subject,
): Promise<RevokeUserSessionsResult> {
  return actOn(app, caller, viewer, id, (act) => accounts.revokeSessions(act, id));
}

/** Takes the second factors of somebody else away. */
export function resetUserFactors(
  app: App,
  caller: Caller,
  viewer: FreshAdministrator,
  { id }: Subject,
): Promise<ResetUserFactorsResult> {
  return actOn<UserAdministered | OwnAccount>(app, caller, viewer, id, async (act) =>
    id.toLowerCase() === viewer.user.id ? { kind: 'OwnAccount' } : accounts.resetFactors(act, id),
  );
}

/** Removes a person and everything that is theirs. */
export function deleteUser(
  app: App,
  caller: Caller,
  viewer: FreshAdministrator,
  { id }: Subject,
): Promise<DeleteUserResult> {
  return actOn<UserDeleted | LastAdministrator>(app, caller, viewer, id, (act) => accounts.remove(act, id));
}
