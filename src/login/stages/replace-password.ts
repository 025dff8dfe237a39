import * as passwords from '../../records/passwords.ts';
import { NOBODY } from '../../records/users.ts';
import type { Stage } from '../stage.ts';

/** The password may not be kept; `replacePassword` answers. */
export interface PasswordChangeRequired {
  readonly kind: 'PasswordChangeRequired';
  readonly reason: passwords.ReplaceReason;
}

/** Asks for another password where an administrator or a breach marked the account. */
export const replacePassword: Stage<PasswordChangeRequired> = {
  async prompt({ userId }, { db }) {
    const reason = await passwords.replaceReason(db, userId ?? NOBODY);
    return reason && { kind: 'PasswordChangeRequired', reason };
  },
};
