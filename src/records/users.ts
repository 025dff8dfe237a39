import type { Db } from '../infra/database.ts';
import type { EmailAddress } from '../lib/email-address.ts';
import type { PhoneNumber } from '../lib/phone-number.ts';
import type { FieldValues } from '../lib/user-fields/declaration.ts';
import type { FieldChanges } from '../lib/user-fields/values.ts';
import type { Username } from '../lib/username.ts';

/** A person as every door shows them. */
export interface User {
  readonly id: string;
  readonly createdAt: Date;
  readonly name: string | null;
  readonly username: string | null;
  readonly roles: readonly string[];
  /** The primary address. */
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly hasPassword: boolean;
  /** The kinds of further factors that this person holds something of, and something that is not used up. */
  readonly factors: readonly string[];
  /** The operator's own fields, as they are stored. */
  readonly fields: FieldValues;
}

/** What somebody logs in with. Exactly one of them is not null. */
export interface Identifier {
  readonly email: EmailAddress | null;
  /** The form by which names are compared. */
  readonly usernameKey: string | null;
  readonly phone: PhoneNumber | null;
}

/** Looked up in the place of a person who does not exist, for the same work. */
export const NOBODY = '00000000-0000-0000-0000-000000000000';

/** Adds a person without any way to log in yet. */
export async function create(
  db: Db,
  user: { id: string; name: string | null; roles: readonly string[]; now: Date; fields?: FieldValues },
): Promise<void> {
  await db.execute`
    INSERT INTO users (id, name, roles, created_at, fields)
    VALUES (${user.id}::uuid, ${user.name}, ${user.roles}::text[], ${user.now}, ${JSON.stringify(user.fields ?? {})}::jsonb)`;
}

/**
 * Whose account an identifier names to somebody who comes without its password, unless it was disabled.
 *
 * As long as nothing of an account was ever verified, what it was signed up with names it. From the first proof on only
 * what was proven does: else the real owner of a mistyped address or number would get somebody else's account, or
 * somebody who put theirs on an account would keep it from its owner. An account that was left without any address or
 * number has no name at all.
 */
export async function findByIdentifier(db: Db, { email, usernameKey, phone }: Identifier): Promise<string | null> {
  const [row] = await db.query<{ id: string }>`
    SELECT id FROM users WHERE disabled_at IS NULL AND id = (
      SELECT user_id FROM emails WHERE address = ${email} AND (verified_at IS NOT NULL OR is_primary AND NOT is_proven(user_id))
      UNION ALL SELECT user_id FROM phones WHERE number = ${phone} AND (verified_at IS NOT NULL OR NOT is_proven(user_id))
      UNION ALL SELECT id FROM users WHERE username_key = ${usernameKey} AND is_reachable(id))`;
  return row?.id ?? null;
}

/** When a person last logged in. Not a part of {@link User}, who is remembered: it moves with every login. */
export async function lastLoginAt(db: Db, id: string): Promise<Date | null> {
  const [row] = await db.query<{ last_login_at: Date | null }>`SELECT last_login_at FROM users WHERE id = ${id}::uuid`;
  return row?.last_login_at ?? null;
}

/** Locks a person until the transaction ends, so that nobody changes what was just read of them. False if gone. */
export async function lock(db: Db, id: string): Promise<boolean> {
  const rows = await db.query`SELECT 1 FROM users WHERE id = ${id}::uuid FOR UPDATE`;
  return rows.length === 1;
}

/** Locks some people until the transaction ends, always in the same order: of two that lock each other, one waits. */
export async function lockAll(db: Db, ids: readonly string[]): Promise<readonly string[]> {
  const rows = await db.query<{ id: string }>`
    SELECT id FROM users WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR UPDATE`;
  return rows.map(({ id }) => id);
}

/** Names a person. */
export async function setName(db: Db, id: string, name: string | null): Promise<void> {
  await db.execute`UPDATE users SET name = ${name} WHERE id = ${id}::uuid`;
}

/**
 * Writes some of the operator's own fields, and leaves the others.
 * @returns false if nothing of it is new, or the person is gone
 */
export async function setFields(db: Db, id: string, changes: FieldChanges): Promise<boolean> {
  const gone = Object.keys(changes).filter((name) => changes[name] === null);
  const set = JSON.stringify(changes);
  const changed = await db.execute`
    UPDATE users SET fields = (fields || ${set}::jsonb) - ${gone}::text[]
    WHERE id = ${id}::uuid AND fields <> (fields || ${set}::jsonb) - ${gone}::text[]`;
  return changed === 1;
}

/** The operator's own fields of a person, as they are stored; null for nobody. */
export async function fieldsOf(db: Db, id: string): Promise<FieldValues | null> {
  const [row] = await db.query<{ fields: FieldValues }>`SELECT fields FROM users WHERE id = ${id}::uuid`;
  return row?.fields ?? null;
}

/** Whether somebody else has this value of a field. */
export async function hasFieldValue(db: Db, name: string, value: string, except: string): Promise<boolean> {
  const rows = await db.query`
    SELECT 1 FROM users WHERE fields ->> ${name}::text = ${value} AND id <> ${except}::uuid LIMIT 1`;
  return rows.length > 0;
}

/**
 * Gives a person a user name, or none.
 * @returns false if it is somebody else's: of two that ask at once, one gets it
 */
export async function setUsername(
  db: Db,
  id: string,
  name: { readonly username: Username; readonly key: string } | null,
): Promise<boolean> {
  const key = name?.key ?? null;
  const locked = db.query`SELECT pg_advisory_xact_lock(hashtextextended(${key ?? ''}, 1))`;
  const changed = db.execute`
    UPDATE users SET username = ${name?.username ?? null}, username_key = ${key} WHERE id = ${id}::uuid
      AND NOT EXISTS (SELECT 1 FROM users WHERE username_key = ${key} AND id <> ${id}::uuid)`;
  const [, count] = await Promise.all([locked, changed]);
  return count === 1;
}

