import WebSocket from 'ws';
import { newAddress } from './gateway.ts';
import type { Held } from './people.ts';

export { connectLive, type Following, type LiveClient } from '../../src/testing/socket.ts';

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
export async function lastEventId({ client }: Pick<Held, 'client'>): Promise<string> {
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
