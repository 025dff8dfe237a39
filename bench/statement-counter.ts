import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between a gateway and PostgreSQL, and reads along which statements go through. */
export interface StatementCounter {
  /** The URL to give to the gateway. */
  readonly url: string;
  /** Statements that were run since the last call, in order; BEGIN and COMMIT are some. Not those of the listener. */
  take(): string[];
  close(): void;
}

/** Starts a counter before a PostgreSQL. */
export async function startStatementCounter(databaseUrl: string): Promise<StatementCounter> {
  const target = new URL(databaseUrl);
  let seen: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const reader = createReader((statement) => seen.push(statement));
    client.on('data', reader);
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) {
      sockets.add(socket.setNoDelay(true));
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = new URL(databaseUrl);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    take() {
      const taken = seen;
      seen = [];
      return taken;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/**
 * Reads what a client says in PostgreSQL's protocol (version 3, chapter "Message Formats"). The connection that listens
 * for changes asks for a sign of life several times a second, those of the jobs look for work: they belong to no request
 * and say nothing here. They are told by their LISTEN and their name.
 */
function createReader(onStatement: (statement: string) => void): (chunk: Buffer) => void {
  const prepared = new Map<string, string>();
  const portals = new Map<string, string>();
  let rest: Buffer = Buffer.alloc(0);
  let greeted = false;
  let listens = false;

  function read(type: string, body: Buffer): void {
    if (type === 'Q') run(cString(body, 0));
    if (type === 'P') {
      const name = cString(body, 0);
      prepared.set(name, cString(body, Buffer.byteLength(name) + 1));
    }
    if (type === 'B') {
      const portal = cString(body, 0);
      portals.set(portal, prepared.get(cString(body, Buffer.byteLength(portal) + 1)) ?? '?');
    }
    if (type === 'E') run(portals.get(cString(body, 0)) ?? '?');
  }

  function run(statement: string): void {
    listens ||= statement.startsWith('LISTEN ');
    if (!listens) onStatement(statement);
  }

  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      // The greeting alone has no letter before its length.
      const letter = greeted ? 1 : 0;
      if (rest.length < letter + 4) return;
      const length = letter + rest.readInt32BE(letter);
      if (rest.length < length) return;
      if (greeted) read(String.fromCharCode(rest[0] ?? 0), rest.subarray(5, length));
      listens ||= !greeted && rest.subarray(0, length).includes('postern jobs');
      greeted = true;
      rest = rest.subarray(length);
    }
  };
}

function cString(body: Buffer, from: number): string {
  return body.toString('utf8', from, body.indexOf(0, from));
}