/** Which of these user names are somebody's. */
export async function takenUsernames(db: Db, keys: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await db.query<{ username_key: string }>`
    SELECT username_key FROM users WHERE username_key = ANY(${keys}::text[])`;
  return new Set(rows.map(({ username_key }) => username_key));
}

/** Whether a user name is somebody else's. */
export async function hasUsername(db: Db, key: string, except: string): Promise<boolean> {
  const rows = await db.query`SELECT 1 FROM users WHERE username_key = ${key} AND id <> ${except}::uuid`;
  return rows.length > 0;
}

/** Removes a person and everything that is theirs, but the events that tell of them. */
export async function remove(db: Db, id: string): Promise<void> {
  await db.execute`DELETE FROM users WHERE id = ${id}::uuid`;
}

/**
 * Removes the account of somebody who began to sign up at a provider with an address that they did not verify. Nobody can
 * get into it: it has no password, no factor and no account at a provider, and never had a session. One that somebody is
 * signing up for in another way stays.
 */
export async function removeAbandoned(db: Db, address: EmailAddress, now: Date): Promise<void> {
  await db.execute`
    DELETE FROM users WHERE last_login_at IS NULL AND NOT is_proven(id)
      AND id = (SELECT user_id FROM emails WHERE address = ${address} AND is_primary AND verified_at IS NULL)
      AND NOT EXISTS (SELECT 1 FROM passwords WHERE user_id = users.id)
      AND NOT EXISTS (SELECT 1 FROM authenticators WHERE user_id = users.id)
      AND NOT EXISTS (SELECT 1 FROM social_connections WHERE user_id = users.id)
      AND NOT EXISTS (SELECT 1 FROM phones WHERE user_id = users.id)
      AND NOT EXISTS (SELECT 1 FROM pending_logins
        WHERE user_id = users.id AND sealed_identity IS NULL AND completed_at IS NULL AND expires_at > ${now})`;
}

/** The roles of a person; none for nobody. */
export async function rolesOf(db: Db, id: string): Promise<readonly string[]> {
  const [row] = await db.query<{ roles: string[] }>`SELECT roles FROM users WHERE id = ${id}::uuid`;
  return row?.roles ?? [];
}

/** Replaces the roles of a person. False if they are those already. */
export async function setRoles(db: Db, id: string, roles: readonly string[]): Promise<boolean> {
  const changed = await db.execute`
    UPDATE users SET roles = ${roles}::text[] WHERE id = ${id}::uuid AND roles IS DISTINCT FROM ${roles}::text[]`;
  return changed === 1;
}

/** Replaces the roles of a person of whom nothing was ever proven: they came with what was typed, and go with it. */
export async function setUnprovenRoles(db: Db, id: string, roles: readonly string[]): Promise<void> {
  await db.execute`UPDATE users SET roles = ${roles}::text[] WHERE id = ${id}::uuid AND NOT is_proven(id)`;
}

/**
 * Disables a person: nobody gets in as them, by any way. Null lets them in again.
 * @returns false if it is so already
 */
export async function setDisabled(db: Db, id: string, since: Date | null): Promise<boolean> {
  const changed = await db.execute`
    UPDATE users SET disabled_at = ${since} WHERE id = ${id}::uuid AND (disabled_at IS NULL) <> (${since}::timestamptz IS NULL)`;
  return changed === 1;
}

/**
 * Whether somebody is one of those with these roles who can log in, and there is nobody else. Until the transaction ends,
 * whoever else asks about another one waits: of two who take the roles from each other, the second finds nobody left.
 */
export async function isLastWith(db: Db, roles: readonly string[], id: string): Promise<boolean> {
  const locked = db.query`SELECT pg_advisory_xact_lock(hashtextextended('administrators', 7067))`;
  const found = db.query<{ own: boolean; others: boolean }>`
    SELECT EXISTS (SELECT 1 FROM users WHERE roles && ${roles}::text[] AND disabled_at IS NULL AND id = ${id}::uuid) AS own,
      EXISTS (SELECT 1 FROM users WHERE roles && ${roles}::text[] AND disabled_at IS NULL AND id <> ${id}::uuid) AS others`;
  const [, [row]] = await Promise.all([locked, found]);
  return row?.own === true && !row.others;
}

/** Locks a person until the transaction ends. False if they are gone, or disabled. */
export async function lockEnabled(db: Db, id: string): Promise<boolean> {
  const rows = await db.query`SELECT 1 FROM users WHERE id = ${id}::uuid AND disabled_at IS NULL FOR UPDATE`;
  return rows.length === 1;
}

/** Everything by which a person is called, or can be looked up. */
export interface Names {
  readonly name: string | null;
  readonly username: string | null;
  readonly usernameKey: string | null;
  readonly phone: PhoneNumber | null;
  /** The primary one first. */
  readonly emails: readonly EmailAddress[];
  readonly hasPassword: boolean;
}

/** The names of a person; null if they are gone. */
export async function namesOf(db: Db, id: string): Promise<Names | null> {
  const [names] = await db.query<Names>`
    SELECT name, username, username_key AS "usernameKey", (SELECT number FROM phones WHERE user_id = users.id) AS phone,
      ARRAY(SELECT address FROM emails WHERE user_id = users.id ORDER BY is_primary DESC, created_at) AS emails,
      EXISTS (SELECT 1 FROM passwords WHERE user_id = users.id) AS "hasPassword"
    FROM users WHERE id = ${id}::uuid`;
  return names ?? null;
}
