import type { Db } from '../database.ts';
import { type FanOut, gatherHints } from '../fan-out.ts';

/**
 * Fans hints out by the bus of PostgreSQL. Outside of the transactions that write the events: notifying makes commits wait
 * for each other.
 * @param relaxed where a commit does not wait for the disk
 */
export function createPostgresFanOut(relaxed: Db, onError: (error: unknown) => void): FanOut {
  const hints = gatherHints(async (userIds) => {
    await relaxed.query`SELECT pg_notify('postern', 'events:' || id) FROM unnest(${userIds}::text[]) AS told (id)`.catch(
      onError,
    );
  });
  return { publish: hints.add, close: hints.flush };
}
