import type { ServerResponse } from 'node:http';
import type { App } from '../app.ts';
import type { PresentedCredential } from '../flows/shared/authenticate.ts';
import { openConnection } from '../flows/shared/connection.ts';
import type { Caller } from '../flows/shared/outcomes.ts';
import { NO_COOKIES } from '../graphql/context.ts';
import type { GraphQLBody, GraphQLServer, Operation, Told } from '../graphql/server.ts';
import type { Stream } from '../lib/abortable.ts';
import { addressKey } from '../lib/client-address.ts';
import type { Caps } from './caps.ts';
import { type Exchange, type Head, sendJson } from './reply.ts';

/** A sign of life for proxies, which cut what is silent; by it we notice a client that is gone. */
const HEARTBEAT_MS = 12_000;
/** A client that takes nothing for so long is given up. */
const STUCK_MS = 20_000;
/** The last things that are told once there is nobody behind it any more have so long. */
const LAST_WORDS_MS = 500;

/** Answers subscriptions with server-sent events. */
export interface EventStreams {
  answer(exchange: Exchange, asked: Asked): Promise<void>;
  /** Breaks off those that are open: their clients come back elsewhere. */
  close(): void;
}

interface Asked {
  readonly operation: Operation;
  readonly credential: PresentedCredential | null;
  readonly client: Caller['client'];
}

export function createEventStreams(app: App, graphql: GraphQLServer, caps: Caps): EventStreams {
  const open = new Set<ServerResponse>();

  async function answer({ request, response, requestId, head, liftDeadline }: Exchange, asked: Asked): Promise<void> {
    const { operation, credential, client } = asked;
    const refuse = () =>
      sendJson(response, 429, [...head, 'Retry-After', '10'], {
        errors: [{ message: 'There are too many open already.', extensions: { code: 'LIMIT_EXCEEDED' } }],
      });
    const onOver = () => setTimeout(() => response.destroy(), LAST_WORDS_MS).unref();
    const leaveAddress = caps.enter('connectionsPerAddress', addressKey(client.ipAddress));
    if (!leaveAddress) return refuse();
    whenClosed(response, leaveAddress);
    const opened = await openConnection(app, credential, client, onOver);
    const connection = 'kind' in opened ? null : opened;
    const viewer = 'kind' in opened ? ({ kind: 'anonymous', reason: opened.reason } as const) : opened.viewer;
    if (connection) {
      whenClosed(response, connection.close);
      const leaveAccount = caps.enter('connectionsPerAccount', connection.viewer.user.id);
      if (!leaveAccount) return refuse();
      whenClosed(response, leaveAccount);
    }
    const stream = await graphql.subscribe(operation, {
      app,
      requestId,
      caller: { viewer, client, trustedDeviceToken: null },
      answer: NO_COOKIES,
      connection,
      // What a browser says that reconnects by itself, with the URL that it began with.
      lastEventId: request.headers['last-event-id']?.toString() || null,
      signal: null,
    });
    if ('status' in stream) return sendJson(response, stream.status, head, stream.body);
    liftDeadline();
    open.add(response);
    whenClosed(response, () => open.delete(response));
    await send(response, head, stream);
  }

  return {
    answer,
    close() {
      for (const response of open) response.destroy();
    },
  };
}

/** Sends one result as an event stream, for clients that take nothing else. */
export function sendEvents(response: ServerResponse, head: Head, body: GraphQLBody): void {
  response.writeHead(200, headOf(head));
  response.end(`event: next\ndata: ${JSON.stringify(body)}\n\n${COMPLETE}`);
}

// With a line of data, although there is nothing to say: browsers do not hand on an event that has none.
const COMPLETE = 'event: complete\ndata:\n\n';

function headOf(head: Head): string[] {
  // Proxies that gather answers before they pass them on would keep everything.
  return [...head, 'Content-Type', 'text/event-stream; charset=utf-8', 'X-Accel-Buffering', 'no'];
}

/**
 * Sends the values of a subscription as server-sent events (HTML standard §9.2), in the form of the GraphQL over SSE
 * protocol, distinct connections: `next` with each result, and `complete` at the end. An event of a person goes with its
 * id, so that a browser which reconnects says where it was.
 */
async function send(response: ServerResponse, head: Head, stream: Stream<Told>): Promise<void> {
  response.writeHead(200, headOf(head));
  // So that it is open before anything happens.
  response.write(':\n\n');
  const heartbeat = setInterval(() => write(response, ':\n\n'), HEARTBEAT_MS);
  whenClosed(response, () => {
    clearInterval(heartbeat);
    stream.return();
  });
  for await (const { body, eventId } of stream) {
    const id = eventId === null ? '' : `id: ${eventId}\n`;
    await write(response, `${id}event: next\ndata: ${JSON.stringify(body)}\n\n`);
  }
  if (!response.closed) response.end(COMPLETE);
}

/** Does it once the client is gone, which it may be already. */
function whenClosed(response: ServerResponse, work: () => void): void {
  if (response.closed) work();
  else response.once('close', work);
}

/** Writes, and waits until there is room for more: what is not taken is not made. */
async function write(response: ServerResponse, text: string): Promise<void> {
  if (response.closed || response.write(text)) return;
  await new Promise<void>((resolve) => {
    const stuck = setTimeout(() => response.destroy(), STUCK_MS);
    const go = () => {
      clearTimeout(stuck);
      response.off('drain', go).off('close', go);
      resolve();
    };
    response.on('drain', go).on('close', go);
  });
}
