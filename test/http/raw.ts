import { connect } from 'node:net';

/** What a server wrote to a socket until it closed it or fell silent. */
export interface RawAnswer {
  readonly text: string;
  /** The status of each answer, in order. */
  readonly statuses: readonly number[];
  /** Whether the server closed the connection. */
  readonly closed: boolean;
}

/**
 * Sends bytes as they are: requests that no client library would make.
 * @param quietMs how long the server may be silent before the exchange counts as over
 */
export function exchange(url: string, bytes: string | readonly string[], quietMs = 400): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    let closed = false;
    const finish = () => {
      socket.destroy();
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      resolve({ text, statuses, closed });
    };
    socket.setTimeout(quietMs, finish);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('end', () => {
      closed = true;
      finish();
    });
    // A reset is a way of closing, too.
    socket.on('error', () => {
      closed = true;
      finish();
    });
    for (const part of [bytes].flat()) socket.write(part, 'latin1');
  });
}

/** A request as it goes over the wire. A body gets its length unless the headers tell another way. */
export function wire(requestLine: string, headers: readonly string[] = [], body = ''): string {
  const framed = headers.some((header) => /^(content-length|transfer-encoding):/i.test(header));
  const length = body && !framed ? [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`] : [];
  const host = headers.some((header) => /^host:/i.test(header)) ? [] : ['Host: localhost'];
  return `${[`${requestLine} HTTP/1.1`, ...host, ...headers, ...length].join('\r\n')}\r\n\r\n${body}`;
}
