import type { App } from '../app.ts';
import type { PhoneNumber } from '../lib/phone-number.ts';
import { type LoginExpired, type LoginStep, resumeLogin } from '../login/pipeline.ts';
import * as challenges from '../records/challenges.ts';
import type { Phone } from '../records/phones.ts';
import * as phones from '../records/phones.ts';
import * as users from '../records/users.ts';
import { transact } from '../unit.ts';
import { type Caller, type InvalidCode, type InvalidToken, loginContext, type RateLimited } from './shared/outcomes.ts';
import { checkProof, type DeliveredCode } from './shared/proof.ts';

/** The number is verified, and in the place of the one before. */
export interface PhoneVerified {
  readonly kind: 'PhoneVerified';
  readonly phone: Phone;
}

export type VerifyPhoneResult = PhoneVerified | LoginStep | InvalidCode | InvalidToken | LoginExpired | RateLimited;

/** Notes that a number is whose account it was meant for, and carries the login on that waited for it. */
export async function verifyPhone(
  app: App,
  caller: Caller,
  { code }: { readonly code: DeliveredCode },
): Promise<VerifyPhoneResult> {
  const proven = await checkProof(app, caller, { code }, ['VERIFY_PHONE']);
  if (proven.kind !== 'proven') return proven;
  const { challenge, login } = proven;
  const number = challenge.destination as PhoneNumber;

  return transact(app, caller.client, async (unit) => {
    if (!(await challenges.consume(unit.db, challenge, unit.now))) return { kind: 'InvalidToken' };
    if (!(await users.lockEnabled(unit.db, challenge.userId))) return { kind: 'InvalidToken' };
    if (!(await phones.verify(unit.db, challenge.userId, number, unit.now))) return { kind: 'InvalidToken' };
    if (login) return resumeLogin(unit, loginContext(app, caller), code.handle);
    unit.emit({ kind: 'PhoneChanged', userId: challenge.userId, number });
    return { kind: 'PhoneVerified', phone: { number, verified: true } };
  });
}
