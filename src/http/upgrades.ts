import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Handler } from './handler.ts';

/**
 * Takes the upgrades of a server: WebSockets of ours go to the handler. What asks for anything else is left to others who
 * listen for upgrades of this server; if there are none, it is answered as a plain request.
 * @param handler asked anew for each one
 */
export function takeUpgrades(server: Server, handler: () => Pick<Handler, 'upgrade' | 'knows'>): void {
  const answering = new Map<Duplex, number>();
  // Before whoever answers, which may be at once.
  server.prependListener('request', (request, response) => noteAnswer(answering, request.socket, response));
  server.on('upgrade', (request, connection, head) => {
    const others = server.listenerCount('upgrade') > 1;
    const isWebSocket = request.headers.upgrade?.toLowerCase() === 'websocket';
    if (others && !(isWebSocket && handler().knows(request.url))) return;
    connection.on('error', () => connection.destroy());
    // Whoever offers another protocol while an answer is on its way would get that in the middle of it.
    if (answering.has(connection)) connection.destroy();
    else if (isWebSocket) handler().upgrade(request, connection, head);
    else ignoreUpgrade(server, request, connection, head);
  });
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
