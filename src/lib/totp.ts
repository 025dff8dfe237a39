import { generateSecret, generateURI, verifySync } from 'otplib';

/** How codes are made (RFC 6238). */
export interface TotpParameters {
  /** Seconds. */
  readonly period: number;
  readonly digits: 6 | 7 | 8;
  /** Of the HMAC. SHA-1 where it is left out: it is what all authenticator apps know, and what new ones are given. */
  readonly algorithm?: 'sha1' | 'sha256' | 'sha512';
}

// What an app shows has six to eight digits; people put a blank into the middle.
const MAX_TYPED_LENGTH = 20;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Makes a secret of 160 bits (RFC 4226 §4, R6), in base32. */
export function makeTotpSecret(): string {
  return generateSecret({ length: 20 });
}

/** The `otpauth://` URI by which an app takes a secret in. */
export function totpUri(
  secret: string,
  { issuer, label, period, digits }: TotpParameters & { readonly issuer: string; readonly label: string },
): string {
  return generateURI({ secret, issuer, label, period, digits });
}

/**
 * The time step that a code is for, if it is that of now or the one before (RFC 6238 §5.2), and later than the last one
 * that was used. Anything that is not such a code gives null, whatever it is.
 * @param lastStep a code of this step or an earlier one is not taken again; null if none was used yet
 */
export function matchTotp(
  typed: string,
  secret: string,
  { period, digits, algorithm = 'sha1' }: TotpParameters,
  { now, lastStep }: { readonly now: Date; readonly lastStep: number | null },
): number | null {
  if (typed.length > MAX_TYPED_LENGTH) return null;
  const token = typed.replaceAll(' ', '');
  // The library throws for what is not a code, and for a last step that is ahead of a clock that was set back.
  if (!new RegExp(`^[0-9]{${digits}}$`).test(token)) return null;
  const epoch = Math.floor(now.getTime() / 1000);
  const result = verifySync({ secret, token, period, digits, algorithm, epoch, epochTolerance: [period, 0] });
  if (!result.valid || !('timeStep' in result)) return null;
  return lastStep === null || result.timeStep > lastStep ? result.timeStep : null;
}

/**
 * Reads a secret that another system made: base32 (RFC 4648), in any case, padded or not.
 * @returns in our spelling; null for one of less than 128 bits (RFC 4226 §4, R6), or that is none
 */
export function readTotpSecret(written: string): string | null {
  const secret = written.replace(/[\s-]/g, '').replace(/=+$/, '').toUpperCase();
  return /^[A-Z2-7]{26,128}$/.test(secret) ? secret : null;
}

/** A secret that another system keeps as bytes, in base32. */
export function totpSecretOf(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? []).map((five) => BASE32[Number.parseInt(five.padEnd(5, '0'), 2)]).join('');
}
