import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type AccessTokenClaims, CLOCK_LEEWAY_SECONDS, verifyAccessToken } from '../lib/access-token.ts';
import { atMostEvery } from '../lib/at-most-every.ts';
import { isToken } from '../lib/secrets.ts';
import { parseServiceCredential, type ServiceCredential } from '../lib/service-credential.ts';
import { VerifierUnavailable } from './fetch-json.ts';
import { type Identified, type Identity, unidentified } from './identity.ts';
import { createIntrospection } from './introspection.ts';
import { followKeys } from './keys.ts';

export interface VerifierOptions {
  /** POSTERN_PUBLIC_URL of the Postern that is trusted, and where it is asked unless there is an `endpoint`. */
  readonly issuer: string;
  /**
   * Where Postern is asked, if it has another address on the inside than its issuer, such as `http://postern:4000`. It may
   * be plain http: the secret of the service and the keys then travel as they are.
   */
  readonly endpoint?: string;
  /** POSTERN_ACCESS_TOKEN_AUDIENCE, unless that is the issuer. */
  readonly audience?: string;
  /** An entry of POSTERN_SERVICES. Without one only JWTs recognise anybody. */
  readonly service?: ServiceCredential;
  /** Milliseconds that Postern's word on a token is good for: 5 s, unless said otherwise. */
  readonly introspectionCache?: number;
  /** Whether Postern is asked about JWTs too, so that they end with their session. Needs `service`. */
  readonly checkRevocation?: boolean;
  /**
   * Told whenever nobody can be recognised because Postern does not answer, or does not take this service's word: adapters
   * tell their clients no more than 503. By default a warning of the process, at most once a minute.
   */
  readonly onUnavailable?: (error: VerifierUnavailable) => void;
  /** The time; for tests. */
  readonly clock?: () => Date;
}

/** Says who somebody is by what they show. */
export interface Verifier {
  /**
   * @param token a session token or a JWT, as a client shows it; null for none
   * @throws VerifierUnavailable if Postern has to be asked and does not answer
   */
  verify(token: string | null | undefined): Promise<Identity>;
}

