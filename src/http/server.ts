import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import type { App } from '../app.ts';
import { createGraphQLServer } from '../graphql/server.ts';
import { createCaps } from './caps.ts';
import { createEventStreams } from './event-stream.ts';
import { sendGraphiQL, wantsGraphiQL } from './graphiql.ts';
import { createGraphQLHandler } from './graphql.ts';
import { securityHeaders } from './headers.ts';
import { type Exchange, type Head, sendJson } from './reply.ts';
import { createRoutes } from './routes.ts';
import { createWebSockets, refuse } from './websocket.ts';

/** A request gets its answer, or a refusal, within this time. */
const ANSWER_DEADLINE_MS = 10_000;
/** Requests that were sent before anybody could know get so long to be read; their answers close the connection. */
const LINGER_MS = 100;
/** What still runs when the gateway stops may take so long. */
const DRAIN_MS = 4_000;

/** What is going on with the server, as far as routes care. */
export interface Lifecycle {
  readonly draining: boolean;
}

/** A listening server. */
export interface HttpServer {
  readonly port: number;
  /** Answers with this app from now on; until then everything gets 503. */
  serve(app: App): void;
  /** Stops accepting, finishes what runs, closes every socket. */
  drain(): Promise<void>;
}

/** What becomes of what comes in. */
interface Handler {
  request(request: IncomingMessage, response: ServerResponse): void;
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void;
  /** Ends what would stay open. */
  close(): void;
}

/**
 * Starts to listen, before there is anything to serve: so a port that is taken is told at once, and a port that the
 * system chose is known to what is built next.
 * @throws NodeJS.ErrnoException such as EADDRINUSE
 */
export async function listen(host: string, port: number): Promise<HttpServer> {
  const lifecycle = { draining: false };
  let handler: Handler = {
    request(_request, response) {
      response.writeHead(503, [...securityHeaders(''), ['Retry-After', '1']].flat()).end();
    },
    upgrade: (_request, connection) => refuse(connection, 503, ''),
    close: () => undefined,
  };
  const answering = new Map<Duplex, number>();
  const server = createServer(
    // Slow senders hold a socket only so long (Slowloris), and a connection is not kept for ever.
    { headersTimeout: 10_000, requestTimeout: 15_000, keepAliveTimeout: 65_000, connectionsCheckingInterval: 5_000 },
    (request, response) => {
      noteAnswer(answering, request.socket, response);
      handler.request(request, response);
    },
  );
  server.maxConnections = 10_000;
  // Their size is bounded; by default Node would also leave out, without a word, all beyond two thousand.
  server.maxHeadersCount = 0;
  server.on('upgrade', (request, connection, head) => {
    connection.on('error', () => connection.destroy());
    // Whoever offers another protocol while an answer is on its way would get that in the middle of it.
    if (answering.has(connection)) connection.destroy();
    else if (request.headers.upgrade?.toLowerCase() === 'websocket') handler.upgrade(request, connection, head);
    else ignoreUpgrade(server, request, connection, head);
  });
  // This is no proxy: a tunnel that is asked for is closed.
  server.on('connect', (_request, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });

  return {
    port: (server.address() as AddressInfo).port,
    serve(app) {
      handler = createHandler(app, lifecycle);
    },
    async drain() {
      lifecycle.draining = true;
      await pause(LINGER_MS);
      handler.close();
      await close(server);
    },
  };
}

