import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';
import type { EmailAddress } from '../lib/email-address.ts';

/** Addresses that one account may have. */
export const MAX_EMAILS = 10;

/** An address of a person. */
export interface Email {
  readonly id: string;
  readonly address: EmailAddress;
  readonly isPrimary: boolean;
  readonly verified: boolean;
}

/**
 * Gives a person their first address, unverified.
 * @param options `release` takes it from an account that has proven something else and never this: its owner could
 * neither have an account of their own nor get into that one
 * @returns false if another account holds it: of two that ask at once, one gets it
 */
export async function addPrimary(
  db: Db,
  userId: string,
  address: EmailAddress,
  now: Date,
  { release }: { readonly release: boolean },
): Promise<boolean> {
  const locked = db.query`SELECT pg_advisory_xact_lock(hashtextextended(${address}, 0))`;
  const released = db.execute`
    WITH released AS (
      DELETE FROM emails
      WHERE ${release} AND address = ${address} AND verified_at IS NULL AND is_primary AND is_proven(user_id) RETURNING user_id
    )
    UPDATE emails SET is_primary = true WHERE id IN (
      SELECT DISTINCT ON (e.user_id) e.id FROM emails e JOIN released ON released.user_id = e.user_id
      WHERE e.verified_at IS NOT NULL ORDER BY e.user_id, e.created_at)`;
  const added = db.execute`
    INSERT INTO emails (id, user_id, address, is_primary, created_at)
    VALUES (${randomUUID()}::uuid, ${userId}::uuid, ${address}, true, ${now})
    ON CONFLICT (address) WHERE verified_at IS NOT NULL OR is_primary DO NOTHING`;
  const [, , count] = await Promise.all([locked, released, added]);
  return count === 1;
}

/** Writes down that somebody says an address is theirs. It opens nothing and keeps nobody else from it. */
export async function claim(db: Db, userId: string, address: EmailAddress, now: Date): Promise<void> {
  await db.execute`
    INSERT INTO emails (id, user_id, address, is_primary, created_at)
    VALUES (${randomUUID()}::uuid, ${userId}::uuid, ${address}, false, ${now}) ON CONFLICT (user_id, address) DO NOTHING`;
}

/** The addresses of a person, the primary one first, then the oldest. */
export function list(db: Db, userId: string): Promise<Email[]> {
  return db.query<Email>`
    SELECT id, address, is_primary AS "isPrimary", verified_at IS NOT NULL AS verified
    FROM emails WHERE user_id = ${userId}::uuid ORDER BY is_primary DESC, created_at, id`;
}

/** Who holds an address: who verified it, or else who has it as the primary one. */
export async function holderOf(db: Db, address: EmailAddress): Promise<string | null> {
  const [row] = await db.query<{ user_id: string }>`
    SELECT user_id FROM emails WHERE address = ${address} AND (verified_at IS NOT NULL OR is_primary)`;
  return row?.user_id ?? null;
}

/** Whether somebody else has shown that an address is theirs. Who only has it as the primary one has not. */
export async function isVerifiedByAnother(db: Db, userId: string, address: EmailAddress): Promise<boolean> {
  const rows = await db.query`
    SELECT 1 FROM emails WHERE address = ${address} AND verified_at IS NOT NULL AND user_id <> ${userId}::uuid`;
  return rows.length > 0;
}

/**
 * Where mail to a person goes.
 * @param options `verified` leaves out one that is not
 */
export async function primaryOf(
  db: Db,
  userId: string,
  { verified = false }: { readonly verified?: boolean } = {},
): Promise<EmailAddress | null> {
  const [row] = await db.query<{ address: EmailAddress }>`
    SELECT address FROM emails WHERE user_id = ${userId}::uuid AND is_primary AND (verified_at IS NOT NULL OR NOT ${verified})`;
  return row?.address ?? null;
}

/** What verifying an address came to. */
export type Verification = 'verified' | 'was verified' | 'not theirs';

