import type { AuthEvent } from '../events.ts';
import type { Db } from '../infra/database.ts';
import * as events from './events.ts';
import type { Session } from './sessions.ts';
import * as sessions from './sessions.ts';

/** Which facts change what a person's open apps show, and what they change. */
const ACCOUNT_CHANGES = {
  PasswordChanged: 'PASSWORD_CHANGED',
  PasswordReset: 'PASSWORD_CHANGED',
  // An address that is added is verified in the same moment.
  EmailVerified: 'EMAIL_CHANGED',
  EmailRemoved: 'EMAIL_CHANGED',
  PrimaryEmailChanged: 'EMAIL_CHANGED',
  PendingEmailChanged: 'EMAIL_CHANGED',
  PhoneChanged: 'PHONE_CHANGED',
  PhoneRemoved: 'PHONE_CHANGED',
  UsernameChanged: 'PROFILE_CHANGED',
  ProfileUpdated: 'PROFILE_CHANGED',
  MfaEnabled: 'MFA_ENABLED',
  MfaDisabled: 'MFA_DISABLED',
  AuthenticatorAdded: 'AUTHENTICATOR_ADDED',
  AuthenticatorRemoved: 'AUTHENTICATOR_REMOVED',
  AuthenticatorDisabled: 'AUTHENTICATOR_CHANGED',
  PasskeyRenamed: 'AUTHENTICATOR_CHANGED',
  RecoveryCodeUsed: 'AUTHENTICATOR_CHANGED',
  RecoveryCodesGenerated: 'RECOVERY_CODES_GENERATED',
  ProviderConnected: 'PROVIDER_CONNECTED',
  ProviderDisconnected: 'PROVIDER_DISCONNECTED',
  RolesChanged: 'ROLES_CHANGED',
} as const satisfies Partial<Record<AuthEvent['kind'], string>>;

export type AccountChange = (typeof ACCOUNT_CHANGES)[keyof typeof ACCOUNT_CHANGES];

/** What a fact changes of what a person's open apps show; null for nothing. */
export function accountChangeOf(kind: AuthEvent['kind']): AccountChange | null {
  return kind in ACCOUNT_CHANGES ? ACCOUNT_CHANGES[kind as keyof typeof ACCOUNT_CHANGES] : null;
}

/** Whether those who follow a person are told of a fact. Of what strangers can bring about, such as a wrong guess, not. */
export function isTold({ kind }: Pick<AuthEvent, 'kind'>): boolean {
  return kind === 'SessionEnded' || isAboutSession({ kind }) || accountChangeOf(kind) !== null;
}

/** An event, with the session that began or was proven anew by it, as that is now. */
export type SessionEventRecord = events.StoredEvent & {
  /** Null for other kinds, and once the session has been removed. */
  readonly session: Session | null;
};

/** The events of a person after one of them, the oldest first. */
export async function listAfter(db: Db, userId: string, after: bigint, limit: number): Promise<SessionEventRecord[]> {
  const stored = await events.listAfter(db, userId, after, limit);
  const ids = stored.flatMap((event) => (isAboutSession(event) ? (event.sessionId ?? []) : []));
  const about = new Map(ids.length > 0 ? (await sessions.listByIds(db, ids)).map((each) => [each.id, each]) : []);
  return stored.map((event) => ({
    ...event,
    session: (isAboutSession(event) && about.get(event.sessionId ?? '')) || null,
  }));
}

function isAboutSession({ kind }: Pick<AuthEvent, 'kind'>): boolean {
  return kind === 'LoggedIn' || kind === 'Reauthenticated';
}
