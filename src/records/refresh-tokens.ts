import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';

/** How long the holder of a used refresh token may still learn its successor: answers get lost, tabs race. */
export const REUSE_GRACE_MS = 10_000;

/** Starts the chain of a session. */
export async function start(
  db: Db,
  token: { sessionId: string; tokenHash: Buffer<ArrayBuffer>; now: Date; expiresAt: Date },
): Promise<void> {
  const { sessionId, tokenHash, expiresAt, now } = token;
  await db.refreshToken.create({ data: { id: randomUUID(), sessionId, tokenHash, createdAt: now, expiresAt } });
}

/** Whose chain a token belongs to, whatever has become of the token. */
export async function sessionOf(db: Db, tokenHash: Buffer<ArrayBuffer>): Promise<string | null> {
  const row = await db.refreshToken.findUnique({ where: { tokenHash }, select: { sessionId: true } });
  return row?.sessionId ?? null;
}

/** What showing a refresh token came to. */
export type Rotation =
  /** Its successor is the one to use now: made just now, or moments ago by a request that raced with this one. */
  | { readonly kind: 'rotated'; readonly expiresAt: Date }
  /** It was used before, and its holder is not merely late: two parties hold the chain (RFC 9700 §4.14.2). */
  | { readonly kind: 'reused' }
  | { readonly kind: 'expired' };

/**
 * Uses a token up and puts its successor in its place, in one conditional write: of fifty at once, one makes the
 * successor, and the others find it.
 * @param successorHash of the one successor that this token can have
 */
export async function rotate(
  db: Db,
  token: { tokenHash: Buffer<ArrayBuffer>; successorHash: Buffer<ArrayBuffer>; now: Date; expiresAt: Date },
): Promise<Rotation> {
  const { tokenHash, successorHash, now, expiresAt } = token;
  const [made] = await db.$queryRaw<{ expires_at: Date }[]>`
    WITH used AS (
      UPDATE refresh_tokens SET used_at = ${now}
      WHERE token_hash = ${tokenHash} AND used_at IS NULL AND expires_at > ${now} RETURNING session_id
    )
    INSERT INTO refresh_tokens (id, session_id, token_hash, created_at, expires_at)
    SELECT ${randomUUID()}::uuid, used.session_id, ${successorHash}, ${now}, LEAST(${expiresAt}, s.expires_at)
    FROM used JOIN sessions s ON s.id = used.session_id
    RETURNING expires_at`;
  if (made) return { kind: 'rotated', expiresAt: made.expires_at };

  const shown = await db.refreshToken.findUnique({ where: { tokenHash } });
  if (!shown?.usedAt) return { kind: 'expired' };
  const successor = await db.refreshToken.findUnique({ where: { tokenHash: successorHash } });
  const isMerelyLate = successor && !successor.usedAt && now.getTime() - shown.usedAt.getTime() <= REUSE_GRACE_MS;
  return isMerelyLate ? { kind: 'rotated', expiresAt: successor.expiresAt } : { kind: 'reused' };
}
