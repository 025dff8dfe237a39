import { scryptSync } from 'node:crypto';
import { fromBase64, isKey, isSame } from './bytes.js';

/** Django: N, salt as text, r, p. */
const DJANGO =
  /^scrypt\$(?<n>[1-9]\d{0,8})\$(?<salt>[^$]{1,128})\$(?<r>[1-9]\d{0,3})\$(?<p>[1-9]\d{0,3})\$(?<key>[A-Za-z0-9+/=]+)$/;
/** The salt is the text of its hexadecimal digits, not the bytes that they stand for. */
const BETTER_AUTH = /^better_auth\$(?<salt>[0-9a-f]{32}):(?<key>[0-9a-f]{128})$/;
const BETTER_AUTH_COST = { N: 16_384, r: 16, p: 1 };

/**
 * scrypt (RFC 7914), as Django and better-auth keep it.
 * @param {string} text
 * @returns {import('../foreign-hash.js').ForeignHash | null}
 */
export function readScrypt(text) {
  const django = DJANGO.exec(text)?.groups;
  if (django) {
    const { n, r, p, salt = '', key = '' } = django;
    return scryptHash('scrypt', fromBase64(key), salt, { N: Number(n), r: Number(r), p: Number(p) }, (typed) => typed);
  }
  const { salt, key } = BETTER_AUTH.exec(text)?.groups ?? {};
  if (salt === undefined || key === undefined) return null;
  const normalize = (/** @type {string} */ typed) => typed.normalize('NFKC');
  return scryptHash('better_auth', Buffer.from(key, 'hex'), salt, BETTER_AUTH_COST, normalize);
}

/**
 * @param {string} format
 * @param {Buffer | null} key
 * @param {string} salt
 * @param {ScryptCost} cost
 * @param {(typed: string) => string} normalize
 * @returns {import('../foreign-hash.js').ForeignHash | null}
 */
function scryptHash(format, key, salt, cost, normalize) {
  if (!isKey(key) || !isCost(cost)) return null;
  return {
    format,
    affordable: isAffordable(cost),
    verify: (typed) => isSame(scryptSync(normalize(typed), salt, key.length, { ...cost, maxmem: memoryOf(cost) }), key),
  };
}

/** @typedef {{ readonly N: number, readonly r: number, readonly p: number }} ScryptCost */

const MAX_BYTES = 2 ** 28;
/** Block mixes: some two seconds. */
const MAX_WORK = 2 ** 22;

/**
 * Whether these are parameters that scrypt has (RFC 7914 §2).
 * @param {ScryptCost} cost
 */
export function isCost({ N, r, p }) {
  return N > 1 && Number.isInteger(Math.log2(N)) && r * p < 2 ** 30;
}

/**
 * Whether a check stays within some seconds and 256 MiB.
 * @param {ScryptCost} cost
 */
export function isAffordable({ N, r, p }) {
  return 128 * N * r <= MAX_BYTES && N * r * p <= MAX_WORK;
}

/**
 * What Node has to allow for it, in bytes.
 * @param {ScryptCost} cost
 */
export function memoryOf({ N, r, p }) {
  return 128 * r * (N + p + 2) + 1_024;
}
