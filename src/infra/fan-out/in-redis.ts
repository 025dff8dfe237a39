import { isUuid } from '../../lib/uuid.ts';
import { type FanOut, gatherHints } from '../fan-out.ts';
import { connectRedis, type RedisConnection } from '../redis.ts';

const MAX_HINTS = 500;
const SIGN_OF_LIFE_EVERY_MS = 5_000;

/**
 * Fans hints out by the pub/sub of Redis, one channel for each of its databases. What comes from there is somebody
 * else's word: ids of the right form are handed on, a bounded number at a time, and nothing else is.
 * @param options `onHint` is told the id of each user that a message names; `onError` of the loss of Redis, once
 * an outage, and of what `onHint` throws; `onReturn` of the end of an outage; `otherwise` takes what Redis does not
 */
export async function openRedisFanOut(options: {
  url: string;
  onHint: (userId: string) => void;
  onError: (error: Error) => void;
  onReturn: () => void;
  otherwise: FanOut;
}): Promise<FanOut> {
  const away = new Set<'publisher' | 'subscriber'>();
  // There are two connections and one outage.
  const report = (who: 'publisher' | 'subscriber') => ({
    url: options.url,
    onLoss(error: Error) {
      if (away.size === 0) options.onError(error);
      away.add(who);
    },
    onReturn() {
      if (away.delete(who) && away.size === 0) options.onReturn();
    },
  });
  const publisher = await connectRedis({ ...report('publisher'), onReady: greet });
  const channel = `postern:hints:${publisher.client.options.db ?? 0}`;
  const subscriber = await connectRedis({
    ...report('subscriber'),
    onReady(connection) {
      void connection.ask(() => connection.client.subscribe(channel));
    },
  });
  subscriber.client.on('message', (_channel: string, payload: string) => {
    for (const userId of parseHints(payload)) tell(userId);
  });
  // Who only listens would not find out by itself that nothing comes any more.
  const signsOfLife = setInterval(() => [publisher, subscriber].forEach(greet), SIGN_OF_LIFE_EVERY_MS).unref();
  // Answered after what was asked before it: from here on it listens.
  await greet(subscriber);

  function tell(userId: string): void {
    try {
      options.onHint(userId);
    } catch (error) {
      options.onError(error as Error);
    }
  }

  const hints = gatherHints(async (userIds) => {
    const messages = Array.from({ length: Math.ceil(userIds.length / MAX_HINTS) }, (_, index) =>
      userIds.slice(index * MAX_HINTS, (index + 1) * MAX_HINTS),
    );
    await Promise.all(messages.map(send));
  });

  async function send(userIds: readonly string[]): Promise<void> {
    const heard = await publisher.ask(() => publisher.client.publish(channel, userIds.join(',')));
    if (heard === null) options.otherwise.publish(userIds);
  }

  return {
    publish: hints.add,
    async close() {
      clearInterval(signsOfLife);
      await hints.flush();
      await options.otherwise.close();
      publisher.close();
      subscriber.close();
    },
  };
}

async function greet({ ask, client }: RedisConnection): Promise<void> {
  await ask(() => client.ping());
}

function parseHints(payload: string): ReadonlySet<string> {
  // An id has 36 characters, and a comma after it.
  return new Set(payload.length > MAX_HINTS * 37 ? [] : payload.split(',').filter(isUuid));
}
