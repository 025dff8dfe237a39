import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openRedisFanOut } from '../../src/infra/fan-out/in-redis.ts';
import type { FanOut } from '../../src/infra/fan-out.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const toClose: Pick<FanOut, 'close'>[] = [];
afterEach(async () => {
  for (const each of toClose.splice(0).reverse()) await each.close();
});

interface Instance {
  readonly fanOut: FanOut;
  readonly hints: string[];
  readonly errors: string[];
  /** What Redis did not take. */
  readonly otherwise: string[];
}

async function instance(url = redis.url): Promise<Instance> {
  const [hints, errors, otherwise]: [string[], string[], string[]] = [[], [], []];
  const fanOut = await openRedisFanOut({
    url,
    onHint: (userId) => void hints.push(userId),
    onError: (error) => void errors.push(error.message),
    onReturn: () => void errors.push('Redis is back'),
    otherwise: { publish: (userIds) => void otherwise.push(...userIds), close: async () => undefined },
  });
  toClose.push(fanOut);
  return { fanOut, hints, errors, otherwise };
}

const NOBODY: FanOut = { publish: () => undefined, close: async () => undefined };
const CHANNEL = 'postern:hints:0';
const ids = (count: number) => Array.from({ length: count }, () => randomUUID());

/** How often something was published so far. */
async function published(): Promise<number> {
  return Number(/cmdstat_publish:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1] ?? 0);
}

describe('hints by Redis', () => {
  test('reach every instance, the one that tells them too', async () => {
    const instances = [await instance(), await instance(), await instance()];
    const userIds = ids(3);
    instances[0]?.fanOut.publish(userIds);
    for (const { hints } of instances) await expect.poll(() => hints).toEqual(userIds);
  });

  test('of one moment travel together, each once, and never more than a message holds', async () => {
    const { fanOut, hints } = await instance();
    const userIds = ids(1_200);
    const before = await published();
    for (const userId of userIds) fanOut.publish([userId, userId]);
    await expect.poll(() => hints.length).toBe(1_200);
    expect(new Set(hints)).toEqual(new Set(userIds));
    expect((await published()) - before).toBe(3);
  });

  test('stay with those of the same database of Redis', async () => {
    const [one, other] = [await instance(), await instance(`${redis.url}/1`)];
    const [mine = '', theirs = ''] = ids(2);
    one.fanOut.publish([mine]);
    other.fanOut.publish([theirs]);
    await expect.poll(() => [one.hints, other.hints]).toEqual([[mine], [theirs]]);
  });

  test('are ids and nothing else, whatever is published (without parseHints anything comes through, of any length)', async () => {
    const { hints, errors } = await instance();
    const [known = '', last = ''] = ids(2);
    const nonsense = [
      '',
      'null',
      '{"userIds":[]}',
      'x'.repeat(100_000),
      ids(600).join(','),
      `${known}\n`,
      '\u0000\ufffd',
    ];
    for (const payload of nonsense) await redis.client.publish(CHANNEL, payload);
    await redis.client.publish(CHANNEL, Buffer.from([0xff, 0xfe, 0x00]));
    await redis.client.publish(CHANNEL, `nobody,${known},' OR 1=1,${known.slice(1)},${known}`);
    await redis.client.publish(CHANNEL, last);
    await expect.poll(() => hints).toEqual([known, last]);
    expect(errors).toEqual([]);
  });

  test('that somebody cannot take are told, and end nothing', async () => {
    const errors: string[] = [];
    const fanOut = await openRedisFanOut({
      url: redis.url,
      onHint: () => {
        throw new Error('cannot take it');
      },
      onError: (error) => errors.push(error.message),
      onReturn: () => undefined,
      otherwise: NOBODY,
    });
    toClose.push(fanOut);
    fanOut.publish(ids(2));
    await expect.poll(() => errors).toEqual(['cannot take it', 'cannot take it']);
  });
});

test('an error of the connection does not carry its password (the command that was refused has it)', async () => {
  const errors: Error[] = [];
  const strict = await startRedis({ password: 'right' });
  toClose.push({ close: strict.stop });
  const url = strict.url.replace('right', 'canary');
  const [onHint, onReturn] = [() => undefined, () => undefined];
  toClose.push(
    await openRedisFanOut({ url, onHint, onError: (error) => errors.push(error), onReturn, otherwise: NOBODY }),
  );
  expect(inspect(errors, { depth: 10, showHidden: true })).toContain('WRONGPASS');
  expect(inspect(errors, { depth: 10, showHidden: true })).not.toContain('canary');
});

describe('when Redis goes', () => {
  test('hints go another way, that is told once, and so is its return, from when on they come again', async () => {
    const [one, other] = [await instance(), await instance()];
    await redis.kill();
    const lost: string[] = [];
    for (let time = 0; time < 20; time += 1) {
      const userIds = ids(5);
      lost.push(...userIds);
      one.fanOut.publish(userIds);
      await pause(10);
    }
    await expect.poll(() => one.otherwise).toEqual(lost);
    for (const { errors } of [one, other]) expect(errors).toEqual([expect.any(String)]);
    await redis.start();
    for (const { errors } of [one, other])
      await expect.poll(() => errors, { timeout: 5_000 }).toEqual([expect.any(String), 'Redis is back']);
    const [userId = ''] = ids(1);
    one.fanOut.publish([userId]);
    for (const { hints } of [one, other]) await expect.poll(() => hints).toEqual([userId]);
  });

  test('without a word, that is noticed by whoever only listens (its signs of life)', { timeout: 40_000 }, async () => {
    const { errors } = await instance();
    redis.pause();
    await expect.poll(() => errors, { timeout: 10_000 }).toHaveLength(1);
    redis.resume();
    await expect.poll(() => errors, { timeout: 10_000 }).toHaveLength(2);
  });

  test('before anybody has come, it is waited for', async () => {
    await redis.kill();
    const { fanOut, hints, errors } = await instance();
    fanOut.publish(ids(1));
    await redis.start();
    await expect.poll(() => errors, { timeout: 5_000 }).toEqual([expect.any(String), 'Redis is back']);
    const [userId = ''] = ids(1);
    fanOut.publish([userId]);
    await expect.poll(() => hints).toEqual([userId]);
  });
});
