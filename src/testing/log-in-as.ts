import type { App } from '../app.ts';
import { sessionCookie } from '../http/cookie.ts';
import { beginLogin, type LoggedIn } from '../login/pipeline.ts';
import * as authenticators from '../records/authenticators.ts';
import * as passwords from '../records/passwords.ts';
import type { AuthenticationMethod, AuthenticationMethodKind, CredentialKind } from '../records/sessions.ts';
import * as sessions from '../records/sessions.ts';
import * as connections from '../records/social-connections.ts';
import { type Client, transact, type Unit } from '../unit.ts';
import type { GraphQLClient } from './client.ts';

/** How somebody is logged in. */
export interface LogInAsOptions {
  /** How the client holds its session; as a SESSION_TOKEN, if left out. */
  readonly credential?: CredentialKind;
  /**
   * What was proven. If left out, all that the person has of a password, an app, a passkey or a provider. An app, a
   * recovery code and a passkey count as a second factor: who has one and did not prove it may not change factors.
   */
  readonly methods?: readonly AuthenticationMethodKind[];
  /** Whether that was just now, so that sensitive changes need no new proof; it was, unless told. */
  readonly fresh?: boolean;
}

/** What a client holds after that. */
export interface LoggedInAs {
  readonly sessionId: string;
  /** The session token, the JWT, or the value of the cookie. */
  readonly token: string;
  readonly refreshToken: string | null;
  /** The same client, showing its credential. */
  readonly client: GraphQLClient;
}

const SECOND_FACTORS: readonly AuthenticationMethodKind[] = ['TOTP', 'RECOVERY_CODE', 'PASSKEY'];

/**
 * Opens a session as the pipeline would for a login that has proven all that it has to. No stage asks anything, nothing
 * is hashed, and no limit counts.
 * @throws Error if the person is gone, or disabled
 */
export async function logIn(
  app: App,
  { id: userId }: { readonly id: string },
  from: { readonly client: GraphQLClient; readonly address: Client },
  { credential = 'SESSION_TOKEN', methods: asked, fresh = true }: LogInAsOptions = {},
): Promise<LoggedInAs> {
  const loggedIn = await transact(app, from.address, async (unit): Promise<LoggedIn> => {
    const provenAt = fresh ? unit.now.getTime() : unit.now.getTime() - unit.config.reauthenticationWindow;
    const methods = await methodsOf(unit, userId, asked, new Date(provenAt));
    const step = await beginLogin(
      unit,
      { stages: {}, replaces: null, trustedDeviceHash: null },
      {
        purpose: 'PASSWORD',
        userId,
        credential,
        methods,
        passwordChangedAt: await passwords.changedAt(unit.db, userId),
      },
    );
    if (step?.kind !== 'LoggedIn')
      throw new Error('nobody can be logged in as this person: they are gone, or disabled');
    // A session that is held as a JWT is fresh by a proof that came after the login that gave the JWT out.
    if (fresh && credential === 'JWT') await proveAgain(unit, step.session.id, methods, new Date(provenAt + 1));
    return step;
  });
  const { session, issued } = loggedIn;
  const token = issued.kind === 'TokenPair' ? issued.accessToken : issued.token;
  const { publicUrl } = app.config;
  // A browser says with a cookie which page it shows.
  const cookie = { cookie: `${sessionCookie(publicUrl).name}=${token}`, origin: new URL(publicUrl).origin };
  return {
    sessionId: session.id,
    token,
    refreshToken: issued.kind === 'TokenPair' ? issued.refreshToken : null,
    client: credential === 'COOKIE' ? from.client.with(cookie) : from.client.bearing(token),
  };
}

async function methodsOf(
  { db }: Unit,
  userId: string,
  asked: readonly AuthenticationMethodKind[] | undefined,
  at: Date,
): Promise<AuthenticationMethod[]> {
  const [connection] = await connections.list(db, userId);
  const kinds = asked ?? (await waysOf(db, userId, connection !== undefined));
  return kinds.map((method) => ({
    method,
    at: at.toISOString(),
    ...(method === 'PROVIDER' && connection ? { provider: connection.provider } : {}),
    ...(SECOND_FACTORS.includes(method) ? { mfa: true as const } : {}),
  }));
}

/** How somebody would log in who uses all that they have. */
async function waysOf(db: Unit['db'], userId: string, isConnected: boolean): Promise<AuthenticationMethodKind[]> {
  const held = (await authenticators.list(db, userId)).map(({ kind }) => kind);
  const hasPassword = (await passwords.changedAt(db, userId)) !== null;
  const first = hasPassword ? 'PASSWORD' : isConnected ? 'PROVIDER' : 'CODE';
  return [first, ...(['TOTP', 'PASSKEY'] as const).filter((kind) => held.includes(kind))];
}

async function proveAgain(
  { db }: Unit,
  sessionId: string,
  methods: readonly AuthenticationMethod[],
  at: Date,
): Promise<void> {
  for (const method of methods) await sessions.addMethod(db, sessionId, { ...method, at: at.toISOString() });
}
