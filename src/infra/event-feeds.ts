import { type Condition, createCondition } from '../lib/condition.ts';

/** What a feed needs to know of an event. */
interface Numbered {
  readonly id: bigint;
}

/** Reads a person's events one after the other, and waits for those to come. */
export interface Follower<E> {
  /** The next events, as soon as there are any; none if the signal is aborted before. */
  next(signal: AbortSignal): Promise<readonly E[]>;
  /** The next events as the database has them at this moment; none if there are none. */
  rest(): Promise<readonly E[]>;
  close(): void;
}

/** The events of those people whom somebody follows on this instance. */
export interface EventFeeds<E> {
  /** Follows a person from after an event on; without one from now on. */
  follow(userId: string, after: bigint | null): Promise<Follower<E>>;
  /** There may be new events of this person. */
  wake(userId: string): void;
  /** There may be new events of anybody: hints may have been missed. */
  wakeAll(): void;
  /** The people whom somebody follows. */
  readonly userIds: readonly string[];
}

interface Feed<E> {
  readonly news: Condition;
  followers: number;
  /** The newest events; all of those after `floor`. */
  recent: readonly E[];
  floor: bigint;
  reading: boolean;
  again: boolean;
}

/** Events that a feed keeps: whoever is further behind reads them by themselves. */
const KEPT = 100;
const BATCH = 100;

/**
 * Feeds by person, so that of a thousand who follow one, one reads. Nothing is queued for anybody: each asks for what
 * comes after its own last event. So a slow reader takes no memory, and nobody is told anything twice.
 * @param source where the events are: `listAfter` in the order of their ids, `lastIds` 0 for who has none
 */
export function createEventFeeds<E extends Numbered>(source: {
  listAfter(userId: string, after: bigint, limit: number): Promise<readonly E[]>;
  lastIds(userIds: readonly string[]): Promise<ReadonlyMap<string, bigint>>;
  onError(error: unknown): void;
}): EventFeeds<E> {
  const feeds = new Map<string, Feed<E>>();

  const headOf = (feed: Feed<E>) => feed.recent.at(-1)?.id ?? feed.floor;

  async function readOn(userId: string, feed: Feed<E>): Promise<void> {
    feed.reading = true;
    try {
      do {
        feed.again = false;
        const events = await source.listAfter(userId, headOf(feed), BATCH);
        if (events.length === 0) continue;
        feed.again ||= events.length === BATCH;
        const all = [...feed.recent, ...events];
        feed.floor = all.at(-KEPT - 1)?.id ?? feed.floor;
        feed.recent = all.slice(-KEPT);
        feed.news.notify();
      } while (feed.again);
    } finally {
      feed.reading = false;
    }
  }

  function wake(userId: string): void {
    const feed = feeds.get(userId);
    // What is being read may have begun before the event that this is about.
    if (feed?.reading) feed.again = true;
    else if (feed) readOn(userId, feed).catch(source.onError);
  }

  async function wakeThoseBehind(): Promise<void> {
    for (const [userId, last] of await source.lastIds([...feeds.keys()])) {
      const feed = feeds.get(userId);
      if (feed && last > headOf(feed)) wake(userId);
    }
  }

  /** The feed of a person; a new one begins after the event that was the last at this moment. */
  function open(userId: string, last: bigint): Feed<E> {
    const known = feeds.get(userId);
    if (known) return known;
    const feed = { news: createCondition(), followers: 0, recent: [], floor: last, reading: false, again: false };
    feeds.set(userId, feed);
    // What was written since may have been told before there was a feed to wake.
    wake(userId);
    return feed;
  }

  return {
    async follow(userId, after) {
      const now = (await source.lastIds([userId])).get(userId) ?? 0n;
      const feed = open(userId, now);
      feed.followers += 1;
      let last = after ?? now;
      let closed = false;

      const take = (events: readonly E[]) => {
        last = events.at(-1)?.id ?? last;
        return events;
      };
      return {
        async next(signal) {
          while (!signal.aborted) {
            if (last < feed.floor) return take(await source.listAfter(userId, last, BATCH));
            const events = feed.recent.filter(({ id }) => id > last);
            if (events.length > 0) return take(events);
            await feed.news.wait(signal);
          }
          return [];
        },
        rest: async () => take(await source.listAfter(userId, last, BATCH)),
        close() {
          if (closed) return;
          closed = true;
          feed.followers -= 1;
          if (feed.followers === 0) feeds.delete(userId);
        },
      };
    },
    wake,
    wakeAll() {
      if (feeds.size > 0) wakeThoseBehind().catch(source.onError);
    },
    get userIds() {
      return [...feeds.keys()];
    },
  };
}
