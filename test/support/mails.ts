import { setTimeout as pause } from 'node:timers/promises';
import type { TextMessage } from '../../src/hooks.ts';
import type { Mailer, OutgoingMail } from '../../src/infra/mailer.ts';

/** A mail as its reader sees it. */
export interface ReadMail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** The code on a line of its own, or ''. */
  readonly code: string;
  /** The first link, or ''. */
  readonly link: string;
  /** The token of that link, or ''. */
  readonly token: string;
}

/** Mails are there within this time. */
const ARRIVES_WITHIN_MS = 5_000;

/** The mailboxes of the people of a test. */
export interface Mailboxes {
  /** The next mail to an address that was not read yet, in the order in which they came; waits for it. */
  next(address: string): Promise<ReadMail>;
  /** Every mail to an address that has come and was not read yet, once all that is under way has been sent. */
  rest(address: string): Promise<ReadMail[]>;
  /** Fails if there is a mail to this address that was not read. */
  none(address: string): Promise<void>;
  /** All that were ever sent. */
  readonly all: readonly ReadMail[];
}

/** The same for telephones. */
export interface Telephones {
  next(number: string): Promise<{ readonly text: string; readonly code: string }>;
  none(number: string): Promise<void>;
}

/**
 * A mailer that keeps what it is given.
 * @param settled waits until no job is left that would send something
 */
export function createMailboxes(settled: () => Promise<void>): { mailer: Mailer; mails: Mailboxes } {
  const all: ReadMail[] = [];
  const read = new Set<ReadMail>();
  const unread = (address: string) => all.filter((mail) => mail.to === address && !read.has(mail));
  const mails: Mailboxes = {
    all,
    async next(address) {
      const mail = await within(() => unread(address)[0], `no mail to ${address}`);
      read.add(mail);
      return mail;
    },
    async rest(address) {
      await settled();
      const rest = unread(address);
      for (const mail of rest) read.add(mail);
      return rest;
    },
    async none(address) {
      const [mail] = await mails.rest(address);
      if (mail) throw new Error(`an unexpected mail to ${address}: ${mail.subject}`);
    },
  };
  return { mails, mailer: { send: async (mail) => void all.push(readMail(mail)), close: async () => undefined } };
}

/** A sender of text messages that keeps what it is given. */
export function createTelephones(settled: () => Promise<void>) {
  const all: TextMessage[] = [];
  const read = new Set<TextMessage>();
  const unread = (number: string) => all.filter((message) => message.to === number && !read.has(message));
  const texts: Telephones = {
    async next(number) {
      const message = await within(() => unread(number)[0], `no text message to ${number}`);
      read.add(message);
      return { text: message.text, code: /\b\d{6}\b/.exec(message.text)?.[0] ?? '' };
    },
    async none(number) {
      await settled();
      const [message] = unread(number);
      if (message) throw new Error(`an unexpected text message to ${number}: ${message.text}`);
    },
  };
  return { texts, sendSms: async (message: TextMessage) => void all.push(message) };
}

async function within<R>(look: () => R | undefined, otherwise: string): Promise<R> {
  for (const until = performance.now() + ARRIVES_WITHIN_MS; performance.now() < until; await pause(5)) {
    const found = look();
    if (found !== undefined) return found;
  }
  throw new Error(otherwise);
}

function readMail({ to, subject, text, html }: OutgoingMail): ReadMail {
  const code = /^([A-Z]{4}-[A-Z]{4})$/m.exec(text)?.[1] ?? '';
  const link = /^(https?:\/\/\S+)$/m.exec(text)?.[1] ?? '';
  const token = link ? (new URL(link).searchParams.get('token') ?? '') : '';
  return { to, subject, text, html, code, link, token };
}
