import type { MailMessages, SmsMessages } from './mail/message.ts';

/** A text message, ready to be sent. */
export interface TextMessage {
  /** E.164. */
  readonly to: string;
  readonly text: string;
}

/** Somebody, as hooks are told of them. */
export interface HookPerson {
  readonly userId: string;
  readonly email: string | null;
  readonly roles: readonly string[];
}

/** A factor that is about to join an account. */
export interface HookEnrollment {
  readonly person: HookPerson;
  /** `TOTP`, `PASSKEY`. */
  readonly factor: string;
  /** For PASSKEY: the make of the authenticator, as it says itself, and whether its user was verified. */
  readonly passkey?: { readonly aaguid: string; readonly userVerified: boolean; readonly backedUp: boolean };
}

/** What an operator decides in code: in `postern.config.js`, or as an argument of a program that embeds Postern. */
export interface Hooks {
  /** Sends a text message, or rejects: then it is tried again. Without this hook phones are off. */
  readonly sendSms?: (message: TextMessage) => Promise<void>;
  /**
   * Whether somebody must have a second factor; null leaves it to POSTERN_MFA_REQUIRED. Asked in the middle of a login,
   * so it should be quick.
   */
  readonly requiresMfa?: (person: HookPerson) => boolean | null | Promise<boolean | null>;
  /** Whether a factor may join an account, once all that Postern itself asks of it is right. */
  readonly allowsEnrollment?: (enrollment: HookEnrollment) => boolean | Promise<boolean>;
  /** Takes the place of mails, by name. */
  readonly mails?: Partial<MailMessages>;
  /** Takes the place of text messages, by name. */
  readonly texts?: Partial<SmsMessages>;
}

/** Milliseconds that a decision may take: the transaction of the request waits for it, and holds a connection. */
const DECIDE_WITHIN_MS = 2_000;

/** The same hooks, of which none keeps a request waiting: one that does not decide in time has failed. */
export function withDeadlines(hooks: Hooks): Hooks {
  const { requiresMfa, allowsEnrollment } = hooks;
  return {
    ...hooks,
    ...(requiresMfa ? { requiresMfa: (person) => inTime('requiresMfa', requiresMfa(person)) } : {}),
    ...(allowsEnrollment ? { allowsEnrollment: (asked) => inTime('allowsEnrollment', allowsEnrollment(asked)) } : {}),
  };
}

async function inTime<R>(name: string, decision: R | Promise<R>): Promise<R> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const fail = () => reject(new Error(`the hook ${name} took longer than ${DECIDE_WITHIN_MS / 1_000} s`));
    timer = setTimeout(fail, DECIDE_WITHIN_MS);
  });
  try {
    return await Promise.race([decision, late]);
  } finally {
    clearTimeout(timer);
  }
}
