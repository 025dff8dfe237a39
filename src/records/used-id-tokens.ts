import type { Db } from '../infra/database.ts';

/**
 * Uses an ID token up.
 * @param digest of what is signed in it: its signature may be written in more than one way
 * @param expiresAt from when on it is refused anyway
 * @returns false if it was used: of fifty at once, one gets true
 */
export async function use(db: Db, digest: Buffer, expiresAt: Date): Promise<boolean> {
  const used = await db.execute`
    INSERT INTO used_id_tokens (digest, expires_at) VALUES (${digest}, ${expiresAt}) ON CONFLICT (digest) DO NOTHING`;
  return used === 1;
}
