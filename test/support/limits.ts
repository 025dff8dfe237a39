import { Redis } from 'ioredis';
import type { Gateway } from './gateway.ts';

/** How many counters of limits there are, wherever the gateway keeps them. */
export async function countCounters(gateway: Gateway): Promise<number> {
  const { redisUrl } = gateway.app.config;
  if (redisUrl) return inRedis(redisUrl, (client) => client.dbsize());
  const [row] = await gateway.sql<{ count: number }>('SELECT count(*)::int FROM rate_limits');
  return row?.count ?? 0;
}

/** Ends the windows of all limits. What was refused is remembered for a second more. */
export async function endWindows(gateway: Gateway): Promise<void> {
  const { redisUrl } = gateway.app.config;
  if (redisUrl) await inRedis(redisUrl, (client) => client.flushdb());
  await gateway.sql('UPDATE rate_limits SET expire = 1');
}

async function inRedis<T>(url: string, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}
