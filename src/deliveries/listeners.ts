import { type AnnouncedEvent, EVENT_KINDS, type EventKind } from '../events.ts';
import type { Subscriber } from './subscriber.ts';

/** By which the delivery log names the listeners. No webhook may be called so. */
export const LISTENERS_ID = 'listeners';

/** A function of the operator’s that is told of events of one kind. What it returns is waited for. */
export type Listener<K extends EventKind> = (event: Extract<AnnouncedEvent, { kind: K }>) => unknown;

/**
 * What an operator's code does once something has happened, by kind, and for `all` of them. Called after the commit, in
 * order for each person, at least once: what throws, or takes longer than ten seconds, is called again, over about a
 * day. Nobody waits for it.
 */
export type Listeners = { readonly [K in EventKind]?: Listener<K> } & {
  readonly all?: (event: AnnouncedEvent) => unknown;
};

/** The listeners as one subscriber, so that they are told in order; null if there are none. */
export function listenersSubscriber(listeners: Listeners): Subscriber | null {
  const kinds = listeners.all ? EVENT_KINDS : EVENT_KINDS.filter((kind) => listeners[kind]);
  if (kinds.length === 0) return null;
  return {
    id: LISTENERS_ID,
    kinds,
    async tell(event) {
      const listen = listeners[event.kind] as ((event: AnnouncedEvent) => unknown) | undefined;
      await listen?.(event);
      await listeners.all?.(event);
      return { kind: 'Delivered', status: null };
    },
  };
}

/** What does not fit in what an operator wrote of listeners. */
export function problemsOfListeners(listeners: unknown): string[] {
  if (typeof listeners !== 'object' || listeners === null) return ['listeners is not an object'];
  const known: readonly string[] = ['all', ...EVENT_KINDS];
  return Object.entries(listeners).flatMap(([name, listener]: [string, unknown]) => {
    if (!known.includes(name)) return [`listeners.${name} is not known; there are ${known.join(', ')}`];
    return listener === undefined || typeof listener === 'function' ? [] : [`listeners.${name} is not a function`];
  });
}
