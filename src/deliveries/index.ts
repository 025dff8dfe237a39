import type { AuthEvent, EventKind } from '../events.ts';
import * as subscribers from '../records/event-subscribers.ts';
import { type Courier, type CourierParts, startCourier } from './courier.ts';
import type { Subscriber } from './subscriber.ts';

export { type Listener, type Listeners, listenersSubscriber } from './listeners.ts';
export type { Subscriber } from './subscriber.ts';
export { webhookSubscriber } from './webhook.ts';

/** Those whom no instance knows any more are forgotten after a day: a rollout takes less. */
const SAY_HERE_EVERY_MS = 3_600_000;
const FORGOTTEN_AFTER_MS = 24 * 3_600_000;

/**
 * Of these a stranger brings about one or the other, depending on whether an account exists. Whoever is told of one gets
 * a row for each of them: else the time of the answer would tell which it was.
 */
const TELLTALE: readonly EventKind[] = ['SignedUp', 'SignUpRepeated', 'PendingEmailChanged'];

/** The delivery of events to listeners and webhooks. */
export interface Deliveries {
  /** These were committed a moment ago. */
  noteEvents(events: readonly AuthEvent[]): void;
  close(): Promise<void>;
}

/**
 * Writes down who is told of what, and delivers from now on. What was not delivered by an earlier instance comes first.
 * The rows of the delivery log are written by the database, with the events.
 */
export async function startDeliveries(all: readonly Subscriber[], parts: CourierParts): Promise<Deliveries> {
  const { database, clock, log } = parts;
  for (const { id, kinds } of all) await subscribers.register(database, id, rowsFor(kinds), clock());
  const couriers = all.map((each): [ReadonlySet<EventKind>, Courier] => [
    new Set(rowsFor(each.kinds)),
    startCourier(each, parts),
  ]);

  async function sayHere(): Promise<void> {
    const now = clock();
    await subscribers.noteSeen(
      database,
      all.map(({ id }) => id),
      now,
    );
    const forgotten = await subscribers.forgetUnseen(database, new Date(now.getTime() - FORGOTTEN_AFTER_MS));
    if (forgotten.length > 0)
      log.info({ subscribers: forgotten }, 'no longer told of events, since none is configured');
  }
  const timer = setInterval(() => {
    sayHere().catch((error: unknown) => log.debug({ err: error }, 'cannot write down who is told of events'));
  }, SAY_HERE_EVERY_MS).unref();

  return {
    noteEvents(events) {
      for (const [kinds, courier] of couriers) if (events.some(({ kind }) => kinds.has(kind))) courier.wake();
    },
    async close() {
      clearInterval(timer);
      await Promise.all(couriers.map(([, courier]) => courier.close()));
    },
  };
}

function rowsFor(kinds: readonly EventKind[]): EventKind[] {
  const telltale = kinds.some((kind) => TELLTALE.includes(kind)) ? TELLTALE : [];
  return [...new Set([...kinds, ...telltale])];
}
