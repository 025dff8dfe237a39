import type { App } from '../app.ts';
import { addressKey } from '../lib/client-address.ts';
import { hashToken, isToken, successorOf } from '../lib/secrets.ts';
import { extraClaims } from '../login/extra-claims.ts';
import type { TokenPair } from '../login/pipeline.ts';
import * as refreshTokens from '../records/refresh-tokens.ts';
import * as sessions from '../records/sessions.ts';
import { transact, type Unit } from '../unit.ts';
import {
  type Caller,
  type RateLimited,
  rateLimited,
  type Unauthenticated,
  type UnauthenticatedReason,
} from './shared/outcomes.ts';
import { isSameClient, noteClient } from './shared/session-client.ts';

export interface SessionTokensRefreshed {
  readonly kind: 'SessionTokensRefreshed';
  readonly credential: TokenPair;
}

export type RefreshSessionResult = SessionTokensRefreshed | Unauthenticated | RateLimited;

/**
 * Trades a refresh token for the next pair. A token works once; showing it again within ten seconds gives the same
 * successor, and later ends the session, since two parties hold it then (RFC 9700 §4.14.2).
 *
 * Neither the methods nor the time of the proof change by it. It counts as a use of the session.
 */
export async function refreshSession(
  app: App,
  { client }: Caller,
  { refreshToken }: { readonly refreshToken: string },
): Promise<RefreshSessionResult> {
  const wait = await app.limiter.count({ limit: 'refreshPerAddress', key: addressKey(client.ipAddress) });
  if (wait !== null) return rateLimited(wait);
  const sessionId = isToken('refresh', refreshToken)
    ? await refreshTokens.sessionOf(app.database, hashToken(refreshToken))
    : null;
  if (!sessionId) return unauthenticated('INVALID_CREDENTIAL');
  const overused = await app.limiter.count({ limit: 'refreshPerSession', key: sessionId });
  if (overused !== null) return rateLimited(overused);

  // The operator's code is asked before the transaction: nothing is done as often as this.
  const asked = app.hooks.accessTokenClaims ? await sessions.findById(app.database, sessionId) : null;
  const claims = asked && !asked.endReason ? await extraClaims(app, asked.user, asked.session) : null;

  const [current, ...older] = app.refreshKeys;
  const successor = (key: Buffer) => successorOf('refresh', refreshToken, key);
  return transact(app, client, async (unit) => {
    const rotation = await refreshTokens.rotate(unit.db, {
      token: refreshToken,
      successors: [successor(current), ...older.map(successor)],
      now: unit.now,
      expiresAt: new Date(unit.now.getTime() + app.config.refreshToken.lifetime),
    });
    if (rotation.kind === 'reused') return endReused(unit, sessionId);

    const known = await sessions.findById(unit.db, sessionId);
    if (!known || (known.endReason && known.endReason !== 'EXPIRED')) return unauthenticated('REVOKED');
    if (rotation.kind === 'expired' || sessions.expiryOf(known.session, app.config.session.idle) <= unit.now) {
      return unauthenticated('EXPIRED');
    }
    await sessions.touch(unit.db, sessionId, unit.now, 0);
    if (!isSameClient(client, known.seenWith)) await noteClient(unit, known.session);
    const { accessToken, expiresAt } = await app.accessTokens.issue(
      {
        ...sessions.accessTokenSubject(known.session),
        claims: claims ?? (await extraClaims(unit, known.user, known.session)),
      },
      unit.now,
    );
    return {
      kind: 'SessionTokensRefreshed',
      credential: {
        kind: 'TokenPair',
        accessToken,
        accessTokenExpiresAt: expiresAt,
        refreshToken: rotation.successor,
        refreshTokenExpiresAt: rotation.expiresAt,
      },
    };
  });
}

async function endReused({ db, now, emit }: Unit, sessionId: string): Promise<Unauthenticated> {
  const known = await sessions.findById(db, sessionId);
  if (known && (await sessions.end(db, sessionId, 'REFRESH_TOKEN_REUSED', now))) {
    emit({ kind: 'SessionEnded', userId: known.user.id, sessionId, reason: 'REFRESH_TOKEN_REUSED' });
  }
  return unauthenticated('REVOKED');
}

function unauthenticated(reason: UnauthenticatedReason): Unauthenticated {
  return { kind: 'Unauthenticated', reason };
}
