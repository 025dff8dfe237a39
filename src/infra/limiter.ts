import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { LimitName, RateLimits } from '../lib/rate-limits.ts';
import type { Db } from './database.ts';

/** One thing that a limit counts for: an account's identifier, a client's address, a session. */
export interface Count {
  readonly limit: LimitName;
  readonly key: string;
}

/** Why an attempt may not go on. */
export interface Refusal {
  /** Seconds until another attempt is worth making. */
  readonly retryAfter: number;
  /** Those of the counts that refuse it. */
  readonly by: readonly Count[];
  /** False if it was refused from memory, so that none of the others was counted. */
  readonly counted: boolean;
}

/** How attempts are counted. */
export interface Counting {
  /**
   * Counts one attempt for each, before the work that they guard. The counts are statements of their own, so neither a
   * rollback nor a hundred parallel requests get around them.
   * @returns seconds until another attempt is worth making, or null if this one may go on
   */
  count(...counts: readonly Count[]): Promise<number | null>;
  /** The same, with what refuses the attempt. */
  check(...counts: readonly Count[]): Promise<Refusal | null>;
}

/** Counts attempts in PostgreSQL, so that every instance counts together. */
export interface Limiter extends Counting {
  /**
   * Counts in a transaction, for what happens with it or not at all. In the middle of one nothing may wait for another
   * connection: that one may wait for a row which this transaction holds.
   */
  within(db: Db): Counting;
  /**
   * Takes back one attempt for each, of an attempt that turned out to be right. Clears nobody else's. Not waited for:
   * it is written a moment later, together with others.
   */
  refund(...counts: readonly Count[]): void;
  /**
   * Forgets what was counted for each, whoever it was. For an account whose owner has just shown that it is theirs in
   * another way. Another instance may refuse them a second longer.
   */
  forget(...counts: readonly Count[]): Promise<void>;
  /** How many more attempts there may be before the next one has to wait; null where nothing counts. */
  left(count: Count): Promise<number | null>;
  /** The row of `rate_limits` that counts for this; null where nothing does. */
  rowOf(count: Count): string | null;
  /** Writes what is not written yet. */
  close(): Promise<void>;
}

interface Counter {
  readonly count: Count;
  readonly key: string;
  readonly points: number;
  readonly windowMs: number;
}

/** A key that was refused is refused from memory for so long, and so are the others that are asked for with it. */
const REMEMBER_REFUSAL_MS = 1_000;
const REMEMBERED_REFUSALS = 20_000;
const REFUND_EVERY_MS = 20;
const CLEAR_EVERY_MS = 300_000;

/**
 * A limiter over the table `rate_limits`, with fixed windows that begin at the first attempt. Each request adds to all
 * of its counters in one statement.
 *
 * Refusals are remembered for a moment: whoever is refused and goes on costs no statement, and, above all, does not
 * count against the accounts that are named beside the address.
 */
