import type { Redis } from 'ioredis';

/** Somebody waits for every answer, and there is another way to get one. */
const ANSWER_WITHIN_MS = 200;
const CONNECT_WITHIN_MS = 2_000;
/** A server that says nothing for so long while it is asked, at the greeting too, is connected to anew. */
const SILENT_FOR_MS = 1_000;
const RECONNECT_EVERY_MS = 500;
const DISCONNECT_WITHIN_MS = 100;

/** A connection to Redis or Valkey that is either there or not: nothing waits in it for better times. */
export interface RedisConnection {
  readonly client: Redis;
  /**
   * Asks, if the server is there, and waits for a fifth of a second.
   * @returns null if it is away, failed, or did not answer in time; it may have done what it was asked all the same
   */
  ask<T>(question: () => Promise<T>): Promise<T | null>;
  close(): void;
}

/**
 * Connects to Redis and keeps connecting. A server that is down is no error: {@link RedisConnection.ask} says so.
 * @param options `onReady` is told of every new connection. `onLoss` is told once of each outage, and `onReturn` once of
 * its end, which is the first answer: a server that takes connections and answers nothing is still away.
 */
export async function connectRedis(options: {
  url: string;
  onReady?: (connection: RedisConnection) => void;
  onLoss: (error: Error) => void;
  onReturn: () => void;
}): Promise<RedisConnection> {
  // Loaded by those alone who use it: it is a tenth of a second of every start.
  const { Redis } = await import('ioredis');
  const client = new Redis(options.url, {
    lazyConnect: true,
    connectionName: 'postern',
    connectTimeout: CONNECT_WITHIN_MS,
    socketTimeout: SILENT_FOR_MS,
    disconnectTimeout: DISCONNECT_WITHIN_MS,
    retryStrategy: () => RECONNECT_EVERY_MS,
    // What was asked of a connection ends with it: it was counted elsewhere by then.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // Subscribing is for `onReady`, which does it for the first connection too.
    autoResubscribe: false,
    enableAutoPipelining: true,
  });
  let isUp = false;
  let isAway = false;
  let isClosed = false;

  function lose(error: Error): void {
    isUp = false;
    // Whatever is on its way is not waited for, and an answer that comes late must not be taken for one to come.
    if (client.status === 'ready' || client.status === 'connect') client.disconnect(true);
    if (isAway || isClosed) return;
    isAway = true;
    // What a server refuses carries the command, and that of the greeting has the password.
    Reflect.deleteProperty(error, 'command');
    options.onLoss(error);
  }

  const connection: RedisConnection = {
    client,
    async ask(question) {
      if (!isUp) return null;
      try {
        const answer = await inTime(question());
        if (isAway && isUp) {
          isAway = false;
          options.onReturn();
        }
        return answer;
      } catch (error) {
        if (isUp) lose(error as Error);
        return null;
      }
    },
    close() {
      isClosed = true;
      client.disconnect();
    },
  };

  client.on('error', lose);
  client.on('close', () => lose(new Error('the connection to Redis was closed')));
  client.on('ready', () => {
    isUp = true;
    options.onReady?.(connection);
  });
  // Told by the events, whichever way it ends.
  await client.connect().catch(() => undefined);
  return connection;
}

/** Waits for an answer for so long, and no longer. */
function inTime<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`Redis did not answer within ${ANSWER_WITHIN_MS} ms`));
    // Time may have passed because this process was held up: then the answer is here already, and is read first.
    const timer = setTimeout(() => setImmediate(late), ANSWER_WITHIN_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
