import { parseDuration } from './duration.ts';

declare const parsed: unique symbol;

/** So many points in a window of time. Only {@link parseRate} makes one. */
export interface Rate {
  readonly points: number;
  readonly windowMs: number;
  readonly [parsed]: true;
}

/**
 * Reads a rate as settings write it: `10/15m` is ten in fifteen minutes.
 * @returns null for any other text
 */
export function parseRate(text: string): Rate | null {
  const [, points, window] = /^(\d{1,9})\/(\w+)$/.exec(text) ?? [];
  const windowMs = window && parseDuration(window);
  return points && Number(points) > 0 && windowMs ? ({ points: Number(points), windowMs } as Rate) : null;
}
