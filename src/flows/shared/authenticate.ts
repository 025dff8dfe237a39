import type { App, RememberedSession } from '../../app.ts';
import { generationOf } from '../../lib/access-token.ts';
import { hashToken, isToken } from '../../lib/secrets.ts';
import type { CredentialKind, KnownSession } from '../../records/sessions.ts';
import * as sessions from '../../records/sessions.ts';
import { type Client, transact } from '../../unit.ts';
import type { UnauthenticatedReason, Viewer } from './outcomes.ts';
import { isSameClient, noteClient } from './session-client.ts';

/** A credential as a request carries it. */
export interface PresentedCredential {
  readonly from: 'cookie' | 'header' | 'bearer';
  readonly value: string;
}

/** The use of a session is written at most this often. */
const WRITE_USE_EVERY_MS = 60_000;
/** And so is another client of it, as long as that is not told. */
const TRY_CLIENT_EVERY_MS = 60_000;

/**
 * Turns what a request carries into who asks. Never fails for a bad credential: it is nobody, with the reason.
 *
 * An opaque token opens only what it was made for: that of a cookie only as a cookie, that of an app only in a header,
 * so that neither can be smuggled through the other's door.
 * @param options `counts`: whether it is a use of the session, which keeps it alive; `client`: where the
 * request comes from
 */
export async function authenticate(
  app: App,
  credential: PresentedCredential | null,
  options: { readonly counts: boolean; readonly client?: Client } = { counts: true },
): Promise<Viewer> {
  if (!credential) return anonymous('NO_CREDENTIAL');
  const { from, value } = credential;
  if (isToken('session', value)) {
    const tokenHash = hashToken(value);
    return recognise(app, 'session', `token:${tokenHash.toString('base64')}`, {
      find: () => sessions.findByTokenHash(app.database, tokenHash),
      expected: ({ session }) => session.credential === heldAs(from),
      ...options,
    });
  }
  if (from !== 'bearer') return anonymous('INVALID_CREDENTIAL');

  const claims = await app.accessTokens.verify(value, app.clock());
  if (claims === 'expired') return anonymous('EXPIRED');
  if (claims === 'invalid') return anonymous('INVALID_CREDENTIAL');
  return recognise(app, 'accessToken', `session:${claims.sid}`, {
    find: () => sessions.findById(app.database, claims.sid),
    credentialExpiresAt: new Date(claims.exp * 1000),
    expected: ({ session }) => session.userId === claims.sub,
    isReplaced: ({ session }) => session.credentialGeneration !== generationOf(claims),
    whenUnknown: 'REVOKED',
    ...options,
  });
}

interface Lookup {
  readonly counts: boolean;
  readonly client?: Client;
  find(): Promise<KnownSession | null>;
  expected(known: KnownSession): boolean;
  /** Whether the credential was issued for one that another has replaced since. */
  isReplaced?(known: KnownSession): boolean;
  readonly whenUnknown?: UnauthenticatedReason;
  readonly credentialExpiresAt?: Date;
}

async function recognise(app: App, kind: 'session' | 'accessToken', key: string, lookup: Lookup): Promise<Viewer> {
  const now = app.clock();
  const load = async () => remember(await lookup.find());
  let known = await app.sessions.get(key, load);
  if (known && isExpired(app, known, now)) {
    // Another instance may have seen it in use since this one read it.
    app.sessions.dropSession(known.session.id);
    known = await app.sessions.get(key, load);
  }
  if (!known) return anonymous(lookup.whenUnknown ?? 'INVALID_CREDENTIAL');
  if (!lookup.expected(known)) return anonymous('INVALID_CREDENTIAL');
  if (lookup.isReplaced?.(known)) return anonymous('REVOKED');
  if (known.endReason) return anonymous(known.endReason === 'EXPIRED' ? 'EXPIRED' : 'REVOKED');
  if (isExpired(app, known, now)) return anonymous('EXPIRED');
  if (lookup.counts) await noteUse(app, known, now);
  // A JWT is shown by other services too, which are not the holder of the session.
  if (lookup.client && kind === 'session') await noteOtherClient(app, known, lookup.client, now);
  return {
    kind,
    session: { ...known.session, lastSeenAt: known.use.lastSeenAt },
    user: known.user,
    credentialExpiresAt: lookup.credentialExpiresAt ?? null,
  };
}

function remember(known: KnownSession | null): RememberedSession | null {
  if (!known) return null;
  const { lastSeenAt } = known.session;
  return { ...known, use: { lastSeenAt, writtenAt: lastSeenAt, seenWith: known.seenWith, clientTriedAt: null } };
}

function isExpired({ config }: App, { session, use }: RememberedSession, now: Date): boolean {
  return sessions.expiryOf({ ...session, lastSeenAt: use.lastSeenAt }, config.session.idle) <= now;
}

async function noteUse({ config, database }: App, { session, use }: RememberedSession, now: Date): Promise<void> {
  if (now > use.lastSeenAt) use.lastSeenAt = now;
  // Where the idle time is that short, the note must come in time to count.
  const every = Math.min(WRITE_USE_EVERY_MS, config.session.idle / 4);
  if (now.getTime() - use.writtenAt.getTime() < every) return;
  use.writtenAt = now;
  await sessions.touch(database, session.id, now, every);
}

async function noteOtherClient(
  app: App,
  { session, use }: RememberedSession,
  client: Client,
  now: Date,
): Promise<void> {
  if (isSameClient(client, use.seenWith)) return;
  if (use.clientTriedAt && now.getTime() - use.clientTriedAt.getTime() < TRY_CLIENT_EVERY_MS) return;
  use.clientTriedAt = now;
  if (await transact(app, client, (unit) => noteClient(unit, session))) use.seenWith = client;
}

function heldAs(from: PresentedCredential['from']): CredentialKind {
  return from === 'cookie' ? 'COOKIE' : 'SESSION_TOKEN';
}

function anonymous(reason: UnauthenticatedReason): Viewer {
  return { kind: 'anonymous', reason };
}
