import type { EventKind } from '../events.ts';
import type { Db } from '../infra/database.ts';

/** Somebody who is told of events, as the database knows them. */
export interface StoredSubscriber {
  readonly id: string;
  readonly kinds: readonly string[];
  readonly seenAt: Date;
  /** Nothing is delivered before. */
  readonly pausedUntil: Date | null;
  /** Its server has said that it is gone. */
  readonly goneAt: Date | null;
  readonly pending: number;
  readonly failed: number;
  readonly lastDeliveredAt: Date | null;
}

/**
 * Writes down who is told of what, from the next event on. One that was paused or gone is told again.
 * @param kinds the kinds of events that get a row in the delivery log
 */
export async function register(db: Db, id: string, kinds: readonly EventKind[], now: Date): Promise<void> {
  await db.execute`
    INSERT INTO event_subscribers (id, kinds, seen_at) VALUES (${id}, ${kinds}::text[], ${now})
    ON CONFLICT (id) DO UPDATE SET kinds = EXCLUDED.kinds, seen_at = EXCLUDED.seen_at, paused_until = NULL, gone_at = NULL`;
}

/** Notes that a gateway is there that tells them. */
export async function noteSeen(db: Db, ids: readonly string[], now: Date): Promise<void> {
  await db.execute`UPDATE event_subscribers SET seen_at = ${now} WHERE id = ANY(${ids})`;
}

/**
 * Forgets those whom no gateway has been there for since: nothing more is written down for them, and what was not
 * delivered is given up.
 */
export async function forgetUnseen(db: Db, before: Date): Promise<string[]> {
  const gone = await db.query<{ id: string }>`DELETE FROM event_subscribers WHERE seen_at < ${before} RETURNING id`;
  const ids = gone.map(({ id }) => id);
  if (ids.length > 0)
    await db.execute`
      UPDATE event_deliveries SET state = 'FAILED', last_error = 'no longer configured'
      WHERE subscriber = ANY(${ids}) AND state = 'PENDING'`;
  return ids;
}

/** Delivers nothing to somebody until then. */
export async function pause(db: Db, id: string, until: Date): Promise<void> {
  await db.execute`UPDATE event_subscribers SET paused_until = ${until} WHERE id = ${id}`;
}

/** Delivers nothing more to somebody, until {@link register} or {@link revive}. */
export async function noteGone(db: Db, id: string, now: Date): Promise<void> {
  await db.execute`UPDATE event_subscribers SET gone_at = ${now} WHERE id = ${id}`;
}

/** Delivers again at once. */
export async function revive(db: Db, id: string): Promise<void> {
  await db.execute`UPDATE event_subscribers SET gone_at = NULL, paused_until = NULL WHERE id = ${id}`;
}

/** All of them, with how they do. */
export function list(db: Db): Promise<StoredSubscriber[]> {
  return db.query<StoredSubscriber>`
    SELECT id, kinds, seen_at AS "seenAt", paused_until AS "pausedUntil", gone_at AS "goneAt",
      coalesce(pending, 0)::int AS pending, coalesce(failed, 0)::int AS failed, last AS "lastDeliveredAt"
    FROM event_subscribers LEFT JOIN (
      SELECT subscriber, count(*) FILTER (WHERE state = 'PENDING') AS pending,
        count(*) FILTER (WHERE state = 'FAILED') AS failed, max(delivered_at) AS last
      FROM event_deliveries GROUP BY subscriber
    ) AS log ON subscriber = id
    ORDER BY id`;
}
