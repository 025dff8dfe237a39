import { addressKey } from '../../lib/client-address.ts';
import type { Session, SessionClient } from '../../records/sessions.ts';
import * as sessions from '../../records/sessions.ts';
import type { Unit } from '../../unit.ts';

/** A change of the client of a session is told at most this often: phones move from network to network all day. */
const TELL_EVERY_MS = 3_600_000;

/** Whether two requests come from one network, and by one program. */
export function isSameClient(client: SessionClient, other: SessionClient): boolean {
  if (client.userAgent !== other.userAgent) return false;
  return (
    client.ipAddress === other.ipAddress || addressKey(client.ipAddress ?? '') === addressKey(other.ipAddress ?? '')
  );
}

/**
 * Notes that the holder of a session comes as another client than before, and tells of it.
 * @returns false if that was told not so long ago
 */
export async function noteClient({ db, now, client, emit }: Unit, { id, userId }: Session): Promise<boolean> {
  const from = await sessions.noteClient(db, id, client, now, new Date(now.getTime() - TELL_EVERY_MS));
  if (from) emit({ kind: 'SessionClientChanged', userId, sessionId: id, from });
  return from !== null;
}
