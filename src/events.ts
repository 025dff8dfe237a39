import type { LimitName } from './lib/rate-limits.ts';
import type { ChallengePurpose } from './records/challenges.ts';
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
  /** A session is used from another network, or by another program, than it was before. Told once an hour at most. */
  readonly SessionClientChanged: { readonly sessionId: string; readonly from: SeenClient };
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
  /** The provider calls the person, or reaches them, in another way than it did. */
  readonly ProviderUpdated: Connected;
  /** A device need not show a second factor again. */
  readonly DeviceTrusted: Nothing;
  readonly TrustedDevicesForgotten: { readonly count: number };
  readonly AccountDeleted: Nothing;
  readonly AccountDisabled: ByAdministrator;
  readonly AccountEnabled: ByAdministrator;
  readonly RolesChanged: ByAdministrator & { readonly roles: readonly string[] };
  /** An administrator made the account; its person has not been there yet. */
  readonly AccountCreated: ByAdministrator;
  /** Somebody signed up whom an administrator had invited. */
  readonly InvitationAccepted: ByAdministrator & {
    readonly invitationId: string;
    readonly roles: readonly string[];
  };
  /** At the next login the person has to choose another password. */
  readonly PasswordChangeDemanded: ByAdministrator;
  /** Every second factor was taken away, and no device is trusted any more. */
  readonly FactorsReset: ByAdministrator & { readonly factors: readonly string[] };
  /** All that there were. */
  readonly SessionsRevoked: ByAdministrator & { readonly count: number };
}

/** What was done to an account by somebody who is not its person. */
interface ByAdministrator {
  /** The id of the administrator; null for the operator at the command line. */
  readonly by: string | null;
}

/** What an administrator does. */
export type AdministratorAction =
  | 'CREATE_USER'
  | 'DISABLE_USER'
  | 'ENABLE_USER'
  | 'SET_ROLES'
  | 'UPDATE_USER'
  | 'REQUIRE_PASSWORD_CHANGE'
  | 'REVOKE_SESSIONS'
  | 'RESET_FACTORS'
  | 'DELETE_USER'
  | 'INVITE_USER'
  | 'REVOKE_INVITATION';

/** Facts that may be about nobody we know. */
interface AnonymousFacts {
  /**
   * Told of the administrator: what they did, and to which account or invitation. Of nobody: the operator at the command
   * line.
   */
  readonly AdministratorActed: { readonly action: AdministratorAction; readonly subjectId: string };
  readonly LoginFailed: { readonly method: AuthenticationMethod['method'] };
  /** A login got further, and asks for more. */
  readonly LoginStepCompleted: {
    readonly methods: readonly AuthenticationMethod['method'][];
    /** The stage that asks, such as `secondFactor`. */
    readonly asks: string;
  };
  /** A code or link is on its way; or, where it is about nobody, was asked for in the name of an unknown address. */
  readonly CodeSent: {
    readonly purpose: ChallengePurpose;
    readonly channel: 'EMAIL' | 'SMS';
    /** In the place of an earlier one. */
    readonly again: boolean;
  };
  /** A typed code was wrong. `lastAttempt`: there are no more tries. */
  readonly CodeRejected: { readonly purpose: ChallengePurpose; readonly lastAttempt: boolean };
  /** Somebody had to be refused for the first time in the window of a limit. It is about whose account it counts for. */
  readonly LimitHit: { readonly limit: LimitName };
  /** A message was given up after a day. */
  readonly MessageNotDelivered: { readonly message: string };
}

type Nothing = Record<never, never>;

/** A client, as its requests tell. */
interface SeenClient {
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
}

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

/** The name of a fact. */
export type EventKind = AuthEvent['kind'];

/** A fact as it is told to listeners: with what names it, when it happened, and the client that it came from. */
export type AnnouncedEvent = AuthEvent & {
  /** The same, however often it is told. Of two events of one person the later one has the higher id. */
  readonly id: string;
  readonly at: Date;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
};

/** What else a fact of this kind tells, beside whom it is about. */
type Particulars<K extends EventKind> = Exclude<keyof Extract<AuthEvent, { kind: K }>, 'kind' | 'userId'>;

/** Every fact, with what it tells: what is not named here does not compile, nor what there is no fact for. */
const PARTICULARS: { readonly [K in EventKind]: Readonly<Record<Particulars<K>, true>> } = {
  SignedUp: {},
  SignUpRepeated: {},
  LoggedIn: { sessionId: true, methods: true, newDevice: true },
  LoginStepCompleted: { methods: true, asks: true },
  LoginFailed: { method: true },
  CodeSent: { purpose: true, channel: true, again: true },
  CodeRejected: { purpose: true, lastAttempt: true },
  LimitHit: { limit: true },
  SessionEnded: { sessionId: true, reason: true },
  SessionClientChanged: { sessionId: true, from: true },
  Reauthenticated: { sessionId: true, method: true },
  PasswordChanged: { first: true },
  PasswordReset: {},
  AccountReclaimed: {},
  PendingEmailChanged: {},
  EmailVerified: { address: true },
  EmailAdded: { address: true },
  EmailRemoved: { address: true },
  PrimaryEmailChanged: { from: true, to: true },
  PhoneChanged: { number: true },
  PhoneRemoved: { number: true },
  UsernameChanged: { username: true },
  ProfileUpdated: {},
  MfaEnabled: {},
  MfaDisabled: {},
  AuthenticatorAdded: { authenticatorId: true, factor: true, name: true, first: true, signingUp: true },
  AuthenticatorRemoved: { authenticatorId: true, factor: true, name: true, last: true },
  PasskeyRenamed: { authenticatorId: true, name: true },
  SecondFactorUsed: { authenticatorId: true, factor: true },
  MfaAttemptsExhausted: {},
  RecoveryCodeUsed: { unused: true },
  RecoveryCodesGenerated: {},
  AuthenticatorDisabled: { authenticatorId: true, factor: true },
  PasskeyCounterRegressed: { authenticatorId: true },
  ProviderConnected: { connectionId: true, provider: true, providerName: true, displayName: true, signingUp: true },
  ProviderUpdated: { connectionId: true, provider: true, providerName: true, displayName: true },
  ProviderDisconnected: { connectionId: true, provider: true, providerName: true, displayName: true },
  DeviceTrusted: {},
  TrustedDevicesForgotten: { count: true },
  AccountDeleted: {},
  AccountCreated: { by: true },
  AccountDisabled: { by: true },
  AccountEnabled: { by: true },
  RolesChanged: { by: true, roles: true },
  InvitationAccepted: { by: true, invitationId: true, roles: true },
  PasswordChangeDemanded: { by: true },
  FactorsReset: { by: true, factors: true },
  SessionsRevoked: { by: true, count: true },
  AdministratorActed: { action: true, subjectId: true },
  MessageNotDelivered: { message: true },
};

/** The kinds of all facts. */
export const EVENT_KINDS = Object.keys(PARTICULARS) as readonly EventKind[];

/** The names of what a fact of a kind tells, beside whom it is about. */
export function particularsOf(kind: EventKind): readonly string[] {
  return Object.keys(PARTICULARS[kind]);
}
