import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';

/** Trusts a device until an instant, as long as the binding is what it is now. */
export async function trust(
  db: Db,
  device: {
    readonly userId: string;
    readonly tokenHash: Buffer;
    readonly binding: Buffer;
    readonly now: Date;
    readonly expiresAt: Date;
  },
): Promise<void> {
  const { userId, tokenHash, binding, now, expiresAt } = device;
  await db.execute`
    INSERT INTO trusted_devices (id, user_id, token_hash, binding, created_at, expires_at)
    VALUES (${randomUUID()}::uuid, ${userId}::uuid, ${tokenHash}, ${binding}, ${now}, ${expiresAt})`;
}

/** Whether a device is trusted by this person, with this binding. */
export async function isTrusted(
  db: Db,
  userId: string,
  tokenHash: Buffer,
  binding: Buffer,
  now: Date,
): Promise<boolean> {
  const rows = await db.query`
    SELECT 1 FROM trusted_devices
    WHERE token_hash = ${tokenHash} AND user_id = ${userId}::uuid AND binding = ${binding} AND expires_at > ${now}`;
  return rows.length === 1;
}

/** Trusts no device of a person any more. */
export async function removeAll(db: Db, userId: string): Promise<void> {
  await db.execute`DELETE FROM trusted_devices WHERE user_id = ${userId}::uuid`;
}

/**
 * Forgets every device of a person.
 * @param binding of those that were still trusted
 * @returns how many of them were
 */
export async function forgetAll(db: Db, userId: string, binding: Buffer, now: Date): Promise<number> {
  const forgotten = await db.query<{ trusted: boolean }>`
    DELETE FROM trusted_devices WHERE user_id = ${userId}::uuid
    RETURNING binding = ${binding} AND expires_at > ${now} AS trusted`;
  return forgotten.filter(({ trusted }) => trusted).length;
}
