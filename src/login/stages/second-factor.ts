import { type FactorName, hasMfa, namesOf } from '../../factors/index.ts';
import { passkeyOptions } from '../../factors/passkey.ts';
import * as authenticators from '../../records/authenticators.ts';
import type { PendingLogin } from '../../records/pending-logins.ts';
import { NOBODY } from '../../records/users.ts';
import type { Unit } from '../../unit.ts';
import type { Stage } from '../stage.ts';
import { isDeviceTrusted } from '../trust.ts';

/** Another factor is asked for; `verifyMfa` answers. */
export interface MfaRequired {
  readonly kind: 'MfaRequired';
  readonly factors: readonly FactorName[];
  /** For `navigator.credentials.get`, when PASSKEY is among the factors and its challenge is not too old. */
  readonly passkeyOptions: object | null;
  readonly canTrustDevice: boolean;
}

/**
 * Asks whoever has a second factor to show it, whichever way they came: it looks at what was proven, and at nothing else.
 */
export const secondFactor: Stage<MfaRequired> = {
  async prompt(login, unit) {
    if (login.methods.some(({ mfa }) => mfa)) return null;
    const userId = login.userId ?? NOBODY;
    const held = await authenticators.list(unit.db, userId);
    if (!hasMfa(held.map(({ kind }) => kind))) return null;
    if (await isDeviceTrusted(unit, userId, login.trustedDeviceHash)) return null;
    const usable = held.filter(({ disabled, usedUp }) => !disabled && !usedUp);
    return {
      kind: 'MfaRequired',
      factors: namesOf(usable.map(({ kind }) => kind)),
      passkeyOptions: await optionsFor(login, usable, unit),
      canTrustDevice: unit.config.mfa.trustedDeviceLifetime > 0,
    };
  },
};

/**
 * Whether a passkey that answers must have verified its user: if a passkey is all that was shown before, another use of
 * it is no second factor.
 */
export function mustVerifyUser({ methods }: Pick<PendingLogin, 'methods'>): boolean {
  return methods.length > 0 && methods.every(({ method }) => method === 'PASSKEY');
}

function optionsFor(
  login: PendingLogin,
  usable: readonly authenticators.Authenticator[],
  { config, now }: Unit,
): Promise<object> | null {
  const { bytes, expiresAt } = login.passkeyChallenge;
  const passkeys = usable.filter(({ kind }) => kind === 'PASSKEY');
  if (passkeys.length === 0 || expiresAt <= now) return null;
  return passkeyOptions(config, passkeys, { challenge: bytes, verifiesUser: mustVerifyUser(login) });
}
