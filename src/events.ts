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
  readonly AccountDeleted: Nothing;
}

/** Facts that may be about nobody we know. */
interface AnonymousFacts {
  readonly LoginFailed: { readonly method: 'PASSWORD' | 'CODE' };
  /** A message was given up after a day. */
  readonly MessageNotDelivered: { readonly message: string };
}

type Nothing = Record<never, never>;

/**
 * The facts that Postern announces. Each is written to the `events` table in the transaction that makes it true, with
 * the instant and the client it came from; none carries a secret.
 */
export type AuthEvent =
  | { [K in keyof Facts]: { readonly kind: K; readonly userId: string } & Facts[K] }[keyof Facts]
  | {
      [K in keyof AnonymousFacts]: { readonly kind: K; readonly userId: string | null } & AnonymousFacts[K];
    }[keyof AnonymousFacts];
