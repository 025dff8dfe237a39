import { createHash } from 'node:crypto';
import { hashToken, makeToken } from '../lib/secrets.ts';
import * as authenticators from '../records/authenticators.ts';
import * as passwords from '../records/passwords.ts';
import * as trustedDevices from '../records/trusted-devices.ts';
import type { Unit } from '../unit.ts';

/** What a trusted device is known by from now on. Given out once. */
export interface TrustedDevice {
  readonly token: string;
  readonly expiresAt: Date;
}

/** Trusts the device that a login comes from: for a while, it need not show a second factor again. */
export async function trustDevice(unit: Unit, userId: string): Promise<TrustedDevice> {
  const token = makeToken('device');
  const expiresAt = new Date(unit.now.getTime() + unit.config.mfa.trustedDeviceLifetime);
  const binding = await bindingOf(unit, userId);
  await trustedDevices.trust(unit.db, { userId, tokenHash: hashToken(token), binding, now: unit.now, expiresAt });
  unit.emit({ kind: 'DeviceTrusted', userId });
  return { token, expiresAt };
}

/** Whether a device is trusted still. */
export async function isDeviceTrusted(unit: Unit, userId: string, tokenHash: Buffer | null): Promise<boolean> {
  if (tokenHash === null || unit.config.mfa.trustedDeviceLifetime === 0) return false;
  return trustedDevices.isTrusted(unit.db, userId, tokenHash, await bindingOf(unit, userId), unit.now);
}

/**
 * A digest of the password and the factors that a person has. Trust is bound to it, so changing either ends the trust
 * without a list of all the ways to change them.
 */
export async function bindingOf({ db }: Pick<Unit, 'db'>, userId: string): Promise<Buffer> {
  const [changedAt, held] = await Promise.all([passwords.changedAt(db, userId), authenticators.list(db, userId)]);
  return createHash('sha256')
    .update(JSON.stringify([changedAt, held.map(({ id }) => id).sort()]))
    .digest();
}
