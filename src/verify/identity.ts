import type { ExtraClaims } from '../lib/extra-claims.ts';

/** Somebody whom a credential recognises. */
export interface Identified {
  readonly kind: 'Identified';
  readonly userId: string;
  readonly sessionId: string;
  /** Null where nobody was asked: a JWT that was checked here alone says nothing of roles. */
  readonly roles: readonly string[] | null;
  /** How the person proved who they are: RFC 8176 values, `mfa` among them if a second factor was. */
  readonly methods: readonly string[];
  /** When the person last did so. */
  readonly authenticatedAt: Date;
  /** When the credential ends, unless it is ended before. */
  readonly expiresAt: Date;
  /** What the operator of Postern has it say beside that. */
  readonly claims: ExtraClaims;
}

/** Why a credential recognises nobody. */
export type UnidentifiedReason = 'NO_CREDENTIAL' | 'INVALID_CREDENTIAL' | 'EXPIRED' | 'REVOKED';

/** Nobody known. */
export interface Unidentified {
  readonly kind: 'Unidentified';
  readonly reason: UnidentifiedReason;
}

export type Identity = Identified | Unidentified;

export function unidentified(reason: UnidentifiedReason): Unidentified {
  return { kind: 'Unidentified', reason };
}
