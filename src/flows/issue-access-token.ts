import type { App } from '../app.ts';
import { extraClaims } from '../login/extra-claims.ts';
import { accessTokenSubject } from '../records/sessions.ts';
import type { SignedIn } from './shared/outcomes.ts';

export interface AccessTokenIssued {
  readonly kind: 'AccessTokenIssued';
  readonly accessToken: string;
  readonly expiresAt: Date;
}

/**
 * A JWT for calling other services. It speaks of the same session, so it dies with it here.
 *
 * Whoever shows a JWT gets one that lasts as long as that: a stolen one must not renew itself. What makes it last is
 * refreshSession, where theft is noticed.
 */
export async function issueAccessToken(
  app: App,
  { user, session, credentialExpiresAt }: SignedIn,
): Promise<AccessTokenIssued> {
  const subject = accessTokenSubject(session);
  const claims = await extraClaims(app, user, session);
  const expiresAt = credentialExpiresAt ?? subject.expiresAt;
  const issued = await app.accessTokens.issue({ ...subject, expiresAt, claims }, app.clock());
  return { kind: 'AccessTokenIssued', ...issued };
}
