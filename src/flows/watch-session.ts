import { type Stream, untilAborted } from '../lib/abortable.ts';
import type { Connection } from './shared/connection.ts';
import type { SignedIn, Unauthenticated } from './shared/outcomes.ts';

/**
 * The session behind a connection: as it is now, and again whenever it changes. Its use alone is no change.
 * @param signal ends it
 */
export async function* watchSession(
  connection: Connection,
  signal: AbortSignal,
): Stream<SignedIn['session'] | Unauthenticated> {
  while (!signal.aborted) {
    const { version, over, viewer } = connection;
    // The client comes back with the newer credential, and is told then how the session is.
    if (over && connection.session === 'renewed') return untilAborted(signal);
    yield over ?? viewer.session;
    if (over) return;
    await connection.change(version, signal);
  }
}
