import { setTimeout as pause } from 'node:timers/promises';
import type { EventKind } from '../events.ts';
import type { Database } from '../infra/database.ts';
import type { Logger } from '../infra/log.ts';
import { untilAborted } from '../lib/abortable.ts';
import { createCondition } from '../lib/condition.ts';
import type { ClaimedDelivery, DeliveryResult } from '../records/event-deliveries.ts';
import * as deliveries from '../records/event-deliveries.ts';
import * as subscribers from '../records/event-subscribers.ts';
import { announced } from './announced.ts';
import { MAX_ATTEMPTS, pauseAfter } from './schedule.ts';
import type { Subscriber, Told } from './subscriber.ts';

/** One attempt takes no longer. */
const DEADLINE_MS = 10_000;
/** From then on others take an attempt for lost, together with the instance that made it. */
const TAKEN_FOR_MS = 30_000;
/** What an instance delivers to one subscriber at once, of different people. */
const AT_ONCE = 8;
/** What others have written is found this often; what this instance writes, at once. */
const LOOK_EVERY_MS = 1_000;
const CLOSE_WITHIN_MS = 3_000;

/** Delivers to one subscriber. */
export interface Courier {
  /** There may be something to deliver. */
  wake(): void;
  /** Takes on nothing more, and waits for what is under way; what takes too long is given back. */
  close(): Promise<void>;
}

/** What a courier works with. */
export interface CourierParts {
  readonly database: Database;
  readonly clock: () => Date;
  readonly log: Logger;
}

/**
 * Delivers what is due, from now on. Each event at least once; of one person in order: what fails holds back what comes
 * after it for the same person, and nobody else's.
 */
export function startCourier(subscriber: Subscriber, { database, clock, log }: CourierParts): Courier {
  const { id } = subscriber;
  const wanted: ReadonlySet<EventKind> = new Set(subscriber.kinds);
  let closing = false;
  const hurry = new AbortController();
  const woken = createCondition();
  const running = new Set<Promise<void>>();
  const working = work();

  async function work(): Promise<void> {
    while (!closing) {
      // Before it looks, so that nobody is missed who calls meanwhile.
      const waiting = new AbortController();
      const { signal } = waiting;
      const called = woken.wait(signal);
      const more = await takeOn().catch((error: unknown) => {
        log.debug({ err: error, subscriber: id }, 'cannot look for events to deliver');
        return false;
      });
      const paused = pause(LOOK_EVERY_MS, undefined, { ref: false, signal }).catch(() => undefined);
      if (!more) await Promise.race([called, paused]);
      waiting.abort();
    }
  }

  /** Whether there may be more to take on at once. */
  async function takeOn(): Promise<boolean> {
    const limit = AT_ONCE - running.size;
    if (limit === 0) return false;
    const now = clock();
    const { claimed, more } = await deliveries.claim(database, id, { limit, now, until: later(now, TAKEN_FOR_MS) });
    for (const claim of claimed) {
      const delivering = deliver(claim)
        .catch((error: unknown) => log.debug({ err: error, subscriber: id }, 'a delivery cannot be written down'))
        .finally(() => {
          running.delete(delivering);
          woken.notify();
        });
      running.add(delivering);
    }
    return more && running.size < AT_ONCE;
  }

  async function deliver(claim: ClaimedDelivery): Promise<void> {
    const finish = (result: DeliveryResult) => deliveries.finish(database.relaxed, claim, result, clock());
    const event = announced(claim.event);
    if (!event) return finish({ state: 'SKIPPED', status: null, error: 'its person is gone' });
    if (!wanted.has(event.kind)) return finish({ state: 'SKIPPED', status: null, error: 'not asked for' });
    // Every attempt was taken for lost: perhaps it is this one that ends the instances.
    if (claim.attempts > MAX_ATTEMPTS) return finish({ state: 'FAILED', status: null, error: 'never answered' });

    const told = await inTime((signal) => subscriber.tell(event, signal), hurry.signal);
    if (told === 'interrupted') return deliveries.giveBack(database.relaxed, claim, clock());
    if (told.kind === 'Delivered') return finish({ state: 'DELIVERED', status: told.status, error: null });
    if (told.kind === 'Gone') {
      log.error(
        { subscriber: id, status: told.status },
        'it wants no more events; nothing is delivered until a restart',
      );
      await subscribers.noteGone(database, id, clock());
      return deliveries.giveBack(database.relaxed, claim, clock());
    }
    await noteFailure(claim, told, finish);
  }

  async function noteFailure(
    { event, attempts }: ClaimedDelivery,
    { status, error, pauseMs, cause }: Extract<Told, { kind: 'Failed' }>,
    finish: (result: DeliveryResult) => Promise<void>,
  ): Promise<void> {
    const line = {
      subscriber: id,
      event: String(event.id),
      kind: event.kind,
      attempt: attempts,
      status,
      error,
      err: cause,
    };
    const wait = pauseAfter(attempts);
    if (pauseMs !== undefined) await subscribers.pause(database, id, later(clock(), pauseMs));
    if (wait === null) {
      log.error(line, 'an event was not delivered, and is given up');
      return finish({ state: 'FAILED', status, error });
    }
    log.warn(line, 'an event was not delivered, and will be tried again');
    return finish({ state: 'PENDING', status, error, nextAt: later(clock(), Math.max(wait, pauseMs ?? 0)) });
  }

  return {
    wake: woken.notify,
    async close() {
      closing = true;
      woken.notify();
      await working;
      await Promise.race([Promise.all(running), pause(CLOSE_WITHIN_MS, undefined, { ref: false })]);
      hurry.abort();
      await Promise.all(running);
    },
  };
}

async function inTime(tell: (signal: AbortSignal) => Promise<Told>, hurry: AbortSignal): Promise<Told | 'interrupted'> {
  const attempt = new AbortController();
  const end = () => attempt.abort();
  const deadline = setTimeout(end, DEADLINE_MS);
  hurry.addEventListener('abort', end);
  if (hurry.aborted) end();
  try {
    // Whoever does not listen to the signal is not waited for.
    const told = await Promise.race([tell(attempt.signal).catch(failureOf), untilAborted(attempt.signal)]);
    if (told && (told.kind === 'Delivered' || !attempt.signal.aborted)) return told;
    return hurry.aborted ? 'interrupted' : { kind: 'Failed', status: null, error: 'no answer in time' };
  } finally {
    clearTimeout(deadline);
    hurry.removeEventListener('abort', end);
  }
}

function failureOf(cause: unknown): Told {
  return { kind: 'Failed', status: null, error: cause instanceof Error ? cause.name : 'it threw', cause };
}

function later(now: Date, milliseconds: number): Date {
  return new Date(now.getTime() + milliseconds);
}
