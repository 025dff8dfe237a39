import type { EventKind } from '../events.ts';
import type { Database, Db } from '../infra/database.ts';
import type { StoredEvent } from './events.ts';

/** Due deliveries that are looked at in one go. */
const LOOKED_AT = 100;

/** What became of telling somebody of an event. */
export const DELIVERY_STATES = ['PENDING', 'DELIVERED', 'FAILED', 'SKIPPED'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** A delivery that is taken on by one instance, until its time is over. */
export interface ClaimedDelivery {
  readonly subscriber: string;
  readonly event: StoredEvent;
  /** How many there were, this one included. */
  readonly attempts: number;
}

/** How a delivery came out. */
export interface DeliveryResult {
  readonly state: DeliveryState;
  /** The status of the answer, if there was one. */
  readonly status: number | null;
  readonly error: string | null;
  /** For PENDING: when it is tried again. */
  readonly nextAt?: Date;
}

/**
 * Takes on deliveries that are due: of each person the first one only, so that nobody is told of a later event of theirs
 * before an earlier one. Of two instances that ask at once, one gets each. What waits for an earlier one is put off until
 * that is due again, so that it is not looked at all the time; {@link finish} brings it forward.
 *
 * The statement that looks for earlier ones comes after the locks, with a view of its own: what another instance has
 * finished by then is seen, and what it finishes later finds the rows that were put off.
 * @param until when others may take them on again
 * @returns `more`: whether it is worth asking again at once
 */
export async function claim(
  database: Pick<Database, 'transaction'>,
  subscriber: string,
  { limit, now, until }: { readonly limit: number; readonly now: Date; readonly until: Date },
): Promise<{ readonly claimed: ClaimedDelivery[]; readonly more: boolean }> {
  return database.transaction(async (db) => {
    const due = await db.query<{ id: string }>`
      SELECT event_id::text AS id FROM event_deliveries
      WHERE subscriber = ${subscriber} AND state = 'PENDING' AND next_at <= ${now} AND EXISTS (
        SELECT 1 FROM event_subscribers s
        WHERE s.id = ${subscriber} AND s.gone_at IS NULL AND (s.paused_until IS NULL OR s.paused_until <= ${now}))
      ORDER BY next_at, event_id LIMIT ${LOOKED_AT} FOR UPDATE SKIP LOCKED`;
    if (due.length === 0) return { claimed: [], more: false };
    const rows = await db.query<Row & { claimed: boolean }>`
      UPDATE event_deliveries AS d SET attempts = d.attempts + CASE WHEN claimed THEN 1 ELSE 0 END,
        next_at = GREATEST(waits_until, ${until})
      FROM (
        SELECT event_id, waits_until, waits_until IS NULL
          AND row_number() OVER (PARTITION BY waits_until IS NULL ORDER BY event_id) <= ${limit}::int AS claimed
        FROM (
          SELECT due.event_id, (
            SELECT earlier.next_at FROM event_deliveries earlier
            WHERE earlier.subscriber = due.subscriber AND earlier.user_id = due.user_id AND earlier.state = 'PENDING'
              AND earlier.event_id < due.event_id
            ORDER BY earlier.event_id LIMIT 1
          ) AS waits_until
          FROM event_deliveries due
          WHERE due.subscriber = ${subscriber} AND due.event_id = ANY(${due.map(({ id }) => id)}::bigint[])
        ) AS looked_at
      ) AS found JOIN events e ON e.id = found.event_id
      WHERE d.subscriber = ${subscriber} AND d.event_id = found.event_id AND (claimed OR waits_until IS NOT NULL)
      RETURNING claimed, d.attempts, e.id::text, e.at, e.kind, e.user_id AS "userId", e.session_id AS "sessionId",
        e.ip_address AS "ipAddress", e.user_agent AS "userAgent", e.data`;
    const claimed = rows.flatMap((row) => (row.claimed ? [claimedFrom(subscriber, row)] : []));
    return { claimed, more: due.length === LOOKED_AT };
  });
}

type Row = Omit<StoredEvent, 'id'> & { readonly id: string; readonly attempts: number };

function claimedFrom(subscriber: string, { attempts, id, at, kind, userId, sessionId, ...more }: Row): ClaimedDelivery {
  const { ipAddress, userAgent, data } = more;
  return { subscriber, attempts, event: { id: BigInt(id), at, kind, userId, sessionId, ipAddress, userAgent, data } };
}

/**
 * Writes down how a delivery came out that was taken on. Says nothing if somebody else has taken it on since.
 *
 * The next one of the same person comes after that, by a statement with a view of its own: so it is found whether it was
 * put off before or is put off at the same moment. Whether it seems to be due says nothing: in the second case it does.
 */
export async function finish(
  db: Db,
  { subscriber, event, attempts }: ClaimedDelivery,
  { state, status, error, nextAt }: DeliveryResult,
  now: Date,
): Promise<void> {
  await db.execute`
    UPDATE event_deliveries SET state = ${state}::delivery_state, last_status = ${status}, last_error = ${error},
      next_at = ${nextAt ?? now}, delivered_at = ${state === 'DELIVERED' ? now : null}::timestamptz
    WHERE event_id = ${String(event.id)}::bigint AND subscriber = ${subscriber} AND state = 'PENDING'
      AND attempts = ${attempts}`;
  if (state === 'PENDING' || event.userId === null) return;
  await db.execute`
    UPDATE event_deliveries SET next_at = ${now}
    WHERE subscriber = ${subscriber} AND state = 'PENDING' AND attempts = 0 AND event_id = (
      SELECT min(event_id) FROM event_deliveries
      WHERE subscriber = ${subscriber} AND user_id = ${event.userId}::uuid AND state = 'PENDING')`;
}

/** Gives back a delivery that was taken on and not tried. */
export async function giveBack(db: Db, { subscriber, event, attempts }: ClaimedDelivery, now: Date): Promise<void> {
  await db.execute`
    UPDATE event_deliveries SET attempts = attempts - 1, next_at = ${now}
    WHERE event_id = ${String(event.id)}::bigint AND subscriber = ${subscriber} AND state = 'PENDING'
      AND attempts = ${attempts}`;
}

/** A line of the delivery log. */
export interface LoggedDelivery {
  /** Of the event. */
  readonly id: string;
  readonly subscriber: string;
  readonly kind: EventKind;
  readonly userId: string | null;
  readonly at: Date;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly nextAt: Date;
  readonly deliveredAt: Date | null;
}

/**
 * The delivery log, the newest events first.
 * @param wanted null takes them all; without a state, those that there was nothing to tell of are left out
 */
export function list(
  db: Db,
  wanted: { readonly subscriber: string | null; readonly state: DeliveryState | null; readonly limit: number },
): Promise<LoggedDelivery[]> {
  const { subscriber, state, limit } = wanted;
  return db.query<LoggedDelivery>`
    SELECT e.id::text, d.subscriber, e.kind, e.user_id AS "userId", e.at, d.state, d.attempts,
      d.last_status AS "lastStatus", d.last_error AS "lastError", d.next_at AS "nextAt", d.delivered_at AS "deliveredAt"
    FROM event_deliveries d JOIN events e ON e.id = d.event_id
    WHERE (${subscriber}::text IS NULL OR d.subscriber = ${subscriber})
      AND CASE WHEN ${state}::text IS NULL THEN d.state <> 'SKIPPED' ELSE d.state::text = ${state} END
    ORDER BY e.id DESC, d.subscriber LIMIT ${limit}`;
}

/** What is told once more. */
export type Replay =
  | { readonly kind: 'one'; readonly id: bigint }
  | { readonly kind: 'failed' }
  /** All that this subscriber is told of, also what came before it was there. */
  | { readonly kind: 'after'; readonly id: bigint };

/** What is tried again within this time, since it may be under way at this moment. */
const RETRIED_WITHIN_MS = 30_000;
/** In one statement. */
const REPLAYED_AT_ONCE = 5_000;

/**
 * Tells somebody once more. What waits for another attempt is not begun anew, but brought forward.
 * @returns of how many events
 */
export async function replay(db: Db, subscriber: string, asked: Replay, now: Date): Promise<number> {
  if (asked.kind === 'one') return replayBetween(db, subscriber, asked.id - 1n, asked.id, now);
  let replayed = 0;
  if (asked.kind === 'failed') {
    for (let more = REPLAYED_AT_ONCE; more === REPLAYED_AT_ONCE; replayed += more)
      more = await replayFailed(db, subscriber, now);
    return replayed;
  }
  for (let after = asked.id, last = await lastOfPage(db, after); last !== null; last = await lastOfPage(db, after)) {
    replayed += await replayBetween(db, subscriber, after, last, now);
    after = last;
  }
  return replayed;
}

function replayFailed(db: Db, subscriber: string, now: Date): Promise<number> {
  return db.execute`
    UPDATE event_deliveries SET state = 'PENDING', attempts = 0, next_at = ${now}
    WHERE subscriber = ${subscriber} AND event_id IN (
      SELECT event_id FROM event_deliveries WHERE subscriber = ${subscriber} AND state = 'FAILED'
      ORDER BY event_id LIMIT ${REPLAYED_AT_ONCE})`;
}

async function lastOfPage(db: Db, after: bigint): Promise<bigint | null> {
  const [page] = await db.query<{ last: string | null }>`
    SELECT max(id)::text AS last
    FROM (SELECT id FROM events WHERE id > ${String(after)}::bigint ORDER BY id LIMIT ${REPLAYED_AT_ONCE}) AS page`;
  return page?.last ? BigInt(page.last) : null;
}

function replayBetween(db: Db, subscriber: string, after: bigint, last: bigint, now: Date): Promise<number> {
  return db.execute`
    INSERT INTO event_deliveries AS d (event_id, subscriber, user_id, next_at)
    SELECT e.id, s.id, e.user_id, ${now} FROM events e JOIN event_subscribers s ON e.kind = ANY (s.kinds)
    WHERE s.id = ${subscriber} AND e.id > ${String(after)}::bigint AND e.id <= ${String(last)}::bigint
    ON CONFLICT (event_id, subscriber) DO UPDATE SET state = 'PENDING',
      attempts = CASE WHEN d.state = 'PENDING' THEN d.attempts ELSE 0 END,
      next_at = CASE WHEN d.state = 'PENDING' THEN LEAST(d.next_at, ${new Date(now.getTime() + RETRIED_WITHIN_MS)})
        ELSE ${now} END,
      delivered_at = NULL`;
}
