import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

/** A key derived from one of the operator's secrets, with a short id that tells which secret it came from. */
export interface DerivedKey {
  readonly id: string;
  readonly key: Buffer;
}

/**
 * Derives a 256-bit key for one purpose from each secret (HKDF-SHA-256, RFC 5869), in the order of the secrets: the
 * first is the current one. The id is a digest of the key, so it reveals neither the key nor the secret.
 */
export function deriveKeys(secrets: readonly string[], purpose: string): DerivedKey[] {
  return secrets.map((secret) => {
    const key = Buffer.from(hkdfSync('sha256', secret, 'postern', purpose, 32));
    return { id: createHash('sha256').update(key).digest('hex').slice(0, 8), key };
  });
}

/** Seals small secrets at rest: AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D). */
export interface Cipher {
  /** @param context what the secret belongs to; only {@link Cipher.open} with the same context gives it back */
  seal(plain: string, context: string): string;
  /** @returns null when no key of the ring opens it, or it was tampered with or moved to another context */
  open(sealed: string, context: string): string | null;
  /** Whether this was sealed with the first secret of the ring. */
  isCurrent(sealed: string): boolean;
  /** Whether there are older secrets, with which something may still be sealed. */
  readonly hasOlder: boolean;
}

/** A cipher over a ring of secrets: the first seals, all of them open. */
export function createCipher(secrets: readonly string[]): Cipher {
  const ring = deriveKeys(secrets, 'seal');
  const [current] = ring;
  if (!current) throw new Error('a cipher needs at least one secret');

  return {
    hasOlder: ring.length > 1,
    seal(plain, context) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', current.key, nonce).setAAD(Buffer.from(context));
      const sealed = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `v1.${current.id}.${sealed.toString('base64url')}`;
    },
    isCurrent: (sealed) => sealed.startsWith(`v1.${current.id}.`),
    open(sealed, context) {
      const [version, id, body, ...rest] = sealed.split('.');
      const entry = ring.find((candidate) => candidate.id === id);
      if (version !== 'v1' || !entry || !body || rest.length > 0) return null;
      const bytes = Buffer.from(body, 'base64url');
      // The decoder skips what it does not know: only the spelling that `seal` wrote is taken.
      if (bytes.length < 28 || bytes.toString('base64url') !== body) return null;
      try {
        const decipher = createDecipheriv('aes-256-gcm', entry.key, bytes.subarray(0, 12), { authTagLength: 16 })
          .setAAD(Buffer.from(context))
          .setAuthTag(bytes.subarray(-16));
        return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8');
      } catch {
        return null;
      }
    },
  };
}
