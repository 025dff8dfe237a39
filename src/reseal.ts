import type { FactorName } from './factors/index.ts';
import { resealRecoveryCodes } from './factors/recovery-code.ts';
import { resealTotp } from './factors/totp.ts';
import type { Database } from './infra/database.ts';
import type { Cipher } from './lib/cipher.ts';
import * as authenticators from './records/authenticators.ts';
import * as signingKeys from './records/signing-keys.ts';
import * as connections from './records/social-connections.ts';

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
  const keys = await signingKeys.reseal(database, cipher);
  const counted = [
    await resealAuthenticators(database, cipher, 'TOTP', resealTotp),
    await resealAuthenticators(database, cipher, 'RECOVERY_CODE', resealRecoveryCodes),
    await resealTokens(database, cipher),
  ];
  return {
    resealed: counted.reduce((sum, { resealed }) => sum + resealed, keys),
    unopened: counted.reduce((sum, { unopened }) => sum + unopened, 0),
  };
}

async function resealTokens(database: Database, cipher: Cipher): Promise<Resealed> {
  const counts = { resealed: 0, unopened: 0 };
  let after: string | null = null;
  for (;;) {
    const some: connections.KeptTokens[] = await connections.listTokens(database, { after, limit: BATCH });
    for (const { id, sealedTokens } of some) {
      if (cipher.isCurrent(sealedTokens)) continue;
      const tokens = cipher.open(sealedTokens, connections.tokensSealedFor(id));
      if (tokens === null) counts.unopened += 1;
      else if (
        await connections.replaceTokens(
          database,
          id,
          sealedTokens,
          cipher.seal(tokens, connections.tokensSealedFor(id)),
        )
      )
        counts.resealed += 1;
    }
    after = some.at(-1)?.id ?? null;
    if (after === null) return counts;
  }
}

async function resealAuthenticators(
  database: Database,
  cipher: Cipher,
  kind: FactorName,
  resealed: typeof resealTotp,
): Promise<Resealed> {
  const counts = { resealed: 0, unopened: 0 };
  let after: string | null = null;
  for (;;) {
    const some: Awaited<ReturnType<typeof authenticators.listKind>> = await authenticators.listKind(database, kind, {
      after,
      limit: BATCH,
    });
    for (const held of some) {
      const data = resealed(cipher, held);
      if (data === 'unopened') counts.unopened += 1;
      else if (data && (await authenticators.replaceData(database, { id: held.id, expected: held.data, data })))
        counts.resealed += 1;
    }
    after = some.at(-1)?.id ?? null;
    if (after === null) return counts;
  }
}
