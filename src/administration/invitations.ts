import type { EmailAddress } from '../lib/email-address.ts';
import { linkWith } from '../lib/link-template.ts';
import * as emails from '../records/emails.ts';
import type { Invitation } from '../records/invitations.ts';
import * as invitations from '../records/invitations.ts';
import { NOBODY } from '../records/users.ts';
import { type Act, note } from './act.ts';

/** A mail with the invitation is on its way. */
export interface UserInvited {
  readonly kind: 'UserInvited';
  readonly invitation: Invitation;
}

/** Somebody has shown that this address is theirs: they have an account. */
export interface AddressTaken {
  readonly kind: 'taken';
}

/** Nobody can use it any more. */
export interface InvitationRevoked {
  readonly kind: 'InvitationRevoked';
  readonly id: string;
}

/**
 * Mails an invitation. Its token goes to the mailbox and to nobody else, so whoever shows it has shown that the mailbox is
 * theirs. The one that was sent before does no more.
 */
export async function invite(
  act: Act,
  { email, roles }: { readonly email: EmailAddress; readonly roles: readonly string[] },
): Promise<UserInvited | AddressTaken> {
  const { db, now, config, send, by } = act;
  if (await emails.isVerifiedByAnother(db, NOBODY, email)) return { kind: 'taken' };
  await invitations.revokeTo(db, email, now);
  const expiresAt = new Date(now.getTime() + config.invitationLifetime);
  const { invitation, token } = await invitations.issue(db, { email, roles, invitedBy: by, createdAt: now, expiresAt });
  const link = linkWith(config.links.acceptInvitation, token);
  send({ mail: 'Invitation', to: { email }, data: { link, linkLifetime: config.invitationLifetime } });
  note(act, 'INVITE_USER', invitation.id);
  return { kind: 'UserInvited', invitation };
}

/** Takes an invitation back. Null if there is none of this id that somebody could still accept. */
export async function revokeInvitation(act: Act, id: string): Promise<InvitationRevoked | null> {
  const revoked = await invitations.revoke(act.db, id, act.now);
  if (!revoked) return null;
  note(act, 'REVOKE_INVITATION', id);
  return { kind: 'InvitationRevoked', id };
}
