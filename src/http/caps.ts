import type { LocalLimitName, RateLimits } from '../lib/rate-limits.ts';

/** Counts what is open at once on this instance. */
export interface Caps {
  /**
   * Lets one more in.
   * @returns lets it out again; null if there are too many already
   */
  enter(limit: Exclude<LocalLimitName, 'messagesPerConnection'>, key: string): (() => void) | null;
}

export function createCaps(limits: RateLimits): Caps {
  const counts = new Map<string, number>();
  return {
    enter(limit, key) {
      const counted = `${limit} ${key}`;
      const count = counts.get(counted) ?? 0;
      if (count >= (limits[limit]?.points ?? Number.POSITIVE_INFINITY)) return null;
      counts.set(counted, count + 1);
      let left = false;
      return () => {
        if (left) return;
        left = true;
        const rest = (counts.get(counted) ?? 0) - 1;
        if (rest > 0) counts.set(counted, rest);
        else counts.delete(counted);
      };
    },
  };
}

/** Counts what comes in on one socket, in windows that begin with the first of it. */
export function createAllowance({ messagesPerConnection: rate }: RateLimits, now: () => number): () => boolean {
  let begun = Number.NEGATIVE_INFINITY;
  let count = 0;
  return () => {
    if (!rate) return true;
    if (now() - begun >= rate.windowMs) {
      begun = now();
      count = 0;
    }
    count += 1;
    return count <= rate.points;
  };
}
