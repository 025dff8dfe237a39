import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { newAddress } from './gateway.ts';
import type { Held } from './people.ts';

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
}

/** Opens a socket with graphql-ws's own client. It does not come back by itself. */
export function connectLive(url: string, { token, headers = {} }: LiveOptions): LiveClient {
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
    lazyCloseTimeout: 60_000,
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

/** A socket of which the test says every word. */
export interface RawSocket {
  readonly socket: WebSocket;
  readonly messages: Record<string, unknown>[];
  say(message: unknown): void;
  /** Waits for a message of this type. */
  hear(type: string): Promise<Record<string, unknown>>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

/** Opens a socket and says nothing yet. Fails with the status if the upgrade is refused. */
export async function openRaw(
  url: string,
  {
    headers = {},
    protocol = 'graphql-transport-ws',
    autoPong = true,
  }: { headers?: Record<string, string>; protocol?: string; autoPong?: boolean } = {},
): Promise<RawSocket> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/graphql`, protocol, {
    autoPong,
    headers: { 'x-forwarded-for': newAddress(), ...headers },
  });
  const messages: Record<string, unknown>[] = [];
  const waiting = new Set<() => void>();
  socket.on('message', (data) => {
    messages.push(JSON.parse(String(data)));
    for (const wake of [...waiting]) wake();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
  });
  await new Promise<void>((resolve, reject) => {
    socket.on('open', resolve);
    socket.on('error', reject);
  });
  return {
    socket,
    messages,
    say: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    async hear(type) {
      for (;;) {
        const found = messages.find((message) => message.type === type);
        if (found) return found;
        await new Promise<void>((resolve) => {
          const wake = () => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      }
    },
    closed,
  };
}

/** The id of the last event of a person: whoever follows from there misses nothing. */
export async function lastEventId({ client }: Held): Promise<string> {
  const { result } = await client.send(
    'query Last { currentUser { __typename ... on User { securityEvents(first: 1) { endCursor } } } }',
  );
  return (result as unknown as { securityEvents: { endCursor: string } }).securityEvents.endCursor;
}

export const SESSION_EVENTS = `subscription Events($after: ID) {
  sessionEvents(after: $after) {
    __typename
    id
    at
    ... on SessionStarted { session { id current credential } }
    ... on SessionEnded { sessionId reason }
    ... on SessionElevated { session { id current } }
    ... on AccountChanged { change user { id name displayName hasMfa } }
  }
}`;
export const WATCH_SESSION = `subscription Watch {
  currentSession {
    __typename
    ... on Session { id current expiresAt credential methods { method } freshUntil }
    ... on Unauthenticated { reason }
  }
}`;
export const REVOKE_SESSION = `mutation Revoke($input: RevokeSessionInput!) {
  revokeSession(input: $input) {
    __typename ... on SessionRevoked { id } ... on Unauthenticated { reason } ... on ReauthenticationRequired { methods }
  }
}`;
export const REVOKE_OTHER_SESSIONS = `mutation RevokeOthers {
  revokeOtherSessions {
    __typename ... on SessionsRevoked { count } ... on Unauthenticated { reason } ... on ReauthenticationRequired { methods }
  }
}`;
export const RENEW_CONNECTION = `mutation Renew($input: RenewConnectionInput!) {
  renewConnection(input: $input) {
    __typename ... on ConnectionRenewed { session { id } } ... on Unauthenticated { reason } ... on RateLimited { retryAfter }
  }
}`;
