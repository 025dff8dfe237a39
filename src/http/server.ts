import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Handler } from './handler.ts';
import { securityHeaders } from './headers.ts';
import { takeUpgrades } from './upgrades.ts';
import { refuse } from './websocket.ts';

/** What still runs when the gateway stops may take so long. */
const DRAIN_MS = 4_000;

/** A listening server. */
export interface HttpServer {
  readonly port: number;
  /** Answers with this handler from now on; until then everything gets 503. */
  serve(handler: Handler): void;
  /** Stops accepting, finishes what runs, closes every socket. */
  drain(): Promise<void>;
}

/**
 * Starts to listen, before there is anything to serve: so a port that is taken is told at once, and a port that the
 * system chose is known to what is built next.
 * @throws NodeJS.ErrnoException such as EADDRINUSE
 */
export async function listen(host: string, port: number): Promise<HttpServer> {
  let handler: Handler = {
    request(_request, response) {
      response.writeHead(503, [...securityHeaders(''), ['Retry-After', '1']].flat()).end();
    },
    upgrade: (_request, connection) => refuse(connection, 503, ''),
    knows: () => true,
    drain: async () => undefined,
  };
  const server = createServer(
    // Slow senders hold a socket only so long (Slowloris), and a connection is not kept for ever.
    { headersTimeout: 10_000, requestTimeout: 15_000, keepAliveTimeout: 65_000, connectionsCheckingInterval: 5_000 },
    (request, response) => handler.request(request, response),
  );
  server.maxConnections = 10_000;
  // Their size is bounded; by default Node would also leave out, without a word, all beyond two thousand.
  server.maxHeadersCount = 0;
  takeUpgrades(server, () => handler);
  // This is no proxy: a tunnel that is asked for is closed.
  server.on('connect', (_request, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });

  return {
    port: (server.address() as AddressInfo).port,
    serve(next) {
      handler = next;
    },
    async drain() {
      await handler.drain();
      await close(server);
    },
  };
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const late = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(late);
}
