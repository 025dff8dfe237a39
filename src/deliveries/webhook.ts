import type { AnnouncedEvent, EventKind } from '../events.ts';
import { postWebhook } from '../infra/webhook-client.ts';
import type { WebhookEndpoint } from './settings.ts';
import type { Subscriber, Told } from './subscriber.ts';

/** However long a server asks to be left alone, it is asked again after a day. */
const MAX_PAUSE_MS = 24 * 3_600_000;

/** A webhook as a subscriber. */
export function webhookSubscriber({ id, url, secrets, kinds }: WebhookEndpoint, clock: () => Date): Subscriber {
  return {
    id,
    kinds,
    async tell(event, signal) {
      const message = { id: messageId(event), body: JSON.stringify(payloadOf(event)), now: clock() };
      return toldBy(await postWebhook({ url, secrets }, message, signal));
    },
  };
}

function messageId({ id }: AnnouncedEvent): string {
  return `evt_${id}`;
}

/** What a webhook is told, in the form that Standard Webhooks recommend. */
interface Payload {
  readonly type: EventKind;
  /** When it happened. */
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
}

function payloadOf({ kind, at, ...data }: AnnouncedEvent): Payload {
  return { type: kind, timestamp: at.toISOString(), data };
}

function toldBy(answer: Awaited<ReturnType<typeof postWebhook>>): Told {
  if (answer.status === null) return { kind: 'Failed', status: null, error: answer.error };
  const { status, retryAfterMs } = answer;
  if (status >= 200 && status < 300) return { kind: 'Delivered', status };
  if (status === 410) return { kind: 'Gone', status };
  const failed = { kind: 'Failed', status, error: status >= 300 && status < 400 ? 'it redirects' : 'refused' } as const;
  const asksForPause = retryAfterMs !== null && (status === 429 || status === 503);
  return asksForPause ? { ...failed, pauseMs: Math.min(retryAfterMs, MAX_PAUSE_MS) } : failed;
}
