import { expect, test } from 'vitest';
import { MAX_ATTEMPTS, pauseAfter } from '../../src/deliveries/schedule.ts';

const HOUR = 3_600_000;

test('a delivery is tried eleven times, each pause longer than the one before, over more than a day', () => {
  const pauses = Array.from({ length: MAX_ATTEMPTS }, (_, index) => pauseAfter(index + 1));
  expect(pauses).toHaveLength(11);
  expect(pauses.at(-1)).toBeNull();
  const finite = pauses.filter((pause) => pause !== null);
  expect(finite).toEqual([...finite].sort((a, b) => a - b));
  const total = finite.reduce((sum, pause) => sum + pause, 0);
  expect(finite[0]).toBeGreaterThanOrEqual(5_000);
  expect(total).toBeGreaterThan(24 * HOUR);
  expect(total).toBeLessThan(36 * HOUR);
});
