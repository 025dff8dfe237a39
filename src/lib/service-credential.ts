import { createHash, timingSafeEqual } from 'node:crypto';

/** What a service shows to ask about tokens. */
export interface ServiceCredential {
  readonly id: string;
  readonly secret: string;
}

const MIN_SECRET_BYTES = 32;

/** Reads a credential as settings write it, `id:secret`; null for any other text. */
export function parseServiceCredential(text: string): ServiceCredential | null {
  const [, id, secret] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63}):([\x21-\x7e]+)$/.exec(text) ?? [];
  return id && secret && Buffer.byteLength(secret) >= MIN_SECRET_BYTES ? { id, secret } : null;
}

/**
 * Reads an `Authorization: Basic` header as OAuth has clients write it: id and secret are form-urlencoded before they
 * are joined (RFC 6749 §2.3.1).
 * @returns null for any other header
 */
export function readBasicAuthorization(header: string): ServiceCredential | null {
  const [, encoded] = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header) ?? [];
  const [id, ...rest] = Buffer.from(encoded ?? '', 'base64')
    .toString('utf8')
    .split(':');
  if (!id || rest.length === 0) return null;
  try {
    return { id: formDecoded(id), secret: formDecoded(rest.join(':')) };
  } catch {
    return null;
  }
}

/** Writes such a header. */
export function writeBasicAuthorization({ id, secret }: ServiceCredential): string {
  const formEncoded = (text: string) => encodeURIComponent(text).replaceAll('%20', '+');
  return `Basic ${Buffer.from(`${formEncoded(id)}:${formEncoded(secret)}`).toString('base64')}`;
}

/** Whether somebody is one of the services. Every entry is compared, by digest, so that time tells nothing of any. */
export function createServiceCheck(services: readonly ServiceCredential[]): (shown: ServiceCredential) => boolean {
  const known = services.map(({ id, secret }) => ({ id, digest: digestOf(secret) }));
  return (shown) => {
    const digest = digestOf(shown.secret);
    return known.map((one) => timingSafeEqual(one.digest, digest) && one.id === shown.id).includes(true);
  };
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

// Throws for what is no percent-encoding.
function formDecoded(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}
