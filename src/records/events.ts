import type { AuthEvent } from '../events.ts';
import type { Db } from '../infra/database.ts';
import { NOBODY } from './users.ts';

/** Where an event came from. */
export interface EventSource {
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  /**
   * Whose client that was, if only what is about them may tell of it: where an administrator is, is not for those whom
   * they administrate. Null or left out for everybody's.
   */
  readonly of?: string | null;
}

/** An event as it was written. */
export interface StoredEvent extends Omit<EventSource, 'of'> {
  /** Of two events of one person, the one that was committed later has the higher id. */
  readonly id: bigint;
  readonly at: Date;
  readonly kind: AuthEvent['kind'];
  readonly userId: string | null;
  readonly sessionId: string | null;
  /** What else is told of this kind; nothing, once its person is gone. */
  readonly data: Readonly<Record<string, unknown>>;
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
 * Of what is about nobody these alone say where it came from, since that is what they are for. Others may be by somebody
 * whose account is to be deleted one day, and nothing would lead from it to them.
 */
const TRACED: ReadonlySet<AuthEvent['kind']> = new Set(['LoginFailed', 'LimitHit', 'MessageNotDelivered']);

/**
 * Writes events in the order in which they happened. Those of a person who is gone are anonymous from the start. Until
 * the transaction ends, others that write events of the same people wait: so it comes last in one, and is not for
 * thousands of people in one, whose locks PostgreSQL has no room for.
 *
 * One that is about nobody looks somebody up as well: the time must not tell whether there was a person.
 */
export async function append(db: Db, events: readonly AuthEvent[], source: EventSource, at: Date): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map(({ kind, userId, ...rest }) => {
    const { sessionId = null, ...data } = rest as { sessionId?: string };
    return { kind, user_id: userId, session_id: sessionId, data, traced: userId !== null || TRACED.has(kind) };
  });
  const of = source.of ?? null;
  await db.execute`
    INSERT INTO events (at, kind, user_id, session_id, ip_address, user_agent, data)
    SELECT ${at}, kind, user_id, session_id, CASE WHEN known AND theirs AND traced THEN ${source.ipAddress} END,
      CASE WHEN known AND theirs AND traced THEN ${source.userAgent} END, CASE WHEN known THEN data ELSE '{}'::jsonb END
    FROM (
      SELECT event.*, event.user_id IS NULL OR person.found AS known, ${of}::uuid IS NULL OR event.user_id = ${of}::uuid AS theirs
      FROM ROWS FROM (jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS (kind text, user_id uuid, session_id uuid, data jsonb, traced boolean))
        WITH ORDINALITY AS event (kind, user_id, session_id, data, traced, position),
        LATERAL (SELECT count(*) > 0 AS found FROM users WHERE id = coalesce(event.user_id, ${NOBODY}::uuid)) AS person
    ) AS events
    ORDER BY position`;
}

/**
 * Writes down that a limit was hit, unless that was written for the same window, by whichever instance.
 * @param counter names what is counted, and says when its window ends
 */
export async function appendLimitHit(
  db: Db,
  { userId, limit }: Pick<Extract<AuthEvent, { kind: 'LimitHit' }>, 'userId' | 'limit'>,
  source: EventSource,
  at: Date,
  { key, until }: { readonly key: string; readonly until: Date },
): Promise<void> {
  await db.execute`
    WITH first_refusal AS (
      INSERT INTO rate_limits (key, points, expire) VALUES (${`hit:${key}`}, 1, ${until.getTime()}::bigint)
      ON CONFLICT (key) DO UPDATE SET expire = EXCLUDED.expire WHERE rate_limits.expire <= ${Date.now()}::bigint
      RETURNING key
    )
    INSERT INTO events (at, kind, user_id, session_id, ip_address, user_agent, data)
    SELECT ${at}, 'LimitHit', ${userId}::uuid, NULL, CASE WHEN known THEN ${source.ipAddress} END,
      CASE WHEN known THEN ${source.userAgent} END, CASE WHEN known THEN ${JSON.stringify({ limit })}::jsonb ELSE '{}' END
    FROM first_refusal, LATERAL (
      SELECT ${userId}::uuid IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = ${userId}::uuid) AS known
    ) AS person`;
}

/** The events of a person after one of them, the oldest first. */
export async function listAfter(db: Db, userId: string, after: bigint, limit: number): Promise<StoredEvent[]> {
  const rows = await db.query<Row>`
    SELECT id::text, at, kind, user_id AS "userId", session_id AS "sessionId", ip_address AS "ipAddress",
      user_agent AS "userAgent", data
    FROM events WHERE user_id = ${userId}::uuid AND id > ${String(after)}::bigint ORDER BY events.id LIMIT ${limit}`;
  return rows.map(fromRow);
}

/** The events of a person before one of them, or all, the newest first. */
export async function listBefore(db: Db, userId: string, before: bigint | null, limit: number): Promise<StoredEvent[]> {
  const rows = await db.query<Row>`
    SELECT id::text, at, kind, user_id AS "userId", session_id AS "sessionId", ip_address AS "ipAddress",
      user_agent AS "userAgent", data
    FROM events WHERE user_id = ${userId}::uuid AND id <= ${String(before === null ? MAX_ID : before - 1n)}::bigint
    ORDER BY events.id DESC LIMIT ${limit}`;
  return rows.map(fromRow);
}

/** The events of everybody, the oldest first, for the operator. */
export async function listAll(
  db: Db,
  page: { readonly after: bigint; readonly userId: string | null; readonly limit: number },
): Promise<StoredEvent[]> {
  const rows = await db.query<Row>`
    SELECT id::text, at, kind, user_id AS "userId", session_id AS "sessionId", ip_address AS "ipAddress",
      user_agent AS "userAgent", data
    FROM events
    WHERE id > ${String(page.after)}::bigint AND (${page.userId}::uuid IS NULL OR user_id = ${page.userId}::uuid)
    ORDER BY events.id LIMIT ${page.limit}`;
  return rows.map(fromRow);
}

/** The ids of the last events of some people; of somebody who has none, 0. */
export async function lastIds(db: Db, userIds: readonly string[]): Promise<Map<string, bigint>> {
  const rows = await db.query<{ userId: string; id: string | null }>`
    SELECT "userId", (SELECT max(id)::text FROM events WHERE user_id = "userId") AS id
    FROM unnest(${userIds}::uuid[]) AS asked ("userId")`;
  return new Map(rows.map(({ userId, id }) => [userId, BigInt(id ?? 0)]));
}

/** Whether there is such an event of this person. */
export async function isOf(db: Db, userId: string, id: bigint): Promise<boolean> {
  const found = await db.query`
    SELECT 1 FROM events WHERE id = ${String(id)}::bigint AND user_id = ${userId}::uuid`;
  return found.length > 0;
}

const MAX_ID = 2n ** 63n - 1n;

/** Reads the id of an event as clients write it; null for any other text. */
export function parseId(text: string): bigint | null {
  const id = /^[1-9]\d{0,18}$/.test(text) ? BigInt(text) : null;
  return id !== null && id <= MAX_ID ? id : null;
}

type Row = Omit<StoredEvent, 'id'> & { readonly id: string };

function fromRow(row: Row): StoredEvent {
  return { ...row, id: BigInt(row.id) };
}
