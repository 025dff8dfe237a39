import type { App } from '../app.ts';
import { addressKey } from '../lib/client-address.ts';
import type { Connection } from './shared/connection.ts';
import { type RateLimited, rateLimited, type SignedIn, type Unauthenticated } from './shared/outcomes.ts';

export interface ConnectionRenewed {
  readonly kind: 'ConnectionRenewed';
  readonly session: SignedIn['session'];
}

export type RenewConnectionResult = ConnectionRenewed | Unauthenticated | RateLimited;

/**
 * Puts a newer credential behind an open connection, before the one that it was opened with ends. Its subscriptions go
 * on, and miss nothing.
 * @param input `token`: a session token or an access token of the same person
 */
export async function renewConnection(
  app: App,
  connection: Connection,
  { token }: { readonly token: string },
): Promise<RenewConnectionResult> {
  const { viewer, client } = connection;
  const wait = await app.limiter.count(
    { limit: 'refreshPerAddress', key: addressKey(client.ipAddress) },
    { limit: 'refreshPerSession', key: viewer.session.id },
  );
  if (wait !== null) return rateLimited(wait);
  const seen = await connection.renew({ from: 'bearer', value: token });
  return seen.kind === 'Unauthenticated' ? seen : { kind: 'ConnectionRenewed', session: seen.session };
}