function createHandler(app: App, lifecycle: Lifecycle): Handler {
  const everyHead = [...securityHeaders(app.config.publicUrl)].flat();
  const graphql = createGraphQLServer(app);
  const caps = createCaps(app.config.rateLimits);
  const eventStreams = createEventStreams(app, graphql, caps);
  const webSockets = createWebSockets(app, graphql, caps);
  const answerGraphQL = createGraphQLHandler(app, graphql, eventStreams);
  const answerRoute = getRequestListener(createRoutes(app, lifecycle).fetch);
  // Looking for secrets takes longer than all else about a line. The lines below have none: they are made of nothing
  // that is named like one.
  const log = app.log.child({}, { redact: [] });

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const requestId = randomUUID();
    const begun = performance.now();
    request.url = originForm(request.url);
    // Taken now: a request that is broken off has no socket to ask any more.
    const { method } = request;
    const peer = request.socket.remoteAddress;
    const path = pathOf(request);
    const head: Head = [...everyHead, 'X-Request-Id', requestId];
    // Whoever keeps a connection open must not be answered on it after the next server has taken over.
    if (lifecycle.draining) head.push('Connection', 'close');
    // Of a request that has not come in whole by then, the sender is to blame.
    const deadline = setTimeout(
      () => fail(response, head, requestId, request.complete ? 503 : 408),
      ANSWER_DEADLINE_MS,
    );
    response.once('close', () => {
      clearTimeout(deadline);
      log.info({
        requestId,
        method,
        path: response.statusCode === 404 ? undefined : path,
        status: response.statusCode,
        ms: Math.round((performance.now() - begun) * 10) / 10,
        peer,
        aborted: response.writableFinished ? undefined : true,
      });
    });

    const exchange = { request, response, requestId, head, liftDeadline: () => clearTimeout(deadline) };
    answer(exchange, path).catch((error: unknown) => {
      // Clients may go away in the middle of a request. That is no fault, and there is nobody to answer.
      if (error === request.errored) return;
      app.log.error({ err: error, requestId }, 'a request failed');
      fail(response, head, requestId, 503);
    });
  }

  async function answer(exchange: Exchange, path: string): Promise<void> {
    const { request, response, head } = exchange;
    const showsGraphiQL = path === '/graphql' && app.config.graphiql && wantsGraphiQL(request);
    if (path === '/graphql' && !showsGraphiQL) return answerGraphQL(exchange);
    for (let at = 0; at < head.length; at += 2) response.setHeader(head[at] ?? '', head[at + 1] ?? '');
    return showsGraphiQL ? sendGraphiQL(response) : answerRoute(request, response);
  }

  return {
    request: handle,
    upgrade(request, connection, head) {
      request.url = originForm(request.url);
      if (pathOf(request) === '/graphql') webSockets.upgrade(request, connection, head);
      else refuse(connection, 404, app.config.publicUrl);
    },
    close() {
      eventStreams.close();
      webSockets.close();
    },
  };
}

function fail(response: ServerResponse, head: readonly string[], id: string, status: 408 | 503): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const [message, code] =
    status === 408
      ? ['The request did not come in whole.', 'BAD_REQUEST']
      : ['Something went wrong on our side.', 'UNAVAILABLE'];
  const more = status === 408 ? ['Connection', 'close'] : ['Retry-After', '1'];
  sendJson(response, status, [...head, ...more], { errors: [{ message, extensions: { code, id } }] });
}

/** Counts the answers that a connection waits for: requests may be sent one after the other without waiting. */
function noteAnswer(answering: Map<Duplex, number>, connection: Duplex, response: ServerResponse): void {
  answering.set(connection, (answering.get(connection) ?? 0) + 1);
  response.once('close', () => {
    const left = (answering.get(connection) ?? 1) - 1;
    if (left > 0) answering.set(connection, left);
    else answering.delete(connection);
  });
}

/**
 * Answers a request as if it had not asked for another protocol (RFC 9110 §7.8), such as HTTP/2 without TLS, which some
 * clients offer with each first request. Node hands over all of them as soon as one protocol is wanted: so this one is
 * put back, without its offer, and read once more.
 */
function ignoreUpgrade(server: Server, request: IncomingMessage, connection: Duplex, head: Buffer): void {
  const { method, url, rawHeaders } = request;
  const kept = rawHeaders.flatMap((name, at) =>
    at % 2 === 0 && !/^(?:connection|upgrade|http2-settings)$/i.test(name)
      ? [`${name}: ${rawHeaders[at + 1]}\r\n`]
      : [],
  );
  const again = Buffer.from(`${method} ${url} HTTP/1.1\r\n${kept.join('')}\r\n`, 'latin1');
  connection.unshift(Buffer.concat([again, head]));
  server.emit('connection', connection);
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const late = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(late);
}

// A target may name a host as proxies get it (RFC 9112 §3.2.2). What host that is means nothing here.
function originForm(target = '/'): string {
  if (target.startsWith('/')) return target;
  const [, path] = /^https?:\/\/[^/?#]*(.*)$/is.exec(target) ?? [null, target];
  return path.startsWith('/') || path === '*' ? path : `/${path}`;
}

// Without the query: it may carry what does not belong into a log.
function pathOf({ url = '/' }: IncomingMessage): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}
