import { randomUUID } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { CloseCode, handleProtocols } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { App } from '../app.ts';
import type { Caller } from '../flows/shared/outcomes.ts';
import { isPassing } from '../graphql/errors.ts';
import type { GraphQLServer } from '../graphql/server.ts';
import { addressKey } from '../lib/client-address.ts';
import { type Caps, createAllowance } from './caps.ts';
import { clientOf } from './client.ts';
import { cookieFormat } from './cookie.ts';
import { presentedCredential, TOO_MANY_CREDENTIALS } from './credentials.ts';
import { securityHeaders } from './headers.ts';
import { isAllowedOrigin } from './origin.ts';
import { createSocketProtocol, isMalformedInit, type Socket, TRY_AGAIN_LATER } from './socket-protocol.ts';

/** The WebSockets of the GraphQL endpoint. */
export interface WebSockets {
  /** Takes over a connection that asks to be a WebSocket. */
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void;
  /** Refuses new ones, and asks those that are open to come back elsewhere. */
  close(): void;
}

const MAX_MESSAGE_BYTES = 64 * 1024;
/** Of one message: what comes in crumbs takes memory far beyond its size. */
const MAX_FRAGMENTS = 256;
const MAX_CHUNKS = 1_024;
/** A peer that answers no ping until the next one is gone. */
const PING_EVERY_MS = 12_000;
/** What a peer may leave unread. */
const MAX_UNREAD_BYTES = 1024 * 1024;
/** A peer that does not answer a close is closed anyhow. */
const CLOSE_WITHIN_MS = 2_000;
/** Sockets that have not said yet who they are. */
const MAX_UNKNOWN = 2_000;

const MAX_REASON_BYTES = 123;

const SERVICE_RESTART = 1012;

interface Peer extends Socket {
  readonly ws: WebSocket;
  answered: boolean;
}

export function createWebSockets(app: App, graphql: GraphQLServer, caps: Caps): WebSockets {
  const { config } = app;
  const cookieName = cookieFormat('postern', config.publicUrl).name;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: MAX_CHUNKS,
    handleProtocols,
  });
  const protocol = createSocketProtocol(app, graphql, caps);
  const log = app.log.child({}, { redact: [] });
  const peers = new Set<Peer>();
  let unknown = 0;
  let closing = false;

  const pinging = setInterval(() => {
    for (const peer of peers) {
      if (!peer.answered) peer.ws.terminate();
      else if (peer.ws.readyState === peer.ws.OPEN) {
        peer.answered = false;
        peer.ws.ping();
      }
    }
  }, PING_EVERY_MS).unref();

  function admit(request: IncomingMessage) {
    if (closing || unknown >= MAX_UNKNOWN) return 503;
    if (!isAllowedOrigin(request.headers, config.allowedOrigins)) return 403;
    const credential = presentedCredential(request, cookieName);
    if (credential === TOO_MANY_CREDENTIALS) return 400;
    // Browsers always say where they come from here; a cookie from whoever does not is no browser's.
    if (credential?.from === 'cookie' && request.headers.origin === undefined) return 403;
    const client = clientOf(request, app);
    const leave = caps.enter('connectionsPerAddress', addressKey(client.ipAddress));
    return leave ? { credential, client, leave } : 429;
  }

  function open(
    ws: WebSocket,
    { credential, client }: { credential: Socket['credential']; client: Caller['client'] },
  ): void {
    const begun = performance.now();
    const allows = createAllowance(config.rateLimits, () => performance.now());
    const peer: Peer = {
      requestId: randomUUID(),
      client,
      credential,
      ws,
      answered: true,
      connection: null,
      leave: null,
      running: 0,
      isOpen: () => ws.readyState === ws.OPEN,
      close(code, reason) {
        // A reason is what fits into one frame (RFC 6455 §5.5), or none.
        ws.close(code, Buffer.byteLength(reason) > MAX_REASON_BYTES ? '' : reason);
        setTimeout(() => ws.terminate(), CLOSE_WITHIN_MS).unref();
      },
    };
    const fail = (error: unknown) => {
      app.log.error({ err: error, requestId: peer.requestId }, 'a message of a socket failed');
      peer.close(isPassing(error as Error) ? TRY_AGAIN_LATER : CloseCode.InternalServerError, '');
    };
    let isKnown = false;
    unknown += 1;
    const know = () => {
      if (!isKnown) unknown -= 1;
      isKnown = true;
    };
    peers.add(peer);
    ws.on('pong', () => {
      peer.answered = true;
    });
    // What breaks the rules of WebSocket is closed by the library, with the code for that.
    ws.on('error', (error) => log.info({ requestId: peer.requestId, reason: error.message }, 'a socket broke'));
    const closed = protocol.opened(
      {
        protocol: ws.protocol,
        send: (text) => send(ws, text),
        close: (code = CloseCode.InternalServerError, reason = '') => peer.close(code, reason),
        onMessage(handle) {
          ws.on('message', (data, isBinary) => {
            if (!peer.isOpen()) return;
            if (!allows()) return peer.close(CloseCode.TooManyInitialisationRequests, 'Too many messages');
            if (isBinary) return peer.close(CloseCode.BadRequest, 'Invalid message received');
            const text = String(data);
            if (!isKnown && isMalformedInit(text))
              return peer.close(CloseCode.Forbidden, 'connection_init takes { "token": string }');
            handle(text)
              .then(() => peer.connection && know())
              .catch(fail);
          });
        },
      },
      peer,
    );
    ws.once('close', (code, reason) => {
      know();
      peers.delete(peer);
      closed(code, String(reason)).catch(fail);
      const ms = Math.round(performance.now() - begun);
      log.info({ requestId: peer.requestId, socket: code, ms, peer: client.ipAddress }, 'a socket closed');
    });
  }

  return {
    upgrade(request, connection, head) {
      const admitted = admit(request);
      if (typeof admitted === 'number') return refuse(connection, admitted, config.publicUrl);
      connection.once('close', admitted.leave);
      server.handleUpgrade(request, connection, head, (ws) => open(ws, admitted));
    },
    close() {
      closing = true;
      clearInterval(pinging);
      for (const peer of peers) peer.close(SERVICE_RESTART, 'Service restart');
    },
  };
}

/** Resolves when there is room for more: what is not taken is not made. */
function send(ws: WebSocket, text: string): Promise<void> {
  if (ws.readyState !== ws.OPEN) return Promise.resolve();
  // Whoever asks and asks, and does not read the answers.
  if (ws.bufferedAmount > MAX_UNREAD_BYTES) ws.terminate();
  return new Promise((resolve) => ws.send(text, () => resolve()));
}

/** A refused peer that does not close its side is not waited for longer. */
const LINGER_MS = 1_000;

/** Answers a request that is not upgraded, and ends its connection, which nobody else looks after any more. */
export function refuse(connection: Duplex, status: number, publicUrl: string): void {
  const headers = [...securityHeaders(publicUrl)].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const more = status === 429 || status === 503 ? 'Retry-After: 1\r\n' : '';
  connection.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers}${more}Connection: close\r\nContent-Length: 0\r\n\r\n`,
  );
  setTimeout(() => connection.destroy(), LINGER_MS).unref();
}
