import type { App } from '../app.ts';
import * as sessions from '../records/sessions.ts';
import { transact } from '../unit.ts';
import { type FreshSession, lockViewer } from './shared/freshness.ts';
import type { Caller, NotFound, Unauthenticated } from './shared/outcomes.ts';

export interface SessionRevoked {
  readonly kind: 'SessionRevoked';
  readonly id: string;
}

export interface SessionsRevoked {
  readonly kind: 'SessionsRevoked';
  readonly count: number;
}

export type RevokeSessionResult = SessionRevoked | NotFound | Unauthenticated;
export type RevokeOtherSessionsResult = SessionsRevoked | Unauthenticated;

/** Ends a session of the viewer's, wherever it is; their own one too. */
export async function revokeSession(
  app: App,
  { client }: Caller,
  viewer: FreshSession,
  { id }: { readonly id: string },
): Promise<RevokeSessionResult> {
  const { id: userId } = viewer.user;
  return transact(app, client, async (unit): Promise<RevokeSessionResult> => {
    const { db, now, config, emit } = unit;
    if (!(await lockViewer(unit, viewer))) return { kind: 'Unauthenticated', reason: 'REVOKED' };
    const live = await sessions.listLive(db, userId, config.session.idle, now);
    const revoked = live.find((session) => session.id === id);
    if (!revoked || !(await sessions.end(db, revoked.id, 'REVOKED', now))) return { kind: 'NotFound' };
    emit({ kind: 'SessionEnded', userId, sessionId: revoked.id, reason: 'REVOKED' });
    return { kind: 'SessionRevoked', id: revoked.id };
  });
}

/** Ends every session of the viewer's but the one that asks. */
export async function revokeOtherSessions(
  app: App,
  { client }: Caller,
  viewer: FreshSession,
): Promise<RevokeOtherSessionsResult> {
  const { user, session } = viewer;
  return transact(app, client, async (unit): Promise<RevokeOtherSessionsResult> => {
    const { db, now, config, emit } = unit;
    if (!(await lockViewer(unit, viewer))) return { kind: 'Unauthenticated', reason: 'REVOKED' };
    // Those whose time is over are ended too, so that nothing brings them back, but nobody needs to hear of them.
    const live = new Set((await sessions.listLive(db, user.id, config.session.idle, now)).map(({ id }) => id));
    const ended = await sessions.endAll(db, user.id, 'REVOKED', now, session.id);
    for (const sessionId of ended) emit({ kind: 'SessionEnded', userId: user.id, sessionId, reason: 'REVOKED' });
    return { kind: 'SessionsRevoked', count: ended.filter((id) => live.has(id)).length };
  });
}
