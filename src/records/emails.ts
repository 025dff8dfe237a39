import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';
import type { EmailAddress } from '../lib/email-address.ts';

/**
 * Gives a person their first address, unverified.
 * @returns false if another account holds it: of two that ask at once, one gets it
 */
export async function addPrimary(db: Db, userId: string, address: EmailAddress, now: Date): Promise<boolean> {
  const { count } = await db.email.createMany({
    data: [{ id: randomUUID(), userId, address, isPrimary: true, createdAt: now }],
    skipDuplicates: true,
  });
  return count === 1;
}
