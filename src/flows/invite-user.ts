import {
  type InvitationRevoked,
  invite,
  revokeInvitation as revoke,
  type UserInvited,
} from '../administration/invitations.ts';
import type { App } from '../app.ts';
import { parseEmailAddress } from '../lib/email-address.ts';
import { parseRoles } from '../lib/roles.ts';
import { isUuid } from '../lib/uuid.ts';
import { NOBODY } from '../records/users.ts';
import { act, type Barred, type FreshAdministrator, limitActs } from './shared/administrator.ts';
import {
  type Caller,
  type InvalidInput,
  invalidInput,
  type NotFound,
  rateLimited,
  type SignUpClosed,
} from './shared/outcomes.ts';

export type InviteUserResult = UserInvited | InvalidInput | SignUpClosed | Barred;
export type RevokeInvitationResult = InvitationRevoked | NotFound | Barred;

/** Mails somebody an invitation to sign up, with the roles that they will have. */
export async function inviteUser(
  app: App,
  caller: Caller,
  viewer: FreshAdministrator,
  input: { readonly email: string; readonly roles: readonly string[] },
): Promise<InviteUserResult> {
  if (app.config.signUp === 'closed') return { kind: 'SignUpClosed' };
  const email = parseEmailAddress(input.email);
  if (!email) return invalidInput({ path: ['email'], code: input.email ? 'INVALID' : 'REQUIRED' });
  const roles = parseRoles(input.roles);
  if (!roles) return invalidInput({ path: ['roles'], code: 'INVALID' });
  const limited = await limitActs(app, viewer);
  if (limited) return limited;
  // An administrator may know that no mail goes out; a mailbox must not be filled by one either.
  const wait = await app.limiter.count({ limit: 'mailPerRecipient', key: `INVITATION ${email}` });
  if (wait !== null) return rateLimited(wait);
  return act<InviteUserResult>(app, caller, viewer, null, async (unit) => {
    const invited = await invite(unit, { email, roles });
    return invited.kind === 'taken' ? invalidInput({ path: ['email'], code: 'TAKEN' }) : invited;
  });
}

/** Takes an invitation back that nobody has accepted yet. */
export async function revokeInvitation(
  app: App,
  caller: Caller,
  viewer: FreshAdministrator,
  { id }: { readonly id: string },
): Promise<RevokeInvitationResult> {
  const limited = await limitActs(app, viewer);
  if (limited) return limited;
  return act<RevokeInvitationResult>(
    app,
    caller,
    viewer,
    null,
    async (unit) => (await revoke(unit, isUuid(id) ? id : NOBODY)) ?? { kind: 'NotFound' },
  );
}
