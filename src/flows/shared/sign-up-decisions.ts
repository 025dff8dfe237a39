import type { App } from '../../app.ts';
import type { HookSignUp } from '../../hooks.ts';
import type { EmailAddress } from '../../lib/email-address.ts';
import { HookFailed } from '../../lib/hook-failed.ts';
import type { FieldValues, UserFields } from '../../lib/user-fields/declaration.ts';
import { parseFieldValues, withChanges } from '../../lib/user-fields/values.ts';
import type { NewAccount } from '../../login/account.ts';
import { asInvited } from '../../login/invitation.ts';
import type { Invitation } from '../../records/invitations.ts';

/** What an account starts with by the operator's word: it takes the place of what came with the sign-up. */
export type Start = Partial<Pick<NewAccount, 'name' | 'roles' | 'fields'>>;

/**
 * Asks whether somebody may sign up, and what their account starts with. To be asked in every way of signing up, before
 * anything is looked up: so what is decided of an address that is taken is what is decided of any.
 * @returns null if they may not
 */
export async function decideSignUp(
  { hooks, userFields }: Pick<App, 'hooks' | 'userFields'>,
  asked: HookSignUp,
): Promise<Start | null> {
  if (hooks.allowsSignUp && !(await hooks.allowsSignUp(asked))) return null;
  if (!hooks.newAccount) return {};
  const { fields, ...start } = await hooks.newAccount(asked);
  return fields === undefined ? start : { ...start, fields: readHookFields('newAccount', userFields, fields) };
}

/** An account with what the operator and an invitation give it. */
export function startWith<P extends { readonly fields: FieldValues }>(
  person: P,
  start: Start,
  invitation: Invitation | null,
) {
  const invited = invitation && asInvited(invitation);
  const roles = [...new Set([...(invited?.roles ?? []), ...(start.roles ?? [])])];
  return { ...person, ...start, ...invited, roles, fields: { ...person.fields, ...start.fields } };
}

/**
 * Reads what a hook gives of the operator's own fields.
 * @throws HookFailed for one that a sign-up cannot have, or a value that does not do
 */
export function readHookFields(
  hook: 'newAccount' | 'populateUser',
  declared: UserFields,
  given: Readonly<Record<string, unknown>>,
): FieldValues {
  // Nothing of it is unique: that would tell whose account there is.
  const possible = declared.filter(({ index }) => index !== 'UNIQUE');
  const other = Object.keys(given).find((name) => !possible.some((field) => field.name === name));
  if (other !== undefined) throw new HookFailed(hook, `gave ${other}, which is no field that a sign-up may have`);
  const { changes, issues } = parseFieldValues(possible, given, 'CODE');
  // What does not do of a provider's word is left out; what an operator says by themselves is a mistake.
  const [unfit] = hook === 'newAccount' ? issues : [];
  if (unfit) throw new HookFailed(hook, `gave a value that ${unfit.path.join('.')} cannot have`);
  return withChanges({}, changes);
}

/** The address that is to be taken for one that somebody typed, or a provider told; null if it is refused. */
export async function cleanEmail({ hooks }: Pick<App, 'hooks'>, email: EmailAddress): Promise<EmailAddress | null> {
  return hooks.cleanEmail ? hooks.cleanEmail(email) : email;
}

/** The same for a user name. */
export async function cleanUsername(
  { hooks }: Pick<App, 'hooks'>,
  name: NonNullable<NewAccount['username']>,
): Promise<NewAccount['username']> {
  return hooks.cleanUsername ? hooks.cleanUsername(name.username) : name;
}
