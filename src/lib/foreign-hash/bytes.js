import { timingSafeEqual } from 'node:crypto';

/**
 * Reads base64, padded or not.
 * @param {string} text
 * @returns {Buffer | null} null for what is none, or not the one spelling of its bytes
 */
export function fromBase64(text) {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === text.replace(/={1,2}$/, '') ? bytes : null;
}

/**
 * Compares in constant time.
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 */
export function isSame(a, b) {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The shortest key that is compared with, in bytes, and the longest. */
const MIN_KEY_BYTES = 16;
const MAX_KEY_BYTES = 128;

/**
 * Whether a stored key is one that could not be hit by chance.
 * @param {Buffer | null} key
 * @returns {key is Buffer}
 */
export function isKey(key) {
  return key !== null && key.length >= MIN_KEY_BYTES && key.length <= MAX_KEY_BYTES;
}
