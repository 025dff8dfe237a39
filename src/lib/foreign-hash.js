// Plain JavaScript, because the threads that verify passwords load it without the help of vitest, tsx or a build.
import { readArgon2 } from './foreign-hash/argon2.js';
import { readBcrypt } from './foreign-hash/bcrypt.js';
import { readFirebaseScrypt } from './foreign-hash/firebase-scrypt.js';
import { readPbkdf2 } from './foreign-hash/pbkdf2.js';
import { readScrypt } from './foreign-hash/scrypt.js';

/**
 * A password hash that another system made, read: its format, and what compares a password with it. The work is done in
 * the calling thread.
 * @typedef {object} ForeignHash
 * @property {string} format such as `pbkdf2_sha256`
 * @property {boolean} affordable whether a check stays within some seconds and a gibibyte
 * @property {(password: string) => boolean | Promise<boolean>} verify
 */

/** One reader for each family of formats. */
const READERS = [readPbkdf2, readScrypt, readBcrypt, readArgon2, readFirebaseScrypt];

// No hash of these formats is longer; the longest carries the signer key of a Firebase project.
const MAX_LENGTH = 1_024;

/**
 * Reads a hash that another system made, in the form that `passwords.hash` keeps it in: that of Django where it has one
 * (`pbkdf2_sha256$…`, `scrypt$…`, `bcrypt$$2b$…`, `bcrypt_sha256$$2b$…`, `argon2$argon2id$…`), `better_auth$salt:key`,
 * `pbkdf2$sha512$iterations$salt$key`, `$fbscrypt$…`. None of them begins like a hash of ours.
 * @param {string} text
 * @returns {ForeignHash | null} null for anything else
 */
export function readForeignHash(text) {
  if (text.length > MAX_LENGTH) return null;
  for (const read of READERS) {
    const found = read(text);
    if (found) return found;
  }
  return null;
}

/**
 * Whether a foreign hash was made of this password. The empty one is nobody's: some systems have stored hashes of it for
 * people who had no password at all.
 * @param {string} text as {@link readForeignHash} takes it
 * @param {string} password as it was typed: each format normalizes by itself, or not at all
 * @returns {Promise<boolean>} false for what cannot be read, or would cost too much
 */
export async function verifyForeignHash(text, password) {
  const hash = readForeignHash(text);
  if (!hash?.affordable) return false;
  return (await hash.verify(password)) && password !== '';
}
