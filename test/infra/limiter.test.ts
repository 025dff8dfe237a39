import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { longestWindowOf } from '../../src/infra/limiter.ts';

// Defence: Number.isFinite. For that long both stores count after an outage of Redis: what is counted while it lasts has
// no window, and would make it for good.
test('the longest window is that of a limit which has one', () => {
  expect(longestWindowOf(loadConfig({}).rateLimits)).toBe(3_600_000);
  expect(longestWindowOf(loadConfig({ POSTERN_RATE_LIMITS: '{"mailPerAddress":"1/2d"}' }).rateLimits)).toBe(
    172_800_000,
  );
  expect(longestWindowOf(loadConfig({ POSTERN_RATE_LIMITS: 'off' }).rateLimits)).toBe(0);
});
