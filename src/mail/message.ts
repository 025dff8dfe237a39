/** What the messages of an operator look and speak like. */
export interface Brand {
  /** The product, as people know it. */
  readonly name: string;
  /** Of the button and the code: a CSS hex colour. */
  readonly color: string;
  readonly logoUrl: string | null;
  /** Where the app lives. */
  readonly url: string;
}

/** A code, the link that does the same, and how long each lives, in milliseconds. */
export interface Delivered {
  /** As it is shown: `BCDF-GHJK`, or six digits. Null where nobody waits for a typed code. */
  readonly code: string | null;
  readonly codeLifetime: number;
  /** Null where only a typed code does. */
  readonly link: string | null;
  readonly linkLifetime: number;
}

/** A change of somebody's account, as a notice tells it: when, from where, and what. */
export interface Notice {
  readonly change:
    | 'NEW_DEVICE'
    | 'PASSWORD_SET'
    | 'PASSWORD_CHANGED'
    | 'PASSWORD_RESET'
    | 'ACCOUNT_RECLAIMED'
    | 'EMAIL_ADDED'
    | 'EMAIL_REMOVED'
    | 'PRIMARY_EMAIL_CHANGED'
    | 'PHONE_CHANGED'
    | 'PHONE_REMOVED'
    | 'USERNAME_CHANGED'
    | 'MFA_ENABLED'
    | 'MFA_DISABLED'
    | 'MFA_ATTEMPTS_EXHAUSTED'
    | 'AUTHENTICATOR_ADDED'
    | 'AUTHENTICATOR_REMOVED'
    | 'AUTHENTICATOR_DISABLED'
    | 'PASSKEY_COPIED'
    | 'RECOVERY_CODE_USED'
    | 'RECOVERY_CODES_GENERATED'
    | 'PROVIDER_CONNECTED'
    | 'PROVIDER_DISCONNECTED'
    | 'PASSWORD_CHANGE_DEMANDED'
    | 'FACTORS_RESET';
  /** ISO 8601. */
  readonly at: string;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  /** The address, number or name that it is about, if any. */
  readonly subject?: string;
}

/** What each mail says, by its name. Everything in it survives JSON. */
export interface MailData {
  /** To a new account's address, or one that is not verified yet. */
  readonly VerifyEmail: Delivered;
  /** To an address that is being added to an account. */
  readonly ConfirmEmail: Delivered;
  /** Somebody signed up with an address that has an account. */
  readonly AccountExists: Record<never, never>;
  /** Somebody wants to add an address to an account that belongs to another one. */
  readonly EmailInUse: Record<never, never>;
  /** `afterPassword`: whoever logs in has shown the password already. */
  readonly LoginCode: Delivered & { readonly afterPassword: boolean };
  readonly ResetPassword: Delivered;
  /** A code or a reset was asked for, and there is no account with this address. */
  readonly UnknownAccount: Record<never, never>;
  /** Somebody came from a provider and says that the account is theirs. */
  readonly LinkAccountCode: { readonly code: string; readonly codeLifetime: number };
  readonly ReauthenticationCode: { readonly code: string; readonly codeLifetime: number };
  readonly SecurityNotice: Notice;
  /** An administrator lets somebody sign up with this address. */
  readonly Invitation: { readonly link: string; readonly linkLifetime: number };
  /** An administrator made an account with this address, which has no password yet. */
  readonly AccountCreated: { readonly link: string; readonly linkLifetime: number };
  /** The account is gone. */
  readonly Goodbye: Record<never, never>;
}
export type MailKind = keyof MailData;

/** What each text message says. */
export interface SmsData {
  readonly VerifyPhone: { readonly code: string; readonly codeLifetime: number };
  readonly LoginCode: { readonly code: string; readonly codeLifetime: number };
  readonly ResetPassword: { readonly code: string; readonly codeLifetime: number };
  readonly AccountExists: Record<never, never>;
  readonly UnknownAccount: Record<never, never>;
}
export type SmsKind = keyof SmsData;

/** A message that is to be sent: to an address or a number, or to whatever is a person's primary address by then. */
export type Message =
  | { [K in MailKind]: { readonly mail: K; readonly to: MailRecipient; readonly data: MailData[K] } }[MailKind]
  | {
      [K in SmsKind]: { readonly sms: K; readonly to: { readonly phone: string }; readonly data: SmsData[K] };
    }[SmsKind];
export type MailRecipient = { readonly email: string } | { readonly userId: string };

/** A mail as it is sent. */
export interface RenderedMail {
  /** One line, without the product's name. */
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** One function for each mail, pure. An operator may replace any of them. */
export type MailMessages = { readonly [K in MailKind]: (data: MailData[K], brand: Brand) => RenderedMail };
/** One function for each text message, pure. */
export type SmsMessages = { readonly [K in SmsKind]: (data: SmsData[K], brand: Brand) => string };
