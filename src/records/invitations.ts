import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';
import type { EmailAddress } from '../lib/email-address.ts';
import { hashToken, isToken, makeToken } from '../lib/secrets.ts';

/** That somebody may sign up, as administrators see it: without its token. */
export interface Invitation {
  readonly id: string;
  /** The only address that it is good for. */
  readonly email: EmailAddress;
  /** What its person gets with the account. */
  readonly roles: readonly string[];
  /** The administrator; null for the operator at the command line. */
  readonly invitedBy: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** Makes an invitation. Its token is given out here, and never again. */
export async function issue(
  db: Db,
  { email, roles, invitedBy, createdAt, expiresAt }: Omit<Invitation, 'id'>,
): Promise<{ readonly invitation: Invitation; readonly token: string }> {
  const id = randomUUID();
  const token = makeToken('invitation');
  await db.execute`
    INSERT INTO invitations (id, token_hash, email, roles, invited_by, created_at, expires_at)
    VALUES (${id}::uuid, ${hashToken(token)}, ${email}, ${roles}::text[], ${invitedBy}::uuid, ${createdAt}, ${expiresAt})`;
  return { invitation: { id, email, roles, invitedBy, createdAt, expiresAt }, token };
}

/** Finds the open invitation of a token. */
export async function findByToken(db: Db, token: string, now: Date): Promise<Invitation | null> {
  if (!isToken('invitation', token)) return null;
  const [invitation] = await db.query<Invitation>`
    SELECT id, email, roles, invited_by AS "invitedBy", created_at AS "createdAt", expires_at AS "expiresAt"
    FROM invitations
    WHERE token_hash = ${hashToken(token)} AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ${now}`;
  return invitation ?? null;
}

/**
 * Uses an invitation up. Whoever comes with the same one at the same moment waits for what becomes of this.
 * @returns false if it is used, revoked or too old: of fifty at once, one gets true
 */
export async function accept(db: Db, id: string, now: Date): Promise<boolean> {
  const accepted = await db.execute`
    UPDATE invitations SET accepted_at = ${now}
    WHERE id = ${id}::uuid AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ${now}`;
  return accepted === 1;
}

/** Gives an invitation back that could not be used after all, in the transaction that has used it. */
export async function giveBack(db: Db, id: string): Promise<void> {
  await db.execute`UPDATE invitations SET accepted_at = NULL WHERE id = ${id}::uuid AND user_id IS NULL`;
}

/** Notes whose account was made by it. */
export async function noteAccepted(db: Db, id: string, userId: string): Promise<void> {
  await db.execute`UPDATE invitations SET user_id = ${userId}::uuid WHERE id = ${id}::uuid`;
}

/** Revokes an invitation. Null if there is none that is open. */
export async function revoke(db: Db, id: string, now: Date): Promise<Invitation | null> {
  const [revoked] = await db.query<Invitation>`
    UPDATE invitations SET revoked_at = ${now}
    WHERE id = ${id}::uuid AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ${now}
    RETURNING id, email, roles, invited_by AS "invitedBy", created_at AS "createdAt", expires_at AS "expiresAt"`;
  return revoked ?? null;
}

/** Revokes the open invitations to an address: the next one takes their place. */
export async function revokeTo(db: Db, email: EmailAddress, now: Date): Promise<void> {
  await db.execute`
    UPDATE invitations SET revoked_at = ${now} WHERE email = ${email} AND accepted_at IS NULL AND revoked_at IS NULL`;
}

/** Revokes the open invitations of somebody who is no administrator any more. */
export async function revokeBy(db: Db, invitedBy: string, now: Date): Promise<void> {
  await db.execute`
    UPDATE invitations SET revoked_at = ${now}
    WHERE invited_by = ${invitedBy}::uuid AND accepted_at IS NULL AND revoked_at IS NULL`;
}

/** The open invitations, the newest first. */
export function listOpen(
  db: Db,
  page: { readonly before: { readonly createdAt: Date; readonly id: string } | null; readonly limit: number },
  now: Date,
): Promise<Invitation[]> {
  const { createdAt = null, id = null } = page.before ?? {};
  return db.query<Invitation>`
    SELECT id, email, roles, invited_by AS "invitedBy", created_at AS "createdAt", expires_at AS "expiresAt"
    FROM invitations
    WHERE accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ${now}
      AND (${id}::uuid IS NULL OR (created_at, id) < (${createdAt}::timestamptz, ${id}::uuid))
    ORDER BY created_at DESC, id DESC LIMIT ${page.limit}`;
}
