import { setTimeout as pause } from 'node:timers/promises';
import type { App } from '../app.ts';
import type { SessionEndReason } from '../events.ts';
import { type Stream, untilAborted } from '../lib/abortable.ts';
import * as events from '../records/events.ts';
import { type AccountChange, accountChangeOf, type SessionEventRecord } from '../records/session-events.ts';
import type { Session } from '../records/sessions.ts';
import type { User } from '../records/users.ts';
import type { Connection } from './shared/connection.ts';

interface Told<K extends string> {
  readonly kind: K;
  readonly id: string;
  readonly at: Date;
}

export type SessionStarted = Told<'SessionStarted'> & { readonly session: Session };
export type SessionEnded = Told<'SessionEnded'> & { readonly sessionId: string; readonly reason: SessionEndReason };
export type SessionElevated = Told<'SessionElevated'> & { readonly session: Session };
export type AccountChanged = Told<'AccountChanged'> & { readonly change: AccountChange; readonly user: User };

export type { AccountChange };
export type SessionEvent = SessionStarted | SessionEnded | SessionElevated | AccountChanged;

/** An `after` that is no event of this person. */
export interface InvalidCursor {
  readonly kind: 'InvalidCursor';
}

/** While the database is away, a stream waits for it. */
const RETRY_MS = 500;

/**
 * What happens to a person's sessions and account, each thing once and in order, for as long as the connection is
 * theirs. The last one told is the end of its own session.
 * @param after the id of the last event that the client has seen: first comes what it missed since. Null for from now on
 * @param signal ends it
 */
export async function followSessionEvents(
  app: App,
  connection: Connection,
  after: string | null,
  signal: AbortSignal,
): Promise<Stream<SessionEvent> | InvalidCursor> {
  const { user } = connection.viewer;
  const cursor = after === null ? null : events.parseId(after);
  if (after !== null && (cursor === null || !(await events.isOf(app.database, user.id, cursor))))
    return { kind: 'InvalidCursor' };
  // From here on, and not only from when the first value is asked for.
  const follower = await app.live.feeds.follow(user.id, cursor);
  // Here, and not where the stream ends: one that is given up before its first value never begins.
  if (signal.aborted) follower.close();
  signal.addEventListener('abort', () => follower.close());
  return follow(app, connection, follower, signal);
}

type Follower = Awaited<ReturnType<App['live']['feeds']['follow']>>;

async function* follow(
  app: App,
  connection: Connection,
  follower: Follower,
  signal: AbortSignal,
): Stream<SessionEvent> {
  const waiting = new AbortController();
  const stopWaiting = () => waiting.abort();
  signal.addEventListener('abort', stopWaiting);
  connection.ended.addEventListener('abort', stopWaiting);
  if (signal.aborted || connection.ended.aborted) stopWaiting();
  const patiently = <R>(work: () => Promise<R>) => retry(work, signal, app.live.noteFault);
  try {
    let due: SessionEventRecord[] = [];
    for (;;) {
      if (due.length === 0 && !waiting.signal.aborted)
        due = [...((await patiently(() => follower.next(waiting.signal))) ?? [])];
      // Before each event, not once for all of them: the session may end in between.
      await patiently(() => connection.check());
      if (signal.aborted) return;
      if (connection.over) {
        yield* lastOnes(connection, due, () => patiently(follower.rest));
        // The session is not over, so neither is this: its client comes back for more.
        if (connection.session !== 'ended') await untilAborted(signal);
        return;
      }
      const event = due.shift();
      const told = event && tell(event, connection);
      if (told) yield told;
      if (event && isOwnEnd(event, connection)) return;
    }
  } finally {
    signal.removeEventListener('abort', stopWaiting);
    connection.ended.removeEventListener('abort', stopWaiting);
    follower.close();
  }
}

/**
 * What was committed before the session ended, and its end; or before its credential was replaced, and that. Nothing if
 * only a JWT has expired.
 */
async function* lastOnes(
  connection: Connection,
  due: readonly SessionEventRecord[],
  rest: () => Promise<readonly SessionEventRecord[] | undefined>,
): Stream<SessionEvent> {
  const events = [...due];
  const end = () => events.findIndex((event) => isOwnEnd(event, connection) || isReplacement(event, connection));
  for (let more = await rest(); more && more.length > 0 && end() < 0; more = await rest()) events.push(...more);
  for (const event of events.slice(0, end() + 1)) {
    const told = tell(event, connection);
    if (told) yield told;
  }
}

function isOwnEnd({ kind, sessionId }: SessionEventRecord, { viewer }: Connection): boolean {
  return kind === 'SessionEnded' && sessionId === viewer.session.id;
}

/** Nothing but a changed password replaces a credential. By another session it would have ended this one. */
function isReplacement({ kind }: SessionEventRecord, { session }: Connection): boolean {
  return kind === 'PasswordChanged' && session === 'renewed';
}

function tell(event: SessionEventRecord, { viewer }: Connection): SessionEvent | null {
  const { kind, at, session, sessionId, data } = event;
  const told = { id: String(event.id), at };
  if (kind === 'LoggedIn') return session && { kind: 'SessionStarted', ...told, session };
  if (kind === 'Reauthenticated') return session && { kind: 'SessionElevated', ...told, session };
  if (kind === 'SessionEnded') {
    // Of somebody who is gone, no event says anything more than that it happened.
    const reason = (data.reason ?? 'ACCOUNT_DELETED') as SessionEndReason;
    return sessionId === null ? null : { kind: 'SessionEnded', ...told, sessionId, reason };
  }
  const change = accountChangeOf(kind);
  return change && { kind: 'AccountChanged', ...told, change, user: viewer.user };
}

/** Does what may fail for a while, until it does not, or nobody wants it any more. */
async function retry<R>(
  work: () => Promise<R>,
  signal: AbortSignal,
  onError: (error: unknown) => void,
): Promise<R | undefined> {
  while (!signal.aborted) {
    try {
      return await work();
    } catch (error) {
      onError(error);
      await pause(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
  return undefined;
}
