import { createHmac } from 'node:crypto';

/** Bytes that the secret of a webhook has at least and at most (Standard Webhooks, "Signature scheme"). */
const SECRET_BYTES = { min: 24, max: 64 };

/**
 * Reads a secret as Standard Webhooks write it: `whsec_` and 24 to 64 bytes in base64.
 * @returns null for anything else
 */
export function parseWebhookSecret(text: string): Buffer | null {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  if (encoded === undefined) return null;
  const secret = Buffer.from(encoded, 'base64');
  const canonical = secret.toString('base64');
  const isCanonical = encoded === canonical || encoded === canonical.replace(/=+$/, '');
  return isCanonical && secret.length >= SECRET_BYTES.min && secret.length <= SECRET_BYTES.max ? secret : null;
}

/**
 * Signs a message as Standard Webhooks do: HMAC-SHA-256 over `id.timestamp.body`, once for each secret, so that a
 * receiver finds one that it knows while they are rotated.
 * @param timestamp of the attempt, in seconds
 * @returns the value of `webhook-signature`
 */
export function signWebhook(
  secrets: readonly Buffer[],
  { id, timestamp, body }: { readonly id: string; readonly timestamp: number; readonly body: string },
): string {
  const signed = `${id}.${timestamp}.${body}`;
  return secrets.map((secret) => `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`).join(' ');
}
