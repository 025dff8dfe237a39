import { parseRetryAfter } from '../lib/retry-after.ts';
import { signWebhook } from '../lib/webhook-signature.ts';

/** Where a message goes. */
export interface WebhookTarget {
  readonly url: string;
  readonly secrets: readonly Buffer[];
}

/** What came back: a status, or why there is none. */
export type WebhookAnswer =
  | { readonly status: number; readonly retryAfterMs: number | null }
  | { readonly status: null; readonly error: string };

/**
 * Posts a signed message (Standard Webhooks). Follows no redirect: it is for this server only. Of the answer nothing is
 * read but its head, so it may be as long as it likes.
 * @param id the same for each attempt, so that the receiver knows what it has already
 * @param signal ends the attempt, whatever it waits for
 */
export async function postWebhook(
  { url, secrets }: WebhookTarget,
  { id, body, now }: { readonly id: string; readonly body: string; readonly now: Date },
  signal: AbortSignal,
): Promise<WebhookAnswer> {
  const timestamp = Math.floor(now.getTime() / 1_000);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'postern',
        'webhook-id': id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': signWebhook(secrets, { id, timestamp, body }),
      },
      body,
      redirect: 'manual',
      signal,
    });
    await response.body?.cancel();
    return { status: response.status, retryAfterMs: parseRetryAfter(response.headers.get('retry-after'), now) };
  } catch (error) {
    return { status: null, error: inAWord(error) };
  }
}

// Without the message, which may have the URL in it.
function inAWord(error: unknown): string {
  const { name, cause } = error as Error & { cause?: { code?: unknown } };
  return typeof cause?.code === 'string' ? cause.code : name;
}
