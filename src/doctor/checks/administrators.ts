import { type Check, failed, ok, skipped } from '../check.ts';

export const administrators: Check = {
  title: 'whoever administers others has a second factor',
  settings: ['POSTERN_MFA_REQUIRED'],
  run({ config: { mfa, adminRoles }, database }) {
    const { required } = mfa;
    const free =
      required === 'everyone' ? [] : adminRoles.filter((role) => required === 'off' || !required.includes(role));
    if (free.length > 0) {
      const roles = free.map((role) => `role:${role}`).join(',');
      return failed(
        `the roles ${free.join(', ')} get in by a password alone`,
        `POSTERN_MFA_REQUIRED=${roles}, or everyone`,
      );
    }
    if (database.administrators.kind === 'unknown')
      return skipped(`it is required, but who has one cannot be seen: ${database.administrators.reason}`);
    const { all, withoutFactor } = database.administrators.value;
    return withoutFactor > 0
      ? failed(
          `it is required, but ${withoutFactor} of ${all} have none yet: whoever guesses their password first sets up their own`,
          'have them log in and set one up, or take the role away: postern users roles',
        )
      : ok(`it is required, and all of them have one (${all})`);
  },
};
