import type { App } from '../../app.ts';
import { addressKey } from '../../lib/client-address.ts';
import { transact, type Unit } from '../../unit.ts';
import { evenly } from './evenly.ts';
import { type Caller, type RateLimited, rateLimited } from './outcomes.ts';

/** Counts a request by which anybody can have us send a mail. Null: it may go on. */
export async function limitMailRequests(app: App, { client }: Caller): Promise<RateLimited | null> {
  const wait = await app.limiter.count({ limit: 'requestPerAddress', key: addressKey(client.ipAddress) });
  return wait === null ? null : rateLimited(wait);
}

/**
 * The transaction of such a request. Beyond a modest number of mails for one client address nothing is sent, without a
 * word; and it is answered at a set time: so neither what was sent nor whether there is an account shows.
 */
export async function transactMailRequest<R>(
  app: App,
  { client }: Caller,
  work: (unit: Unit) => Promise<R>,
): Promise<R> {
  const wait = await app.limiter.count({ limit: 'mailPerAddress', key: addressKey(client.ipAddress) });
  return evenly(() => transact(app, client, work, { muted: wait !== null }));
}
