import { createHash } from 'node:crypto';
import type pg from 'pg';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import type { LimitName, RateLimits } from '../config.ts';

/** One thing that a limit counts for: an account's identifier, a client's address, a session. */
export interface Count {
  readonly limit: LimitName;
  readonly key: string;
}

/** Counts attempts in PostgreSQL, so that every instance counts together. */
export interface Limiter {
  /**
   * Counts one attempt for each, before the work that they guard. The counts are statements of their own, so neither a
   * rollback nor a hundred parallel requests get around them.
   * @returns seconds until another attempt is worth making, or null if this one may go on
   */
  count(...counts: readonly Count[]): Promise<number | null>;
  /** Takes back one attempt for each, of an attempt that turned out to be right. Clears nobody else's. */
  refund(...counts: readonly Count[]): Promise<void>;
}

/** A limiter over the table `rate_limits`. */
export function createLimiter(pool: pg.Pool, limits: RateLimits): Limiter {
  const limiters = new Map(
    Object.entries(limits).flatMap(([name, rate]) =>
      rate
        ? [
            [
              name,
              new RateLimiterPostgres({
                storeClient: pool,
                storeType: 'pool',
                tableName: 'rate_limits',
                tableCreated: true,
                keyPrefix: name,
                points: rate.points,
                duration: rate.windowMs / 1000,
              }),
            ] as const,
          ]
        : [],
    ),
  );
  const counted = (counts: readonly Count[]) =>
    counts.flatMap(({ limit, key }) => {
      const limiter = limiters.get(limit);
      return limiter ? [{ limiter, key: keyOf(key) }] : [];
    });

  return {
    async count(...counts) {
      const waits = await Promise.all(
        counted(counts).map(({ limiter, key }) =>
          limiter.consume(key).then(
            () => null,
            (refusal: unknown) => {
              if (refusal instanceof RateLimiterRes) return Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
              throw refusal;
            },
          ),
        ),
      );
      return waits.reduce((longest, wait) => (wait !== null && wait > (longest ?? 0) ? wait : longest), null);
    },
    async refund(...counts) {
      await Promise.all(counted(counts).map(({ limiter, key }) => limiter.reward(key)));
    },
  };
}

// Addresses of people do not belong into a table of counters, and keys of any length fit.
function keyOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}
