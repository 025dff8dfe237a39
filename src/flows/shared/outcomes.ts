import type { App } from '../../app.ts';
import type { FactorName } from '../../factors/index.ts';
import type { PasswordRejection } from '../../lib/password-policy.ts';
import { hashToken, isToken } from '../../lib/secrets.ts';
import type { LoginContext } from '../../login/pipeline.ts';
import type { Session } from '../../records/sessions.ts';
import type { User } from '../../records/users.ts';
import type { Client } from '../../unit.ts';

/** Why a request is recognised as nobody. */
export type UnauthenticatedReason = 'NO_CREDENTIAL' | 'INVALID_CREDENTIAL' | 'EXPIRED' | 'REVOKED';

export interface Unauthenticated {
  readonly kind: 'Unauthenticated';
  readonly reason: UnauthenticatedReason;
}

/** Who asks: nobody known, or the person behind a session, by whichever credential. */
export type Viewer = Anonymous | SignedIn;

export interface Anonymous {
  readonly kind: 'anonymous';
  readonly reason: UnauthenticatedReason;
}

/** Somebody who is recognised. Ordinary flows ask for this, so that they cannot be called without. */
export interface SignedIn {
  readonly kind: 'session' | 'accessToken';
  readonly session: Session;
  readonly user: User;
  /** When the credential itself ends, if it does so before its session. */
  readonly credentialExpiresAt: Date | null;
}

/** Who calls, and from where. */
export interface Caller {
  readonly viewer: Viewer;
  readonly client: Client;
  /** By which the device is trusted, if the request shows that it is. */
  readonly trustedDeviceToken: string | null;
}

/** One answer for a wrong password, an unknown, disabled or locked account, and one that has no password. */
export interface InvalidCredentials {
  readonly kind: 'InvalidCredentials';
}

/** The code was wrong; the handle is still good for so many tries. */
export interface InvalidCode {
  readonly kind: 'InvalidCode';
  readonly attemptsLeft: number;
}

/** A link or handle that is unknown, used or too old. */
export interface InvalidToken {
  readonly kind: 'InvalidToken';
}

/** A code is on its way, or so it looks to somebody whom that does not concern. */
export interface CodeSent {
  readonly kind: 'CodeSent';
  readonly handle: string;
  readonly expiresAt: Date;
  readonly resendAvailableAt: Date;
}

/** Nothing of the viewer's has this id. */
export interface NotFound {
  readonly kind: 'NotFound';
}

/** The person has not shown yet that this address is theirs, or that any is. */
export interface EmailNotVerified {
  readonly kind: 'EmailNotVerified';
}

/** It would leave this person no way to log in. */
export interface LastLoginMethod {
  readonly kind: 'LastLoginMethod';
}

export type ReauthenticationMethod = 'PASSWORD' | FactorName | 'EMAIL_CODE';

/** The viewer must prove anew who they are first. */
export interface ReauthenticationRequired {
  readonly kind: 'ReauthenticationRequired';
  readonly methods: readonly ReauthenticationMethod[];
}

export interface RateLimited {
  readonly kind: 'RateLimited';
  /** Seconds. */
  readonly retryAfter: number;
}

export interface SignUpClosed {
  readonly kind: 'SignUpClosed';
}

export interface PasswordRejected {
  readonly kind: 'PasswordRejected';
  readonly reasons: readonly PasswordRejection[];
}

export type InputIssueCode = 'REQUIRED' | 'INVALID' | 'TOO_SHORT' | 'TOO_LONG' | 'NOT_ALLOWED' | 'TAKEN';

export interface InputIssue {
  readonly path: readonly string[];
  readonly code: InputIssueCode;
}

/** What a person typed does not do; every problem of it at once. */
export interface InvalidInput {
  readonly kind: 'InvalidInput';
  readonly issues: readonly InputIssue[];
}

export function invalidInput(...issues: readonly InputIssue[]): InvalidInput {
  return { kind: 'InvalidInput', issues };
}

export function rateLimited(retryAfter: number): RateLimited {
  return { kind: 'RateLimited', retryAfter };
}

/** What the pipeline needs to know of a caller. */
export function loginContext(app: App, { viewer, trustedDeviceToken }: Caller): LoginContext {
  return {
    stages: app.stages,
    replaces: viewer.kind === 'anonymous' ? null : viewer.session,
    trustedDeviceHash: isToken('device', trustedDeviceToken ?? '') ? hashToken(trustedDeviceToken ?? '') : null,
  };
}
