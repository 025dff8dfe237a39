import type { AuthEvent } from '../events.ts';
import type { Db } from '../infra/database.ts';

/** Where an event came from. */
export interface EventSource {
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
}

/** Writes events in the order in which they happened. */
export async function append(db: Db, events: readonly AuthEvent[], source: EventSource, at: Date): Promise<void> {
  if (events.length === 0) return;
  await db.event.createMany({
    data: events.map(({ kind, userId, ...rest }) => {
      const { sessionId = null, ...data } = rest as { sessionId?: string };
      return { at, kind, userId, sessionId, ...source, data };
    }),
  });
}
