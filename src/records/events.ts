import type { AuthEvent } from '../events.ts';
import type { Db } from '../infra/database.ts';
import { NOBODY } from './users.ts';

/** Where an event came from. */
export interface EventSource {
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
}

/**
 * Takes out of the events of a person who is gone what could still tell who it was: addresses, clients, particulars.
 * That something happened, and when, stays.
 */
export async function anonymize(db: Db, userId: string): Promise<void> {
  await db.execute`
    UPDATE events SET ip_address = NULL, user_agent = NULL, data = '{}'::jsonb WHERE user_id = ${userId}::uuid`;
}

/**
 * Writes events in the order in which they happened. Those of a person who is gone are anonymous from the start.
 *
 * One that is about nobody looks somebody up as well: the time must not tell whether there was a person.
 */
export async function append(db: Db, events: readonly AuthEvent[], source: EventSource, at: Date): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map(({ kind, userId, ...rest }) => {
    const { sessionId = null, ...data } = rest as { sessionId?: string };
    return { kind, user_id: userId, session_id: sessionId, data };
  });
  await db.execute`
    INSERT INTO events (at, kind, user_id, session_id, ip_address, user_agent, data)
    SELECT ${at}, kind, user_id, session_id, CASE WHEN known THEN ${source.ipAddress} END,
      CASE WHEN known THEN ${source.userAgent} END, CASE WHEN known THEN data ELSE '{}'::jsonb END
    FROM (
      SELECT event.*, event.user_id IS NULL OR person.found AS known
      FROM ROWS FROM (jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS (kind text, user_id uuid, session_id uuid, data jsonb))
        WITH ORDINALITY AS event (kind, user_id, session_id, data, position),
        LATERAL (SELECT count(*) > 0 AS found FROM users WHERE id = coalesce(event.user_id, ${NOBODY}::uuid)) AS person
    ) AS events
    ORDER BY position`;
}
