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
  const rows = events.map(({ kind, userId, ...rest }) => {
    const { sessionId = null, ...data } = rest as { sessionId?: string };
    return { kind, user_id: userId, session_id: sessionId, data };
  });
  await db.execute`
    INSERT INTO events (at, kind, user_id, session_id, ip_address, user_agent, data)
    SELECT ${at}, kind, user_id, session_id, ${source.ipAddress}, ${source.userAgent}, data
    FROM ROWS FROM (jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS (kind text, user_id uuid, session_id uuid, data jsonb))
      WITH ORDINALITY AS event (kind, user_id, session_id, data, position)
    ORDER BY position`;
}
