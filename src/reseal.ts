import { resealTotp } from './factors/totp.ts';
import type { Database } from './infra/database.ts';
import type { Cipher } from './lib/cipher.ts';
import * as authenticators from './records/authenticators.ts';
import * as signingKeys from './records/signing-keys.ts';

/** Authenticators that are read at once. */
const BATCH = 500;

/** What came of sealing everything anew. */
export interface Resealed {
  readonly resealed: number;
  /** What no secret that is configured opens. */
  readonly unopened: number;
}

/**
 * Seals what stays in the database with the first of the secrets, so that the older ones can be dropped. What is sealed
 * for a while only, such as a mail that waits, goes by itself. May be cut short and run again at any time.
 */
export async function reseal(database: Database, cipher: Cipher): Promise<Resealed> {
  const counts = { resealed: await signingKeys.reseal(database, cipher), unopened: 0 };
  let after: string | null = null;
  for (;;) {
    const some: Awaited<ReturnType<typeof authenticators.listKind>> = await authenticators.listKind(database, 'TOTP', {
      after,
      limit: BATCH,
    });
    for (const app of some) {
      const data = resealTotp(cipher, app);
      if (data === 'unopened') counts.unopened += 1;
      else if (data && (await authenticators.replaceData(database, { id: app.id, expected: app.data, data })))
        counts.resealed += 1;
    }
    after = some.at(-1)?.id ?? null;
    if (after === null) return counts;
  }
}
