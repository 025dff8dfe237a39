import nodemailer from 'nodemailer';
import { domainOf, parseEmailAddress } from '../lib/email-address.ts';

/** A mail as it leaves the house. */
export interface OutgoingMail {
  /** One address in its canonical form, and nothing beside it. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** The same for each attempt to send this mail: letters, digits, `-` and `_`. */
  readonly id: string;
}

/** Where mails go. */
export interface Mailer {
  /** @throws when nobody took the mail, which is then to be sent again */
  send(mail: OutgoingMail): Promise<void>;
  close(): Promise<void>;
}

/** A mail server that is silent for so long is down. */
const TIMEOUT_MS = 10_000;
/** As many as there are jobs at a time. */
const CONNECTIONS = 2;
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * Sends over SMTP; connections are kept for the next mail.
 * @param options.url `smtp://user:password@host:587`, or `smtps://…`; options of nodemailer may follow as a query
 * @param options.from `Name <address>`, or an address alone
 * @throws Error with a message for the operator if `from` is no sender
 */
export function createSmtpMailer(options: { url: string; from: string }): Mailer {
  const from = parseSender(options.from);
  const transport = connectTo(options.url, { requireTLS: carriesPassword(options.url) });
  return {
    async send({ to, subject, text, html, id }) {
      if (!isOneAddress(to)) throw new Error('a mail has a recipient that is not one canonical address');
      await transport.sendMail({
        from,
        // An object is taken as it is; a text would be read as a list of addresses.
        to: { name: '', address: to },
        subject,
        text,
        html,
        // Whoever gets it twice, because an answer was lost, can tell (RFC 5322 §3.6.4).
        messageId: `<${id}@${domainOf(from.address)}>`,
        // No holiday notices in return (RFC 3834 §5).
        headers: { 'Auto-Submitted': 'auto-generated' },
        xMailer: false,
      });
    },
    async close() {
      transport.close();
    },
  };
}

/**
 * Connects to a mail server as for a mail, logs in, and sends none.
 * @returns whether what goes there is encrypted
 * @throws when the server cannot be reached, or refuses
 */
export async function greetMailServer(url: string): Promise<{ readonly encrypted: boolean }> {
  const strict = new URL(url);
  for (const option of ['requireTLS', 'ignoreTLS', 'opportunisticTLS']) strict.searchParams.delete(option);
  try {
    await greet(strict.href, { requireTLS: true });
    return { encrypted: true };
  } catch (error) {
    if (strict.protocol === 'smtps:') throw error;
  }
  await greet(url, { requireTLS: carriesPassword(url) });
  return { encrypted: false };
}

async function greet(url: string, options: { readonly requireTLS: boolean }): Promise<void> {
  const transport = connectTo(url, options);
  try {
    await transport.verify();
  } finally {
    transport.close();
  }
}

function connectTo(url: string, { requireTLS }: { readonly requireTLS: boolean }) {
  return nodemailer.createTransport({
    url,
    pool: true,
    maxConnections: CONNECTIONS,
    dnsTimeout: TIMEOUT_MS,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    requireTLS,
    // A mail is made of what it is given, and of nothing that this could name.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

/** Whether nothing that goes there leaves this machine. */
export function isOwnMailServer(url: string): boolean {
  return LOOPBACK.test(new URL(url).hostname);
}

/** Whether there is nothing to read into it: no list, no name, no line end. */
function isOneAddress(to: string): boolean {
  return parseEmailAddress(to) === to;
}

/** Reads `Name <address>`, `"Name" <address>` or an address alone. Of an operator: anything goes that has one address. */
function parseSender(text: string): { name: string; address: string } {
  const [, name = '', bracketed, bare] =
    /^\s*(?:"?([^"<>\r\n]*?)"?\s*<([^\s<>@,]+@[^\s<>@,]+)>|([^\s<>@,]+@[^\s<>@,]+))\s*$/.exec(text) ?? [];
  const address = bracketed ?? bare;
  if (!address) throw new Error(`${text} is no sender of mails. Write it as "Name <address>".`);
  return { name: name.trim(), address };
}

// Somebody between us and the server could hide that it offers TLS, and read the password. `?requireTLS=false` in the
// URL is for networks where nobody is.
function carriesPassword(url: string): boolean {
  const { protocol, username, hostname } = new URL(url);
  return protocol === 'smtp:' && username !== '' && !LOOPBACK.test(hostname);
}
