import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

/** A mail server that keeps nothing of a mail but the code in it. */
export interface MailServer {
  readonly url: string;
  /** How many mails have come. */
  readonly mails: number;
  /** The newest code that came to an address. */
  codeOf(address: string): string | undefined;
  close(): Promise<void>;
}

/** Starts a mail server on a free port. */
export async function startMailServer(): Promise<MailServer> {
  const codes = new Map<string, string>();
  let mails = 0;
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        mails += 1;
        const code = /^[A-Z]{4}-[A-Z]{4}\r?$/m.exec(Buffer.concat(chunks).toString())?.[0].trim();
        for (const { address } of session.envelope.rcptTo) if (code) codes.set(address, code);
        done();
      });
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  return {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    get mails() {
      return mails;
    },
    codeOf: (address) => codes.get(address),
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
