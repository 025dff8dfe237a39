import type { Invitation } from '../records/invitations.ts';
import * as invitations from '../records/invitations.ts';
import type { Unit } from '../unit.ts';
import type { MadeAccount, NewAccount } from './account.ts';

/** What an account is made with that somebody was invited to: the address that the mail went to has shown itself. */
export function asInvited({ email, roles }: Invitation): Required<Pick<NewAccount, 'mailboxIsProven' | 'roles'>> & {
  readonly email: Invitation['email'];
} {
  return { email, roles, mailboxIsProven: true };
}

/**
 * Makes an account with an invitation, which is used up if there is one.
 * @returns null if the invitation does no more: of fifty who come with it at once, one gets an account
 */
export async function makeInvited(
  { db, now, emit }: Pick<Unit, 'db' | 'now' | 'emit'>,
  { id: invitationId, roles, invitedBy: by }: Invitation,
  userId: string,
  make: () => Promise<MadeAccount>,
): Promise<MadeAccount | null> {
  // First of all: whoever else has this one waits here.
  if (!(await invitations.accept(db, invitationId, now))) return null;
  const made = await make();
  if (made.kind === 'made') {
    await invitations.noteAccepted(db, invitationId, userId);
    emit({ kind: 'InvitationAccepted', userId, invitationId, roles, by });
  } else await invitations.giveBack(db, invitationId);
  return made;
}
