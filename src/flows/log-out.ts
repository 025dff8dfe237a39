import type { App } from '../app.ts';
import * as sessions from '../records/sessions.ts';
import { transact } from '../unit.ts';
import type { Caller, SignedIn } from './shared/outcomes.ts';

export interface LoggedOut {
  readonly kind: 'LoggedOut';
  readonly sessionId: string;
}

/** Ends the session behind the request, and with it every token that speaks of it. */
export async function logOut(app: App, { client }: Caller, { session }: SignedIn): Promise<LoggedOut> {
  return transact(app, client, async ({ db, now, emit }) => {
    if (await sessions.end(db, session.id, 'LOGGED_OUT', now)) {
      emit({ kind: 'SessionEnded', userId: session.userId, sessionId: session.id, reason: 'LOGGED_OUT' });
    }
    return { kind: 'LoggedOut', sessionId: session.id };
  });
}
