import type { Db } from '../infra/database.ts';
import type { EmailAddress } from '../lib/email-address.ts';
import type { Identifier } from './users.ts';

/** NIST SP 800-63B-4 §3.2.2: after so many wrong ones in a row the password is disabled until it is set anew. */
export const MAX_CONSECUTIVE_ATTEMPTS = 100;

/** A hash and the key that peppered the password before it. */
export interface PasswordHash {
  readonly hash: string;
  readonly pepperKeyId: string | null;
}

/** Why a password must be replaced at the next login. */
export type ReplaceReason = 'BREACHED' | 'ADMINISTRATOR';

/** What a login needs to check a password. */
export interface PasswordAccount {
  readonly userId: string;
  /** What all attempts at the account count for, whichever of its identifiers they name. */
  readonly primaryEmail: EmailAddress | null;
  /** Null if there is none to compare with: never set, disabled, or worn out by wrong guesses. */
  readonly password: (PasswordHash & { readonly changedAt: Date }) | null;
}

/**
 * Sets the first password of a person, or replaces it.
 * @returns the instant that names it: now, or a little later, since no two passwords of a person have the same
 */
export async function set(db: Db, userId: string, password: PasswordHash, now: Date): Promise<Date> {
  const [row] = await db.query<{ changed_at: Date }>`
    INSERT INTO passwords (user_id, hash, pepper_key_id, changed_at)
    VALUES (${userId}::uuid, ${password.hash}, ${password.pepperKeyId}, ${now})
    ON CONFLICT (user_id) DO UPDATE SET hash = EXCLUDED.hash, pepper_key_id = EXCLUDED.pepper_key_id,
      changed_at = GREATEST(EXCLUDED.changed_at, passwords.changed_at + interval '1 millisecond'),
      consecutive_attempts = 0, replace_reason = NULL
    RETURNING changed_at`;
  return row?.changed_at ?? now;
}

/**
 * Finds whose password belongs to an identifier, and counts one attempt at it in the same statement. So a hundred parallel
 * guesses are a hundred counted ones, before the first is checked.
 * @param decoy a row of `rate_limits` that is written where there is no attempt to count, since the write is what would
 * tell by its time: again, unchanged, or, where limits are counted elsewhere, as one that is over
 * @returns null for an identifier that nobody holds
 */
export async function countAttempt(
  db: Db,
  { email, usernameKey, phone }: Identifier,
  decoy: string | null,
): Promise<PasswordAccount | null> {
  const [row] = await db.query<{
    user_id: string;
    hash: string | null;
    pepper_key_id: string | null;
    changed_at: Date | null;
    usable: boolean;
    primary_email: EmailAddress | null;
  }>`
    WITH account AS (
      SELECT u.id, u.disabled_at, (SELECT address FROM emails WHERE user_id = u.id AND is_primary) AS primary_email
      FROM users u WHERE u.id = (
        SELECT user_id FROM emails WHERE address = ${email} AND (verified_at IS NOT NULL OR is_primary)
        UNION ALL SELECT user_id FROM phones WHERE number = ${phone}
        UNION ALL SELECT id FROM users WHERE username_key = ${usernameKey} AND is_reachable(id))
    ), counted AS (
      UPDATE passwords p SET consecutive_attempts = p.consecutive_attempts + 1
      FROM account WHERE p.user_id = account.id AND p.consecutive_attempts < ${MAX_CONSECUTIVE_ATTEMPTS}
      RETURNING p.hash, p.pepper_key_id, p.changed_at
    ), decoy AS (
      INSERT INTO rate_limits (key, points, expire)
      SELECT ${decoy}, 0, 0 WHERE ${decoy}::text IS NOT NULL AND NOT EXISTS (SELECT 1 FROM counted)
      ON CONFLICT (key) DO UPDATE SET points = rate_limits.points
    )
    SELECT account.id AS user_id, account.disabled_at IS NULL AS usable, account.primary_email, counted.*
    FROM account LEFT JOIN counted ON true`;
  if (!row) return null;
  const { hash, pepper_key_id: pepperKeyId, changed_at: changedAt } = row;
  return {
    userId: row.user_id,
    primaryEmail: row.primary_email,
    password: row.usable && hash && changedAt ? { hash, pepperKeyId, changedAt } : null,
  };
}

/** The hash of somebody who came along from another system and has not logged in since; null once there is none. */
export async function anyForeign(db: Db): Promise<string | null> {
  const [row] = await db.query<{ hash: string }>`
    SELECT hash FROM passwords WHERE hash NOT LIKE '$argon2id$%' ORDER BY user_id LIMIT 1`;
  return row?.hash ?? null;
}

/** Puts a stronger hash of the same password in place of `from`; a password changed meanwhile stays. */
export async function rehash(db: Db, userId: string, from: PasswordHash, to: PasswordHash): Promise<void> {
  await db.execute`
    UPDATE passwords SET hash = ${to.hash}, pepper_key_id = ${to.pepperKeyId}
    WHERE user_id = ${userId}::uuid AND hash = ${from.hash}`;
}

/**
 * Counts one attempt at the password of somebody who is signed in, and gives what to compare with.
 * @returns null if there is none: never set, or worn out by wrong guesses
 */
export async function countOwnAttempt(
  db: Db,
  userId: string,
): Promise<(PasswordHash & { readonly changedAt: Date }) | null> {
  const [row] = await db.query<PasswordHash & { changedAt: Date }>`
    UPDATE passwords SET consecutive_attempts = consecutive_attempts + 1
    WHERE user_id = ${userId}::uuid AND consecutive_attempts < ${MAX_CONSECUTIVE_ATTEMPTS}
    RETURNING hash, pepper_key_id AS "pepperKeyId", changed_at AS "changedAt"`;
  return row ?? null;
}

/** Forgets the attempts of somebody who knew the password after all. */
export async function clearAttempts(db: Db, userId: string): Promise<void> {
  await db.execute`UPDATE passwords SET consecutive_attempts = 0 WHERE user_id = ${userId}::uuid`;
}

/** Marks a password, which its owner has to replace before they get a session. */
export async function requireReplacement(db: Db, userId: string, reason: ReplaceReason): Promise<void> {
  await db.execute`UPDATE passwords SET replace_reason = ${reason}::password_change_reason WHERE user_id = ${userId}::uuid`;
}

/** Why a password must be replaced before its owner gets a session; null if it need not. */
export async function replaceReason(db: Db, userId: string): Promise<ReplaceReason | null> {
  const [row] = await db.query<{ replace_reason: ReplaceReason | null }>`
    SELECT replace_reason FROM passwords WHERE user_id = ${userId}::uuid`;
  return row?.replace_reason ?? null;
}

/** The instant that names the password of a person; null if they have none. */
export async function changedAt(db: Db, userId: string): Promise<Date | null> {
  const [row] = await db.query<{ changed_at: Date }>`SELECT changed_at FROM passwords WHERE user_id = ${userId}::uuid`;
  return row?.changed_at ?? null;
}

/** Takes the password away. */
export async function remove(db: Db, userId: string): Promise<void> {
  await db.execute`DELETE FROM passwords WHERE user_id = ${userId}::uuid`;
}

/** The password of a person if it must be replaced, to compare with; null if it need not, or there is none. */
export async function findRuledOut(db: Db, userId: string): Promise<PasswordHash | null> {
  const [row] = await db.query<PasswordHash>`
    SELECT hash, pepper_key_id AS "pepperKeyId" FROM passwords
    WHERE user_id = ${userId}::uuid AND replace_reason IS NOT NULL`;
  return row ?? null;
}
