import { pbkdf2Sync } from 'node:crypto';
import { fromBase64, isKey, isSame } from './bytes.js';

/** Django: the salt is text. */
const DJANGO =
  /^pbkdf2_(?<digest>sha1|sha256)\$(?<iterations>[1-9]\d{0,8})\$(?<salt>[^$]{1,128})\$(?<key>[A-Za-z0-9+/=]+)$/;
/** Keycloak: the salt is bytes, in base64. */
const KEYCLOAK =
  /^pbkdf2\$(?<digest>sha1|sha256|sha512)\$(?<iterations>[1-9]\d{0,8})\$(?<salt>[A-Za-z0-9+/=]+)\$(?<key>[A-Za-z0-9+/=]+)$/;

const DIGEST_BYTES = /** @type {Readonly<Record<string, number>>} */ ({ sha1: 20, sha256: 32, sha512: 64 });
/** Rounds of HMAC: some three seconds. Django's default is a million. */
const MAX_ROUNDS = 10_000_000;

/**
 * PBKDF2 (RFC 8018 §5.2), as Django and Keycloak keep it.
 * @param {string} text
 * @returns {import('../foreign-hash.js').ForeignHash | null}
 */
export function readPbkdf2(text) {
  const django = DJANGO.exec(text)?.groups;
  const {
    digest = '',
    iterations = '',
    salt: said = '',
    key: written = '',
  } = django ?? KEYCLOAK.exec(text)?.groups ?? {};
  const key = fromBase64(written);
  const salt = django ? Buffer.from(said) : fromBase64(said);
  if (!isKey(key) || !salt || salt.length === 0) return null;
  const rounds = Number(iterations) * Math.ceil(key.length / (DIGEST_BYTES[digest] ?? 1));
  return {
    format: `pbkdf2_${digest}`,
    affordable: rounds <= MAX_ROUNDS,
    verify: (password) => isSame(pbkdf2Sync(password, salt, Number(iterations), key.length, digest), key),
  };
}
