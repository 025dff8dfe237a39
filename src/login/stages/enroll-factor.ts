import type { Config } from '../../config.ts';
import { type FactorName, factors } from '../../factors/index.ts';
import { NOBODY } from '../../records/users.ts';
import { isEnrollmentDue } from '../mfa.ts';
import type { Stage } from '../stage.ts';

/** A second factor must be set up first: `beginTotp` or `beginPasskey` with this login, then `continueLogin`. */
export interface MfaEnrollmentRequired {
  readonly kind: 'MfaEnrollmentRequired';
  readonly factors: readonly FactorName[];
}

/** Asks whoever must have a second factor and has none to set one up, before there is a session. */
export const enrollFactor: Stage<MfaEnrollmentRequired> = {
  async prompt({ userId }, unit) {
    // Nobody is looked up like anybody: the time must not tell.
    const due = await isEnrollmentDue(unit, userId ?? NOBODY);
    if (!due || userId === null) return null;
    return { kind: 'MfaEnrollmentRequired', factors: enrollable(unit.config) };
  },
};

/** The factors that a login asks for and that may be set up. */
export function enrollable({ mfa }: Config): FactorName[] {
  return mfa.factors.filter((name) => factors[name].asked);
}
