import { type AnnouncedEvent, type EventKind, particularsOf } from '../events.ts';
import type { StoredEvent } from '../records/events.ts';

/**
 * An event as it is told. What stood in it that could tell of somebody who is gone by now is gone too.
 * @returns null if nothing is left that makes sense
 */
export function announced({ id, data, sessionId, ...event }: StoredEvent): AnnouncedEvent | null {
  const told: Record<string, unknown> = { ...event, id: String(id), ...withoutAccount(event.kind, data) };
  const names = particularsOf(event.kind);
  if (names.includes('sessionId')) told.sessionId = sessionId;
  // Written by us, in the form of its kind: PARTICULARS says which names that takes.
  return names.every((name) => told[name] !== undefined) ? (told as AnnouncedEvent & typeof told) : null;
}

/** The end of the last sessions of somebody who deletes their account is theirs no more when it is written. */
function withoutAccount(kind: EventKind, data: StoredEvent['data']): StoredEvent['data'] {
  return kind === 'SessionEnded' ? { reason: 'ACCOUNT_DELETED', ...data } : data;
}
