import type { App } from '../app.ts';
import type { ExtraClaims } from '../lib/extra-claims.ts';
import { extraClaims } from '../login/extra-claims.ts';
import { amrOf, authenticatedAt, expiryOf } from '../records/sessions.ts';
import type { SignedIn, Viewer } from './shared/outcomes.ts';

/** A token that recognises somebody now. */
export interface ActiveToken {
  readonly kind: 'ActiveToken';
  readonly userId: string;
  readonly sessionId: string;
  readonly roles: readonly string[];
  readonly issuedAt: Date;
  /** Unless it ends before: a session is also over after some time without use. */
  readonly expiresAt: Date;
  readonly authenticatedAt: Date;
  /** RFC 8176 values. */
  readonly methods: readonly string[];
  /** What the access tokens of this session say beside their own claims. */
  readonly claims: ExtraClaims;
}

/** Anything else: unknown, ended, expired, or no token that a service is ever shown. */
export interface InactiveToken {
  readonly kind: 'InactiveToken';
}

export type IntrospectTokenResult = ActiveToken | InactiveToken;

const INACTIVE: InactiveToken = { kind: 'InactiveToken' };

/**
 * Tells a service whose a token is (RFC 7662).
 * @param viewer whom the token, shown as a bearer credential, recognises
 * @throws Error if the operator's hook does not say what else its tokens say
 */
export async function introspectToken(app: App, viewer: Viewer, token: string): Promise<IntrospectTokenResult> {
  if (viewer.kind === 'anonymous') return INACTIVE;
  const times = viewer.kind === 'session' ? timesOfSession(app, viewer) : await timesOfAccessToken(app, token);
  if (!times) return INACTIVE;
  const { user, session } = viewer;
  const claims = await extraClaims(app, user, session);
  return { kind: 'ActiveToken', userId: user.id, sessionId: session.id, roles: user.roles, ...times, claims };
}

type Times = Pick<ActiveToken, 'issuedAt' | 'expiresAt' | 'authenticatedAt' | 'methods'>;

function timesOfSession({ config }: App, { session }: SignedIn): Times {
  return {
    issuedAt: session.createdAt,
    expiresAt: expiryOf(session, config.session.idle),
    authenticatedAt: authenticatedAt(session),
    methods: amrOf(session),
  };
}

// What it says itself. A proof that its session gained since is not that of whoever holds this token: other services
// get to see it.
async function timesOfAccessToken(app: App, token: string): Promise<Times | null> {
  const claims = await app.accessTokens.verify(token, app.clock());
  if (typeof claims === 'string') return null;
  return {
    issuedAt: new Date(claims.iat * 1000),
    expiresAt: new Date(claims.exp * 1000),
    authenticatedAt: new Date(claims.auth_time * 1000),
    methods: claims.amr,
  };
}
