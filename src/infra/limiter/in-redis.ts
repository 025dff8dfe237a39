import type { Redis } from 'ioredis';
import type { Counters } from './counters.ts';

// The library's own script takes points back from a counter that is not there any more, and so leaves one below zero:
// attempts in advance. Here a counter begins with an attempt only, and ends at zero.
const COUNT = `
local points = tonumber(ARGV[1])
if points > 0 then
  redis.call('set', KEYS[1], 0, 'EX', ARGV[2], 'NX')
else
  points = math.max(points, -tonumber(redis.call('get', KEYS[1]) or 0))
  if points == 0 then return {0, 0} end
end
return {redis.call('incrby', KEYS[1], points), redis.call('pttl', KEYS[1])}`;

/**
 * Counters in Redis, by rate-limiter-flexible: `postern:LIMIT:DIGEST`, each of which goes when its window is over. The
 * client pipelines by itself, so all of a request travel together. Windows are whole seconds there, rounded up.
 */
export async function createRedisCounters(client: Redis): Promise<Counters> {
  const { RateLimiterRedis } = await import('rate-limiter-flexible');
  const limiter = new RateLimiterRedis({
    storeClient: client,
    keyPrefix: 'postern',
    customIncrTtlLuaScript: COUNT,
    // One serves all limits: a window is said with each count, and what is too many the limiter knows.
    points: 1,
    duration: 1,
  });
  return {
    add: (counters) =>
      Promise.all(
        counters.map(async ({ key, windowMs }) => {
          const counted = await limiter.penalty(key, 1, { customDuration: Math.ceil(windowMs / 1_000) });
          return { key, points: counted.consumedPoints, expiresAt: Date.now() + counted.msBeforeNext };
        }),
      ),
    async takeBack(points) {
      await Promise.all([...points].map(([key, some]) => limiter.reward(key, some)));
    },
    async remove(keys) {
      await Promise.all(keys.map((key) => limiter.delete(key)));
    },
    read: async (key) => (await limiter.get(key))?.consumedPoints ?? 0,
    close: async () => undefined,
  };
}
