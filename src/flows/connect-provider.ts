import type { App } from '../app.ts';
import { announceConnection, announceDisconnection, joinIdentity, readIdentity } from '../login/identity.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as sessions from '../records/sessions.ts';
import type { SocialConnection } from '../records/social-connections.ts';
import * as connections from '../records/social-connections.ts';
import type { User } from '../records/users.ts';
import { transact } from '../unit.ts';
import { type FreshSession, lockViewer } from './shared/freshness.ts';
import type {
  Caller,
  InvalidToken,
  LastLoginMethod,
  NotFound,
  RateLimited,
  SignedIn,
  Unauthenticated,
} from './shared/outcomes.ts';
import {
  type BegunAtProvider,
  beginAtProvider,
  completeAtProvider,
  limitProviderSteps,
  type ProviderFailed,
  providerFailed,
} from './shared/provider-flow.ts';
import { decideArrival } from './shared/social-decisions.ts';
import { canGoWithout } from './shared/ways-in.ts';

/** The account at the provider logs in to this person's account from now on. */
export interface ProviderConnected {
  readonly kind: 'ProviderConnected';
  readonly connection: SocialConnection;
}

/** It belongs to somebody else's account. */
export interface ConnectionTaken {
  readonly kind: 'ConnectionTaken';
}

export interface ProviderDisconnected {
  readonly kind: 'ProviderDisconnected';
  /** Those that are left. */
  readonly connections: readonly SocialConnection[];
}

export type BeginProviderConnectionResult = BegunAtProvider;
export type CompleteProviderConnectionResult =
  | ProviderConnected
  | ConnectionTaken
  | ProviderFailed
  | InvalidToken
  | Unauthenticated
  | RateLimited;
export type DisconnectProviderResult = ProviderDisconnected | NotFound | LastLoginMethod | Unauthenticated;

/** What a person is connected to, the oldest first. */
export function connectionsOf(app: App, { id }: Pick<User, 'id'>): Promise<SocialConnection[]> {
  return connections.list(app.database, id);
}

/** Begins to connect the viewer with an account at a provider: another way in, so they must have just proven who they are. */
export async function beginProviderConnection(
  app: App,
  caller: Caller,
  { session }: FreshSession,
  input: { readonly provider: string; readonly redirectUrl: string },
): Promise<BeginProviderConnectionResult> {
  return beginAtProvider(app, caller, { purpose: 'CONNECT', sessionId: session.id, ...input });
}

/** Connects the viewer with whom the provider has named: in the session that asked for it, and in no other. */
export async function completeProviderConnection(
  app: App,
  caller: Caller,
  viewer: SignedIn,
  { flowToken, code }: { readonly flowToken: string; readonly code: string },
): Promise<CompleteProviderConnectionResult> {
  const limited = await limitProviderSteps(app, caller);
  if (limited) return limited;
  const { user, session } = viewer;
  const came = await completeAtProvider(app, { purpose: 'CONNECT', flowToken, code, sessionId: session.id });
  if (!came) return { kind: 'InvalidToken' };
  if (came.kind === 'ProviderFailed') return came;
  const { provider, word } = came;
  if ((await decideArrival(app, came, user.id, 'CONNECT')) === 'refused') return providerFailed('DENIED');
  const tokens = app.config.social.storeTokens && word.tokens ? JSON.stringify(word.tokens) : null;
  const identity = readIdentity({ ...word, provider: provider.id }, tokens);
  return transact(app, caller.client, async (unit): Promise<CompleteProviderConnectionResult> => {
    if (!(await lockViewer(unit, viewer))) return { kind: 'Unauthenticated', reason: 'REVOKED' };
    const joined = await joinIdentity(unit, user.id, identity);
    if (!joined) return { kind: 'ConnectionTaken' };
    if (!joined.known) announceConnection(unit, user.id, joined.id, identity);
    const connection = (await connections.list(unit.db, user.id)).find(({ id }) => id === joined.id);
    if (!connection) throw new Error('a connection that was made a moment ago is not there');
    return { kind: 'ProviderConnected', connection };
  });
}

/**
 * Takes a connection away, unless nothing else would let the person in. What it opened ends, but for the session that
 * asks: logins that are not finished, and sessions that came by this provider.
 */
export async function disconnectProvider(
  app: App,
  caller: Caller,
  viewer: FreshSession,
  input: { readonly id: string },
): Promise<DisconnectProviderResult> {
  const { id: userId } = viewer.user;
  return transact(app, caller.client, async (unit): Promise<DisconnectProviderResult> => {
    const { db, now, config, emit } = unit;
    const known = await lockViewer(unit, viewer);
    if (!known) return { kind: 'Unauthenticated', reason: 'REVOKED' };
    const held = await connections.list(db, userId);
    const removed = held.find(({ id }) => id === input.id);
    if (!removed) return { kind: 'NotFound' };
    if (!(await canGoWithout(app, unit, known.user, { connection: removed.id }))) return { kind: 'LastLoginMethod' };
    await connections.remove(db, userId, removed.id);
    await pendingLogins.endAll(db, userId, now);
    const { provider } = removed;
    const live = await sessions.listLive(db, userId, config.session.idle, now);
    for (const { id, methods } of live) {
      const came = methods.some((each) => each.method === 'PROVIDER' && each.provider === provider);
      if (came && id !== known.session.id && (await sessions.end(db, id, 'REVOKED', now)))
        emit({ kind: 'SessionEnded', userId, sessionId: id, reason: 'REVOKED' });
    }
    announceDisconnection(unit, userId, removed);
    return { kind: 'ProviderDisconnected', connections: held.filter((each) => each !== removed) };
  });
}
