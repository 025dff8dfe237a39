import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import type { App } from '../app.ts';
import { createGraphQLServer } from '../graphql/server.ts';
import { withoutSlash } from '../lib/setting.ts';
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

/** What becomes of what comes in, whoever listens. */
export interface Handler {
  request(request: IncomingMessage, response: ServerResponse): void;
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void;
  /** Whether a target is one of ours; any other is answered with 404. */
  knows(target: string | undefined): boolean;
  /** Closes the connection of each request from now on, and ends what would stay open. */
  drain(): Promise<void>;
}

/** What is going on with a handler, as far as routes care. */
export interface Lifecycle {
  readonly draining: boolean;
}

/** Answers with an app. Behind a public URL with a path, targets may have that path before theirs, or not. */
export function createHandler(app: App): Handler {
  const lifecycle = { draining: false };
  const everyHead = [...securityHeaders(app.config.publicUrl)].flat();
  const graphql = createGraphQLServer(app);
  const caps = createCaps(app.config.rateLimits);
  const eventStreams = createEventStreams(app, graphql, caps);
  const webSockets = createWebSockets(app, graphql, caps);
  const answerGraphQL = createGraphQLHandler(app, graphql, eventStreams);
  const routes = createRoutes(app, lifecycle);
  const answerRoute = getRequestListener(routes.fetch);
  const base = withoutSlash(new URL(app.config.publicUrl).pathname);
  // Looking for secrets takes longer than all else about a line. The lines below have none: they are made of nothing
  // that is named like one.
  const log = app.log.child({}, { redact: [] });

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const requestId = randomUUID();
    const begun = performance.now();
    request.url = ownTarget(request.url, base);
    // Taken now: a request that is broken off has no socket to ask any more.
    const { method } = request;
    const peer = request.socket.remoteAddress;
    const path = pathOf(request.url);
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
      request.url = ownTarget(request.url, base);
      if (pathOf(request.url) === '/graphql') webSockets.upgrade(request, connection, head);
      else refuse(connection, 404, app.config.publicUrl);
    },
    knows(target) {
      const path = pathOf(ownTarget(target, base));
      return path === '/graphql' || routes.router.match('GET', path)[0].length > 0;
    },
    async drain() {
      lifecycle.draining = true;
      await pause(LINGER_MS);
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

// Without the path that all of ours may stand below.
function ownTarget(target: string | undefined, base: string): string {
  const own = originForm(target);
  return base && own.startsWith(`${base}/`) ? own.slice(base.length) : own;
}

// A target may name a host as proxies get it (RFC 9112 §3.2.2). What host that is means nothing here.
function originForm(target = '/'): string {
  if (target.startsWith('/')) return target;
  const [, path] = /^https?:\/\/[^/?#]*(.*)$/is.exec(target) ?? [null, target];
  return path.startsWith('/') || path === '*' ? path : `/${path}`;
}

// Without the query: it may carry what does not belong into a log.
function pathOf(target = '/'): string {
  const end = target.indexOf('?');
  return end < 0 ? target : target.slice(0, end);
}
