import type { App } from '../app.ts';
import type { Session } from '../records/sessions.ts';
import * as sessions from '../records/sessions.ts';
import type { User } from '../records/users.ts';

/** Until when sensitive changes need no new proof; null when one is needed now. */
export function freshUntil(app: App, session: Session): Date | null {
  const until = new Date(sessions.authenticatedAt(session).getTime() + app.config.reauthenticationWindow);
  return until > app.clock() ? until : null;
}

/** The sessions of a person that are not over, the newest first. */
export function sessionsOf(app: App, { id }: User): Promise<Session[]> {
  return sessions.listLive(app.database, id, app.config.session.idle, app.clock());
}
