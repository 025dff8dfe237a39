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

/**
 * The facts that Postern announces. Each is written to the `events` table in the transaction that makes it true, with
 * the instant and the client it came from; none carries a secret.
 */
export type AuthEvent =
  | { readonly kind: 'SignedUp'; readonly userId: string }
  | {
      readonly kind: 'LoggedIn';
      readonly userId: string;
      readonly sessionId: string;
      readonly methods: readonly AuthenticationMethod[];
    }
  | { readonly kind: 'LoginFailed'; readonly userId: string | null; readonly method: 'PASSWORD' }
  | {
      readonly kind: 'SessionEnded';
      readonly userId: string;
      readonly sessionId: string;
      readonly reason: SessionEndReason;
    };
