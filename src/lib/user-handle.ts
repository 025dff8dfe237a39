/**
 * What names a person to their passkeys (WebAuthn Level 3 §14.6.1): the sixteen bytes of their id, which tell nothing of
 * them.
 * @param id a UUID
 */
export function handleOf(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}
