import { connectRedis } from '../redis.ts';
import type { Counters } from './counters.ts';
import { createRedisCounters } from './in-redis.ts';

/**
 * Counters in Redis; while it is away, in PostgreSQL. Each keeps its own, so whoever uses up a limit in the one has that
 * limit once more in the other, and no more: those of PostgreSQL go on where they stood when Redis goes again, and those
 * of Redis when it returns. It may also return empty. So for the longest window after an outage both are counted, and
 * either refuses: until then what PostgreSQL counted is not forgotten, and after it Redis has counted a whole window.
 *
 * A right attempt that one has counted may be taken back from the other, if they change in between. While both count,
 * that lets nobody past the one in which it stays.
 *
 * @param options `longestWindowMs`: the longest window of any limit. `onLoss` and `onReturn` are told once an outage.
 */
export async function openInsuredCounters(options: {
  url: string;
  inPostgres: Counters;
  longestWindowMs: number;
  onLoss: (error: Error) => void;
  onReturn: () => void;
}): Promise<Counters> {
  const { inPostgres } = options;
  let bothUntil = Number.NEGATIVE_INFINITY;
  const redis = await connectRedis({
    url: options.url,
    onLoss: options.onLoss,
    onReturn() {
      bothUntil = performance.now() + options.longestWindowMs;
      options.onReturn();
    },
  });
  const inRedis = await createRedisCounters(redis.client);

  /** Does the same wherever it is counted now. */
  async function wherever<T>(work: (counters: Counters) => Promise<T>): Promise<T[]> {
    const first = await redis.ask(() => work(inRedis));
    if (first !== null && performance.now() >= bothUntil) return [first];
    const second = await work(inPostgres);
    return first === null ? [second] : [first, second];
  }

  return {
    add: async (counters, db) => (await wherever((each) => each.add(counters, db))).flat(),
    async takeBack(points) {
      await wherever((each) => each.takeBack(points));
    },
    async remove(keys) {
      await wherever((each) => each.remove(keys));
    },
    read: async (key) => Math.max(...(await wherever((each) => each.read(key)))),
    async close() {
      redis.close();
      await inPostgres.close();
    },
  };
}
