import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';
import { hashToken } from '../lib/secrets.ts';

/** How long the holder of a used refresh token may still learn its successor: answers get lost, tabs race. */
export const REUSE_GRACE_MS = 10_000;

/** Starts the chain of a session. */
export async function start(
  db: Db,
  token: { sessionId: string; tokenHash: Buffer; now: Date; expiresAt: Date },
): Promise<void> {
  const { sessionId, tokenHash, expiresAt, now } = token;
  await db.execute`
    INSERT INTO refresh_tokens (id, session_id, token_hash, created_at, expires_at)
    VALUES (${randomUUID()}::uuid, ${sessionId}::uuid, ${tokenHash}, ${now}, ${expiresAt})`;
}

/** Ends the chain of a session, whatever is made of it at the same moment. Its tokens are known no more. */
export async function endChain(db: Db, sessionId: string): Promise<void> {
  let ended: number;
  do {
    // It waits for a token that is just being used, and does not see the successor: that is for the next round.
    ended = await db.execute`DELETE FROM refresh_tokens WHERE session_id = ${sessionId}::uuid`;
  } while (ended > 0);
}

/** Ends the chains of all sessions of a person. */
export async function endAllOf(db: Db, userId: string): Promise<void> {
  await db.execute`
    DELETE FROM refresh_tokens WHERE session_id IN (SELECT id FROM sessions WHERE user_id = ${userId}::uuid)`;
}

/** Whose chain a token belongs to, whatever has become of the token. */
export async function sessionOf(db: Db, tokenHash: Buffer): Promise<string | null> {
  const [row] = await db.query<{ session_id: string }>`
    SELECT session_id FROM refresh_tokens WHERE token_hash = ${tokenHash}`;
  return row?.session_id ?? null;
}

/** What showing a refresh token came to. */
export type Rotation =
  /** Its successor is the one to use now: made just now, or moments ago by a request that raced with this one. */
  | { readonly kind: 'rotated'; readonly successor: string; readonly expiresAt: Date }
  /** It was used before, and its holder is not merely late: two parties hold the chain (RFC 9700 §4.14.2). */
  | { readonly kind: 'reused' }
  | { readonly kind: 'expired' };

/**
 * Uses a token up and puts its successor in its place, in one conditional write: of fifty at once, one makes the
 * successor, and the others find it.
 * @param shown `successors` are those that the token can have, one for each secret: the first is the one to make, the
 * others may have been made by an instance that has not got the newest secret yet
 */
export async function rotate(
  db: Db,
  shown: { token: string; successors: readonly [string, ...string[]]; now: Date; expiresAt: Date },
): Promise<Rotation> {
  const { now, expiresAt, successors } = shown;
  const tokenHash = hashToken(shown.token);
  const [made] = await db.query<{ expires_at: Date }>`
    WITH used AS (
      UPDATE refresh_tokens SET used_at = ${now}
      WHERE token_hash = ${tokenHash} AND used_at IS NULL AND expires_at > ${now} RETURNING session_id
    )
    INSERT INTO refresh_tokens (id, session_id, token_hash, created_at, expires_at)
    SELECT ${randomUUID()}::uuid, used.session_id, ${hashToken(successors[0])}, ${now}, LEAST(${expiresAt}, s.expires_at)
    FROM used JOIN sessions s ON s.id = used.session_id
    RETURNING expires_at`;
  if (made) return { kind: 'rotated', successor: successors[0], expiresAt: made.expires_at };

  const [used] = await find(db, tokenHash);
  if (!used?.usedAt) return { kind: 'expired' };
  if (now.getTime() - used.usedAt.getTime() > REUSE_GRACE_MS) return { kind: 'reused' };
  for (const successor of successors) {
    const [found] = await find(db, hashToken(successor));
    if (found && !found.usedAt) return { kind: 'rotated', successor, expiresAt: found.expiresAt };
  }
  return { kind: 'reused' };
}

function find(db: Db, tokenHash: Buffer) {
  return db.query<{ usedAt: Date | null; expiresAt: Date }>`
    SELECT used_at AS "usedAt", expires_at AS "expiresAt" FROM refresh_tokens WHERE token_hash = ${tokenHash}`;
}
