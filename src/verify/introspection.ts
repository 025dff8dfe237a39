import { LRUCache } from 'lru-cache';
import type { ServiceCredential } from '../lib/service-credential.ts';
import { writeBasicAuthorization } from '../lib/service-credential.ts';
import { fetchJson, VerifierUnavailable } from './fetch-json.ts';
import type { Identified } from './identity.ts';

/** What Postern says of a token. */
export interface Introspected {
  /** Null for a token that is not active. */
  readonly identity: Identified | null;
  /** Whom it recognised when it was, if that was seen here. */
  readonly before: Identified | null;
}

interface Entry extends Introspected {
  readonly until: number;
  readonly size: number;
}

export interface IntrospectionOptions {
  readonly url: string;
  readonly service: ServiceCredential;
  /** What answers are held to, as tokens are. */
  readonly expected: { readonly issuer: string; readonly audience: string };
  /** Milliseconds that an answer is good for. */
  readonly keep: number;
  readonly clock: () => number;
}

const MAX_REMEMBERED = 20_000;
const MAX_REMEMBERED_BYTES = 16 * 2 ** 20;
/** What is nobody now may be somebody soon: a token is shown as soon as it is there. */
const KEEP_NOBODY_MS = 1_000;
/** Beyond so many at once, strangers' tokens would only queue up. */
const MAX_ASKED_AT_ONCE = 1_000;

/**
 * Asks Postern whose tokens are (RFC 7662), and remembers the answers for a moment. However many ask for one token at
 * once, Postern is asked once.
 * @returns a function of a token and its digest, under which it is remembered; it throws VerifierUnavailable
 */
export function createIntrospection(options: IntrospectionOptions) {
  const { url, service, keep, clock } = options;
  const entries = new LRUCache<string, Entry>({
    max: MAX_REMEMBERED,
    maxSize: MAX_REMEMBERED_BYTES,
    sizeCalculation: ({ size }) => size,
  });
  const asked = new Map<string, Promise<Introspected>>();
  const headers = { authorization: writeBasicAuthorization(service) };

  async function ask(token: string, digest: string): Promise<Introspected> {
    const begun = clock();
    const { text, value } = await fetchJson(url, { method: 'POST', headers, body: new URLSearchParams({ token }) });
    const identity = readAnswer(value, options.expected);
    const known = entries.get(digest);
    const entry = {
      identity,
      before: known?.identity ?? known?.before ?? null,
      until: begun + (identity ? keep : Math.min(keep, KEEP_NOBODY_MS)),
      size: text.length + 200,
    };
    entries.set(digest, entry);
    return entry;
  }

  return (token: string, digest: string): Promise<Introspected> => {
    const known = entries.get(digest);
    if (known && clock() < known.until && known.until - clock() <= keep) return Promise.resolve(known);
    const running = asked.get(digest);
    if (running) return running;
    if (asked.size >= MAX_ASKED_AT_ONCE) {
      return Promise.reject(new VerifierUnavailable('too many tokens are asked about at once'));
    }
    const answer = ask(token, digest).finally(() => asked.delete(digest));
    asked.set(digest, answer);
    return answer;
  };
}

/** @throws VerifierUnavailable for what is no answer of this Postern */
function readAnswer(answer: unknown, expected: { issuer: string; audience: string }): Identified | null {
  const { active, ...claims } = (answer ?? {}) as Record<string, unknown>;
  if (active === false) return null;
  const { sub, sid, iss, aud, iat, exp, auth_time, amr, token_type, roles, ...extra } = claims;
  const fits =
    active === true &&
    iss === expected.issuer &&
    aud === expected.audience &&
    isText(sub) &&
    isText(sid) &&
    [iat, exp, auth_time].every(Number.isSafeInteger) &&
    isTexts(amr) &&
    token_type === 'Bearer' &&
    isTexts(roles);
  if (!fits) throw new VerifierUnavailable('the answer about a token is not of the issuer, or for another audience');
  return {
    kind: 'Identified',
    userId: sub,
    sessionId: sid,
    roles,
    methods: amr,
    authenticatedAt: new Date((auth_time as number) * 1000),
    expiresAt: new Date((exp as number) * 1000),
    claims: extra,
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}
