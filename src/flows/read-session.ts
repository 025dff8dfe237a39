import type { App } from '../app.ts';
import type { Session } from '../records/sessions.ts';
import * as sessions from '../records/sessions.ts';
import type { User } from '../records/users.ts';
import * as users from '../records/users.ts';

/** The sessions of a person that are not over, the newest first. */
export function sessionsOf(app: App, { id }: Pick<User, 'id'>): Promise<Session[]> {
  return sessions.listLive(app.database, id, app.config.session.idle, app.clock());
}

/** When a person last logged in, with whatever session. */
export function lastLoginAt(app: App, { id }: User): Promise<Date | null> {
  return users.lastLoginAt(app.database, id);
}
