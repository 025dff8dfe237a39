import type { JWK } from 'jose';
import { type AccessTokenAlgorithm, importKey } from '../lib/access-token.ts';

type ImportedKey = Awaited<ReturnType<typeof importKey>>;

/** A signing key as it is kept, with its private half opened. */
export interface StoredKey {
  readonly kid: string;
  readonly algorithm: AccessTokenAlgorithm;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
  readonly signsAt: Date;
}

interface Key {
  readonly kid: string;
  readonly algorithm: AccessTokenAlgorithm;
  readonly publicJwk: JWK;
  readonly publicKey: ImportedKey;
  readonly privateKey: ImportedKey;
  readonly signsAt: Date;
}

/** The signing keys, ready for use. Every instance chooses the same one, because only stored instants decide. */
export interface KeyRing {
  /** The newest key whose time to sign has come; the oldest, if this clock is behind the one that made it. */
  current(now: Date): Key;
  find(kid: string): Key | null;
  /** The public halves (RFC 7517 §5). */
  publicKeys(): readonly JWK[];
  /** Reads the keys again. True if they are others than before. */
  reload(): Promise<boolean>;
}

/** Loads the keys; {@link KeyRing.reload} follows later changes. */
export async function createKeyRing(load: () => Promise<readonly StoredKey[]>): Promise<KeyRing> {
  let keys = new Map<string, Key>();
  let last: Promise<unknown> = Promise.resolve();

  async function read(): Promise<boolean> {
    const stored = await load();
    const before = keys;
    keys = new Map(
      await Promise.all(
        stored.map(async (key) => {
          const { publicKey, privateKey } = before.get(key.kid) ?? (await ready(key));
          const { kid, algorithm, publicJwk, signsAt } = key;
          return [kid, { kid, algorithm, publicJwk, signsAt, publicKey, privateKey }] as const;
        }),
      ),
    );
    return keys.size !== before.size || stored.some(({ kid }) => !before.has(kid));
  }

  // One after the other: of two at once, the one that read earlier must not have the last word.
  function reload(): Promise<boolean> {
    const turn = last.then(read);
    last = turn.catch(() => undefined);
    return turn;
  }

  await reload();
  return {
    current(now) {
      const all = [...keys.values()];
      const key = all.filter(({ signsAt }) => signsAt <= now).at(-1) ?? all[0];
      if (!key) throw new Error('there is no signing key');
      return key;
    },
    find: (kid) => keys.get(kid) ?? null,
    publicKeys: () => [...keys.values()].map(({ publicJwk }) => publicJwk),
    reload,
  };
}

async function ready({ publicJwk, privateJwk, algorithm }: StoredKey): Promise<Pick<Key, 'publicKey' | 'privateKey'>> {
  const [publicKey, privateKey] = await Promise.all([
    importKey(publicJwk, algorithm),
    importKey(privateJwk, algorithm),
  ]);
  return { publicKey, privateKey };
}
