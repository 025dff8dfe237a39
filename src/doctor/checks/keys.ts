import { type Check, failed, judge, ok, skipped, warning } from '../check.ts';

const DAY_MS = 86_400_000;
/** Instances look every minute. */
const LATE_MS = 3_600_000;
/** NIST SP 800-57 Part 1 Rev. 5 §5.3.6 has one to three years at most for a key that signs. */
const LONGEST_DAYS = 365;

export const signingKeys: Check = {
  title: 'the keys that sign access tokens are replaced in time',
  settings: ['POSTERN_SIGNING_KEY_LIFETIME', 'POSTERN_ACCESS_TOKEN_ALG'],
  run: ({ config: { accessToken }, database, clock }) =>
    judge(database.signingKeys, (keys) => {
      const newest = keys.at(-1);
      if (!newest) return skipped('there are none yet; the first start makes one');
      const now = clock().getTime();
      const age = now - newest.signsAt.getTime();
      if (age > accessToken.keyLifetime + LATE_MS)
        return failed(
          `the newest is ${Math.floor(age / DAY_MS)} days old, and should have been replaced after ${Math.round(accessToken.keyLifetime / DAY_MS)}: no gateway runs that does so`,
          'a running gateway, or postern keys rotate',
        );
      if (accessToken.keyLifetime > LONGEST_DAYS * DAY_MS)
        return warning(`a key signs for longer than ${LONGEST_DAYS} days`, 'POSTERN_SIGNING_KEY_LIFETIME=90d');
      const next = age < 0 ? `the next one, ${newest.kid}, signs from ${newest.signsAt.toISOString()} on` : '';
      return ok(next || `${newest.kid} signs since ${Math.floor(age / DAY_MS)} days; the next one is made in time`);
    }),
};
