import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createEventFeeds, type Follower } from '../../src/infra/event-feeds.ts';

interface Event {
  readonly id: bigint;
}

const ADA = 'ada';

/** A table of events, whose answers come as late as a test wants. */
function table() {
  const events: Event[] = [];
  const waiting: (() => void)[] = [];
  let reads = 0;
  const later = () => new Promise<void>((resolve) => waiting.push(resolve));
  const feeds = createEventFeeds<Event>({
    async listAfter(_userId, after, limit) {
      reads += 1;
      const found = events.filter(({ id }) => id > after).slice(0, limit);
      await later();
      return found;
    },
    async lastIds(userIds) {
      return new Map(userIds.map((userId) => [userId, events.at(-1)?.id ?? 0n]));
    },
    onError(error) {
      throw error;
    },
  });
  return {
    feeds,
    reads: () => reads,
    append(count: number) {
      for (let n = 0; n < count; n += 1) events.push({ id: BigInt(events.length + 1) * 2n });
    },
    lastId: () => events.at(-1)?.id ?? 0n,
    /** Lets an answer come. */
    answer: () => waiting.shift()?.(),
    async answerAll() {
      for (let quiet = 0; quiet < 5; ) {
        const next = waiting.shift();
        if (next) quiet = 0;
        else quiet += 1;
        next?.();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

/** Reads all that a follower is told, until it is stopped. */
function readAll(follower: Follower<Event>) {
  const told: bigint[] = [];
  const stop = new AbortController();
  const done = (async () => {
    while (!stop.signal.aborted) told.push(...(await follower.next(stop.signal)).map(({ id }) => id));
    follower.close();
  })();
  return {
    told,
    async stop() {
      stop.abort();
      await done;
    },
  };
}

describe('a feed', () => {
  const move = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 120 }) }),
    fc.record({ kind: fc.constant('hint' as const) }),
    fc.record({ kind: fc.constant('answer' as const) }),
    fc.record({ kind: fc.constant('follow' as const), back: fc.option(fc.integer({ min: 0, max: 250 })) }),
  );

  // Defence: `again` of src/infra/event-feeds.ts: what is being read may have begun before the event that a hint is about.
  test('tells each follower what comes after its own last event, once and in order, whatever comes in between', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 40 }), async (moves) => {
        const { feeds, append, answer, answerAll, lastId } = table();
        const followers: { readonly from: bigint; readonly reading: ReturnType<typeof readAll> }[] = [];
        for (const each of moves) {
          if (each.kind === 'append') append(each.count);
          else if (each.kind === 'hint') feeds.wake(ADA);
          else if (each.kind === 'answer') answer();
          else {
            const from = each.back === null ? lastId() : lastId() - 2n * BigInt(each.back);
            const after = from > 0n ? from : 0n;
            followers.push({
              from: after,
              reading: readAll(await feeds.follow(ADA, each.back === null ? null : after)),
            });
          }
          await new Promise((resolve) => setImmediate(resolve));
        }
        feeds.wakeAll();
        await answerAll();
        for (const { from, reading } of followers) {
          const expected: bigint[] = [];
          for (let id = from + 2n; id <= lastId(); id += 2n) expected.push(id);
          expect(reading.told).toEqual(expected);
        }
        await Promise.all([...followers.map(({ reading }) => reading.stop()), answerAll()]);
        expect(feeds.userIds).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test('is read once for a thousand followers', async () => {
    const { feeds, append, answerAll, reads } = table();
    const readings = await Promise.all(
      Array.from({ length: 1_000 }, async () => readAll(await feeds.follow(ADA, null))),
    );
    await answerAll();
    const before = reads();
    append(3);
    feeds.wake(ADA);
    await answerAll();
    for (const { told } of readings) expect(told).toEqual([2n, 4n, 6n]);
    expect(reads() - before).toBe(1);
    await Promise.all(readings.map(({ stop }) => stop()));
  });
});
