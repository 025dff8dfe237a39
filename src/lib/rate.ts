import { parseDuration } from './duration.ts';

declare const parsed: unique symbol;

/** So many points in a window of time, or at once. Only {@link parseRate} makes one. */
export interface Rate {
  readonly points: number;
  /** Infinite for what is counted for as long as it lasts. */
  readonly windowMs: number;
  readonly [parsed]: true;
}

/**
 * Reads a rate as settings write it: `10/15m` is ten in fifteen minutes, `10 at once` ten that last at the same time.
 * @returns null for any other text
 */
export function parseRate(text: string): Rate | null {
  const [, atOnce] = /^(\d{1,9}) at once$/.exec(text) ?? [];
  if (Number(atOnce) > 0) return { points: Number(atOnce), windowMs: Number.POSITIVE_INFINITY } as Rate;
  const [, points, window] = /^(\d{1,9})\/(\w+)$/.exec(text) ?? [];
  const windowMs = window && parseDuration(window);
  return points && Number(points) > 0 && windowMs ? ({ points: Number(points), windowMs } as Rate) : null;
}
