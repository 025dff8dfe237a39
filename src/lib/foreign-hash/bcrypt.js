import { createHash } from 'node:crypto';
import { compareSync } from 'bcryptjs';

const FORM = /^(?<format>bcrypt|bcrypt_sha256)\$(?<hash>\$2[aby]\$(?<cost>\d\d)\$[./A-Za-z0-9]{53})$/;
const MIN_COST = 4;
/** Some three seconds; 10 to 12 are usual. */
const MAX_COST = 15;

/**
 * bcrypt, which looks at the first 72 bytes of a password and no more, and Django's bcrypt_sha256, which for that reason
 * hashes the hexadecimal SHA-256 of it.
 * @param {string} text
 * @returns {import('../foreign-hash.js').ForeignHash | null}
 */
export function readBcrypt(text) {
  const { format, hash, cost } = FORM.exec(text)?.groups ?? {};
  if (!format || !hash || Number(cost) < MIN_COST || Number(cost) > 31) return null;
  const hashed = (/** @type {string} */ password) =>
    format === 'bcrypt' ? password : createHash('sha256').update(password).digest('hex');
  return {
    format,
    affordable: Number(cost) <= MAX_COST,
    verify: (password) => compareSync(hashed(password), hash),
  };
}
