import { randomUUID } from 'node:crypto';
import {
  type CryptoKey,
  calculateJwkThumbprint,
  errors,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  jwtVerify,
  SignJWT,
} from 'jose';

/** The algorithms that a signing key may have; ES256 is what every gateway verifies. */
export const ACCESS_TOKEN_ALGORITHMS = ['ES256', 'EdDSA', 'RS256'] as const;
export type AccessTokenAlgorithm = (typeof ACCESS_TOKEN_ALGORITHMS)[number];

/** RFC 9068 §2.1: keeps ID tokens and every other JWT from being taken for an access token. */
const TYPE = 'at+jwt';
/** Longer ones are refused before any work is done. */
const MAX_LENGTH = 8 * 1024;
const TOKEN_ID = /^(\d{1,9})-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Seconds that clocks of two services may differ. */
export const CLOCK_LEEWAY_SECONDS = 5;

/** The claims of an access token (RFC 9068 §2.2); times in seconds since the epoch. */
export interface AccessTokenClaims {
  readonly iss: string;
  readonly aud: string;
  readonly sub: string;
  readonly sid: string;
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
  readonly auth_time: number;
  /** RFC 8176 values. */
  readonly amr: readonly string[];
}

export interface SigningKeyPair {
  readonly kid: string;
  readonly algorithm: AccessTokenAlgorithm;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
}

/** Makes a key pair; its id is the RFC 7638 thumbprint of the public key. */
export async function makeSigningKey(algorithm: AccessTokenAlgorithm): Promise<SigningKeyPair> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const bare = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(bare);
  const shared = { kid, alg: algorithm, use: 'sig' };
  return {
    kid,
    algorithm,
    publicJwk: { ...bare, ...shared },
    privateJwk: { ...(await exportJWK(privateKey)), ...shared },
  };
}

/**
 * Makes the `jti` of a token. It begins with the generation of the credential that the token was issued for, which is
 * nobody's business but ours: to others a `jti` is any text that does not come twice.
 */
export function makeTokenId(generation: number): string {
  return `${generation}-${randomUUID()}`;
}

/** The generation of the credential that a token was issued for. */
export function generationOf({ jti }: Pick<AccessTokenClaims, 'jti'>): number {
  return Number(TOKEN_ID.exec(jti)?.[1]);
}

/** A key made ready for signing or verifying, once. */
export function importKey(jwk: JWK, algorithm: AccessTokenAlgorithm): Promise<CryptoKey> {
  return importJWK(jwk, algorithm) as Promise<CryptoKey>;
}

/**
 * Signs an access token.
 * @throws Error if it would be longer than {@link verifyAccessToken} takes
 */
export async function signAccessToken(
  claims: AccessTokenClaims,
  key: { readonly kid: string; readonly algorithm: AccessTokenAlgorithm; readonly privateKey: CryptoKey },
): Promise<string> {
  const token = await new SignJWT({ ...claims })
    .setProtectedHeader({ alg: key.algorithm, typ: TYPE, kid: key.kid })
    .sign(key.privateKey);
  if (token.length > MAX_LENGTH)
    throw new Error(`an access token would have ${token.length} bytes, which nobody takes`);
  return token;
}

/** What verification holds a token to; there are no defaults, so none can be forgotten. */
export interface ExpectedToken {
  readonly expectedIssuer: string;
  readonly expectedAudience: string;
  readonly now: Date;
  /**
   * Looks a key up among ours only. The algorithm is the key's, never the token's (RFC 8725 §3.1).
   * @throws KeysUnavailable if nobody can say now whether there is such a key
   */
  keyFor(kid: string): VerifyingKey | null | Promise<VerifyingKey | null>;
}

/** The public half of a signing key, made ready. */
export interface VerifyingKey {
  readonly algorithm: AccessTokenAlgorithm;
  readonly publicKey: CryptoKey;
}

/** The keys cannot be read, so nothing is known of any token. */
export class KeysUnavailable extends Error {
  override readonly name: string = 'KeysUnavailable';
}

/**
 * Verifies an access token as RFC 9068 §4 and RFC 8725 ask.
 * @throws KeysUnavailable as `keyFor` does, and nothing else
 * @returns the claims, `expired` for a token of ours that is merely too old, or `invalid` for all else
 */
export async function verifyAccessToken(
  token: string,
  expected: ExpectedToken,
): Promise<AccessTokenClaims | 'expired' | 'invalid'> {
  if (token.length > MAX_LENGTH || !hasCanonicalSignature(token)) return 'invalid';
  try {
    const { payload } = await jwtVerify(
      token,
      async (header) => {
        const key = typeof header.kid === 'string' ? await expected.keyFor(header.kid) : null;
        if (!key || header.alg !== key.algorithm) throw new errors.JWKSNoMatchingKey();
        return key.publicKey;
      },
      {
        algorithms: [...ACCESS_TOKEN_ALGORITHMS],
        typ: TYPE,
        issuer: expected.expectedIssuer,
        audience: expected.expectedAudience,
        currentDate: expected.now,
        clockTolerance: CLOCK_LEEWAY_SECONDS,
        requiredClaims: ['iss', 'aud', 'sub', 'sid', 'jti', 'iat', 'exp', 'auth_time'],
      },
    );
    return hasOurShape(payload, expected) ? payload : 'invalid';
  } catch (error) {
    if (error instanceof KeysUnavailable) throw error;
    return error instanceof errors.JWTExpired ? 'expired' : 'invalid';
  }
}

// Header and payload are signed as they are spelled, the signature is not: its unused last bits, padding and blanks would
// let one token have many spellings.
function hasCanonicalSignature(token: string): boolean {
  const signature = token.slice(token.lastIndexOf('.') + 1);
  return Buffer.from(signature, 'base64url').toString('base64url') === signature;
}

// jose lets `aud` be a list that contains ours, and does not look at the claims it does not know.
function hasOurShape(payload: object, { expectedAudience, now }: ExpectedToken): payload is AccessTokenClaims {
  const claims = payload as Record<string, unknown>;
  return (
    claims.aud === expectedAudience &&
    [claims.sub, claims.sid].every((claim) => typeof claim === 'string' && UUID.test(claim)) &&
    typeof claims.jti === 'string' &&
    TOKEN_ID.test(claims.jti) &&
    [claims.iat, claims.exp, claims.auth_time].every((claim) => Number.isSafeInteger(claim)) &&
    (claims.iat as number) <= now.getTime() / 1000 + CLOCK_LEEWAY_SECONDS &&
    Array.isArray(claims.amr)
  );
}
