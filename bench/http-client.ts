import { connect, type Socket } from 'node:net';

/** What came back: the status, the body, and the time since the request was due. */
export interface Reply {
  /** 0 if the connection broke or nothing came in time. */
  readonly status: number;
  readonly body: string;
}

const REPLY_TIMEOUT_MS = 15_000;
const HEAD_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');
const BROKEN: Reply = { status: 0, body: '' };

/**
 * One kept-alive HTTP/1.1 connection, one request at a time. It reads no more of an answer than it must, because it
 * shares the machine with what it measures.
 */
export class Connection {
  readonly #port: number;
  #socket: Socket | null = null;
  #received: Buffer = Buffer.alloc(0);
  #settle: ((reply: Reply) => void) | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends a request that was written out before. Never fails: a broken connection is status 0. */
  send(request: Buffer): Promise<Reply> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#timer = setTimeout(() => this.#lose(), REPLY_TIMEOUT_MS);
      this.#open().write(request);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    if (this.#socket) return this.#socket;
    const socket = connect(this.#port, '127.0.0.1').setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => this.#lose());
    socket.on('close', () => this.#lose());
    this.#socket = socket;
    return socket;
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const reply = readReply(this.#received);
    if (reply) this.#finish(reply);
  }

  #lose(): void {
    this.#socket
      ?.removeAllListeners()
      .on('error', () => undefined)
      .destroy();
    this.#socket = null;
    this.#finish(BROKEN);
  }

  #finish(reply: Reply): void {
    clearTimeout(this.#timer);
    this.#received = Buffer.alloc(0);
    const settle = this.#settle;
    this.#settle = null;
    settle?.(reply);
  }
}

function readReply(received: Buffer): Reply | null {
  const end = received.indexOf(HEAD_END);
  if (end < 0) return null;
  const head = received.toString('latin1', 0, end);
  const begin = end + HEAD_END.length;
  const status = Number(head.slice(9, 12));
  const [, length] = /content-length: (\d+)/i.exec(head) ?? [];
  if (length === undefined) {
    // Chunked. What is read of the body are names and tokens, which no border of a chunk divides in practice.
    return received.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)
      ? { status, body: received.toString('latin1', begin) }
      : null;
  }
  return received.length >= begin + Number(length) ? { status, body: received.toString('latin1', begin) } : null;
}

/** Writes a GraphQL request out, to be sent as often as one likes. */
export function writeRequest(body: object, headers: Readonly<Record<string, string>> = {}): Buffer {
  const text = JSON.stringify(body);
  const head = [
    'POST /graphql HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${text}`);
}
