import type { AuthEvent } from '../events.ts';
import type { MailRecipient, Message, Notice } from './message.ts';

/** When and from where a change was made. */
interface NoticeSource {
  readonly at: Date;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  /** Whose client that was, if others are not to be told of it. */
  readonly of?: string | null;
}

/** What a person is told of an event, and which address of theirs hears of it beside the primary one. */
interface Told {
  readonly change: Notice['change'];
  readonly subject?: string;
  readonly alsoTo?: string;
}

/**
 * The mails that tell a person of a change of their account (ASVS 6.3.7): one to whatever is the primary address when
 * it is sent, and one to the address that the change took out of its place. Most events have none.
 */
export function noticesOf(event: AuthEvent, { at, of = null, ...client }: NoticeSource): Message[] {
  const told = toldOf(event);
  if (!told || event.userId === null) return [];
  const { alsoTo, ...what } = told;
  const { ipAddress, userAgent } = of === null || of === event.userId ? client : { ipAddress: null, userAgent: null };
  const data: Notice = { ...what, at: at.toISOString(), ipAddress, userAgent };
  const recipients: MailRecipient[] = [{ userId: event.userId }, ...(alsoTo === undefined ? [] : [{ email: alsoTo }])];
  return recipients.map((to) => ({ mail: 'SecurityNotice', to, data }));
}

// Without a default: a new event does not compile until it is decided what people are told of it.
function toldOf(event: AuthEvent): Told | null {
  switch (event.kind) {
    case 'LoggedIn':
      return event.newDevice ? { change: 'NEW_DEVICE' } : null;
    case 'PasswordChanged':
      return { change: event.first ? 'PASSWORD_SET' : 'PASSWORD_CHANGED' };
    case 'PasswordReset':
      return { change: 'PASSWORD_RESET' };
    case 'AccountReclaimed':
      return { change: 'ACCOUNT_RECLAIMED' };
    case 'EmailAdded':
      return { change: 'EMAIL_ADDED', subject: event.address };
    case 'EmailRemoved':
      return { change: 'EMAIL_REMOVED', subject: event.address, alsoTo: event.address };
    case 'PrimaryEmailChanged': {
      const told = { change: 'PRIMARY_EMAIL_CHANGED', subject: event.to } as const;
      // The new address is the primary one, and hears of it as such.
      return event.from === null || event.from === event.to ? told : { ...told, alsoTo: event.from };
    }
    case 'PhoneChanged':
      return { change: 'PHONE_CHANGED', subject: event.number };
    case 'PhoneRemoved':
      return { change: 'PHONE_REMOVED', subject: event.number };
    case 'UsernameChanged':
      return event.username === null
        ? { change: 'USERNAME_CHANGED' }
        : { change: 'USERNAME_CHANGED', subject: event.username };
    case 'AuthenticatorAdded':
      // Who has just shown that the mailbox is theirs, and made what they will log in with, need not be told.
      if (event.signingUp) return null;
      return { change: event.first ? 'MFA_ENABLED' : 'AUTHENTICATOR_ADDED', subject: factorInWords(event) };
    case 'AuthenticatorRemoved':
      return { change: event.last ? 'MFA_DISABLED' : 'AUTHENTICATOR_REMOVED', subject: factorInWords(event) };
    case 'AuthenticatorDisabled':
      return { change: 'AUTHENTICATOR_DISABLED', subject: factorInWords(event) };
    case 'MfaAttemptsExhausted':
      return { change: 'MFA_ATTEMPTS_EXHAUSTED' };
    case 'PasskeyCounterRegressed':
      return { change: 'PASSKEY_COPIED' };
    case 'RecoveryCodeUsed':
      return { change: 'RECOVERY_CODE_USED', subject: String(event.unused) };
    case 'RecoveryCodesGenerated':
      return { change: 'RECOVERY_CODES_GENERATED' };
    case 'ProviderConnected':
      // Who has just come from there to make the account need not be told.
      return event.signingUp ? null : { change: 'PROVIDER_CONNECTED', subject: connectionInWords(event) };
    case 'ProviderDisconnected':
      return { change: 'PROVIDER_DISCONNECTED', subject: connectionInWords(event) };
    case 'PasswordChangeDemanded':
      return { change: 'PASSWORD_CHANGE_DEMANDED' };
    case 'FactorsReset':
      return { change: 'FACTORS_RESET', subject: event.factors.map((factor) => FACTORS[factor] ?? factor).join(', ') };
    // Told with the factor that did it.
    case 'MfaEnabled':
    case 'MfaDisabled':
    case 'SecondFactorUsed':
    case 'PasskeyRenamed':
    case 'DeviceTrusted':
    case 'TrustedDevicesForgotten':
    case 'SignedUp':
    case 'SignUpRepeated':
    case 'LoginFailed':
    case 'LoginStepCompleted':
    case 'CodeSent':
    case 'CodeRejected':
    case 'LimitHit':
    case 'SessionEnded':
    case 'SessionClientChanged':
    case 'Reauthenticated':
    case 'EmailVerified':
    case 'PendingEmailChanged':
    case 'ProfileUpdated':
    case 'ProviderUpdated':
    // Its goodbye is a mail of its own.
    case 'AccountDeleted':
    case 'AccountDisabled':
    case 'AccountEnabled':
    case 'RolesChanged':
    // Its person gets a mail of its own, or knows the one who made it.
    case 'AccountCreated':
    case 'InvitationAccepted':
    case 'SessionsRevoked':
    case 'AdministratorActed':
    case 'MessageNotDelivered':
      return null;
  }
}

function connectionInWords({
  providerName,
  displayName,
}: {
  readonly providerName: string;
  readonly displayName: string;
}): string {
  return `${displayName} (${providerName})`;
}

const FACTORS: Readonly<Record<string, string>> = {
  TOTP: 'an authenticator app',
  PASSKEY: 'a passkey',
  RECOVERY_CODE: 'the recovery codes',
};

function factorInWords({ factor, name }: { readonly factor: string; readonly name?: string | null }): string {
  const kind = FACTORS[factor] ?? 'another factor';
  return name ? `${kind}, “${name}”` : kind;
}
