import type { App, Count } from './app.ts';
import { addressKey } from './lib/client-address.ts';
import * as sessions from './records/sessions.ts';
import { NOBODY } from './records/users.ts';
import type { Client } from './unit.ts';

/** What is tried, and at whose account. */
export interface AccountTry {
  readonly limit: Count['limit'];
  /** The account, as it is named. */
  readonly key: string;
  /** Looks up whose it is; null for nobody's. */
  owner(): Promise<string | null>;
}

/** What counting works with: the app, or the transaction that runs. */
export interface CountingParts {
  readonly limiter: Pick<App['limiter'], 'check' | 'count'>;
  readonly database: Parameters<typeof sessions.isKnownAddress>[0];
}

/**
 * Counts a try at an account: for the account, and for the account and the client's address together. A stranger can use
 * up the first; then whoever comes from an address that the account was used from before still has the second, so that
 * nobody keeps an owner out of their account (OWASP ASVS 6.3.1). From one address both are the same.
 * @param others that are counted beside it
 * @returns seconds to wait, or null if the try may go on; and what to give back if it turns out to be right
 */
export async function countAccountTry(
  { limiter, database }: CountingParts,
  { client }: { readonly client: Client },
  { limit, key, owner }: AccountTry,
  ...others: readonly Count[]
): Promise<{ readonly wait: number | null; readonly counts: readonly Count[] }> {
  const shared: Count = { limit, key, about: { owner, ipAddress: client.ipAddress } };
  const own = [{ limit, key: `${key} from ${addressKey(client.ipAddress)}`, about: null }, ...others];
  const counts = [shared, ...own];
  const refusal = await limiter.check(...counts);
  if (!refusal) return { wait: null, counts };
  const byStrangers = refusal.by.every((count) => count === shared);
  if (!byStrangers || !(await sessions.isKnownAddress(database, (await owner()) ?? NOBODY, client.ipAddress)))
    return { wait: refusal.retryAfter, counts };
  return { wait: refusal.counted ? null : await limiter.count(...own), counts: own };
}