const WARN_EVERY_MS = 60_000;
const MAX_REMEMBERED = 20_000;
const MAX_REMEMBERED_BYTES = 16 * 2 ** 20;
const MAX_ENDED = 20_000;
/** No JWT lasts longer than a quarter of an hour. */
const ENDED_FOR_MS = 16 * 60_000;
/** Three parts in base64url (RFC 7515 §7.1), short enough for a token of Postern. */
const JWT = /^(?=.{1,8192}$)[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/**
 * Makes a verifier; one for the whole process, since it remembers. JWTs are checked here, by the keys that the issuer
 * publishes; session tokens by asking it. Nothing is sent anywhere that does not have the form of a token of Postern.
 * @throws TypeError for options that do not fit
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const { issuer, endpoint, audience, service, introspectionCache: keep } = checked(options);
  const onUnavailable = options.onUnavailable ?? atMostEvery(WARN_EVERY_MS, warn);
  const now = options.clock ?? (() => new Date());
  const clock = () => now().getTime();
  const keys = followKeys(`${endpoint}/.well-known/jwks.json`, clock);
  const expected = { issuer, audience };
  const introspect = service
    ? createIntrospection({ url: `${endpoint}/introspect`, service, expected, keep, clock })
    : null;
  const verified = new LRUCache<string, { claims: AccessTokenClaims; version: number }>({
    max: MAX_REMEMBERED,
    maxSize: MAX_REMEMBERED_BYTES,
  });
  // Sessions of which a credential has ended. It may have been replaced and the session go on, so Postern is asked about
  // their JWTs as long as one from before can last.
  const ended = new LRUCache<string, true>({ max: MAX_ENDED, ttl: ENDED_FOR_MS });

  /** Checks the signature once, the time and the keys each time. */
  async function claimsOf(token: string, digest: string): Promise<AccessTokenClaims | 'expired' | 'invalid'> {
    const version = await keys.version();
    const known = verified.get(digest);
    if (known?.version === version) return isOver(known.claims.exp, clock()) ? 'expired' : known.claims;
    const claims = await verifyAccessToken(token, {
      expectedIssuer: issuer,
      expectedAudience: audience,
      now: now(),
      keyFor: keys.find,
    });
    if (typeof claims !== 'string') verified.set(digest, { claims, version }, { size: token.length });
    return claims;
  }

  async function verifyJwt(token: string, digest: string): Promise<Identity> {
    const claims = await claimsOf(token, digest);
    if (claims === 'expired') return unidentified('EXPIRED');
    if (claims === 'invalid') return unidentified('INVALID_CREDENTIAL');
    if (!introspect || (!options.checkRevocation && !ended.has(claims.sid))) return identified(claims);
    const { identity } = await introspect(token, digest);
    if (!identity) {
      ended.set(claims.sid, true);
      return unidentified('REVOKED');
    }
    const isSame = identity.userId === claims.sub && identity.sessionId === claims.sid;
    return isSame ? identity : unidentified('INVALID_CREDENTIAL');
  }

  async function verifySessionToken(token: string, digest: string): Promise<Identity> {
    if (!introspect) return unidentified('INVALID_CREDENTIAL');
    const { identity, before } = await introspect(token, digest);
    if (!identity) {
      if (!before) return unidentified('INVALID_CREDENTIAL');
      ended.set(before.sessionId, true);
      return unidentified(isOver(toSeconds(before.expiresAt), clock()) ? 'EXPIRED' : 'REVOKED');
    }
    return isOver(toSeconds(identity.expiresAt), clock()) ? unidentified('EXPIRED') : identity;
  }

  /** Whatever the listener does, callers learn what happened. */
  function tell(error: VerifierUnavailable): void {
    try {
      onUnavailable(error);
    } catch (fault) {
      warn(fault as Error);
    }
  }

  async function verify(token: string): Promise<Identity> {
    if (isToken('session', token)) return verifySessionToken(token, digestOf(token));
    if (JWT.test(token)) return verifyJwt(token, digestOf(token));
    return unidentified('INVALID_CREDENTIAL');
  }

  return {
    async verify(token) {
      if (token === null || token === undefined || token === '') return unidentified('NO_CREDENTIAL');
      if (typeof token !== 'string') return unidentified('INVALID_CREDENTIAL');
      try {
        return await verify(token);
      } catch (error) {
        if (error instanceof VerifierUnavailable) tell(error);
        throw error;
      }
    },
  };
}

function warn({ message }: Error): void {
  process.emitWarning(message, 'PosternUnavailable');
}

/** Options that fit, complete. */
function checked(options: VerifierOptions) {
  const { issuer, endpoint, audience, service, introspectionCache = 5_000, checkRevocation } = options;
  if (!isSafeUrl(issuer)) throw new TypeError('issuer is no https URL, nor one of this machine');
  if (endpoint !== undefined && !isWebUrl(endpoint)) throw new TypeError('endpoint is no URL');
  if (audience === '') throw new TypeError('audience is empty');
  if (service && !parseServiceCredential(`${service.id}:${service.secret}`))
    throw new TypeError('service is no entry of POSTERN_SERVICES');
  if (checkRevocation && !service) throw new TypeError('checkRevocation needs a service that may ask');
  if (!(introspectionCache >= 0)) throw new TypeError('introspectionCache is no number of milliseconds');
  const withoutSlash = (url: string) => url.replace(/\/+$/, '');
  const url = withoutSlash(issuer);
  return {
    issuer: url,
    endpoint: withoutSlash(endpoint ?? issuer),
    audience: audience ?? url,
    service,
    introspectionCache,
  };
}

// Keys and secrets travel there.
function isSafeUrl(url: string): boolean {
  if (!isWebUrl(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

function isWebUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, username, search, hash } = new URL(url);
  return ['http:', 'https:'].includes(protocol) && !username && !search && !hash;
}

function identified({ sub, sid, exp, auth_time, amr, iss, aud, jti, iat, ...claims }: AccessTokenClaims): Identified {
  return {
    kind: 'Identified',
    userId: sub,
    sessionId: sid,
    roles: null,
    methods: amr,
    authenticatedAt: new Date(auth_time * 1000),
    expiresAt: new Date(exp * 1000),
    claims,
  };
}

function isOver(exp: number, now: number): boolean {
  return (exp + CLOCK_LEEWAY_SECONDS) * 1000 <= now;
}

function toSeconds(instant: Date): number {
  return instant.getTime() / 1000;
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
