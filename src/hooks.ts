import type { MailMessages, SmsMessages } from './mail/message.ts';

/** A text message, ready to be sent. */
export interface TextMessage {
  /** E.164. */
  readonly to: string;
  readonly text: string;
}

/** What an operator decides in code: in `postern.config.js`, or as an argument of a program that embeds Postern. */
export interface Hooks {
  /** Sends a text message, or rejects: then it is tried again. Without this hook phones are off. */
  readonly sendSms?: (message: TextMessage) => Promise<void>;
  /** Takes the place of mails, by name. */
  readonly mails?: Partial<MailMessages>;
  /** Takes the place of text messages, by name. */
  readonly texts?: Partial<SmsMessages>;
}
