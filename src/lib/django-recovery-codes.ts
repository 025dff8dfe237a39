import { createHmac } from 'node:crypto';

/** How a sheet of django-allauth is made: settings of the site, which its database does not have. */
export interface DjangoRecoveryCodes {
  readonly count: number;
  readonly digits: number;
}

/**
 * Derives the recovery codes of django-allauth from their seed: HMAC-SHA-1 over the numbers of all codes up to this one.
 * @param seed as it stands in the database, hexadecimal, and used as text
 */
export function djangoRecoveryCodes(seed: string, { count, digits }: DjangoRecoveryCodes): string[] {
  const bytes = Math.min(Math.floor(digits / 2), 20);
  return Array.from({ length: count }, (_, nth) => {
    const mac = createHmac('sha1', seed);
    for (let at = 0; at <= nth; at += 1) mac.update(`${String(at).padStart(3)},`);
    const number = BigInt(`0x${mac.digest().subarray(0, bytes).toString('hex')}`);
    return String(number % 10n ** BigInt(digits)).padStart(digits, '0');
  });
}
