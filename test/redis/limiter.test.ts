import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Count } from '../../src/app.ts';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import { LOG_IN, logIn, newPerson, REQUEST_LOGIN_CODE, signUp } from '../support/people.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let redis: TestRedis;
let gateway: Gateway;
let other: Gateway;
beforeAll(async () => {
  redis = await startRedis();
  gateway = await startGateway({ env: { POSTERN_REDIS_URL: redis.url } });
  other = await gateway.another();
});
afterAll(async () => {
  await gateway.stop();
  await redis.stop();
});

let keys = 0;
/** Something that no other test counts for; ten in a quarter of an hour. */
const something = (): Count => ({ limit: 'passwordPerAccount', key: `something ${keys++}` });
const rowsOf = () => gateway.sql('SELECT * FROM rate_limits');
const keyOf = (count: Count) => `postern:${gateway.app.limiter.rowOf(count)}`;

/** Takes attempts back, and waits until that is written. */
async function refund(...counts: readonly Count[]): Promise<void> {
  const { limiter } = gateway.app;
  const written = something();
  await limiter.count(written);
  limiter.refund(...counts, written);
  await expect.poll(() => limiter.left(written)).toBe(10);
}

/** How many of some attempts at once get through, at two instances. */
async function passing(count: Count, attempts: number): Promise<number> {
  const waits = await Promise.all(
    Array.from({ length: attempts }, (_, index) => (index % 2 ? gateway : other).app.limiter.count(count)),
  );
  return waits.filter((wait) => wait === null).length;
}

describe('limits in Redis', () => {
  test('let exactly so many of two hundred attempts through that come at once to two instances (L03: read, then written, they let more through)', async () => {
    expect(await passing(something(), 200)).toBe(10);
  });

  test('are not in PostgreSQL at all', async () => {
    const before = await rowsOf();
    await passing(something(), 20);
    expect(await rowsOf()).toEqual(before);
  });

  test('leave a guess at nobody’s password the write that one at somebody’s costs (the decoy; its time would tell who has an account)', async () => {
    const { email } = newPerson();
    await gateway.client().send(LOG_IN, { input: { email, password: 'a guess that is wrong' } });
    const key = gateway.app.limiter.rowOf({ limit: 'passwordPerAccount', key: email });
    const written = await gateway.sql('SELECT points, expire::int FROM rate_limits WHERE key = $1', [key]);
    expect(written).toEqual([{ points: 0, expire: 0 }]);
    // It counts for nothing, should PostgreSQL take over.
    expect(await gateway.app.limiter.left({ limit: 'passwordPerAccount', key: email })).toBe(9);
  });

  test('hold no address and no identifier, and every counter of them goes (without its expiry one stays for ever)', async () => {
    const person = newPerson();
    const address = newAddress();
    const client = gateway.client({ 'x-forwarded-for': address });
    await signUp(client, person);
    await logIn(client, person);
    await client.send(LOG_IN, { input: { ...person, password: 'a guess that is wrong' } });
    await client.send(REQUEST_LOGIN_CODE, { input: { email: person.email } });
    const held = await redis.client.keys('*');
    expect(held.length).toBeGreaterThan(5);
    for (const key of held) {
      expect(key).toMatch(/^postern:[a-zA-Z]+:[\w-]{43}$/);
      expect(await redis.client.get(key)).toMatch(/^\d+$/);
      expect(await redis.client.pttl(key)).toBeGreaterThan(0);
    }
    expect(held.join()).not.toContain(person.email);
    expect(held.join()).not.toContain(address);
  });

  test('begin their window with the first attempt, and later ones do not move it (an expiry that is set anew never ends)', async () => {
    const count = something();
    await gateway.app.limiter.count(count);
    await redis.client.pexpire(keyOf(count), 60_000);
    await passing(count, 5);
    expect(await redis.client.pttl(keyOf(count))).toBeLessThanOrEqual(60_000);
    const waits = await Promise.all(Array.from({ length: 10 }, () => gateway.app.limiter.count(count)));
    // What is left is rounded up, and the answer takes its time.
    expect(Math.max(...waits.map(Number))).toBeLessThanOrEqual(61);
  });

  test('give nothing in advance when an attempt is taken back whose window is over (the script; the library’s own leaves one below zero)', async () => {
    const count = something();
    await gateway.app.limiter.count(count);
    await redis.client.del(keyOf(count));
    await refund(count, count, count);
    expect(await redis.client.exists(keyOf(count))).toBe(0);
    await gateway.app.limiter.count(count);
    await refund(count, count, count);
    expect(await passing(count, 30)).toBe(10);
  });

  test('stay counted when the transaction that counted them is rolled back', async () => {
    const count = something();
    const { database, limiter } = gateway.app;
    const undone = database.transaction(async (db) => {
      for (let time = 0; time < 10; time += 1) await limiter.within(db).count(count);
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(await limiter.left(count)).toBe(0);
    expect(await passing(count, 5)).toBe(0);
  });

  test('can be forgotten, and say what is left', async () => {
    const count = something();
    expect(await gateway.app.limiter.left(count)).toBe(10);
    await passing(count, 4);
    expect(await gateway.app.limiter.left(count)).toBe(6);
    await passing(count, 20);
    expect(await gateway.app.limiter.left(count)).toBe(0);
    await gateway.app.limiter.forget(count);
    expect(await gateway.app.limiter.left(count)).toBe(10);
    expect(await gateway.app.limiter.count(count)).toBeNull();
  });

  test('are counted in one round trip, however many a request has (enableAutoPipelining)', async () => {
    const { limiter } = gateway.app;
    const reads = async () =>
      Number(/total_reads_processed:(\d+)/.exec(await redis.client.info('stats'))?.[1] ?? Number.NaN);
    await limiter.count(something());
    const before = await reads();
    await limiter.count(something(), something(), something(), something());
    // The question itself is one.
    expect((await reads()) - before).toBe(2);
  });
});
