import type { App } from '../../app.ts';
import { createCondition } from '../../lib/condition.ts';
import type { KnownSession } from '../../records/sessions.ts';
import * as sessions from '../../records/sessions.ts';
import type { Client } from '../../unit.ts';
import { authenticate, type PresentedCredential } from './authenticate.ts';
import { freshUntil } from './freshness.ts';
import type { SignedIn, Unauthenticated, UnauthenticatedReason, Viewer } from './outcomes.ts';

/**
 * Something that stays open and tells its client of changes: a socket or an event stream. There is always somebody
 * behind it; once there is nobody any more, it is over.
 */
export interface Connection {
  readonly client: Client;
  /** Who is behind it, as last seen. */
  readonly viewer: SignedIn;
  /** Why there is nobody behind it any more; null as long as there is. */
  readonly over: Unauthenticated | null;
  /**
   * What becomes of the session once the connection is over: `goes on` if only a JWT has expired, `renewed` if another
   * credential has taken the place of the one that it was opened with.
   */
  readonly session: 'ended' | 'goes on' | 'renewed';
  /** Aborted once it is over. */
  readonly ended: AbortSignal;
  /** Counts what changed about the session, its end included. */
  readonly version: number;
  /** Waits for a version after this one, or until the signal is aborted. */
  change(version: number, signal: AbortSignal): Promise<void>;
  /** Looks again who is behind it. Costs no SQL as long as nothing has changed. */
  check(): Promise<void>;
  /**
   * Puts another credential of the same person behind it.
   * @returns why that is none, and then nothing has changed; or who is behind it now
   */
  renew(credential: PresentedCredential): Promise<SignedIn | Unauthenticated>;
  /** Nobody listens any more. */
  close(): void;
}

/**
 * Opens a connection for whoever shows a credential. It is no use of the session, however long it stays open and
 * whatever goes through it: a program keeps it open, not a person.
 * @param onOver called once, when there is nobody behind it any more
 * @returns Unauthenticated if there is nobody to begin with
 */
export async function openConnection(
  app: App,
  credential: PresentedCredential | null,
  client: Client,
  onOver: () => void,
): Promise<Connection | Unauthenticated> {
  const first = await recognise(app, credential);
  if (first.kind === 'anonymous') return { kind: 'Unauthenticated', reason: first.reason };
  const changed = createCondition();
  let held = credential;
  let viewer: SignedIn = first;
  let state = stateOf(app, viewer);
  // Reckoned when the viewer is seen: by its time there is nothing left to reckon it from.
  let deadline = deadlineOf(app, viewer);
  let over: Unauthenticated | null = null;
  let session: Connection['session'] = 'ended';
  const ended = new AbortController();
  let version = 0;
  let opened = false;
  let closed = false;
  let unregister = register();

  function register(): () => void {
    return app.live.connections.add({
      userId: viewer.user.id,
      sessionId: viewer.session.id,
      deadline: () => deadline,
      check,
    });
  }

  function note(seen: SignedIn): void {
    viewer = seen;
    deadline = deadlineOf(app, seen);
    const now = stateOf(app, seen);
    if (now === state) return;
    state = now;
    version += 1;
    changed.notify();
  }

  function end(reason: UnauthenticatedReason): void {
    // What was recognised once is none of ours no more because it was taken away.
    over = { kind: 'Unauthenticated', reason: reason === 'INVALID_CREDENTIAL' ? 'REVOKED' : reason };
    version += 1;
    unregister();
    changed.notify();
    ended.abort();
    if (opened) onOver();
  }

  async function look(): Promise<void> {
    const shown = held;
    const seen = await recognise(app, shown);
    const last = seen.kind === 'anonymous' ? await lookBack() : null;
    // Renewed meanwhile: what became of the older credential does not matter any more.
    if (shown !== held) return;
    if (seen.kind !== 'anonymous') return note(seen);
    // The person as the last events tell of them.
    if (last) viewer = { ...viewer, user: last.user };
    if (last?.endReason === null) session = seen.reason === 'EXPIRED' ? 'goes on' : 'renewed';
    end(seen.reason);
  }

  /** What ends by itself ends now, so that it is told like every other end. Without a database it ends all the same. */
  async function lookBack(): Promise<KnownSession | null> {
    try {
      await app.live.endOverdueSessions([viewer.user.id]);
      return await sessions.findById(app.database, viewer.session.id);
    } catch (error) {
      app.live.noteFault(error);
      return null;
    }
  }

  // Of many that ask at once one looks, and once more for those who asked while it did.
  let looking: Promise<void> | null = null;
  let again = false;
  function check(): Promise<void> {
    again = true;
    looking ??= (async () => {
      while (again && !over && !closed) {
        again = false;
        await look();
      }
    })().finally(() => {
      looking = null;
    });
    return looking;
  }

  // Whatever happened since they were recognised, nobody told this connection.
  await check();
  if (over) return over;
  opened = true;
  return {
    client,
    get viewer() {
      return viewer;
    },
    get over() {
      return over;
    },
    get session() {
      return session;
    },
    ended: ended.signal,
    get version() {
      return version;
    },
    async change(since, signal) {
      while (version === since && !signal.aborted) await changed.wait(signal);
    },
    check,
    async renew(newer) {
      const seen = await recognise(app, newer);
      if (over) return over;
      if (seen.kind === 'anonymous') return { kind: 'Unauthenticated', reason: seen.reason };
      if (seen.user.id !== viewer.user.id) return { kind: 'Unauthenticated', reason: 'INVALID_CREDENTIAL' };
      held = newer;
      unregister();
      viewer = seen;
      unregister = register();
      note(seen);
      // Whatever became of that session meanwhile, nobody told this connection.
      await check();
      return over ?? viewer;
    },
    close() {
      closed = true;
      unregister();
    },
  };
}

// A JWT opens a little longer than it says, for clocks that differ. What stays open does not need that.
async function recognise(app: App, credential: PresentedCredential | null): Promise<Viewer> {
  const viewer = await authenticate(app, credential, { counts: false });
  const isExpired =
    viewer.kind !== 'anonymous' && viewer.credentialExpiresAt && viewer.credentialExpiresAt <= app.clock();
  return isExpired ? { kind: 'anonymous', reason: 'EXPIRED' } : viewer;
}

/** All that a client is told of a session, but for its use. */
function stateOf(app: App, { session: { lastSeenAt: _, ...session } }: SignedIn): string {
  return JSON.stringify([session, freshUntil(app, { ...session, lastSeenAt: new Date(0) })]);
}

function deadlineOf(app: App, { session, credentialExpiresAt }: SignedIn): Date {
  const deadlines = [
    sessions.expiryOf(session, app.config.session.idle),
    credentialExpiresAt,
    freshUntil(app, session),
  ];
  return new Date(Math.min(...deadlines.map((deadline) => deadline?.getTime() ?? Number.POSITIVE_INFINITY)));
}
