import { maskPhoneNumber } from '../../lib/phone-number.ts';
import * as phones from '../../records/phones.ts';
import { NOBODY } from '../../records/users.ts';
import { resendAvailableAt, sendCode } from '../codes.ts';
import type { Stage } from '../stage.ts';

/** A code went to this number; `verifyPhone` answers. */
export interface PhoneVerificationRequired {
  readonly kind: 'PhoneVerificationRequired';
  /** All but the last digits hidden. */
  readonly phone: string;
  readonly resendAvailableAt: Date;
}

/** Asks whoever comes with a number to show that it is theirs. */
export const verifyPhone: Stage<PhoneVerificationRequired> = {
  async prompt(login, unit) {
    const { userId, phone } = login;
    if (!phone) return null;
    const known = await phones.find(unit.db, userId ?? NOBODY);
    if (known?.verified && known.number === phone) return null;
    return {
      kind: 'PhoneVerificationRequired',
      phone: maskPhoneNumber(phone),
      resendAvailableAt: await resendAvailableAt(login, 'VERIFY_PHONE', unit),
    };
  },
  async enter({ id, userId, phone }, unit) {
    if (!phone) return;
    await sendCode(unit, { purpose: 'VERIFY_PHONE', userId, channel: 'SMS', destination: phone, pendingLoginId: id });
  },
};
