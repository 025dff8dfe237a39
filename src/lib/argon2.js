import { randomBytes } from 'node:crypto';

/**
 * The cost of a hash (RFC 9106 §3.1): memory in KiB (m), passes over it (t), lanes (p).
 * @typedef {{ readonly memoryKiB: number, readonly iterations: number, readonly parallelism: number }} Argon2Parameters
 */

/**
 * What either library does. A pepper is argon2's own secret value K (RFC 9106 §3.1).
 * @typedef {object} Library
 * @property {(password: string, parameters: Argon2Parameters, pepper?: Uint8Array) => string | Promise<string>} hash
 * @property {(hash: string, password: string, pepper?: Uint8Array) => boolean | Promise<boolean>} verify
 */

// The sizes that RFC 9106 §4 recommends, and the default of both libraries.
const SALT_BYTES = 16;
const TAG_BYTES = 32;

// The libraries do not agree on the order of t and p, but read either.
const PHC =
  /^\$argon2id\$v=19\$m=(?<m>[1-9]\d{0,6}),(?:t=(?<t>[1-9]\d{0,3}),p=(?<p>[1-9]\d{0,2})|p=(?<p2>[1-9]\d{0,2}),t=(?<t2>[1-9]\d{0,3}))\$(?<salt>[A-Za-z0-9+/]+)\$(?<tag>[A-Za-z0-9+/]+)$/;
// What other systems write: all three variants.
const FOREIGN_VARIANT = /^\$argon2(?:id|i|d)\$/;
// An imported hash must not be able to exhaust the machine: the memory of RFC 9106's first recommendation is the most.
const MAX_MEMORY_KIB = 2 ** 21;

/** @type {Promise<Library> | undefined} */
let loading;

/**
 * Hashes a password with argon2id (RFC 9106) and a random salt of 128 bits.
 *
 * Where `@node-rs/argon2` loads, the work is done in the calling thread and blocks it; otherwise `argon2` does it in a
 * thread of libuv.
 * @param {string} password hashed as its UTF-8 bytes, without any normalization
 * @param {Argon2Parameters} parameters
 * @param {Uint8Array} [pepper] a secret without which the hash can not be verified
 * @returns {Promise<string>} in PHC format, `$argon2id$v=19$m=…,t=…,p=…$salt$tag`
 * @throws on parameters outside of RFC 9106
 */
export async function hash(password, parameters, pepper) {
  const library = await load();
  return library.hash(password, parameters, pepper);
}

/**
 * Whether a hash was made of this password with this pepper. Works where {@link hash} does.
 * @param {string} hash in PHC format; anything but an argon2id hash of version 19 is false
 * @param {string} password
 * @param {Uint8Array} [pepper]
 * @returns {Promise<boolean>}
 */
export async function verify(hash, password, pepper) {
  if (!parametersOf(hash)) return false;
  const library = await load();
  return library.verify(hash, password, pepper);
}

/**
 * The cost that a hash was made with.
 * @param {string} hash in PHC format
 * @returns {Argon2Parameters | null} null for anything but an argon2id hash of version 19 that can be verified
 */
export function parametersOf(hash) {
  const { m, t, t2, p, p2, salt = '', tag = '' } = PHC.exec(hash)?.groups ?? {};
  const parameters = { memoryKiB: Number(m), iterations: Number(t ?? t2), parallelism: Number(p ?? p2) };
  const { memoryKiB, parallelism } = parameters;
  const possible = memoryKiB >= 8 * parallelism && memoryKiB <= MAX_MEMORY_KIB;
  // The shortest salt and tag of RFC 9106 §3.1.
  return possible && byteLength(salt) >= 8 && byteLength(tag) >= 4 ? parameters : null;
}

/**
 * The cost of a hash that another system made, with any of the variants.
 * @param {string} hash in PHC format
 * @returns {Argon2Parameters | null} null for anything but a hash of version 19 that can be verified
 */
export function foreignParametersOf(hash) {
  return parametersOf(hash.replace(FOREIGN_VARIANT, '$argon2id$$'));
}

/**
 * Whether a hash of another system, with any of the variants and without a pepper, was made of this password. Works where
 * {@link hash} does.
 * @param {string} hash in PHC format; anything that {@link foreignParametersOf} does not read is false
 * @param {string} password
 * @returns {Promise<boolean>}
 */
export async function verifyForeign(hash, password) {
  if (!foreignParametersOf(hash)) return false;
  const library = await load();
  return library.verify(hash, password);
}

/**
 * Whether two hashes cost the same.
 * @param {Argon2Parameters} a
 * @param {Argon2Parameters} b
 */
export function sameParameters(a, b) {
  return a.memoryKiB === b.memoryKiB && a.iterations === b.iterations && a.parallelism === b.parallelism;
}

/**
 * A hash of no password at all: salt and tag are random. Verifying against it takes the full work of these parameters
 * and is false, so it stands in where there is no hash to compare with.
 * @param {Argon2Parameters} parameters
 * @returns {string} in PHC format
 */
export function makeDecoy({ memoryKiB, iterations, parallelism }) {
  const [salt, tag] = [SALT_BYTES, TAG_BYTES].map((bytes) => unpadded(randomBytes(bytes)));
  return `$argon2id$v=19$m=${memoryKiB},t=${iterations},p=${parallelism}$${salt}$${tag}`;
}

function load() {
  loading ??= loadNodeRs().catch(loadArgon2);
  return loading;
}

/** @returns {Promise<Library>} */
async function loadNodeRs() {
  const { hashSync, verifySync } = await import('@node-rs/argon2');
  return {
    hash: (password, parameters, pepper) => hashSync(password, { ...costs(parameters), ...secret(pepper) }),
    verify: (hash, password, pepper) => verifySync(hash, password, secret(pepper)),
  };
}

/** @returns {Promise<Library>} */
async function loadArgon2() {
  const { default: argon2 } = await import('argon2');
  return {
    async hash(password, parameters, pepper) {
      const hash = await argon2.hash(password, { ...costs(parameters), ...secret(pepper) });
      return hash.replace(/,(p=\d+),(t=\d+)\$/, ',$2,$1$');
    },
    verify: (hash, password, pepper) => argon2.verify(hash, password, secret(pepper)),
  };
}

/** @param {Argon2Parameters} parameters */
function costs({ memoryKiB, iterations, parallelism }) {
  return { memoryCost: memoryKiB, timeCost: iterations, parallelism };
}

/** @param {Uint8Array | undefined} pepper */
function secret(pepper) {
  return pepper ? { secret: Buffer.from(pepper) } : {};
}

/**
 * @param {string} base64
 * @returns {number} 0 if it is not the one spelling of its bytes
 */
function byteLength(base64) {
  const bytes = Buffer.from(base64, 'base64');
  return unpadded(bytes) === base64 ? bytes.length : 0;
}

/** @param {Buffer} bytes */
function unpadded(bytes) {
  return bytes.toString('base64').replaceAll('=', '');
}
