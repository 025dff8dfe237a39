import { createHash } from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';

const NONCE_BYTES = 24;

/**
 * Opens what better-auth has sealed with its secret: XChaCha20-Poly1305 under the SHA-256 of it, the nonce first, in
 * hexadecimal; newer ones begin with the number of the secret.
 * @returns null without a secret, or if it is another one
 */
export function openBetterAuth(sealed: string | null, secret: string | null): string | null {
  const [, written] = /^(?:\$ba\$\d+\$)?((?:[0-9a-f]{2})+)$/.exec(sealed ?? '') ?? [];
  if (secret === null || written === undefined) return null;
  const bytes = Buffer.from(written, 'hex');
  const key = createHash('sha256').update(secret).digest();
  try {
    const opened = xchacha20poly1305(key, bytes.subarray(0, NONCE_BYTES)).decrypt(bytes.subarray(NONCE_BYTES));
    return Buffer.from(opened).toString('utf8');
  } catch {
    return null;
  }
}
