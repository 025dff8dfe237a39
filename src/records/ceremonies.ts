import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';
import { hashToken, isToken, makeToken, type TokenKind } from '../lib/secrets.ts';

/** What is begun, and then ended by an answer. It does for nothing else. */
export type CeremonyPurpose = 'ENROLL_TOTP' | 'ENROLL_PASSKEY' | 'REAUTHENTICATE' | 'LOG_IN';

/** Checks of the answer to one ceremony. */
export const MAX_ATTEMPTS = 5;

/** A ceremony that is neither over nor too old. */
export interface Ceremony {
  readonly id: string;
  readonly userId: string | null;
  readonly sessionId: string | null;
  readonly pendingLoginId: string | null;
  /** A secret to be confirmed, or a challenge. */
  readonly sealedState: string;
  readonly expiresAt: Date;
}

/** What is to begin, and for whom. */
export interface NewCeremony {
  readonly purpose: CeremonyPurpose;
  readonly userId: string | null;
  readonly sessionId?: string | null;
  readonly pendingLoginId?: string | null;
  readonly sealedState: string;
  readonly expiresAt: Date;
}

/**
 * Begins one.
 * @param kind of the token by which its client names it
 * @returns that token
 */
export async function begin(
  db: Db,
  ceremony: NewCeremony,
  now: Date,
  kind: TokenKind = 'handle',
): Promise<{ readonly handle: string; readonly expiresAt: Date }> {
  const { purpose, userId, sessionId = null, pendingLoginId = null, sealedState, expiresAt } = ceremony;
  const handle = makeToken(kind);
  await db.execute`
    INSERT INTO ceremonies (id, handle_hash, purpose, user_id, session_id, pending_login_id, sealed_state, created_at, expires_at)
    VALUES (${randomUUID()}::uuid, ${hashToken(handle)}, ${purpose}, ${userId}::uuid, ${sessionId}::uuid, ${pendingLoginId}::uuid,
      ${sealedState}, ${now}, ${expiresAt})`;
  return { handle, expiresAt };
}

/**
 * Counts a check of the answer to a ceremony, before it is made.
 * @returns the ceremony, with the checks that are left if this one fails; null if it is unknown, for another purpose,
 * used, too old, or has none left
 */
export async function countAttempt(
  db: Db,
  handle: string,
  expectedPurpose: CeremonyPurpose,
  now: Date,
  kind: TokenKind = 'handle',
): Promise<(Ceremony & { readonly attemptsLeft: number }) | null> {
  if (!isToken(kind, handle)) return null;
  const [counted] = await db.query<Ceremony & { attempts: number }>`
    UPDATE ceremonies SET attempts = attempts + 1
    WHERE handle_hash = ${hashToken(handle)} AND purpose = ${expectedPurpose} AND used_at IS NULL AND expires_at > ${now}
      AND attempts < ${MAX_ATTEMPTS}
    RETURNING id, user_id AS "userId", session_id AS "sessionId", pending_login_id AS "pendingLoginId",
      sealed_state AS "sealedState", expires_at AS "expiresAt", attempts`;
  if (!counted) return null;
  const { attempts, ...ceremony } = counted;
  return { ...ceremony, attemptsLeft: MAX_ATTEMPTS - attempts };
}

/** Locks one until the transaction ends. False if it was used meanwhile, or is too old. */
export async function lock(db: Db, id: string, now: Date): Promise<boolean> {
  const rows = await db.query`
    SELECT 1 FROM ceremonies WHERE id = ${id}::uuid AND used_at IS NULL AND expires_at > ${now} FOR UPDATE`;
  return rows.length === 1;
}

/** Uses one up. False if it was used, or is too old: of fifty at once, one gets true. */
export async function consume(db: Db, id: string, now: Date): Promise<boolean> {
  const used = await db.execute`
    UPDATE ceremonies SET used_at = ${now} WHERE id = ${id}::uuid AND used_at IS NULL AND expires_at > ${now}`;
  return used === 1;
}

/** Voids what a person has begun. */
export async function voidAll(db: Db, userId: string, now: Date): Promise<void> {
  await db.execute`UPDATE ceremonies SET used_at = ${now} WHERE user_id = ${userId}::uuid AND used_at IS NULL`;
}
