const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The pauses after each failed attempt: the last one is made some 29 hours after the first. */
const PAUSES = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  3 * HOUR,
  6 * HOUR,
  8 * HOUR,
  10 * HOUR,
];

/** Attempts that there are for one event. */
export const MAX_ATTEMPTS = PAUSES.length + 1;

/**
 * Milliseconds until a delivery is tried again that has failed so often. A little by chance, so that what has failed
 * together does not come back together.
 * @returns null if it is given up
 */
export function pauseAfter(attempts: number): number | null {
  const pause = PAUSES[attempts - 1];
  return pause === undefined ? null : Math.round(pause * (1 + Math.random() / 10));
}
