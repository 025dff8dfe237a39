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
  /** The newest key whose time to sign has come. */
  current(now: Date): Key;
  find(kid: string): Key | null;
  /** The public halves (RFC 7517 §5). */
  publicKeys(): readonly JWK[];
  /** Reads the keys again. */
  reload(): Promise<void>;
}

/** Loads the keys; {@link KeyRing.reload} follows later changes. */
export async function createKeyRing(load: () => Promise<readonly StoredKey[]>): Promise<KeyRing> {
  let keys = new Map<string, Key>();

  async function reload(): Promise<void> {
    const stored = await load();
    keys = new Map(
      await Promise.all(stored.map(async (key) => [key.kid, keys.get(key.kid) ?? (await ready(key))] as const)),
    );
  }

  await reload();
  return {
    current(now) {
      const due = [...keys.values()].filter(({ signsAt }) => signsAt <= now);
      const key = due.at(-1);
      if (!key) throw new Error('no signing key is due yet');
      return key;
    },
    find: (kid) => keys.get(kid) ?? null,
    publicKeys: () => [...keys.values()].map(({ publicJwk }) => publicJwk),
    reload,
  };
}

async function ready({ privateJwk, ...key }: StoredKey): Promise<Key> {
  const [publicKey, privateKey] = await Promise.all([
    importKey(key.publicJwk, key.algorithm),
    importKey(privateJwk, key.algorithm),
  ]);
  return { ...key, publicKey, privateKey };
}
