import type { JWK } from 'jose';
import { ACCESS_TOKEN_ALGORITHMS, importKey, type VerifyingKey } from '../lib/access-token.ts';
import { fetchJson, VerifierUnavailable } from './fetch-json.ts';

/** The signing keys of Postern, as it publishes them. */
export interface PublishedKeys {
  /** Looks a key up; an unknown one may be new, so it is asked for. */
  find(kid: string): Promise<VerifyingKey | null>;
  /** Names the set of keys that is good now: another one, another name. What a lost key has signed is good no more. */
  version(): Promise<number>;
}

/** A key that is gone is taken for so long at most, as the headers of the page say. */
const KEEP_MS = 300_000;
/** From then on the page is read anew beside the work, so that nothing waits for it. */
const READ_AHEAD_MS = KEEP_MS / 2;
/** Unknown keys make the page be read anew at most this often: tokens of strangers name any. */
const ASK_AGAIN_MS = 5_000;
const RETRY_MS = 1_000;
/** RFC 7638: what the id of a key of ours looks like. */
const KEY_ID = /^[A-Za-z0-9_-]{43}$/;

/**
 * Follows the keys of a page (RFC 7517 §5). However many ask at once, it is read once.
 * @param clock milliseconds since the epoch
 */
export function followKeys(url: string, clock: () => number): PublishedKeys {
  let keys: ReadonlyMap<string, VerifyingKey> = new Map();
  let [version, text] = [0, ''];
  let readAt = Number.NEGATIVE_INFINITY;
  let triedAt = Number.NEGATIVE_INFINITY;
  let failure: VerifierUnavailable | null = null;
  let reading: Promise<void> | null = null;

  // A clock that was set back makes everything old, not young for ever.
  const isWithin = (instant: number, span: number) => clock() >= instant && clock() - instant < span;
  const mayAsk = () => !isWithin(triedAt, failure ? RETRY_MS : ASK_AGAIN_MS);

  async function read(): Promise<void> {
    const begun = clock();
    triedAt = begun;
    try {
      const answer = await fetchJson(url);
      if (answer.text !== text) {
        keys = await keysOf(answer.value);
        text = answer.text;
        version += 1;
      }
      readAt = begun;
      failure = null;
    } catch (error) {
      failure = error instanceof VerifierUnavailable ? error : new VerifierUnavailable('the keys cannot be read');
      throw failure;
    }
  }

  function readOnce(): Promise<void> {
    reading ??= read().finally(() => {
      reading = null;
    });
    return reading;
  }

  /** Reads the page if that may be done now. */
  async function ask(): Promise<void> {
    if (reading || mayAsk()) return readOnce();
    if (failure) throw failure;
  }

  async function keepFresh(): Promise<void> {
    if (!isWithin(readAt, KEEP_MS)) return ask();
    if (!isWithin(readAt, READ_AHEAD_MS) && mayAsk()) readOnce().catch(() => undefined);
  }

  return {
    async find(kid) {
      if (!KEY_ID.test(kid)) return null;
      await keepFresh();
      if (!keys.has(kid)) await ask();
      return keys.get(kid) ?? null;
    },
    async version() {
      await keepFresh();
      return version;
    },
  };
}

/** What can be used of a page: public keys that sign, each for an algorithm of ours. */
async function keysOf(page: unknown): Promise<ReadonlyMap<string, VerifyingKey>> {
  const { keys } = (page ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new VerifierUnavailable('the page of keys is none');
  const ready = await Promise.all(keys.map((jwk) => readyKey(jwk).catch(() => null)));
  return new Map(ready.filter((entry) => entry !== null));
}

async function readyKey(jwk: JWK): Promise<readonly [string, VerifyingKey] | null> {
  const algorithm = ACCESS_TOKEN_ALGORITHMS.find((known) => known === jwk.alg);
  if (!algorithm || !jwk.kid || jwk.use !== 'sig' || jwk.kty === 'oct') return null;
  return [jwk.kid, { algorithm, publicKey: await importKey(jwk, algorithm) }];
}
