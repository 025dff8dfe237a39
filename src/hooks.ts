import type { FieldValue } from './lib/user-fields/declaration.ts';
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
  /** The operator's own fields: what this person has of them, null for nothing. An instant is a text of ISO 8601. */
  readonly fields: Readonly<Record<string, FieldValue | null>>;
}

/** A factor that is about to join an account. */
export interface HookEnrollment {
  readonly person: HookPerson;
  /** `TOTP`, `PASSKEY`. */
  readonly factor: string;
  /** For PASSKEY: the make of the authenticator, as it says itself, and whether its user was verified. */
  readonly passkey?: { readonly aaguid: string; readonly userVerified: boolean; readonly backedUp: boolean };
}

/** What a provider said of somebody who comes from it. Its words are its own: only the issuer and the subject are sure. */
export interface HookProviderWord {
  /** As the settings name it. */
  readonly provider: string;
  readonly issuer: string;
  /** The provider's own immutable id of the person. */
  readonly subject: string;
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly name: string | null;
  readonly username: string | null;
  /**
   * All that it said: the claims of the ID token and of UserInfo, other resources by their name, such as GitHub's
   * `emails`. `redirect`, of Apple, is what the browser carried, and may be made up.
   */
  readonly claims: Readonly<Record<string, unknown>>;
  /** For further calls to the provider; null for an ID token that an app brought. */
  readonly accessToken: string | null;
}

/** Somebody who comes from a provider, before anything is made of it. */
export interface HookSocialLogin extends HookProviderWord {
  /** `CONNECT`: somebody signed in adds a way to log in. */
  readonly purpose: 'LOG_IN' | 'CONNECT';
  /** Whose account it is known to be; for CONNECT, who asks; null for nobody. */
  readonly person: HookPerson | null;
}

/** Whom to let in: nobody, or, where the account at the provider is nobody's yet, this person. */
export type SocialLoginDecision = { readonly refuse: true } | { readonly userId: string };

/** Whose access token is made, and for which session. */
export interface HookAccessToken {
  readonly person: HookPerson;
  readonly session: {
    readonly id: string;
    readonly createdAt: Date;
    /** When the person last proved who they are. */
    readonly authenticatedAt: Date;
    /** By what: RFC 8176 values. */
    readonly methods: readonly string[];
  };
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
  /**
   * Whether somebody may come in from a provider, and as whom. Nothing decides as Postern does by itself. Whoever is
   * pointed to has their account entered: say it only of what proves that it is theirs.
   */
  readonly preSocialLogin?: (
    login: HookSocialLogin,
  ) => SocialLoginDecision | null | undefined | Promise<SocialLoginDecision | null | undefined>;
  /** What an account that is made of the word of a provider is called. What is left out stays as the provider said it. */
  readonly populateUser?: (
    word: HookProviderWord,
  ) => PopulatedUser | null | undefined | Promise<PopulatedUser | null | undefined>;
  /**
   * Claims that every access token gets beside its own, and the answer of an introspection: JSON of 4 KiB at most, none
   * of them by a name that means something to verifiers. Asked in the middle of a login, so it should be quick; without
   * an answer of that kind there is no token. Other services get to see it.
   */
  readonly accessTokenClaims?: (
    token: HookAccessToken,
  ) => Record<string, unknown> | null | undefined | Promise<Record<string, unknown> | null | undefined>;
  /** Takes the place of mails, by name. */
  readonly mails?: Partial<MailMessages>;
  /** Takes the place of text messages, by name. */
  readonly texts?: Partial<SmsMessages>;
}

/** What a new account is called. */
export interface PopulatedUser {
  readonly name?: string | null | undefined;
  /** Only where there are user names, and only if it is free. */
  readonly username?: string | null | undefined;
  /**
   * Own fields, by name, whoever may write them otherwise; none that is unique. What does not do is left out, as with
   * names: it is the provider's word.
   */
  readonly fields?: Readonly<Record<string, FieldValue | Date | null | undefined>> | null | undefined;
}

/** The hooks that decide something while a request waits. */
export const DECISIONS = [
  'requiresMfa',
  'allowsEnrollment',
  'preSocialLogin',
  'populateUser',
  'accessTokenClaims',
] as const satisfies readonly (keyof Hooks)[];

/** Milliseconds that a decision may take: the transaction of the request waits for it, and holds a connection. */
const DECIDE_WITHIN_MS = 2_000;

/** The same hooks, of which none keeps a request waiting: one that does not decide in time has failed. */
export function withDeadlines(hooks: Hooks): Hooks {
  const bounded = DECISIONS.flatMap((name) => {
    const decide = hooks[name] as ((asked: unknown) => unknown) | undefined;
    return decide ? [[name, (asked: unknown) => inTime(name, decide(asked))]] : [];
  });
  return { ...hooks, ...Object.fromEntries(bounded) };
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
