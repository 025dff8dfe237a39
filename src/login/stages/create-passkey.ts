import * as authenticators from '../../records/authenticators.ts';
import * as passwords from '../../records/passwords.ts';
import * as connections from '../../records/social-connections.ts';
import * as users from '../../records/users.ts';
import { NOBODY } from '../../records/users.ts';
import type { Stage } from '../stage.ts';

/** A sign-up without a password ends with a passkey: `beginPasskey` with this login, then `continueLogin`. */
export interface PasskeyRequired {
  readonly kind: 'PasskeyRequired';
}

/**
 * Asks whoever signs up without a password to make a passkey, which is how they will come back: before their first
 * session, by whatever way they come to it.
 */
export const createPasskey: Stage<PasskeyRequired> = {
  async prompt({ userId, sealedIdentity }, { db, config }) {
    if (!config.passkeys.signUp) return null;
    // Nobody is looked up like anybody: the time must not tell.
    const [password, held, connected, cameBefore] = await Promise.all([
      passwords.changedAt(db, userId ?? NOBODY),
      authenticators.list(db, userId ?? NOBODY),
      connections.list(db, userId ?? NOBODY),
      users.lastLoginAt(db, userId ?? NOBODY),
    ]);
    const comesBack =
      sealedIdentity !== null ||
      password !== null ||
      connected.length > 0 ||
      held.some(({ kind }) => kind === 'PASSKEY');
    const needed = userId !== null && !cameBefore && !comesBack;
    return needed ? { kind: 'PasskeyRequired' } : null;
  },
};
