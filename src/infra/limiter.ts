import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { LimitName, RateLimits } from '../lib/rate-limits.ts';
import type { Db } from './database.ts';
import type { Counted, Counter, Counters } from './limiter/counters.ts';

/** One thing that a limit counts for: an account's identifier, a client's address, a session. */
export interface Count {
  readonly limit: LimitName;
  readonly key: string;
  /** Whom it is about, where the key does not say so. Null: what is counted beside it tells of the same. */
  readonly about?: CountSubject | null;
}

/** Whom a count is about, for those who are told that a limit was hit. */
export interface CountSubject {
  /** Looks up whose account it is; null for nobody's. */
  owner(): Promise<string | null>;
  /** Where the attempt came from. */
  readonly ipAddress: string;
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

/** That an attempt was refused. */
export interface LimitHit {
  readonly count: Count;
  /** Names the counter, without what it counts for. */
  readonly key: string;
  /** When its window ends. */
  readonly until: Date;
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

/** Counts attempts, so that every instance counts together. */
export interface Limiter extends Counting {
  /**
   * Counts in a transaction. In the middle of one nothing may wait for another connection to PostgreSQL: that one may
   * wait for a row which this transaction holds. In PostgreSQL what is counted happens with the transaction or not at
   * all; in Redis it is counted at once, and a rollback leaves it counted: too much then, never too little.
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
  /** The key of the row in `rate_limits` that counts for this, if PostgreSQL does; null where nothing counts. */
  rowOf(count: Count): string | null;
  /** Writes what is not written yet. */
  close(): Promise<void>;
}

/** The longest window in which anything is counted, in milliseconds. What is counted while it lasts has none. */
export function longestWindowOf(rates: RateLimits): number {
  const windows = Object.values(rates).map((rate) => rate?.windowMs ?? 0);
  return Math.max(0, ...windows.filter(Number.isFinite));
}

/** What an attempt is counted for, and the points that are too many. */
interface Limit extends Counter {
  readonly count: Count;
  readonly points: number;
}

/** A key that was refused is refused from memory for so long, and so are the others that are asked for with it. */
const REMEMBER_REFUSAL_MS = 1_000;
const REMEMBERED_REFUSALS = 20_000;
const REFUND_EVERY_MS = 20;
/** Of these hits this instance knows by itself that they were told. */
const REMEMBERED_HITS = 20_000;

/**
 * A limiter over counters with fixed windows that begin at the first attempt. Each request adds to all of its counters
 * in one round trip.
 *
 * Refusals are remembered for a moment: whoever is refused and goes on costs no statement, and, above all, does not
 * count against the accounts that are named beside the address.
 * @param onHit told of the first refusal by this instance in the window of a counter. The attempt does not wait for it
 */
export function createLimiter(
  counters: Counters,
  rates: RateLimits,
  onError: (error: unknown) => void,
  onHit: (hit: LimitHit) => void = () => undefined,
): Limiter {
  const hits = new LRUCache<string, true>({ max: REMEMBERED_HITS });
  const refusals = new LRUCache<string, number>({ max: REMEMBERED_REFUSALS, ttl: REMEMBER_REFUSAL_MS });
  let refunds = new Map<string, number>();
  let refundTimer: NodeJS.Timeout | undefined;

  const limitsOf = (counts: readonly Count[]): Limit[] =>
    counts.flatMap((count) => {
      const rate = rates[count.limit];
      return rate ? [{ ...rate, count, key: `${count.limit}:${digest(count.key)}` }] : [];
    });
  const keysOf = (counts: readonly Count[]): string[] => limitsOf(counts).map(({ key }) => key);

  async function check(counts: readonly Count[], db?: Db): Promise<Refusal | null> {
    const limits = limitsOf(counts);
    if (limits.length === 0) return null;
    const now = Date.now();
    const remembered = limits.flatMap((limit) => {
      const until = refusals.get(limit.key) ?? 0;
      return until > now ? [{ ...limit, until }] : [];
    });
    if (remembered.length > 0) return refusal(remembered, now, false);
    const refused = exceeded(limits, await counters.add(limits, db));
    for (const each of refused) {
      refusals.set(each.key, each.until);
      noteHit(each, now);
    }
    return refused.length > 0 ? refusal(refused, now, true) : null;
  }

  function noteHit({ key, count, until }: Refusing, now: number): void {
    if (count.about === null || until <= now || hits.has(key)) return;
    hits.set(key, true, { ttl: until - now });
    onHit({ count, key, until: new Date(until) });
  }

  const counting = (db?: Db): Counting => ({
    check: (...counts) => check(counts, db),
    count: async (...counts) => (await check(counts, db))?.retryAfter ?? null,
  });

  async function writeRefunds(): Promise<void> {
    clearTimeout(refundTimer);
    refundTimer = undefined;
    if (refunds.size === 0) return;
    const due = refunds;
    refunds = new Map();
    await counters.takeBack(due);
  }

  return {
    ...counting(),
    within: counting,
    refund(...counts) {
      for (const key of keysOf(counts)) refunds.set(key, (refunds.get(key) ?? 0) + 1);
      refundTimer ??= setTimeout(() => writeRefunds().catch(onError), REFUND_EVERY_MS).unref();
    },
    async forget(...counts) {
      const keys = keysOf(counts);
      for (const key of keys) refunds.delete(key);
      await counters.remove(keys);
      for (const key of keys) refusals.delete(key);
    },
    async left(count) {
      const [limit] = limitsOf([count]);
      return limit ? Math.max(0, limit.points - (await counters.read(limit.key))) : null;
    },
    rowOf: (count) => keysOf([count])[0] ?? null,
    async close() {
      await writeRefunds().catch(onError);
      await counters.close();
    },
  };
}

type Refusing = Limit & { readonly until: number };

function exceeded(limits: readonly Limit[], counted: readonly Counted[]): Refusing[] {
  return limits.flatMap((limit) => {
    const ends = counted
      .filter(({ key, points }) => key === limit.key && points > limit.points)
      .map(({ expiresAt }) => expiresAt);
    return ends.length > 0 ? [{ ...limit, until: Math.max(...ends) }] : [];
  });
}

function refusal(refusing: readonly Refusing[], now: number, counted: boolean): Refusal {
  const until = Math.max(...refusing.map((each) => each.until));
  const retryAfter = Math.max(1, Math.ceil((until - now) / 1000));
  return { retryAfter, by: refusing.map(({ count }) => count), counted };
}

// Addresses of people do not belong among counters, and keys of any length fit.
function digest(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}
