import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import {
  type AccessTokenClaims,
  CLOCK_LEEWAY_SECONDS,
  makeTokenId,
  signAccessToken,
  verifyAccessToken,
} from '../lib/access-token.ts';
import type { ExtraClaims } from '../lib/extra-claims.ts';
import type { KeyRing } from './key-ring.ts';

/** Verified tokens that are remembered; some 300 bytes each. */
const MAX_REMEMBERED = 20_000;

/** Makes and verifies the JWTs of this issuer. */
export interface AccessTokens {
  /** Signs a token for a session with the current key. */
  issue(subject: AccessTokenSubject, now: Date): Promise<IssuedAccessToken>;
  /** The claims of a token of ours, `expired` for one that is merely too old, `invalid` for all else. */
  verify(token: string, now: Date): Promise<AccessTokenClaims | 'expired' | 'invalid'>;
  /** Forgets what was verified, because the keys changed. */
  forget(): void;
}

/** Whom a token speaks of. */
export interface AccessTokenSubject {
  readonly userId: string;
  readonly sessionId: string;
  /** Of the credential of the session: see {@link generationOf}. */
  readonly generation: number;
  /** When the person last proved who they are. */
  readonly authenticatedAt: Date;
  /** No token outlives the session. */
  readonly expiresAt: Date;
  /** RFC 8176 values. */
  readonly methods: readonly string[];
  /** What else it says. */
  readonly claims: ExtraClaims;
}

export interface IssuedAccessToken {
  readonly accessToken: string;
  readonly expiresAt: Date;
}

/**
 * @param options `issuer` and `audience` are both set in every token and expected of it; `lifetime` in milliseconds
 */
export function createAccessTokens(
  keys: KeyRing,
  options: { issuer: string; audience: string; lifetime: number },
): AccessTokens {
  // A signature is checked once; the time is looked at each time, and whether the session lives is not asked here.
  const verified = new LRUCache<string, AccessTokenClaims>({ max: MAX_REMEMBERED });
  let timesForgotten = 0;

  return {
    async issue({ userId, sessionId, generation, authenticatedAt, expiresAt, methods, claims: extra }, now) {
      const iat = toSeconds(now);
      const exp = Math.min(iat + Math.floor(options.lifetime / 1000), toSeconds(expiresAt));
      const claims = {
        ...extra,
        iss: options.issuer,
        aud: options.audience,
        sub: userId,
        sid: sessionId,
        jti: makeTokenId(generation),
        iat,
        exp,
        auth_time: toSeconds(authenticatedAt),
        amr: methods,
      };
      return { accessToken: await signAccessToken(claims, keys.current(now)), expiresAt: new Date(exp * 1000) };
    },
    async verify(token, now) {
      const digest = createHash('sha256').update(token).digest('base64');
      const known = verified.get(digest);
      if (known) return known.exp + CLOCK_LEEWAY_SECONDS > now.getTime() / 1000 ? known : 'expired';
      const before = timesForgotten;
      const claims = await verifyAccessToken(token, {
        expectedIssuer: options.issuer,
        expectedAudience: options.audience,
        now,
        keyFor: keys.find,
      });
      // What was verified with keys that changed meanwhile is not remembered: its key may be gone.
      if (typeof claims !== 'string' && timesForgotten === before) verified.set(digest, withoutExtras(claims));
      return claims;
    },
    forget() {
      timesForgotten += 1;
      verified.clear();
    },
  };
}

// Nothing here asks for the others, and they may be long.
function withoutExtras({ iss, aud, sub, sid, jti, iat, exp, auth_time, amr }: AccessTokenClaims): AccessTokenClaims {
  return { iss, aud, sub, sid, jti, iat, exp, auth_time, amr };
}

function toSeconds(instant: Date): number {
  return Math.floor(instant.getTime() / 1000);
}