/**
 * Notes that a person has shown that an address is theirs. Whoever only said so loses it.
 * @returns `not theirs` if they have it no more, or somebody else verified it: of two at once, one does
 */
export async function verify(db: Db, userId: string, address: EmailAddress, now: Date): Promise<Verification> {
  // The index refuses a second holder anyway; the lock makes that an answer instead of a failed transaction.
  const locked = db.query`SELECT pg_advisory_xact_lock(hashtextextended(${address}, 0))`;
  const found = db.query<{ user_id: string; verified: boolean }>`
    SELECT user_id, verified_at IS NOT NULL AS verified FROM emails WHERE address = ${address}`;
  const [, rows] = await Promise.all([locked, found]);
  const own = rows.find((row) => row.user_id === userId);
  if (!own || rows.some((row) => row.verified && row.user_id !== userId)) return 'not theirs';
  if (own.verified) return 'was verified';
  const [, verified] = await Promise.all([
    db.execute`DELETE FROM emails WHERE address = ${address} AND user_id <> ${userId}::uuid AND verified_at IS NULL`,
    // Somebody who had none gets their first primary address.
    db.execute`
      UPDATE emails SET verified_at = ${now},
        is_primary = NOT EXISTS (SELECT 1 FROM emails e WHERE e.user_id = ${userId}::uuid AND e.is_primary AND e.address <> ${address})
      WHERE user_id = ${userId}::uuid AND address = ${address}`,
  ]);
  return verified === 1 ? 'verified' : 'not theirs';
}

/**
 * Puts another address in the place of one that was never verified.
 * @returns false if the person has it no more, verified it, or the other one is held by somebody
 */
export async function correct(db: Db, userId: string, from: EmailAddress, to: EmailAddress): Promise<boolean> {
  const locked = db.query`SELECT pg_advisory_xact_lock(hashtextextended(${to}, 0))`;
  const corrected = db.execute`
    UPDATE emails SET address = ${to} WHERE user_id = ${userId}::uuid AND address = ${from} AND verified_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM emails WHERE address = ${to} AND (verified_at IS NOT NULL OR is_primary OR user_id = ${userId}::uuid))`;
  const [, changed] = await Promise.all([locked, corrected]);
  return changed === 1;
}

/** Makes a verified address the primary one. False if the person has no such address, or has not verified it. */
export async function setPrimary(db: Db, userId: string, id: string): Promise<boolean> {
  await db.execute`
    UPDATE emails SET is_primary = false WHERE user_id = ${userId}::uuid AND is_primary
      AND EXISTS (SELECT 1 FROM emails WHERE id = ${id}::uuid AND user_id = ${userId}::uuid AND verified_at IS NOT NULL)`;
  const chosen = await db.execute`
    UPDATE emails SET is_primary = true WHERE id = ${id}::uuid AND user_id = ${userId}::uuid AND verified_at IS NOT NULL`;
  return chosen === 1;
}

/** Takes an address away that is not the primary one. False if there is none. */
export async function remove(db: Db, userId: string, id: string): Promise<boolean> {
  const removed = await db.execute`
    DELETE FROM emails WHERE id = ${id}::uuid AND user_id = ${userId}::uuid AND NOT is_primary`;
  return removed === 1;
}

/** Makes an address the primary one of a person, and takes those away beside it that were never verified. */
export async function keepOnly(db: Db, userId: string, address: EmailAddress): Promise<void> {
  await Promise.all([
    db.execute`
      DELETE FROM emails WHERE user_id = ${userId}::uuid AND address <> ${address} AND verified_at IS NULL`,
    db.execute`
      UPDATE emails SET is_primary = true
      WHERE user_id = ${userId}::uuid AND address = ${address}
        AND NOT EXISTS (SELECT 1 FROM emails WHERE user_id = ${userId}::uuid AND is_primary)`,
  ]);
}

/** Takes those addresses of a person away that were never verified. */
export async function removeUnverified(db: Db, userId: string): Promise<void> {
  await db.execute`DELETE FROM emails WHERE user_id = ${userId}::uuid AND verified_at IS NULL`;
}
