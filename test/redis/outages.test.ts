import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Count } from '../../src/app.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { endWindows } from '../support/limits.ts';
import { LOG_IN, logIn, newPerson, signUp } from '../support/people.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const AWAY = 'Redis is away';
const BACK = 'Redis is back, and counts for the rate limits';

const toStop: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const each of toStop.splice(0).reverse()) await each.stop();
});

async function startBoth(password?: string): Promise<{ redis: TestRedis; gateway: Gateway }> {
  const redis = await startRedis(password ? { password } : {});
  toStop.push(redis);
  return { redis, gateway: await startOn(redis.url) };
}

async function startOn(url: string): Promise<Gateway> {
  const gateway = await startGateway({ env: { POSTERN_REDIS_URL: url } });
  toStop.push(gateway);
  return gateway;
}

/** A guess at a password, from an address of its own: what comes of it. */
async function guess(gateway: Gateway, email: string): Promise<string> {
  const answer = await gateway.client().send(LOG_IN, { input: { email, password: 'a guess that is wrong' } });
  return answer.result?.__typename ?? answer.text;
}

/** What comes of guesses, one after the other. */
async function guesses(gateway: Gateway, email: string, times: number): Promise<string[]> {
  const seen: string[] = [];
  for (let time = 0; time < times; time += 1) seen.push(await guess(gateway, email));
  return seen;
}

const checked = (seen: readonly string[]) => seen.filter((kind) => kind === 'InvalidCredentials').length;
const told = (gateway: Gateway, message: string) => gateway.logs.filter((line) => line.includes(message)).length;
/** Nobody hears of a return before somebody asks. */
const untilBack = (gateway: Gateway) =>
  expect
    .poll(
      async () => {
        await gateway.app.limiter.left({ limit: 'passwordPerAccount', key: 'anybody' });
        return told(gateway, BACK);
      },
      { timeout: 10_000 },
    )
    .toBe(1);

describe('a Redis that is killed in the middle of guesses', () => {
  test('gives nobody more than the limit twice, and fails nobody (without PostgreSQL in its place every request fails, or every guess gets through)', async () => {
    const { redis, gateway } = await startBoth();
    const other = await gateway.another();
    const person = newPerson();
    await signUp(gateway.client(), person);
    const running = Promise.all([gateway, other, gateway, other].map((each) => guesses(each, person.email, 40)));
    await expect.poll(() => redis.client.dbsize()).toBeGreaterThan(2);
    await redis.kill();
    const seen = (await running).flat();
    expect(new Set(seen)).toEqual(new Set(['InvalidCredentials', 'RateLimited']));
    expect(checked(seen)).toBeGreaterThanOrEqual(10);
    expect(checked(seen)).toBeLessThanOrEqual(20);
    for (const each of [gateway, other]) expect(told(each, AWAY)).toBe(1);
    // And everybody else goes on.
    await signUp(gateway.client(), newPerson());
  });

  test('and returns empty gives nobody a third allowance (both count for a window; without it there are thirty guesses)', async () => {
    const { redis, gateway } = await startBoth();
    const { email } = newPerson();
    expect(checked(await guesses(gateway, email, 12))).toBe(10);
    await redis.kill();
    // A refusal is remembered for a second.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(checked(await guesses(gateway, email, 12))).toBe(10);
    await redis.start();
    await untilBack(gateway);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(checked(await guesses(gateway, email, 12))).toBe(0);
    // It counts again itself, and so does PostgreSQL.
    const fresh = newPerson().email;
    expect(checked(await guesses(gateway, fresh, 12))).toBe(10);
    const count: Count = { limit: 'passwordPerAccount', key: fresh };
    const key = gateway.app.limiter.rowOf(count);
    expect(Number(await redis.client.get(`postern:${key}`))).toBeGreaterThan(10);
    expect(await gateway.sql('SELECT 1 FROM rate_limits WHERE key = $1 AND points > 10', [key])).toHaveLength(1);
    expect([told(gateway, AWAY), told(gateway, BACK)]).toEqual([1, 1]);
  });

  test('lets right logins take back what they counted, before, meanwhile and after', async () => {
    const { redis, gateway } = await startBoth();
    const person = newPerson();
    await signUp(gateway.client(), person);
    const logins = async () => {
      for (let time = 0; time < 12; time += 1) {
        await logIn(gateway.client(), person);
        const count: Count = { limit: 'passwordPerAccount', key: person.email };
        await expect.poll(() => gateway.app.limiter.left(count)).toBe(10);
      }
    };
    await logins();
    await redis.kill();
    await logins();
    await redis.start();
    await untilBack(gateway);
    await logins();
  });
});

