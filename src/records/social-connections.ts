import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';

/** An account at a provider: the provider as we call it, the issuer as it calls itself, and its own immutable id. */
export interface ProviderAccount {
  readonly provider: string;
  readonly issuer: string;
  readonly subject: string;
}

/** An account at a provider that belongs to a person. */
export interface SocialConnection {
  readonly id: string;
  readonly provider: string;
  readonly displayName: string;
  readonly email: string | null;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
}

/** What the provider says of it today. */
export interface ConnectionFacts {
  readonly displayName: string;
  readonly email: string | null;
}

/** What a person is connected to, the oldest first. */
export function list(db: Db, userId: string): Promise<SocialConnection[]> {
  return db.query<SocialConnection>`
    SELECT id, provider, display_name AS "displayName", email, created_at AS "createdAt", last_used_at AS "lastUsedAt"
    FROM social_connections WHERE user_id = ${userId}::uuid ORDER BY created_at, id`;
}

/** Finds a connection, and whose it is. */
export async function find(
  db: Db,
  { provider, issuer, subject }: ProviderAccount,
): Promise<{ readonly id: string; readonly userId: string } | null> {
  const [row] = await db.query<{ id: string; userId: string }>`
    SELECT id, user_id AS "userId" FROM social_connections
    WHERE provider = ${provider} AND issuer = ${issuer} AND subject = ${subject}`;
  return row ?? null;
}

/** Keeps everybody else away from an account at a provider until the transaction ends: of two that bring it, one waits. */
export async function lock(db: Db, { provider, issuer, subject }: ProviderAccount): Promise<void> {
  await db.query`SELECT pg_advisory_xact_lock(hashtextextended(${JSON.stringify([provider, issuer, subject])}, 2))`;
}

/**
 * Connects an account at a provider with a person.
 * @returns its id; null if somebody has it already: of two that ask at once, one gets it
 */
export async function add(
  db: Db,
  userId: string,
  { provider, issuer, subject }: ProviderAccount,
  { displayName, email }: ConnectionFacts,
  now: Date,
): Promise<string | null> {
  const id = randomUUID();
  const added = await db.execute`
    INSERT INTO social_connections (id, user_id, provider, issuer, subject, display_name, email, created_at, last_used_at)
    VALUES (${id}::uuid, ${userId}::uuid, ${provider}, ${issuer}, ${subject}, ${displayName}, ${email}, ${now}, ${now})
    ON CONFLICT (provider, issuer, subject) DO NOTHING`;
  return added === 1 ? id : null;
}

/**
 * Notes that somebody came by a connection, and what the provider says of it now.
 * @returns whether it said something else before
 */
export async function noteUse(
  db: Db,
  id: string,
  { displayName, email }: ConnectionFacts,
  now: Date,
): Promise<{ readonly changed: boolean }> {
  const [noted] = await db.query<{ changed: boolean }>`
    UPDATE social_connections AS c SET display_name = ${displayName}, email = ${email}, last_used_at = ${now}
    FROM (SELECT id, display_name, email FROM social_connections WHERE id = ${id}::uuid FOR UPDATE) AS was
    WHERE c.id = was.id
    RETURNING (was.display_name, was.email) IS DISTINCT FROM (c.display_name, c.email) AS changed`;
  return noted ?? { changed: false };
}

/** Takes a connection away. False if the person has none of this id. */
export async function remove(db: Db, userId: string, id: string): Promise<boolean> {
  const removed = await db.execute`
    DELETE FROM social_connections WHERE id = ${id}::uuid AND user_id = ${userId}::uuid`;
  return removed === 1;
}

/** Takes all connections of a person away. */
export async function removeAll(db: Db, userId: string): Promise<void> {
  await db.execute`DELETE FROM social_connections WHERE user_id = ${userId}::uuid`;
}

/** A connection whose tokens are kept. */
export interface KeptTokens {
  readonly id: string;
  readonly provider: string;
  readonly sealedTokens: string;
}

/** What the tokens of a connection are sealed for. */
export function tokensSealedFor(connectionId: string): string {
  return `provider tokens ${connectionId}`;
}

/** The tokens that are kept for a person of one provider, those used last first. */
export function tokensOf(db: Db, userId: string, provider: string): Promise<KeptTokens[]> {
  return db.query<KeptTokens>`
    SELECT id, provider, sealed_tokens AS "sealedTokens" FROM social_connections
    WHERE user_id = ${userId}::uuid AND provider = ${provider} AND sealed_tokens IS NOT NULL
    ORDER BY last_used_at DESC NULLS LAST, id`;
}

/** The tokens that are kept for a connection. */
export async function tokensOfConnection(db: Db, id: string): Promise<KeptTokens | null> {
  const [kept] = await db.query<KeptTokens>`
    SELECT id, provider, sealed_tokens AS "sealedTokens" FROM social_connections
    WHERE id = ${id}::uuid AND sealed_tokens IS NOT NULL`;
  return kept ?? null;
}

/** Keeps the tokens of a connection, or none. */
export async function keepTokens(db: Db, id: string, sealedTokens: string | null): Promise<void> {
  await db.execute`UPDATE social_connections SET sealed_tokens = ${sealedTokens} WHERE id = ${id}::uuid`;
}

/** Puts other tokens in the place of those that were read. False if others came between. */
export async function replaceTokens(db: Db, id: string, expected: string, sealedTokens: string): Promise<boolean> {
  const replaced = await db.execute`
    UPDATE social_connections SET sealed_tokens = ${sealedTokens} WHERE id = ${id}::uuid AND sealed_tokens = ${expected}`;
  return replaced === 1;
}

/** Connections with tokens, by id, some at a time. */
export function listTokens(
  db: Db,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<KeptTokens[]> {
  return db.query<KeptTokens>`
    SELECT id, provider, sealed_tokens AS "sealedTokens" FROM social_connections
    WHERE sealed_tokens IS NOT NULL AND (${after}::uuid IS NULL OR id > ${after}::uuid) ORDER BY id LIMIT ${limit}`;
}
