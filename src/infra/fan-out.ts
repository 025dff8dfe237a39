import type { Db } from './database.ts';

/** Tells every instance of whose events there are new ones. A hint that is lost delays them, and no more. */
export interface FanOut {
  publish(userIds: readonly string[]): void;
}

/** Those who are published in the same moment travel together. */
const GATHER_MS = 3;

/**
 * Publishes through the bus of PostgreSQL. Outside of the transactions that write the events: notifying would make their
 * commits wait for each other.
 * @param relaxed where a commit does not wait for the disk
 */
export function createPostgresFanOut(relaxed: Db, onError: (error: unknown) => void): FanOut {
  let due = new Set<string>();

  function send(): void {
    const userIds = [...due];
    due = new Set();
    relaxed.query`
      SELECT pg_notify('postern', 'events:' || id) FROM unnest(${userIds}::text[]) AS told (id)`.catch(onError);
  }

  return {
    publish(userIds) {
      if (userIds.length === 0) return;
      if (due.size === 0) setTimeout(send, GATHER_MS).unref();
      for (const id of userIds) due.add(id);
    },
  };
}
