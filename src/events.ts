import type { AuthenticationMethod } from './records/sessions.ts';

/** Why a session is over. */
export type SessionEndReason =
  | 'LOGGED_OUT'
  | 'REVOKED'
  | 'EXPIRED'
  | 'PASSWORD_CHANGED'
  | 'REFRESH_TOKEN_REUSED'
  | 'ACCOUNT_DISABLED'
  | 'ACCOUNT_DELETED';

/** The facts that Postern announces, by kind, beside whom they are about. */
interface Facts {
  readonly SignedUp: Nothing;
  /** Somebody wanted to sign up with the address or number of this person. */
  readonly SignUpRepeated: Nothing;
  readonly LoggedIn: {
    readonly sessionId: string;
    readonly methods: readonly AuthenticationMethod[];
    /** With a client and from an address that this person did not use together before. */
    readonly newDevice: boolean;
  };
  readonly SessionEnded: { readonly sessionId: string; readonly reason: SessionEndReason };
  /** Somebody proved anew that the session is theirs. */
  readonly Reauthenticated: { readonly sessionId: string; readonly method: AuthenticationMethod['method'] };
  /** `first`: there was none before. */
  readonly PasswordChanged: { readonly first: boolean };
  readonly PasswordReset: Nothing;
  /** The mailbox of a never-verified account was proven: what had been set up before the proof is gone. */
  readonly AccountReclaimed: Nothing;
  /** Who signed up put another address in the place of one that was never verified. */
  readonly PendingEmailChanged: Nothing;
  readonly EmailVerified: { readonly address: string };
  /** An address joined the account, verified. */
  readonly EmailAdded: { readonly address: string };
  readonly EmailRemoved: { readonly address: string };
  readonly PrimaryEmailChanged: { readonly from: string | null; readonly to: string };
  readonly PhoneChanged: { readonly number: string };
  readonly PhoneRemoved: { readonly number: string };
  readonly UsernameChanged: { readonly username: string | null };
  readonly ProfileUpdated: Nothing;
  /** The first second factor joined the account: from now on each login asks for one. */
  readonly MfaEnabled: Nothing;
  /** The last one is gone. */
  readonly MfaDisabled: Nothing;
  /** `signingUp`: as the last step of a sign-up. */
  readonly AuthenticatorAdded: Held & { readonly first: boolean; readonly signingUp: boolean };
  readonly AuthenticatorRemoved: Held & { readonly last: boolean };
  readonly PasskeyRenamed: { readonly authenticatorId: string; readonly name: string };
  /** A second factor was right. */
  readonly SecondFactorUsed: { readonly authenticatorId: string; readonly factor: string };
  /** A login was ended because its second factor was answered wrongly too often. */
  readonly MfaAttemptsExhausted: Nothing;
  readonly RecoveryCodeUsed: { readonly unused: number };
  readonly RecoveryCodesGenerated: Nothing;
  /** A hundred wrong answers in a row: it answers nothing until a recovery. */
  readonly AuthenticatorDisabled: { readonly authenticatorId: string; readonly factor: string };
  /** A passkey signed fewer times than before: there may be a copy of it. Refused. */
  readonly PasskeyCounterRegressed: { readonly authenticatorId: string };
  /** An account at a provider joined the person. `signingUp`: it is what the person signed up with. */
  readonly ProviderConnected: Connected & { readonly signingUp: boolean };
  readonly ProviderDisconnected: Connected;
  /** A device need not show a second factor again. */
  readonly DeviceTrusted: Nothing;
  readonly TrustedDevicesForgotten: { readonly count: number };
  readonly AccountDeleted: Nothing;
  /** By the operator, as the next two. */
  readonly AccountDisabled: Nothing;
  readonly AccountEnabled: Nothing;
  readonly RolesChanged: { readonly roles: readonly string[] };
}

/** Facts that may be about nobody we know. */
interface AnonymousFacts {
  readonly LoginFailed: { readonly method: AuthenticationMethod['method'] };
  /** A message was given up after a day. */
  readonly MessageNotDelivered: { readonly message: string };
}

type Nothing = Record<never, never>;

/** An account at a provider, by what the provider calls its owner. */
interface Connected {
  readonly connectionId: string;
  readonly provider: string;
  /** As people know it. */
  readonly providerName: string;
  readonly displayName: string;
}

/** An authenticator, by its factor and by what its owner calls it. */
interface Held {
  readonly authenticatorId: string;
  readonly factor: string;
  readonly name: string | null;
}

/**
 * The facts that Postern announces. Each is written to the `events` table in the transaction that makes it true, with
 * the instant and the client it came from; none carries a secret.
 */
export type AuthEvent =
  | { [K in keyof Facts]: { readonly kind: K; readonly userId: string } & Facts[K] }[keyof Facts]
  | {
      [K in keyof AnonymousFacts]: { readonly kind: K; readonly userId: string | null } & AnonymousFacts[K];
    }[keyof AnonymousFacts];
