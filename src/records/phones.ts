import type { Db } from '../infra/database.ts';
import type { PhoneNumber } from '../lib/phone-number.ts';

/** The number of a person. */
export interface Phone {
  readonly number: PhoneNumber;
  readonly verified: boolean;
}

/** The number of a person, if they have one. */
export async function find(db: Db, userId: string): Promise<Phone | null> {
  const [phone] = await db.query<Phone>`
    SELECT number, verified_at IS NOT NULL AS verified FROM phones WHERE user_id = ${userId}::uuid`;
  return phone ?? null;
}

/** Who has a number. */
export async function holderOf(db: Db, number: PhoneNumber | null): Promise<string | null> {
  const [row] = await db.query<{ user_id: string }>`SELECT user_id FROM phones WHERE number = ${number}`;
  return row?.user_id ?? null;
}

/** Whether somebody else has shown that a number is theirs. */
export async function isVerifiedByAnother(db: Db, userId: string, number: PhoneNumber): Promise<boolean> {
  const rows = await db.query`
    SELECT 1 FROM phones WHERE number = ${number} AND verified_at IS NOT NULL AND user_id <> ${userId}::uuid`;
  return rows.length > 0;
}

/**
 * Gives a person the number that they sign up with, unverified. An account that has proven something else lets go of it.
 * @returns false if another account has it: of two that ask at once, one gets it
 */
export async function add(db: Db, userId: string, number: PhoneNumber, now: Date): Promise<boolean> {
  const locked = db.query`SELECT pg_advisory_xact_lock(hashtextextended(${number}, 0))`;
  const released = db.execute`DELETE FROM phones WHERE number = ${number} AND verified_at IS NULL AND is_proven(user_id)`;
  const added = db.execute`
    INSERT INTO phones (user_id, number, created_at) VALUES (${userId}::uuid, ${number}, ${now}) ON CONFLICT DO NOTHING`;
  const [, , count] = await Promise.all([locked, released, added]);
  return count === 1;
}

/**
 * Notes that a number is a person's, in the place of the one before. Whoever only said so loses it.
 * @returns false if somebody else verified it: of two at once, one does
 */
export async function verify(db: Db, userId: string, number: PhoneNumber, now: Date): Promise<boolean> {
  const locked = db.query`SELECT pg_advisory_xact_lock(hashtextextended(${number}, 0))`;
  const removed = db.execute`DELETE FROM phones WHERE number = ${number} AND user_id <> ${userId}::uuid AND verified_at IS NULL`;
  const verified = db.execute`
    INSERT INTO phones (user_id, number, verified_at, created_at)
    SELECT ${userId}::uuid, ${number}, ${now}, ${now}
    WHERE NOT EXISTS (SELECT 1 FROM phones WHERE number = ${number} AND user_id <> ${userId}::uuid)
    ON CONFLICT (user_id) DO UPDATE SET number = EXCLUDED.number, verified_at = EXCLUDED.verified_at`;
  const [, , changed] = await Promise.all([locked, removed, verified]);
  return changed === 1;
}

/** Takes the number away. Null if there is none. */
export async function remove(db: Db, userId: string): Promise<PhoneNumber | null> {
  const [row] = await db.query<{ number: PhoneNumber }>`
    DELETE FROM phones WHERE user_id = ${userId}::uuid RETURNING number`;
  return row?.number ?? null;
}
