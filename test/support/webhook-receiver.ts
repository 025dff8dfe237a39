import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';

/** A message as its receiver sees it. */
export interface ReceivedWebhook {
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly type: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a receiver answers; a function answers by itself. */
export type WebhookReply = number | ((response: ServerResponse, message: ReceivedWebhook) => void);

/** Somebody's server that takes webhooks. */
export interface WebhookReceiver {
  readonly url: string;
  readonly secret: string;
  /** All that came, in the order in which it came, whatever was answered. */
  readonly received: readonly ReceivedWebhook[];
  /** Answers like that from now on. */
  reply(reply: (message: ReceivedWebhook) => WebhookReply): void;
  /** What came about a person. */
  of(userId: string): readonly ReceivedWebhook[];
  /** Waits until something is there. */
  until<R>(look: () => R | undefined | false): Promise<R>;
  close(): Promise<void>;
}

export const WEBHOOK_SECRET = `whsec_${Buffer.from('a secret that webhooks are signed by').toString('base64')}`;

/** Starts a server that takes everything with 204 until it is told otherwise. */
export async function startReceiver(secret = WEBHOOK_SECRET): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = [];
  let answer: (message: ReceivedWebhook) => WebhookReply = () => 204;
  const server = createServer(async (request, response) => {
    const message = await readMessage(request);
    received.push(message);
    const reply = answer(message);
    if (typeof reply === 'number') response.writeHead(reply).end();
    else reply(response, message);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    secret,
    received,
    reply(reply) {
      answer = reply;
    },
    of: (userId) => received.filter(({ data }) => data.userId === userId),
    async until(look) {
      for (const end = performance.now() + 20_000; performance.now() < end; await pause(10)) {
        const found = look();
        if (found !== undefined && found !== false) return found;
      }
      throw new Error(`it did not come; there is ${received.map(({ type }) => type).join(', ')}`);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function readMessage(request: IncomingMessage): Promise<ReceivedWebhook> {
  let body = '';
  for await (const chunk of request) body += chunk;
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  return { id: headers['webhook-id'] ?? '', headers, body, ...JSON.parse(body) };
}

/** Checks a message as its receiver would, by the package of the standard. Throws if it is not signed with the secret. */
export function verify({ body, headers }: ReceivedWebhook, secret: string): unknown {
  return new Webhook(secret).verify(body, headers);
}
