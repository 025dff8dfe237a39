import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import type { App } from '../app.ts';
import { sendGraphiQL, wantsGraphiQL } from './graphiql.ts';
import { createGraphQLHandler } from './graphql.ts';
import { securityHeaders } from './headers.ts';
import { type Head, sendJson } from './reply.ts';
import { createRoutes } from './routes.ts';

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

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Starts to listen, before there is anything to serve: so a port that is taken is told at once, and a port that the
 * system chose is known to what is built next.
 * @throws NodeJS.ErrnoException such as EADDRINUSE
 */
export async function listen(host: string, port: number): Promise<HttpServer> {
  const lifecycle = { draining: false };
  let handle: Handler = (_request, response) => {
    response.writeHead(503, [...securityHeaders(''), ['Retry-After', '1']].flat()).end();
  };
  const server = createServer(
    // Slow senders hold a socket only so long (Slowloris), and a connection is not kept for ever.
    { headersTimeout: 10_000, requestTimeout: 15_000, keepAliveTimeout: 65_000, connectionsCheckingInterval: 5_000 },
    (request, response) => handle(request, response),
  );
  server.maxConnections = 10_000;
  // Their size is bounded; by default Node would also leave out, without a word, all beyond two thousand.
  server.maxHeadersCount = 0;
  // This is no proxy: a tunnel that is asked for is closed.
  server.on('connect', (_request, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });

  return {
    port: (server.address() as AddressInfo).port,
    serve(app) {
      handle = createHandler(app, lifecycle);
    },
    async drain() {
      lifecycle.draining = true;
      await pause(LINGER_MS);
      await close(server);
    },
  };
}

function createHandler(app: App, lifecycle: Lifecycle): Handler {
  const everyHead = [...securityHeaders(app.config.publicUrl)].flat();
  const answerGraphQL = createGraphQLHandler(app);
  const answerRoute = getRequestListener(createRoutes(app, lifecycle).fetch);
  // Looking for secrets takes longer than all else about a line. The lines below have none: they are made of nothing
  // that is named like one.
  const log = app.log.child({}, { redact: [] });

  return (request, response) => {
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

    answer(request, response, path, requestId, head).catch((error: unknown) => {
      // Clients may go away in the middle of a request. That is no fault, and there is nobody to answer.
      if (error === request.errored) return;
      app.log.error({ err: error, requestId }, 'a request failed');
      fail(response, head, requestId, 503);
    });
  };

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    requestId: string,
    head: Head,
  ): Promise<void> {
    const showsGraphiQL = path === '/graphql' && app.config.graphiql && wantsGraphiQL(request);
    if (path === '/graphql' && !showsGraphiQL) return answerGraphQL(request, response, requestId, head);
    for (let at = 0; at < head.length; at += 2) response.setHeader(head[at] ?? '', head[at + 1] ?? '');
    return showsGraphiQL ? sendGraphiQL(response) : answerRoute(request, response);
  }
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
