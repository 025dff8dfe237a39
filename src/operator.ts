import type { AuthEvent } from './events.ts';
import type { Database, Db } from './infra/database.ts';
import { parseEmailAddress } from './lib/email-address.ts';
import { isUuid } from './lib/uuid.ts';
import * as emails from './records/emails.ts';
import * as events from './records/events.ts';
import * as sessions from './records/sessions.ts';
import * as users from './records/users.ts';

/** What an operator does to an account from the command line. Every instance hears of it from the database. */
export type OperatorAction =
  | { readonly kind: 'disable' }
  | { readonly kind: 'enable' }
  | { readonly kind: 'revoke-sessions' }
  /** Null only looks. */
  | { readonly kind: 'roles'; readonly roles: readonly string[] | null };

/** What became of it. */
export interface OperatorOutcome {
  readonly userId: string;
  /** False if it was so already. */
  readonly changed: boolean;
  readonly roles: readonly string[];
  readonly sessionsEnded: number;
}

const COMMAND_LINE = { ipAddress: null, userAgent: null };

/**
 * Does it, once, with the events that tell of it.
 * @param who the id of a person, or an address that names their account
 * @returns null if there is nobody like that
 */
export function operate(
  database: Database,
  who: string,
  action: OperatorAction,
  now: Date,
): Promise<OperatorOutcome | null> {
  return database.transaction(async (db) => {
    const userId = await idOf(db, who);
    if (userId === null || !(await users.lock(db, userId))) return null;
    const ended = await endedBy(db, userId, action, now);
    const changed = await change(db, userId, action, now);
    const reason = action.kind === 'disable' ? 'ACCOUNT_DISABLED' : 'REVOKED';
    const ends = ended.map((sessionId) => ({ kind: 'SessionEnded', userId, sessionId, reason }) as const);
    await events.append(db, [...changed, ...ends], COMMAND_LINE, now);
    const roles = await users.rolesOf(db, userId);
    return { userId, changed: changed.length + ends.length > 0, roles, sessionsEnded: ended.length };
  });
}

/**
 * Whom an operator means.
 * @param who the id of a person, or an address that names their account
 * @returns an id as it is, also of somebody who is gone; null if the address is nobody's
 */
export async function idOf(db: Db, who: string): Promise<string | null> {
  if (isUuid(who)) return who;
  const address = parseEmailAddress(who);
  return address && emails.holderOf(db, address);
}

async function change(db: Db, userId: string, action: OperatorAction, now: Date): Promise<AuthEvent[]> {
  switch (action.kind) {
    case 'disable':
      return (await users.setDisabled(db, userId, now)) ? [{ kind: 'AccountDisabled', userId }] : [];
    case 'enable':
      return (await users.setDisabled(db, userId, null)) ? [{ kind: 'AccountEnabled', userId }] : [];
    case 'roles':
      if (!action.roles) return [];
      return (await users.setRoles(db, userId, action.roles))
        ? [{ kind: 'RolesChanged', userId, roles: action.roles }]
        : [];
    case 'revoke-sessions':
      return [];
  }
}

async function endedBy(db: Db, userId: string, { kind }: OperatorAction, now: Date): Promise<string[]> {
  if (kind === 'disable') return sessions.endAll(db, userId, 'ACCOUNT_DISABLED', now);
  return kind === 'revoke-sessions' ? sessions.endAll(db, userId, 'REVOKED', now) : [];
}
