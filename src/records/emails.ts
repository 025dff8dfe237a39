import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';
import type { EmailAddress } from '../lib/email-address.ts';

/**
 * Gives a person their first address, unverified.
 * @returns false if another account holds it: of two that ask at once, one gets it
 */
export async function addPrimary(db: Db, userId: string, address: EmailAddress, now: Date): Promise<boolean> {
  const added = await db.execute`
    INSERT INTO emails (id, user_id, address, is_primary, created_at)
    VALUES (${randomUUID()}::uuid, ${userId}::uuid, ${address}, true, ${now}) ON CONFLICT (address) DO NOTHING`;
  return added === 1;
}
