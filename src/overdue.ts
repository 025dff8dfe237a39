import type { Database } from './infra/database.ts';
import * as events from './records/events.ts';
import * as sessions from './records/sessions.ts';

/** In one transaction; each of them takes a lock. */
const BATCH = 500;
const NOWHERE = { ipAddress: null, userAgent: null };

/**
 * Ends the sessions of some people whose time has passed, or whose person was disabled, and tells of it. They opened
 * nothing before that either: this is what makes their end an event like any other.
 * @param idle milliseconds for which a session lives without use
 * @returns whose sessions it ended
 */
export async function endOverdueSessions(
  database: Database,
  userIds: readonly string[],
  idle: number,
  now: Date,
): Promise<string[]> {
  const told = new Set<string>();
  let ended: number;
  do {
    const batch = await database.transaction(async (db) => {
      const overdue = await sessions.endOverdue(db, userIds, idle, now, BATCH);
      const ends = overdue.map(
        ({ id, userId, reason }) => ({ kind: 'SessionEnded', userId, sessionId: id, reason }) as const,
      );
      await events.append(db, ends, NOWHERE, now);
      return overdue;
    });
    for (const { userId } of batch) told.add(userId);
    ended = batch.length;
  } while (ended === BATCH);
  return [...told];
}

/** The same for everybody. */
export async function endAllOverdueSessions(database: Database, idle: number, now: Date): Promise<void> {
  let people: string[];
  do {
    people = await sessions.findPeopleWithOverdue(database, idle, now, BATCH);
    if (people.length > 0) await endOverdueSessions(database, people, idle, now);
  } while (people.length === BATCH);
}
