import type { Db } from '../database.ts';
import type { Counted, Counter, Counters } from './counters.ts';

const CLEAR_EVERY_MS = 300_000;

interface Row {
  readonly key: string;
  readonly points: number;
  /** Milliseconds since the epoch, as text: it is wider than a number of the wire. */
  readonly expire: string;
}

/** Counters in the table `rate_limits`, all of a request in one statement. */
export function createPostgresCounters(db: Db, onError: (error: unknown) => void): Counters {
  const clearTimer = setInterval(() => clearExpired(db, Date.now()).catch(onError), CLEAR_EVERY_MS).unref();
  return {
    add: (counters, transaction = db) => add(transaction, counters, Date.now()),
    takeBack: (points) => takeBack(db, points, Date.now()),
    async remove(keys) {
      await db.execute`DELETE FROM rate_limits WHERE key = ANY(${keys})`;
    },
    async read(key) {
      const [row] = await db.query<{ points: number }>`
        SELECT points FROM rate_limits WHERE key = ${key} AND expire > ${Date.now()}::bigint`;
      return row?.points ?? 0;
    },
    async close() {
      clearInterval(clearTimer);
    },
  };
}

// In the order of the keys, so that two requests which share counters never wait for each other in a circle.
async function add(db: Db, counters: readonly Counter[], now: number): Promise<Counted[]> {
  const rows = await db.query<Row>`
    INSERT INTO rate_limits (key, points, expire)
    SELECT key, 1, ${now}::bigint + duration
    FROM unnest(${counters.map(({ key }) => key)}::text[], ${counters.map(({ windowMs }) => windowMs)}::bigint[]) AS asked (key, duration)
    ORDER BY key
    ON CONFLICT (key) DO UPDATE SET
      points = CASE WHEN rate_limits.expire <= ${now}::bigint THEN 1 ELSE rate_limits.points + 1 END,
      expire = CASE WHEN rate_limits.expire <= ${now}::bigint THEN EXCLUDED.expire ELSE rate_limits.expire END
    RETURNING key, points, expire`;
  return rows.map(({ key, points, expire }) => ({ key, points, expiresAt: Number(expire) }));
}

async function takeBack(db: Db, points: ReadonlyMap<string, number>, now: number): Promise<void> {
  await db.execute`
    UPDATE rate_limits SET points = GREATEST(points - refund, 0)
    FROM (
      SELECT r.key, asked.refund FROM unnest(${[...points.keys()]}::text[], ${[...points.values()]}::int[]) AS asked (key, refund)
      JOIN rate_limits r ON r.key = asked.key ORDER BY r.key FOR UPDATE OF r
    ) AS locked
    WHERE rate_limits.key = locked.key AND expire > ${now}::bigint`;
}

async function clearExpired(db: Db, now: number): Promise<void> {
  await db.execute`DELETE FROM rate_limits WHERE expire < ${now}::bigint`;
}
