import type { App } from '../app.ts';
import { accessTokenSubject } from '../records/sessions.ts';
import type { SignedIn } from './outcomes.ts';

export interface AccessTokenIssued {
  readonly kind: 'AccessTokenIssued';
  readonly accessToken: string;
  readonly expiresAt: Date;
}

/** A JWT for calling other services. It speaks of the same session, so it dies with it here. */
export async function issueAccessToken(app: App, { session }: SignedIn): Promise<AccessTokenIssued> {
  const issued = await app.accessTokens.issue(accessTokenSubject(session), app.clock());
  return { kind: 'AccessTokenIssued', ...issued };
}
