import type { AnnouncedEvent, EventKind } from '../events.ts';

/** How telling somebody came out. */
export type Told =
  | { readonly kind: 'Delivered'; readonly status: number | null }
  | {
      readonly kind: 'Failed';
      readonly status: number | null;
      /** In a word, without what was said. */
      readonly error: string;
      /** Milliseconds for which nothing more is to be told. */
      readonly pauseMs?: number;
      /** For the log of the operator whose code has failed. */
      readonly cause?: unknown;
    }
  /** Wants to hear nothing more. */
  | { readonly kind: 'Gone'; readonly status: number };

/** Somebody who is told of events. */
export interface Subscriber {
  /** By which the delivery log names them. */
  readonly id: string;
  readonly kinds: readonly EventKind[];
  /**
   * Tells of one event. May be called more than once for the same.
   * @param signal ends the attempt
   */
  tell(event: AnnouncedEvent, signal: AbortSignal): Promise<Told>;
}
