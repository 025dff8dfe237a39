import type { JWK } from 'jose';
import type { Db } from '../infra/database.ts';
import { type AccessTokenAlgorithm, CLOCK_LEEWAY_SECONDS, makeSigningKey } from '../lib/access-token.ts';
import type { Cipher } from '../lib/cipher.ts';

/**
 * A new key stands in the JWKS for so long before it signs, twice as long as verifiers may cache that page, so that
 * none meets a token whose key it has never seen.
 */
export const PUBLICATION_LEAD_MS = 10 * 60_000;

export interface SigningKey {
  readonly kid: string;
  readonly algorithm: AccessTokenAlgorithm;
  readonly publicJwk: JWK;
  readonly sealedPrivateJwk: string;
  readonly createdAt: Date;
  readonly signsAt: Date;
}

/** Every key that signs, will sign, or signed a token that may still be valid, oldest first. */
export function list(db: Db): Promise<SigningKey[]> {
  return db.query<SigningKey>`
    SELECT id AS kid, algorithm, public_jwk AS "publicJwk", sealed_private_jwk AS "sealedPrivateJwk",
      created_at AS "createdAt", signs_at AS "signsAt"
    FROM signing_keys ORDER BY signs_at, id`;
}

/** What rotation goes by; durations in milliseconds. */
export interface RotationPolicy {
  readonly algorithm: AccessTokenAlgorithm;
  readonly keyLifetime: number;
  readonly tokenLifetime: number;
}

/**
 * Makes the next key when the newest is due for it, and forgets those whose last token has expired. Instances that do
 * this at once agree, since the rows are read under a lock.
 * @param force `soon` makes a key that is published first; `now`, for a key that has leaked, one that signs at once, and
 * forgets every other: what they signed is refused from then on
 * @throws Error with a message for the operator when the stored keys cannot be opened: whoever has another secret would
 * put a key in their place that nobody else opens
 */
export async function rotate(
  db: Db,
  cipher: Cipher,
  policy: RotationPolicy,
  now: Date,
  force?: 'soon' | 'now',
): Promise<void> {
  await db.query`SELECT pg_advisory_xact_lock(hashtext('postern signing keys'))`;
  const keys = await list(db);
  for (const key of keys) openKey(key, cipher);
  const newest = keys.at(-1);
  if (!newest || force || isDue(newest, policy, now)) {
    const signsAt = newest && force !== 'now' ? new Date(now.getTime() + PUBLICATION_LEAD_MS) : now;
    await add(db, cipher, policy.algorithm, now, signsAt);
  }
  const retired = keys
    .filter((_, index) => force === 'now' || isRetired(keys, index, policy, now))
    .map(({ kid }) => kid);
  await db.execute`DELETE FROM signing_keys WHERE id = ANY(${retired})`;
}

async function add(db: Db, cipher: Cipher, algorithm: AccessTokenAlgorithm, now: Date, signsAt: Date): Promise<void> {
  const { kid, publicJwk, privateJwk } = await makeSigningKey(algorithm);
  const sealedPrivateJwk = cipher.seal(JSON.stringify(privateJwk), sealContext(kid));
  await db.execute`
    INSERT INTO signing_keys (id, algorithm, public_jwk, sealed_private_jwk, created_at, signs_at)
    VALUES (${kid}, ${algorithm}, ${JSON.stringify(publicJwk)}::jsonb, ${sealedPrivateJwk}, ${now}, ${signsAt})`;
}

/**
 * Opens the private half of a key.
 * @throws Error with a message for the operator when none of the secrets that are configured sealed it
 */
export function openKey(key: SigningKey, cipher: Cipher): JWK {
  const opened = cipher.open(key.sealedPrivateJwk, sealContext(key.kid));
  if (opened !== null) return JSON.parse(opened) as JWK;
  throw new Error(
    `POSTERN_SECRET does not open the signing key ${key.kid}. Put the secret that it was made with into the list, after the new one.`,
  );
}

/** Seals what the secrets of before have sealed with the one of now. */
export async function reseal(db: Db, cipher: Cipher): Promise<number> {
  let resealed = 0;
  for (const { kid, sealedPrivateJwk } of await list(db)) {
    const opened = cipher.isCurrent(sealedPrivateJwk) ? null : cipher.open(sealedPrivateJwk, sealContext(kid));
    if (opened === null) continue;
    resealed += await db.execute`
      UPDATE signing_keys SET sealed_private_jwk = ${cipher.seal(opened, sealContext(kid))} WHERE id = ${kid}`;
  }
  return resealed;
}

function isDue(newest: SigningKey, { algorithm, keyLifetime }: RotationPolicy, now: Date): boolean {
  // While a new deployment replaces an old one, two algorithms are configured: each may have its turn, not its way.
  const isOtherAlgorithm = newest.algorithm !== algorithm && newest.signsAt <= now;
  return isOtherAlgorithm || newest.signsAt.getTime() + keyLifetime - PUBLICATION_LEAD_MS <= now.getTime();
}

function isRetired(keys: SigningKey[], index: number, { tokenLifetime }: RotationPolicy, now: Date): boolean {
  const successor = keys[index + 1];
  if (!successor) return false;
  const lastTokenExpires = successor.signsAt.getTime() + tokenLifetime + CLOCK_LEEWAY_SECONDS * 1000;
  // A clock of another instance that is a little behind may let the old key sign a moment longer.
  return lastTokenExpires + 60_000 <= now.getTime();
}

function sealContext(kid: string): string {
  return `signing-key:${kid}`;
}