describe('a Redis that hangs', () => {
  test('keeps nobody waiting for it, and finds its counts again (inTime; without it a request waits until the connection ends)', async () => {
    const { redis, gateway } = await startBoth();
    const { email } = newPerson();
    expect(checked(await guesses(gateway, email, 12))).toBe(10);
    redis.pause();
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const others = Array.from({ length: 50 }, (_, index) =>
      gateway.app.limiter.count({ limit: 'passwordPerAccount', key: `somebody ${index}` }),
    );
    expect(checked(await guesses(gateway, email, 30))).toBe(10);
    expect(new Set(await Promise.all(others))).toEqual(new Set([null]));
    expect(told(gateway, AWAY)).toBe(1);
    expect(told(gateway, 'did not answer within')).toBe(1);
    redis.resume();
    await untilBack(gateway);
    await gateway.sql('DELETE FROM rate_limits');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(checked(await guesses(gateway, email, 12))).toBe(0);
  });
});

describe('a Redis that is no use', () => {
  test('because it is down when the gateway starts is waited for, and PostgreSQL counts meanwhile', async () => {
    const redis = await startRedis();
    toStop.push(redis);
    await redis.kill();
    const gateway = await startOn(redis.url);
    expect(checked(await guesses(gateway, newPerson().email, 15))).toBe(10);
    expect(told(gateway, AWAY)).toBe(1);
    await redis.start();
    await untilBack(gateway);
    await guess(gateway, newPerson().email);
    expect(await redis.client.dbsize()).toBeGreaterThan(1);
  });

  test('because it takes no more is one outage, whatever number of requests finds out', async () => {
    const { redis, gateway } = await startBoth();
    await redis.client.config('SET', 'maxmemory', '1');
    const { email } = newPerson();
    const seen: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      seen.push(...(await guesses(gateway, email, 10)));
      // Long enough for it to be connected to again.
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    expect(checked(seen)).toBe(10);
    expect([told(gateway, AWAY), told(gateway, BACK)]).toEqual([1, 0]);
    await redis.client.config('SET', 'maxmemory', '0');
    await untilBack(gateway);
    await endWindows(gateway);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(checked(await guesses(gateway, email, 15))).toBe(10);
  });

  test('because it has no database of that number does not count in another (without the end of that connection it does, in 0)', async () => {
    const redis = await startRedis();
    toStop.push(redis);
    const gateway = await startOn(`${redis.url}/99`);
    expect(checked(await guesses(gateway, newPerson().email, 15))).toBe(10);
    expect(told(gateway, AWAY)).toBe(1);
    expect(await redis.client.dbsize()).toBe(0);
  });
});

test('the password of Redis is in no line, whatever goes wrong', async () => {
  const printed = ['log', 'warn', 'error', 'info', 'debug'] as const;
  const spies = printed.map((name) => vi.spyOn(console, name));
  const password = 'never to be seen 7f3a';
  const { redis, gateway } = await startBoth(password);
  await guess(gateway, newPerson().email);
  const wrong = await startOn(redis.url.replace('never', 'ever'));
  expect(checked(await guesses(wrong, newPerson().email, 15))).toBe(10);
  await redis.kill();
  await guess(gateway, newPerson().email);
  expect(told(gateway, AWAY) + told(wrong, AWAY)).toBe(2);
  const lines = [...gateway.logs, ...wrong.logs, ...spies.flatMap(({ mock }) => mock.calls.map(String))].join('\n');
  expect(lines).toContain('WRONGPASS');
  for (const part of ['seen', '7f3a', 'never']) expect(lines).not.toContain(part);
});
