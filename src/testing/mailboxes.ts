import { setTimeout as pause } from 'node:timers/promises';
import type { TextMessage } from '../hooks.ts';
import type { Mailer, OutgoingMail } from '../infra/mailer.ts';

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

/** A text message as its reader sees it. */
export interface ReadText {
  readonly to: string;
  readonly text: string;
  /** The code in it, or ''. */
  readonly code: string;
}

/** Messages are there within this time. */
const ARRIVES_WITHIN_MS = 5_000;

/** The mailboxes of the people of a test. */
export interface Mailboxes {
  /** The next mail to an address that was not read yet, in the order in which they came; waits for it. */
  next(address: string): Promise<ReadMail>;
  /** Every mail to an address that has come and was not read yet, once all that is under way has been sent. */
  rest(address: string): Promise<ReadMail[]>;
  /** Fails if there is a mail to this address that was not read. */
  none(address: string): Promise<void>;
  /** The code of the last mail to an address that has one, read or not, once all that is under way has been sent. */
  lastCode(address: string): Promise<string>;
  /** The same for a link. */
  lastLink(address: string): Promise<string>;
  /** All that were ever sent. */
  readonly all: readonly ReadMail[];
}

/** The same for telephones. */
export interface Telephones {
  next(number: string): Promise<ReadText>;
  none(number: string): Promise<void>;
  lastCode(number: string): Promise<string>;
  readonly all: readonly ReadText[];
}

/**
 * A mailer that keeps what it is given.
 * @param settled waits until no job is left that would send something
 */
export function createMailboxes(settled: () => Promise<void>): { mailer: Mailer; mails: Mailboxes } {
  const box = createBox<ReadMail>('mail', settled);
  const last = async (address: string, part: 'code' | 'link') =>
    (await box.last(address, (mail) => mail[part] !== '', part))[part];
  const mails: Mailboxes = {
    all: box.all,
    next: box.next,
    rest: box.rest,
    async none(address) {
      const [mail] = await box.rest(address);
      if (mail) throw new Error(`an unexpected mail to ${address}: ${mail.subject}`);
    },
    lastCode: (address) => last(address, 'code'),
    lastLink: (address) => last(address, 'link'),
  };
  return { mails, mailer: { send: async (mail) => box.keep(readMail(mail)), close: async () => undefined } };
}

/** A sender of text messages that keeps what it is given. */
export function createTelephones(settled: () => Promise<void>): {
  readonly texts: Telephones;
  sendSms(message: TextMessage): Promise<void>;
} {
  const box = createBox<ReadText>('text message', settled);
  const texts: Telephones = {
    all: box.all,
    next: box.next,
    async none(number) {
      const [message] = await box.rest(number);
      if (message) throw new Error(`an unexpected text message to ${number}: ${message.text}`);
    },
    lastCode: async (number) => (await box.last(number, ({ code }) => code !== '', 'code')).code,
  };
  return { texts, sendSms: async (message) => box.keep(readText(message)) };
}

/** Keeps messages, and which of them were read. */
function createBox<M extends { readonly to: string }>(what: string, settled: () => Promise<void>) {
  const all: M[] = [];
  const read = new Set<M>();
  const unread = (to: string) => all.filter((message) => message.to === to && !read.has(message));
  return {
    all: all as readonly M[],
    keep: (message: M) => void all.push(message),
    async next(to: string): Promise<M> {
      const message = await within(() => unread(to)[0], `no ${what} to ${to}`);
      read.add(message);
      return message;
    },
    async rest(to: string): Promise<M[]> {
      await settled();
      const rest = unread(to);
      for (const message of rest) read.add(message);
      return rest;
    },
    async last(to: string, fits: (message: M) => boolean, part: string): Promise<M> {
      await settled();
      return within(
        () => all.findLast((message) => message.to === to && fits(message)),
        `no ${what} with a ${part} to ${to}`,
      );
    },
  };
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

function readText({ to, text }: TextMessage): ReadText {
  return { to, text, code: /\b\d{6}\b/.exec(text)?.[0] ?? '' };
}
