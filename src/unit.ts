import type { App } from './app.ts';
import type { Config } from './config.ts';
import type { AuthEvent } from './events.ts';
import type { AccessTokens } from './infra/access-tokens.ts';
import type { Db } from './infra/database.ts';
import * as events from './records/events.ts';

/** Where a request came from, as data. */
export interface Client {
  readonly ipAddress: string;
  readonly userAgent: string | null;
}

/** One transaction, one instant. */
export interface Unit {
  readonly db: Db;
  readonly now: Date;
  readonly config: Config;
  readonly client: Client;
  readonly accessTokens: AccessTokens;
  /** Announces a fact: written with the transaction, acted upon after it. */
  emit(event: AuthEvent): void;
}

/**
 * Runs work in one transaction at one instant. A return commits, a throw rolls back: so what was refused, but has to
 * leave a trace (a spent attempt), is returned.
 *
 * Nothing slow belongs inside: hashing and every call to the outside happen before or after.
 */
export async function transact<R>(app: App, client: Client, work: (unit: Unit) => Promise<R>): Promise<R> {
  const announced: AuthEvent[] = [];
  const now = app.clock();
  const { config, accessTokens, database } = app;
  const result = await database.transaction(
    (db) => work({ db, now, config, client, accessTokens, emit: (event) => announced.push(event) }),
    (db) => events.append(db, announced, client, now),
  );
  // The bus tells every instance; this one must not wait for it, or its own next request could still be recognised.
  for (const event of announced) {
    if (event.kind === 'SessionEnded') app.sessions.dropSession(event.sessionId);
  }
  return result;
}
