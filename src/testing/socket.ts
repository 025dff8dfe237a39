import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { newAddress } from './addresses.ts';

/** A subscription that runs. */
export interface Following {
  /** All that came so far: the value of the first root field, or what came instead of data. */
  readonly values: Record<string, unknown>[];
  /** The next value; fails if there will be none. */
  next(): Promise<Record<string, unknown>>;
  /** Resolves at its end, with the errors it ended in, if any. */
  readonly ended: Promise<unknown>;
  stop(): void;
}

/** A client over one socket, as apps hold it. */
export interface LiveClient {
  follow(query: string, variables?: Record<string, unknown>): Following;
  /** A query or a mutation. */
  send(query: string, variables?: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** How the socket was closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  dispose(): void;
}

interface LiveOptions {
  readonly token?: string;
  readonly headers?: Record<string, string>;
  /** Milliseconds for which the socket stays when nothing runs over it. */
  readonly idle?: number;
}

/** Opens a socket with graphql-ws's own client. It does not come back by itself. */
export function connectLive(url: string, { token, headers = {}, idle = 60_000 }: LiveOptions): LiveClient {
  class Socket extends WebSocket {
    constructor(address: string, protocols: string | string[]) {
      super(address, protocols, { headers: { 'x-forwarded-for': newAddress(), ...headers } });
    }
  }
  let close: (event: { code: number; reason: string }) => void = () => undefined;
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    close = resolve;
  });
  const client = createClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: Socket,
    retryAttempts: 0,
    lazyCloseTimeout: idle,
    ...(token === undefined ? {} : { connectionParams: { token } }),
    on: { closed: (event) => close(event as { code: number; reason: string }) },
  });

  function follow(query: string, variables: Record<string, unknown> = {}): Following {
    const values: Record<string, unknown>[] = [];
    const waiting = new Set<() => void>();
    const notify = () => {
      for (const wake of [...waiting]) wake();
    };
    let taken = 0;
    let over = false;
    let stop: () => void = () => undefined;
    const ended = new Promise<unknown>((resolve) => {
      const finish = (error?: unknown) => {
        over = true;
        resolve(error);
        notify();
      };
      stop = client.subscribe<Record<string, Record<string, unknown>>>(
        { query, variables },
        {
          next: (result) => {
            const [value] = Object.values(result.data ?? {});
            values.push(value ?? (result as Record<string, unknown>));
            notify();
          },
          error: finish,
          complete: () => finish(),
        },
      );
    });
    return {
      values,
      ended,
      stop: () => stop(),
      async next() {
        while (taken >= values.length) {
          if (over) throw new Error('the subscription is over');
          await new Promise<void>((resolve) => {
            const wake = () => {
              waiting.delete(wake);
              resolve();
            };
            waiting.add(wake);
          });
        }
        taken += 1;
        return values[taken - 1] as Record<string, unknown>;
      },
    };
  }

  return {
    follow,
    async send(query, variables) {
      const following = follow(query, variables);
      return following.next();
    },
    closed,
    dispose: () => client.dispose(),
  };
}
