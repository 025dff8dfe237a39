import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';

/** NIST SP 800-63B-4 §3.2.2: after so many wrong ones in a row it is disabled until a recovery. */
export const MAX_CONSECUTIVE_ATTEMPTS = 100;

/** What belongs to the factor: JSON, without a secret that is not sealed or hashed. */
export type AuthenticatorData = Readonly<Record<string, unknown>>;

/** What a person holds of a factor. */
export interface Authenticator {
  readonly id: string;
  /** The name of its factor in the registry. */
  readonly kind: string;
  readonly name: string | null;
  /** By which an answer names it; null where there is nothing to name. */
  readonly credentialId: string | null;
  readonly data: AuthenticatorData;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  /** Worn out by wrong answers: it answers nothing until a recovery. */
  readonly disabled: boolean;
  /** Every answer that it had was used. */
  readonly usedUp: boolean;
}

/** What is to be held. */
export interface NewAuthenticator {
  readonly userId: string;
  readonly kind: string;
  readonly name?: string | null;
  readonly credentialId?: string | null;
  readonly data: AuthenticatorData;
}

/** All that a person holds, the oldest first, and recovery codes after the factor that they came with. */
export async function list(db: Db, userId: string): Promise<Authenticator[]> {
  return db.query<Authenticator>`
    SELECT id, kind, name, credential_id AS "credentialId", data, created_at AS "createdAt", last_used_at AS "lastUsedAt",
      consecutive_attempts >= ${MAX_CONSECUTIVE_ATTEMPTS} AS disabled, used_up AS "usedUp"
    FROM authenticators WHERE user_id = ${userId}::uuid ORDER BY created_at, credential_id NULLS LAST, kind DESC, id`;
}

/** Whose passkey this is. */
export async function holderOf(db: Db, credentialId: string): Promise<string | null> {
  const [row] = await db.query<{ user_id: string }>`
    SELECT user_id FROM authenticators WHERE credential_id = ${credentialId}`;
  return row?.user_id ?? null;
}

/**
 * Adds one.
 * @param now also the time of its first use, since nobody adds one without using it
 * @returns null if somebody holds one of this credential id already
 */
export async function add(db: Db, authenticator: NewAuthenticator, now: Date): Promise<Authenticator | null> {
  const { userId, kind, name = null, credentialId = null, data } = authenticator;
  const id = randomUUID();
  const added = await db.execute`
    INSERT INTO authenticators (id, user_id, kind, name, credential_id, data, created_at)
    VALUES (${id}::uuid, ${userId}::uuid, ${kind}, ${name}, ${credentialId}, ${JSON.stringify(data)}::jsonb, ${now})
    ON CONFLICT (credential_id) DO NOTHING`;
  if (added !== 1) return null;
  return { id, kind, name, credentialId, data, createdAt: now, lastUsedAt: null, disabled: false, usedUp: false };
}

/**
 * Counts a check of what a person holds of a factor, before it is made. A hundred parallel guesses are a hundred
 * counted ones.
 * @param which `marked` counts only for those whose data say that they can be guessed; the others may always be checked
 * @returns the ids of those that may be checked, and of those whose last check this is if it fails
 */
export async function countAttempt(
  db: Db,
  userId: string,
  kind: string,
  which: 'all' | 'marked',
): Promise<{ readonly usable: readonly string[]; readonly wornOut: readonly string[] }> {
  const rows = await db.query<{ id: string; attempts: number }>`
    WITH counted AS (
      UPDATE authenticators SET consecutive_attempts = consecutive_attempts + 1
      WHERE user_id = ${userId}::uuid AND kind = ${kind} AND consecutive_attempts < ${MAX_CONSECUTIVE_ATTEMPTS}
        AND (${which === 'all'} OR data @> '{"guessable": true}')
      RETURNING id, consecutive_attempts AS attempts
    )
    SELECT id, attempts FROM counted
    UNION ALL SELECT id, 0 FROM authenticators
    WHERE user_id = ${userId}::uuid AND kind = ${kind} AND NOT (${which === 'all'} OR data @> '{"guessable": true}')`;
  const wornOut = rows.filter(({ attempts }) => attempts >= MAX_CONSECUTIVE_ATTEMPTS);
  return { usable: rows.map(({ id }) => id), wornOut: wornOut.map(({ id }) => id) };
}

/**
 * Notes a use that was right, and what it changed of the data.
 * @param expected the data as it was when the answer was checked
 * @returns false if it is not that any more: of fifty uses of one code, one gets true
 */
export async function use(
  db: Db,
  used: {
    readonly id: string;
    readonly expected: AuthenticatorData;
    readonly data: AuthenticatorData;
    readonly usedUp?: boolean;
    readonly now: Date;
  },
): Promise<boolean> {
  const { id, expected, data, usedUp = false, now } = used;
  const rows = await db.execute`
    UPDATE authenticators SET data = ${JSON.stringify(data)}::jsonb, used_up = ${usedUp}, last_used_at = ${now}, consecutive_attempts = 0
    WHERE id = ${id}::uuid AND data = ${JSON.stringify(expected)}::jsonb`;
  return rows === 1;
}

/** Some of a kind, in the order of their ids. */
export function listKind(
  db: Db,
  kind: string,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<{ readonly id: string; readonly userId: string; readonly data: AuthenticatorData }[]> {
  return db.query`
    SELECT id, user_id AS "userId", data FROM authenticators
    WHERE kind = ${kind} AND (${after}::uuid IS NULL OR id > ${after}::uuid) ORDER BY id LIMIT ${limit}`;
}

/** Puts other data in the place of what was read. False if it has changed since. */
export async function replaceData(
  db: Db,
  { id, expected, data }: { id: string; expected: AuthenticatorData; data: AuthenticatorData },
): Promise<boolean> {
  const replaced = await db.execute`
    UPDATE authenticators SET data = ${JSON.stringify(data)}::jsonb
    WHERE id = ${id}::uuid AND data = ${JSON.stringify(expected)}::jsonb`;
  return replaced === 1;
}

/** Lets a person use again what wrong answers had disabled. */
export async function enableAll(db: Db, userId: string): Promise<void> {
  await db.execute`
    UPDATE authenticators SET consecutive_attempts = 0 WHERE user_id = ${userId}::uuid AND consecutive_attempts > 0`;
}

/** Names one. Null if the person has none of this id and kind. */
export async function rename(
  db: Db,
  userId: string,
  { id, kind, name }: { id: string; kind: string; name: string },
): Promise<Authenticator | null> {
  const [renamed] = await db.query<Authenticator>`
    UPDATE authenticators SET name = ${name} WHERE id = ${id}::uuid AND user_id = ${userId}::uuid AND kind = ${kind}
    RETURNING id, kind, name, credential_id AS "credentialId", data, created_at AS "createdAt", last_used_at AS "lastUsedAt",
      consecutive_attempts >= ${MAX_CONSECUTIVE_ATTEMPTS} AS disabled, used_up AS "usedUp"`;
  return renamed ?? null;
}

/** Takes one away. False if it is gone. */
export async function remove(db: Db, userId: string, id: string): Promise<boolean> {
  const removed = await db.execute`DELETE FROM authenticators WHERE id = ${id}::uuid AND user_id = ${userId}::uuid`;
  return removed === 1;
}

/** Takes those of one kind away, or all. */
export async function removeAll(db: Db, userId: string, kind: string | null = null): Promise<void> {
  await db.execute`
    DELETE FROM authenticators WHERE user_id = ${userId}::uuid AND (${kind}::text IS NULL OR kind = ${kind})`;
}
