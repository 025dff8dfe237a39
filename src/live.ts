import type { Config } from './config.ts';
import type { Change } from './infra/bus.ts';
import { type Connections, createConnections } from './infra/connections.ts';
import type { Database } from './infra/database.ts';
import { createEventFeeds, type EventFeeds } from './infra/event-feeds.ts';
import { createPostgresFanOut } from './infra/fan-out/in-postgres.ts';
import { openRedisFanOut } from './infra/fan-out/in-redis.ts';
import type { FanOut } from './infra/fan-out.ts';
import type { Logger } from './infra/log.ts';
import { atMostEvery } from './lib/at-most-every.ts';
import { endOverdueSessions } from './overdue.ts';
import * as events from './records/events.ts';
import * as sessionEvents from './records/session-events.ts';

/** How late a connection may notice that its time is over. */
const TICK_MS = 100;
/** How late an event may be told whose hint was lost, and the end of a session that nobody ended. */
const CATCH_UP_MS = 3_000;
/** The same while no hints come at all. */
const CATCH_UP_UNHEARD_MS = 600;
const FAULT_EVERY_MS = 5_000;

/** What stays open on this instance, and all that keeps it true. */
export interface Live {
  readonly connections: Connections;
  /** The events of those who are followed here. */
  readonly feeds: EventFeeds<sessionEvents.SessionEventRecord>;
  /** Tells every instance, this one first, that there are new events of these people. */
  announceEvents(userIds: readonly string[]): void;
  /** Ends those sessions of these people that are over by themselves. */
  endOverdueSessions(userIds: readonly string[]): Promise<void>;
  /** Logs what went wrong in looking after what is open, now and then. */
  noteFault(error: unknown): void;
  /** Wakes those whom a change concerns. What was remembered of it has to be forgotten before. */
  wake(change: Change): void;
  /**
   * Looks after everything from now on.
   * @param isHeard whether changes are told at this moment
   */
  start(isHeard: () => boolean): void;
  close(): Promise<void>;
}

/** What it works with. */
export interface LiveParts {
  readonly config: Config;
  readonly clock: () => Date;
  readonly database: Database;
  readonly log: Logger;
}

export async function openLive({ config, clock, database, log }: LiveParts): Promise<Live> {
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  // While the database is away, each of thousands that are open would say so.
  const noteFault = atMostEvery(FAULT_EVERY_MS, (error: unknown) => {
    if (!closed) log.warn({ err: error }, 'what is open cannot be looked after');
  });
  const connections = createConnections(noteFault);
  const feeds = createEventFeeds({
    listAfter: (userId, after, limit) => sessionEvents.listAfter(database, userId, after, limit),
    lastIds: (userIds) => events.lastIds(database, userIds),
    onError: noteFault,
  });
  const inPostgres = createPostgresFanOut(database.relaxed, noteFault);
  const fanOut: FanOut = config.redisUrl
    ? await openRedisFanOut({
        url: config.redisUrl,
        onHint: feeds.wake,
        onError: (error) => log.warn({ err: error }, 'Redis carries no hints of events: PostgreSQL does'),
        onReturn: () => log.info('Redis is back, and carries the hints of events'),
        otherwise: inPostgres,
      })
    : inPostgres;

  function announceEvents(userIds: readonly string[]): void {
    for (const userId of userIds) feeds.wake(userId);
    fanOut.publish(userIds);
  }

  async function endOverdue(userIds: readonly string[]): Promise<void> {
    announceEvents(await endOverdueSessions(database, userIds, config.session.idle, clock()));
  }

  function wake(change: Change): void {
    if (change.kind === 'unknown') {
      feeds.wakeAll();
      connections.wakeAll();
    } else if (change.kind !== 'signing-keys') {
      // A session that changes has an event that says so, with a hint of its own.
      if (change.kind !== 'session') feeds.wake(change.id);
      if (change.kind !== 'events') connections.wake(change.id);
    }
  }

  function start(isHeard: () => boolean): void {
    let caughtUpAt = performance.now();
    let wasHeard = true;
    timer = setInterval(() => {
      connections.tick(clock());
      const heard = isHeard();
      // At once when nothing is heard any more: something may have been missed already.
      const isLost = wasHeard && !heard;
      wasHeard = heard;
      if (!isLost && performance.now() - caughtUpAt < (heard ? CATCH_UP_MS : CATCH_UP_UNHEARD_MS)) return;
      caughtUpAt = performance.now();
      feeds.wakeAll();
      if (feeds.userIds.length > 0) endOverdue(feeds.userIds).catch(noteFault);
      if (!heard) connections.wakeAll();
    }, TICK_MS).unref();
  }

  return {
    connections,
    feeds,
    announceEvents,
    endOverdueSessions: endOverdue,
    noteFault,
    wake,
    start,
    async close() {
      closed = true;
      clearInterval(timer);
      await fanOut.close();
    },
  };
}
