import type { PasswordRejection } from './lib/password-policy.ts';
import type { FieldValue } from './lib/user-fields/declaration.ts';
import type { MailMessages, RenderedMail, SmsMessages } from './mail/message.ts';

/** A text message, ready to be sent. */
export interface TextMessage {
  /** E.164. */
  readonly to: string;
  readonly text: string;
}

/** A mail, ready to be sent. */
export interface MailMessage extends RenderedMail {
  /** One address, and nothing beside it. */
  readonly to: string;
  /** POSTERN_MAIL_FROM. */
  readonly from: string;
  /** The same for each attempt to send this mail, so that a service can drop the second of two. */
  readonly id: string;
}

/** It may not be. */
export interface Refusal {
  readonly refuse: true;
}

/** Somebody, as hooks are told of them. */
export interface HookPerson {
  readonly userId: string;
  readonly email: string | null;
  readonly roles: readonly string[];
  /** The operator's own fields: what this person has of them, null for nothing. An instant is a text of ISO 8601. */
  readonly fields: Readonly<Record<string, FieldValue | null>>;
}

/**
 * Somebody who signs up, before anything of it is looked up. Nobody has shown yet that any of this is theirs, but for an
 * address with `emailVerified`.
 */
export interface HookSignUp {
  /** In canonical form. */
  readonly email: string | null;
  /** Whether the provider has seen the mailbox. */
  readonly emailVerified: boolean;
  /** E.164. */
  readonly phone: string | null;
  readonly username: string | null;
  readonly name: string | null;
  /** The provider that they come from, as the settings name it; null for a sign-up with a password or a passkey. */
  readonly provider: string | null;
}

/** What an account starts with. What is left out is as if nobody had been asked. */
export interface AccountStart {
  /** In the place of the name that was typed, or that the provider told. */
  readonly name?: string | null | undefined;
  readonly roles?: readonly string[] | undefined;
  /** Own fields, by name, whoever may write them otherwise; none that is unique. */
  readonly fields?: Readonly<Record<string, FieldValue | Date | null | undefined>> | null | undefined;
}

/** A password that somebody is about to set. */
export interface HookPassword {
  readonly password: string;
  /** Whose it is to be; null for somebody who signs up. */
  readonly userId: string | null;
  /** The primary address. */
  readonly email: string | null;
  readonly username: string | null;
  readonly name: string | null;
}

/** A code that is about to be sent. */
export interface HookCode {
  /** `VERIFY_EMAIL`, `CONFIRM_EMAIL`, `VERIFY_PHONE`, `LOGIN_CODE`, `RESET_PASSWORD`, `REAUTHENTICATE`, `LINK_ACCOUNT`. */
  readonly purpose: string;
  readonly channel: 'EMAIL' | 'SMS';
}

/** Where a browser is to come back to from a provider. */
export interface HookRedirect {
  /** As it will be used: parsed, and written anew. */
  readonly url: string;
  /** Whether POSTERN_REDIRECT_URLS names it. */
  readonly listed: boolean;
}

/** Where a request came from, and what it says of that. */
export interface HookRequestOrigin {
  /** The address at the other end of the connection. */
  readonly peer: string;
  /** By lower-case name, without those that carry credentials. Whoever asks may write anything here. */
  readonly headers: Readonly<Record<string, string>>;
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

/** Somebody who comes from a provider, of whom an account here has the same address. Both have shown that it is theirs. */
export interface HookLinking extends HookProviderWord {
  /** Who has that account. */
  readonly person: HookPerson;
}

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
  /** Whether somebody may sign up, in whatever way. Not asked where POSTERN_SIGN_UP is closed. */
  readonly allowsSignUp?: (asked: HookSignUp) => boolean | Promise<boolean>;
  /**
   * The address to take for one that somebody types or a provider tells: as it is, another one, or none. What is typed to
   * log in is not changed. An address that a provider has seen and this changes counts as one that it has not seen.
   */
  readonly cleanEmail?: (email: string) => string | Refusal | Promise<string | Refusal>;
  /** The same for a user name. */
  readonly cleanUsername?: (username: string) => string | Refusal | Promise<string | Refusal>;
  /** What speaks against a password that nothing else speaks against; null if nothing does. Its errors are logged unread. */
  readonly refusesPassword?: (
    asked: HookPassword,
  ) => PasswordRejection | null | undefined | Promise<PasswordRejection | null | undefined>;
  /**
   * A user name for somebody who comes from a provider, where the one that it knows them by cannot be had. One that is
   * taken gets a number at its end.
   */
  readonly generateUsername?: (
    word: HookProviderWord,
  ) => string | null | undefined | Promise<string | null | undefined>;
  /** What a new account starts with. Asked again when a sign-up corrects its address. */
  readonly newAccount?: (
    asked: HookSignUp,
  ) => AccountStart | null | undefined | Promise<AccountStart | null | undefined>;
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
  /**
   * What POSTERN_SOCIAL_LINKING is for this person, unless it is `never`; null leaves it as it is. Both sides have verified
   * the address.
   */
  readonly linkingPolicy?: (
    asked: HookLinking,
  ) => LinkingPolicy | null | undefined | Promise<LinkingPolicy | null | undefined>;
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
  /**
   * The code of a message: 6 to 16 digits and letters from A to Z, at random. Asked in the middle of a login, so it should be
   * quick.
   */
  readonly generateCode?: (asked: HookCode) => string | Promise<string>;
  /**
   * Whether a browser may come back here from a provider; null leaves it to POSTERN_REDIRECT_URLS. What is not listed there
   * can be allowed if it is https, a page of this machine, or of a scheme with a dot in it.
   */
  readonly isSafeRedirect?: (asked: HookRedirect) => boolean | null | undefined | Promise<boolean | null | undefined>;
  /**
   * The IP address that a request counts for; null leaves it to POSTERN_TRUSTED_PROXIES, and so does whatever is no address.
   * Asked for each request, at once: a promise is no address.
   */
  readonly clientAddress?: (asked: HookRequestOrigin) => string | null | undefined;
  /** Sends a text message, or rejects: then it is tried again. Without this hook phones are off. */
  readonly sendSms?: (message: TextMessage) => Promise<void>;
  /** Sends a mail in the place of the mail server, or rejects: then it is tried again. */
  readonly sendMail?: (message: MailMessage) => Promise<void>;
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

/** What becomes of somebody from a provider whose address an account has: as POSTERN_SOCIAL_LINKING puts it. */
export type LinkingPolicy = 'ask' | 'verified' | 'never';

/**
 * How each hook is asked.
 * - `decision`: while a request waits, for two seconds at most; what it gives is looked at before anything is done.
 * - `at once`: the same, without waiting.
 * - `delivery`: outside of requests; one that fails is tried again.
 * - `messages`: functions by name, as a message is sent.
 */
export const HOOKS = {
  allowsSignUp: 'decision',
  cleanEmail: 'decision',
  cleanUsername: 'decision',
  refusesPassword: 'decision',
  generateUsername: 'decision',
  newAccount: 'decision',
  requiresMfa: 'decision',
  allowsEnrollment: 'decision',
  preSocialLogin: 'decision',
  linkingPolicy: 'decision',
  populateUser: 'decision',
  accessTokenClaims: 'decision',
  generateCode: 'decision',
  isSafeRedirect: 'decision',
  clientAddress: 'at once',
  sendSms: 'delivery',
  sendMail: 'delivery',
  mails: 'messages',
  texts: 'messages',
} as const satisfies Readonly<Record<keyof Hooks, string>>;