export function createLimiter(db: Db, limits: RateLimits, onError: (error: unknown) => void): Limiter {
  const refusals = new LRUCache<string, number>({ max: REMEMBERED_REFUSALS, ttl: REMEMBER_REFUSAL_MS });
  let refunds = new Map<string, number>();
  let refundTimer: NodeJS.Timeout | undefined;
  const clearTimer = setInterval(() => clearExpired(db, Date.now()).catch(onError), CLEAR_EVERY_MS).unref();

  const counters = (counts: readonly Count[]): Counter[] =>
    counts.flatMap((count) => {
      const rate = limits[count.limit];
      return rate ? [{ ...rate, count, key: `${count.limit}:${digest(count.key)}` }] : [];
    });

  async function check(on: Db, counts: readonly Count[]): Promise<Refusal | null> {
    const counted = counters(counts);
    if (counted.length === 0) return null;
    const now = Date.now();
    const remembered = counted.flatMap((counter) => {
      const until = refusals.get(counter.key) ?? 0;
      return until > now ? [{ ...counter, until }] : [];
    });
    if (remembered.length > 0) return refusal(remembered, now, false);
    const refused = exceeded(counted, await add(on, counted, now));
    for (const { key, until } of refused) refusals.set(key, until);
    return refused.length > 0 ? refusal(refused, now, true) : null;
  }

  const counting = (on: Db): Counting => ({
    check: (...counts) => check(on, counts),
    count: async (...counts) => (await check(on, counts))?.retryAfter ?? null,
  });

  async function writeRefunds(): Promise<void> {
    clearTimeout(refundTimer);
    refundTimer = undefined;
    if (refunds.size === 0) return;
    const due = refunds;
    refunds = new Map();
    await takeBack(db, due, Date.now());
  }

  return {
    ...counting(db),
    within: counting,
    refund(...counts) {
      for (const { key } of counters(counts)) refunds.set(key, (refunds.get(key) ?? 0) + 1);
      refundTimer ??= setTimeout(() => writeRefunds().catch(onError), REFUND_EVERY_MS).unref();
    },
    async forget(...counts) {
      const keys = counters(counts).map(({ key }) => key);
      for (const key of keys) refunds.delete(key);
      await db.execute`DELETE FROM rate_limits WHERE key = ANY(${keys})`;
      for (const key of keys) refusals.delete(key);
    },
    async left(count) {
      const [counter] = counters([count]);
      if (!counter) return null;
      const [row] = await db.query<{ points: number }>`
        SELECT points FROM rate_limits WHERE key = ${counter.key} AND expire > ${Date.now()}::bigint`;
      return Math.max(0, counter.points - (row?.points ?? 0));
    },
    rowOf: (count) => counters([count])[0]?.key ?? null,
    async close() {
      clearInterval(clearTimer);
      await writeRefunds().catch(onError);
    },
  };
}

interface Counted {
  readonly key: string;
  readonly points: number;
  /** Milliseconds since the epoch, as text: it is wider than a number of the wire. */
  readonly expire: string;
}

// In the order of the keys, so that two requests which share counters never wait for each other in a circle.
function add(db: Db, counters: readonly Counter[], now: number): Promise<Counted[]> {
  return db.query<Counted>`
    INSERT INTO rate_limits (key, points, expire)
    SELECT key, 1, ${now}::bigint + duration
    FROM unnest(${counters.map(({ key }) => key)}::text[], ${counters.map(({ windowMs }) => windowMs)}::bigint[]) AS asked (key, duration)
    ORDER BY key
    ON CONFLICT (key) DO UPDATE SET
      points = CASE WHEN rate_limits.expire <= ${now}::bigint THEN 1 ELSE rate_limits.points + 1 END,
      expire = CASE WHEN rate_limits.expire <= ${now}::bigint THEN EXCLUDED.expire ELSE rate_limits.expire END
    RETURNING key, points, expire`;
}

type Refusing = Counter & { readonly until: number };

function exceeded(counters: readonly Counter[], counted: readonly Counted[]): Refusing[] {
  return counters.flatMap((counter) => {
    const row = counted.find(({ key }) => key === counter.key);
    return row && row.points > counter.points ? [{ ...counter, until: Number(row.expire) }] : [];
  });
}

function refusal(refusing: readonly Refusing[], now: number, counted: boolean): Refusal {
  const until = Math.max(...refusing.map((each) => each.until));
  const retryAfter = Math.max(1, Math.ceil((until - now) / 1000));
  return { retryAfter, by: refusing.map(({ count }) => count), counted };
}

async function takeBack(db: Db, refunds: ReadonlyMap<string, number>, now: number): Promise<void> {
  await db.execute`
    UPDATE rate_limits SET points = GREATEST(points - refund, 0)
    FROM (
      SELECT r.key, asked.refund FROM unnest(${[...refunds.keys()]}::text[], ${[...refunds.values()]}::int[]) AS asked (key, refund)
      JOIN rate_limits r ON r.key = asked.key ORDER BY r.key FOR UPDATE OF r
    ) AS locked
    WHERE rate_limits.key = locked.key AND expire > ${now}::bigint`;
}

async function clearExpired(db: Db, now: number): Promise<void> {
  await db.execute`DELETE FROM rate_limits WHERE expire < ${now}::bigint`;
}

// Addresses of people do not belong into a table of counters, and keys of any length fit.
function digest(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}
