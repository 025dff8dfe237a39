import { createServer, type IncomingMessage, request as send } from 'node:http';
import { duplexPair, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type { Handler } from './handler.ts';

/** Answers a request of the Fetch standard. */
export type Fetch = (request: Request, from?: { readonly address?: string }) => Promise<Response>;

/** What belongs to a connection, of which there is none here (RFC 9110 §7.6.1). */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * The handler for runtimes and frameworks that speak Fetch. What they hand over goes through a connection in memory, so
 * that it is read by the same rules as what comes from the network.
 */
export function createFetch(handler: Pick<Handler, 'request'>): Fetch {
  const server = createServer((request, response) => handler.request(request, response));

  return async (request, { address = '' } = {}) => {
    request.signal.throwIfAborted();
    const [near, far] = duplexPair();
    server.emit('connection', Object.assign(far, { remoteAddress: address }));
    const { host, pathname, search } = new URL(request.url);
    const outgoing = send({
      createConnection: () => near,
      method: request.method,
      path: `${pathname}${search}`,
      headers: { ...sentHeaders(request.headers), host },
    });
    request.signal.addEventListener('abort', () => outgoing.destroy(request.signal.reason), { once: true });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve).once('error', reject);
    });
    // A refusal may come before the body was taken; what becomes of the rest of it does not matter then.
    const body = request.body as NodeReadableStream | null;
    if (body) pipeline(Readable.fromWeb(body), outgoing).catch((error) => outgoing.destroy(error));
    else outgoing.end();
    return toResponse(await answered, request.method);
  };
}

function sentHeaders(headers: Headers): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => !OF_THE_CONNECTION.has(name)));
}

function toResponse(incoming: IncomingMessage, method: string): Response {
  const status = incoming.statusCode ?? 500;
  const headers = new Headers();
  for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
    const name = incoming.rawHeaders[at] ?? '';
    if (!OF_THE_CONNECTION.has(name.toLowerCase())) headers.append(name, incoming.rawHeaders[at + 1] ?? '');
  }
  const hasBody = method !== 'HEAD' && !WITHOUT_BODY.has(status);
  if (!hasBody) incoming.resume();
  return new Response(hasBody ? (Readable.toWeb(incoming) as ReadableStream<Uint8Array>) : null, { status, headers });
}
