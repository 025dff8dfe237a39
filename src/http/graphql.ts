import type { App } from '../app.ts';
import { authenticate } from '../flows/shared/authenticate.ts';
import type { Answer } from '../graphql/context.ts';
import type { GraphQLServer } from '../graphql/server.ts';
import { accepted } from './accept.ts';
import { readJson } from './body.ts';
import { clientOf } from './client.ts';
import { type CookieFormat, cookieFormat, sessionCookie } from './cookie.ts';
import { cookieValue, presentedCredential, TOO_MANY_CREDENTIALS } from './credentials.ts';
import { type EventStreams, sendEvents } from './event-stream.ts';
import { corsHeaders, isAllowedOrigin, PREFLIGHT_HEADERS } from './origin.ts';
import { readParameters, readUrlParameters } from './parameters.ts';
import { type Exchange, type Head, sendJson } from './reply.ts';

/** Answers a request to the GraphQL endpoint. */
export type GraphQLHandler = (exchange: Exchange) => Promise<void>;

/**
 * GraphQL over HTTP: refuses what a browser could be tricked into sending, finds out who asks, and hands the rest to
 * the GraphQL server.
 */
export function createGraphQLHandler(app: App, graphql: GraphQLServer, eventStreams: EventStreams): GraphQLHandler {
  const { config } = app;
  const cookies = {
    session: sessionCookie(config.publicUrl),
    device: cookieFormat('postern-device', config.publicUrl),
  };

  return async (exchange) => {
    const { request, response, head } = exchange;
    const { headers, method = '' } = request;
    const refuse = (status: number, message: string, ...more: string[]) =>
      sendJson(response, status, [...head, ...more], { errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] });

    if (!isAllowedOrigin(headers, config.allowedOrigins)) return refuse(403, 'This origin is not allowed.');
    head.push(...corsHeaders(headers.origin, config.allowedOrigins));
    if (method === 'OPTIONS') {
      response.writeHead(204, [...head, ...PREFLIGHT_HEADERS]).end();
      return;
    }
    if (method !== 'GET' && method !== 'POST')
      return refuse(405, 'Use POST, or GET for queries.', 'Allow', 'GET, POST');
    const accepts = accepted(headers.accept);
    if (!accepts.json && !accepts.eventStream) return refuse(406, 'The answer is JSON, or an event stream.');
    if (method === 'POST' && !isJson(headers['content-type'])) return refuse(415, 'Send application/json.');
    const body = method === 'POST' ? await readJson(request) : null;
    if (body?.kind === 'tooLarge') return refuse(413, 'The request is too large.', 'Connection', 'close');
    if (body?.kind === 'malformed') return refuse(400, 'The body is not JSON.');
    const parameters = body ? readParameters(body.value) : readUrlParameters(request.url ?? '');
    if (!parameters) return refuse(400, `The ${body ? 'body' : 'URL'} is not a GraphQL request.`);
    const credential = presentedCredential(request, cookies.session.name);
    if (credential === TOO_MANY_CREDENTIALS) return refuse(400, 'The request carries more than one credential.');

    const mediaType = accepts.json ?? 'application/graphql-response+json';
    const operation = graphql.read(parameters, { method, mediaType });
    if ('status' in operation) {
      if (operation.status === 405) head.push('Allow', 'POST');
      return sendJson(response, operation.status, head, operation.body, mediaType);
    }
    const client = clientOf(request, app);
    if (operation.type === 'subscription') {
      if (!accepts.eventStream)
        return refuse(406, 'Subscriptions are answered with text/event-stream, or over a WebSocket.');
      return eventStreams.answer(exchange, { operation, credential, client });
    }
    const viewer = await authenticate(app, credential, { counts: true, client });
    const context = {
      app,
      requestId: exchange.requestId,
      caller: { viewer, client, trustedDeviceToken: cookieValue(request, cookies.device.name) },
      answer: answerOf(head, cookies, credential?.from === 'cookie'),
      ...NOTHING_OPEN,
    };
    const { status, body: answered } = await graphql.answer(operation, context);
    if (accepts.json) sendJson(response, status, head, answered, mediaType);
    else sendEvents(response, head, answered);
  };
}

/** What an operation has not that is answered once. */
const NOTHING_OPEN = { connection: null, lastEventId: null, signal: null } as const;

interface Cookies {
  readonly session: CookieFormat;
  readonly device: CookieFormat;
}

function answerOf(head: Head, { session: cookie, device }: Cookies, cameWithCookie: boolean): Answer {
  return {
    cookieName: cookie.name,
    holdSession(issued, trustedDevice) {
      if (issued.kind === 'SessionCookie') {
        head.push('Set-Cookie', cookie.set(issued.token, issued.expiresAt));
        if (trustedDevice) head.push('Set-Cookie', device.set(trustedDevice.token, trustedDevice.expiresAt));
      }
      // The session of the cookie was replaced; sent beside the new token it would make two credentials.
      else if (cameWithCookie) head.push('Set-Cookie', cookie.clear());
    },
    releaseSession() {
      if (cameWithCookie) head.push('Set-Cookie', cookie.clear(), 'Clear-Site-Data', '"cache", "storage"');
    },
  };
}

// Anything else a browser sends without asking first (form, multipart, text) must not run.
function isJson(contentType: string | undefined): boolean {
  return /^application\/json *(?:; *charset="?utf-8"? *)?$/i.test(contentType ?? '');
}
