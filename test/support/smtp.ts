import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

/** A mail as its reader gets it. */
export interface ReceivedMail {
  readonly to: readonly string[];
  readonly messageId: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly parsed: ParsedMail;
}

/** A mail server on loopback. */
export interface MailServer {
  readonly port: number;
  readonly url: string;
  readonly received: readonly ReceivedMail[];
  /** The next mail to an address that was not read yet; waits for it. */
  next(address: string): Promise<ReceivedMail>;
  /** Hears each mail to its end and hangs up, so many times, instead of saying that it took it. */
  hangUp(times: number): void;
  stop(): Promise<void>;
}

const ARRIVES_WITHIN_MS = 15_000;

/** @param port the same as before, for one that comes back */
export async function startMailServer(port = 0): Promise<MailServer> {
  const received: ReceivedMail[] = [];
  const read = new Set<ReceivedMail>();
  const sockets = new Set<Socket>();
  let hangUps = 0;
  const smtp = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    logger: false,
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', async () => {
        const parsed = await simpleParser(Buffer.concat(chunks));
        received.push({
          to: session.envelope.rcptTo.map(({ address }) => address),
          messageId: parsed.messageId ?? '',
          subject: parsed.subject ?? '',
          text: parsed.text ?? '',
          html: parsed.html || '',
          parsed,
        });
        if (hangUps > 0) {
          hangUps -= 1;
          for (const socket of sockets) socket.destroy();
          return;
        }
        done();
      });
    },
  });
  smtp.on('error', () => undefined);
  smtp.server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => smtp.listen(port, '127.0.0.1', () => resolve()));
  const listening = (smtp.server.address() as AddressInfo).port;
  return {
    port: listening,
    url: `smtp://127.0.0.1:${listening}`,
    received,
    async next(address) {
      const found = () => received.find((mail) => mail.to.includes(address) && !read.has(mail));
      for (const until = performance.now() + ARRIVES_WITHIN_MS; performance.now() < until; await pause(10)) {
        const mail = found();
        if (!mail) continue;
        read.add(mail);
        return mail;
      }
      throw new Error(`no mail to ${address}`);
    },
    hangUp(times) {
      hangUps = times;
    },
    async stop() {
      const closed = new Promise<void>((resolve) => smtp.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Something that takes connections and never says a word. */
export interface SilentServer {
  readonly url: string;
  /** How many connections it has now. */
  connections(): number;
  stop(): Promise<void>;
}

export async function startSilentServer(): Promise<SilentServer> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => sockets.size,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
