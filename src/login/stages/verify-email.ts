import type { EmailAddress } from '../../lib/email-address.ts';
import * as emails from '../../records/emails.ts';
import type { PendingLogin } from '../../records/pending-logins.ts';
import * as phones from '../../records/phones.ts';
import { NOBODY } from '../../records/users.ts';
import type { Unit } from '../../unit.ts';
import { resendAvailableAt, sendCode } from '../codes.ts';
import { isEnrollmentDue } from '../mfa.ts';
import type { Stage } from '../stage.ts';

/** A code went to this address; `verifyEmail` answers. */
export interface EmailVerificationRequired {
  readonly kind: 'EmailVerificationRequired';
  readonly email: string;
  readonly resendAvailableAt: Date;
}

/** Asks to show that the address is theirs whoever comes with one, or has one, that is not verified. */
export const verifyEmail: Stage<EmailVerificationRequired> = {
  async prompt(login, unit) {
    const email = await unverified(login, unit);
    if (!email) return null;
    return {
      kind: 'EmailVerificationRequired',
      email,
      resendAvailableAt: await resendAvailableAt(login, 'VERIFY_EMAIL', unit),
    };
  },
  async enter(login, unit) {
    const email = await unverified(login, unit);
    if (!email) return;
    const { id, userId } = login;
    await sendCode(unit, { purpose: 'VERIFY_EMAIL', userId, channel: 'EMAIL', destination: email, pendingLoginId: id });
  },
};

// The address that the login came with counts, whether or not the account has it: one that was put in its place and
// belongs to somebody else is never verified.
async function unverified({ userId, email }: PendingLogin, unit: Unit): Promise<EmailAddress | null> {
  const { db, config } = unit;
  if (config.emailVerification !== 'MANDATORY' && !(await mustBeReachable(userId, unit))) return null;
  const own = await emails.list(db, userId ?? NOBODY);
  const [primary] = own;
  const address = email ?? (primary?.isPrimary ? primary.address : null);
  return own.some((each) => each.address === address && each.verified) ? null : address;
}

// A second factor belongs to somebody who can be told of it. Whoever must set one up has to show that first.
async function mustBeReachable(userId: string | null, unit: Unit): Promise<boolean> {
  if (!(await isEnrollmentDue(unit, userId ?? NOBODY)) || userId === null) return false;
  return !(await phones.find(unit.db, userId))?.verified;
}
