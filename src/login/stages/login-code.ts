import * as emails from '../../records/emails.ts';
import type { PendingLogin } from '../../records/pending-logins.ts';
import * as phones from '../../records/phones.ts';
import type { Unit } from '../../unit.ts';
import { resendAvailableAt, sendCode } from '../codes.ts';
import type { Stage } from '../stage.ts';

/** A login code was sent; `logInWithCode` answers. */
export interface LoginCodeRequired {
  readonly kind: 'LoginCodeRequired';
  readonly resendAvailableAt: Date;
}

/** Asks for a code where somebody logs in by one, and after a password where that is configured. */
export const loginCode: Stage<LoginCodeRequired> = {
  async prompt(login, unit) {
    if (!isDue(login, unit)) return null;
    return { kind: 'LoginCodeRequired', resendAvailableAt: await resendAvailableAt(login, 'LOGIN_CODE', unit) };
  },
  async enter(login, unit) {
    const to = await destinationOf(login, unit);
    const asked = { purpose: 'LOGIN_CODE', userId: login.userId, pendingLoginId: login.id, ...to } as const;
    await sendCode(unit, asked, { afterPassword: login.purpose === 'PASSWORD' });
  },
};

function isDue({ purpose, methods }: PendingLogin, { config }: Unit): boolean {
  // A reset proves the mailbox as well.
  if (methods.some(({ method }) => method === 'CODE' || method === 'LINK' || method === 'PASSWORD_RESET')) return false;
  return purpose === 'CODE' || (config.loginCodeRequired && purpose === 'PASSWORD');
}

async function destinationOf({ purpose, userId, email, phone }: PendingLogin, { db }: Unit) {
  if (purpose === 'CODE' && phone) return { channel: 'SMS', destination: phone } as const;
  if (purpose === 'CODE' && email) return { channel: 'EMAIL', destination: email } as const;
  const address = userId ? await emails.primaryOf(db, userId) : null;
  if (address) return { channel: 'EMAIL', destination: address } as const;
  const number = userId ? (await phones.find(db, userId))?.number : null;
  // With neither, nothing can be sent and nobody gets further: an account that lost its only address.
  return { channel: 'SMS', destination: number ?? '' } as const;
}
