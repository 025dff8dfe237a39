import type { Db } from '../infra/database.ts';

/** NIST SP 800-63B-4 §3.2.2: after so many wrong ones in a row the password is disabled until it is set anew. */
export const MAX_CONSECUTIVE_ATTEMPTS = 100;

/** A hash and the key that peppered the password before it. */
export interface PasswordHash {
  readonly hash: string;
  readonly pepperKeyId: string | null;
}

/** What a login needs to check a password. */
export interface PasswordAccount {
  readonly userId: string;
  /** Null if there is none to compare with: never set, disabled, or worn out by wrong guesses. */
  readonly password: (PasswordHash & { readonly changedAt: Date }) | null;
}

/** Sets the first password of a person, or replaces it. */
export async function set(db: Db, userId: string, password: PasswordHash, now: Date): Promise<void> {
  await db.execute`
    INSERT INTO passwords (user_id, hash, pepper_key_id, changed_at)
    VALUES (${userId}::uuid, ${password.hash}, ${password.pepperKeyId}, ${now})
    ON CONFLICT (user_id) DO UPDATE SET hash = EXCLUDED.hash, pepper_key_id = EXCLUDED.pepper_key_id,
      changed_at = EXCLUDED.changed_at, consecutive_attempts = 0`;
}

/**
 * Finds whose password belongs to an address, and counts one attempt at it in the same statement. So a hundred parallel
 * guesses are a hundred counted ones, before the first is checked.
 * @returns null for an address that nobody holds
 */
export async function countAttempt(db: Db, address: string): Promise<PasswordAccount | null> {
  const [row] = await db.query<{
    user_id: string;
    hash: string | null;
    pepper_key_id: string | null;
    changed_at: Date | null;
    usable: boolean;
  }>`
    WITH account AS (
      SELECT u.id, u.disabled_at FROM emails e JOIN users u ON u.id = e.user_id WHERE e.address = ${address}
    ), counted AS (
      UPDATE passwords p SET consecutive_attempts = p.consecutive_attempts + 1
      FROM account WHERE p.user_id = account.id AND p.consecutive_attempts < ${MAX_CONSECUTIVE_ATTEMPTS}
      RETURNING p.hash, p.pepper_key_id, p.changed_at
    )
    SELECT account.id AS user_id, account.disabled_at IS NULL AS usable, counted.*
    FROM account LEFT JOIN counted ON true`;
  if (!row) return null;
  const { hash, pepper_key_id: pepperKeyId, changed_at: changedAt } = row;
  return { userId: row.user_id, password: row.usable && hash && changedAt ? { hash, pepperKeyId, changedAt } : null };
}

/** Puts a stronger hash of the same password in place of `from`; a password changed meanwhile stays. */
export async function rehash(db: Db, userId: string, from: PasswordHash, to: PasswordHash): Promise<void> {
  await db.execute`
    UPDATE passwords SET hash = ${to.hash}, pepper_key_id = ${to.pepperKeyId}
    WHERE user_id = ${userId}::uuid AND hash = ${from.hash}`;
}
