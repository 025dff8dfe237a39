import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import type { App } from '../app.ts';
import { sendGraphiQL, wantsGraphiQL } from './graphiql.ts';
import { createGraphQLHandler } from './graphql.ts';
import { securityHeaders } from './headers.ts';
import { createRoutes } from './routes.ts';

/** A request gets its answer, or a refusal, within this time. */
const ANSWER_DEADLINE_MS = 10_000;
/** Requests that were sent before anybody could know get so long to be read; their answers close the connection. */
const LINGER_MS = 100;
/** What still runs when the gateway stops may take so long. */
const DRAIN_MS = 7_000;

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
    response.setHeaders(securityHeaders('') as Map<string, string>);
    response.writeHead(503, { 'Retry-After': '1' }).end();
  };
  const server = createServer(
    // Slow senders hold a socket only so long (Slowloris), and a connection is not kept for ever.
    { headersTimeout: 10_000, requestTimeout: 15_000, keepAliveTimeout: 65_000, connectionsCheckingInterval: 5_000 },
    (request, response) => handle(request, response),
  );
  server.maxConnections = 10_000;
  // Without a listener Node would hand TRACE-like upgrades to the socket; none is offered here.
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
  const headers = securityHeaders(app.config.publicUrl);
  const answerGraphQL = createGraphQLHandler(app);
  const answerRoute = getRequestListener(createRoutes(app, lifecycle).fetch);

  return (request, response) => {
    const requestId = randomUUID();
    const begun = performance.now();
    request.url = originForm(request.url);
    // Taken now: a request that is broken off has no socket to ask any more.
    const { method } = request;
    const peer = request.socket.remoteAddress;
    response.setHeaders(headers as Map<string, string>);
    response.setHeader('X-Request-Id', requestId);
    // Whoever keeps a connection open must not be answered on it after the next server has taken over.
    if (lifecycle.draining) response.setHeader('Connection', 'close');
    // Of a request that has not come in whole by then, the sender is to blame.
    const deadline = setTimeout(() => fail(response, request.complete ? 503 : 408), ANSWER_DEADLINE_MS);
    response.once('close', () => {
      clearTimeout(deadline);
      app.log.info({
        requestId,
        method,
        path: pathOf(request),
        status: response.statusCode,
        ms: Math.round((performance.now() - begun) * 10) / 10,
        peer,
        aborted: response.writableFinished ? undefined : true,
      });
    });

    const work =
      pathOf(request) === '/graphql' ? graphql(request, response, requestId) : answerRoute(request, response);
    Promise.resolve(work).catch((error: unknown) => {
      // Clients may go away in the middle of a request. That is no fault, and there is nobody to answer.
      if (error === request.errored) return;
      app.log.error({ err: error, requestId }, 'a request failed');
      fail(response, 503);
    });
  };

  function graphql(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void> {
    return app.config.graphiql && wantsGraphiQL(request)
      ? sendGraphiQL(response)
      : answerGraphQL(request, response, requestId);
  }
}

function fail(response: ServerResponse, status: 408 | 503): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const id = response.getHeader('X-Request-Id');
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  const [message, code] =
    status === 408
      ? ['The request did not come in whole.', 'BAD_REQUEST']
      : ['Something went wrong on our side.', 'UNAVAILABLE'];
  response.writeHead(status, status === 408 ? { Connection: 'close' } : { 'Retry-After': '1' });
  response.end(JSON.stringify({ errors: [{ message, extensions: { code, id } }] }));
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
  const [, path] = /^https?:\/\/[^/?#]*(.*)$/is.exec(target) ?? [null, target];
  return path.startsWith('/') || path === '*' ? path : `/${path}`;
}

// Without the query: it may carry what does not belong into a log.
function pathOf({ url = '/' }: IncomingMessage): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}
