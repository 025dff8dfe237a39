import type { IncomingMessage, ServerResponse } from 'node:http';
import type { App } from '../app.ts';
import { authenticate } from '../flows/authenticate.ts';
import type { Answer } from '../graphql/context.ts';
import { createGraphQLServer } from '../graphql/server.ts';
import { clientAddress } from '../lib/client-address.ts';
import { readJson } from './body.ts';
import { type SessionCookieFormat, sessionCookieFormat } from './cookie.ts';
import { presentedCredential, TOO_MANY_CREDENTIALS } from './credentials.ts';
import { corsHeaders, isAllowedOrigin, PREFLIGHT_HEADERS } from './origin.ts';
import { areParameters, areUrlParameters } from './parameters.ts';

/** Answers a request to the GraphQL endpoint. */
export type GraphQLHandler = (request: IncomingMessage, response: ServerResponse, requestId: string) => Promise<void>;

/** A user agent is shown to people and kept with the session: what is longer is cut. */
const MAX_USER_AGENT = 256;

/**
 * GraphQL over HTTP: refuses what a browser could be tricked into sending, finds out who asks, and hands the rest to
 * the GraphQL server.
 */
export function createGraphQLHandler(app: App): GraphQLHandler {
  const { config } = app;
  const server = createGraphQLServer(app);
  const cookie = sessionCookieFormat(config.publicUrl);

  return async (request, response, requestId) => {
    const { headers, method = '' } = request;
    if (!isAllowedOrigin(headers, config.allowedOrigins)) return refuse(response, 403, 'This origin is not allowed.');
    for (const [name, value] of Object.entries(corsHeaders(headers.origin, config.allowedOrigins)))
      response.setHeader(name, value);

    if (method === 'OPTIONS') return preflight(response);
    if (method !== 'GET' && method !== 'POST') {
      response.setHeader('Allow', 'GET, POST');
      return refuse(response, 405, 'Use POST, or GET for queries.');
    }
    if (!acceptsJson(headers.accept)) return refuse(response, 406, 'The answer is JSON.');
    if (method === 'POST') {
      if (!isJson(headers['content-type'])) return refuse(response, 415, 'Send application/json.');
      const body = await readJson(request);
      if (body.kind === 'tooLarge') return refuse(response, 413, 'The request is too large.', { Connection: 'close' });
      if (body.kind === 'malformed') return refuse(response, 400, 'The body is not JSON.');
      if (!areParameters(body.value)) return refuse(response, 400, 'The body is not a GraphQL request.');
      // The server below takes a body that was read already, as from a body parser.
      Object.assign(request, { body: body.value });
    } else if (!areUrlParameters(request.url ?? '')) {
      return refuse(response, 400, 'The URL is not a GraphQL request.');
    }
    // The server below makes a URL of it. What host a request claims means nothing here, and may be no host at all.
    headers.host = 'localhost';

    const credential = presentedCredential(request, cookie.name);
    if (credential === TOO_MANY_CREDENTIALS)
      return refuse(response, 400, 'The request carries more than one credential.');
    const viewer = await authenticate(app, credential);
    const client = {
      ipAddress: clientAddress(request.socket.remoteAddress ?? '', forwardedFor(request), config.trustedProxies),
      userAgent: headers['user-agent']?.slice(0, MAX_USER_AGENT) ?? null,
    };
    await server.handle(request, response, {
      req: request,
      res: response,
      app,
      requestId,
      caller: { viewer, client },
      answer: answerOf(response, cookie, credential?.from === 'cookie'),
    });
  };
}

function answerOf(response: ServerResponse, cookie: SessionCookieFormat, cameWithCookie: boolean): Answer {
  return {
    cookieName: cookie.name,
    holdSession(issued) {
      if (issued.kind === 'SessionCookie') response.setHeader('Set-Cookie', cookie.set(issued.token, issued.expiresAt));
      // The session of the cookie was replaced; sent beside the new token it would make two credentials.
      else if (cameWithCookie) response.setHeader('Set-Cookie', cookie.clear());
    },
    releaseSession() {
      if (!cameWithCookie) return;
      response.setHeader('Set-Cookie', cookie.clear());
      response.setHeader('Clear-Site-Data', '"cache", "storage"');
    },
  };
}

function preflight(response: ServerResponse): void {
  for (const [name, value] of Object.entries(PREFLIGHT_HEADERS)) response.setHeader(name, value);
  response.writeHead(204).end();
}

/** An answer to a request that never became an operation. */
function refuse(response: ServerResponse, status: number, message: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', ...headers });
  response.end(JSON.stringify({ errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] }));
}

// Anything else a browser sends without asking first (form, multipart, text) must not run.
function isJson(contentType: string | undefined): boolean {
  return /^application\/json *(?:; *charset="?utf-8"? *)?$/i.test(contentType ?? '');
}

// Event streams and multipart answers are for operations that this schema does not have.
function acceptsJson(accept: string | undefined): boolean {
  return accept === undefined || /application\/(?:\*|json|graphql-response\+json)|\*\/\*/i.test(accept);
}

function forwardedFor({ headers }: IncomingMessage): string | undefined {
  const header = headers['x-forwarded-for'];
  return Array.isArray(header) ? header.join(',') : header;
}
