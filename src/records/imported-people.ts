import type { Db } from '../infra/database.ts';

/** What a person holds of a factor, as it came along. */
export interface ImportedAuthenticator {
  readonly kind: string;
  readonly name: string | null;
  readonly credentialId: string | null;
  /** What its factor keeps: JSON, without a secret that is not sealed or hashed. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** An account at a provider, as it came along. */
export interface ImportedConnection {
  readonly provider: string;
  readonly issuer: string;
  readonly subject: string;
  readonly displayName: string;
  readonly email: string | null;
}

/** What is looked up for some people at once. */
export interface Sought {
  readonly externalIds: readonly string[];
  readonly userIds: readonly string[];
  readonly addresses: readonly string[];
  readonly usernameKeys: readonly string[];
  readonly phones: readonly string[];
  readonly credentialIds: readonly string[];
  readonly accounts: readonly Pick<ImportedConnection, 'provider' | 'issuer' | 'subject'>[];
}

/** What of it is somebody's already. */
export interface Held {
  readonly externalIds: readonly string[];
  readonly userIds: readonly string[];
  readonly addresses: readonly { readonly address: string; readonly verified: boolean }[];
  readonly usernameKeys: readonly string[];
  readonly phones: readonly { readonly number: string; readonly verified: boolean }[];
  readonly credentialIds: readonly string[];
  readonly accounts: readonly Pick<ImportedConnection, 'provider' | 'issuer' | 'subject'>[];
}

/** Somebody who is to be written. What they hold must be free, or held by nobody who has shown that it is theirs. */
export interface ImportedPerson {
  readonly externalId: string;
  readonly userId: string;
  readonly name: string | null;
  readonly username: string | null;
  readonly usernameKey: string | null;
  readonly roles: readonly string[];
  readonly createdAt: Date;
  readonly lastLoginAt: Date | null;
  readonly disabled: boolean;
  /** The first is the primary one. */
  readonly emails: readonly { readonly address: string; readonly verified: boolean }[];
  readonly phone: { readonly number: string; readonly verified: boolean } | null;
  readonly password: { readonly hash: string; readonly replace: boolean } | null;
  readonly authenticators: readonly ImportedAuthenticator[];
  readonly connections: readonly ImportedConnection[];
}

/**
 * Keeps everybody else away, until the transaction ends, from all that some people are to hold: another import of this
 * source, and whoever signs up with one of these names at this moment. Always in one order, so that two do not wait for
 * each other.
 */
export async function lock(db: Db, source: string, sought: Sought): Promise<void> {
  const accounts = sought.accounts.map(({ provider, issuer, subject }) => JSON.stringify([provider, issuer, subject]));
  await db.query`SELECT pg_advisory_xact_lock(hashtextextended(${source}, 3))`;
  await db.query`
    SELECT pg_advisory_xact_lock(key) FROM (
      SELECT DISTINCT key FROM (
        SELECT hashtextextended(name, 0) FROM unnest(${[...sought.addresses, ...sought.phones]}::text[]) name
        UNION ALL SELECT hashtextextended(name, 1) FROM unnest(${sought.usernameKeys}::text[]) name
        UNION ALL SELECT hashtextextended(name, 2) FROM unnest(${accounts}::text[]) name
      ) AS keys (key) ORDER BY key
    ) AS ordered`;
}

/** Looks up who of some people is here already, and what of theirs somebody else holds. */
export async function findHeld(db: Db, source: string, sought: Sought): Promise<Held> {
  const accounts = JSON.stringify(sought.accounts);
  const [externalIds, userIds, addresses, usernameKeys, phones, credentialIds, held] = await Promise.all([
    db.query<{ id: string }>`
      SELECT external_id AS id FROM imported_people
      WHERE source = ${source} AND external_id = ANY(${sought.externalIds}::text[])`,
    db.query<{ id: string }>`SELECT id FROM users WHERE id = ANY(${sought.userIds}::uuid[])`,
    db.query<{ address: string; verified: boolean }>`
      SELECT address, verified_at IS NOT NULL AS verified FROM emails
      WHERE address = ANY(${sought.addresses}::text[]) AND (verified_at IS NOT NULL OR is_primary)`,
    db.query<{ key: string }>`
      SELECT username_key AS key FROM users WHERE username_key = ANY(${sought.usernameKeys}::text[])`,
    db.query<{ number: string; verified: boolean }>`
      SELECT number, verified_at IS NOT NULL AS verified FROM phones WHERE number = ANY(${sought.phones}::text[])`,
    db.query<{ id: string }>`
      SELECT credential_id AS id FROM authenticators WHERE credential_id = ANY(${sought.credentialIds}::text[])`,
    db.query<Pick<ImportedConnection, 'provider' | 'issuer' | 'subject'>>`
      SELECT c.provider, c.issuer, c.subject FROM social_connections c
      JOIN jsonb_to_recordset(${accounts}::jsonb) AS a (provider text, issuer text, subject text)
        ON c.provider = a.provider AND c.issuer = a.issuer AND c.subject = a.subject`,
  ]);
  return {
    externalIds: externalIds.map(({ id }) => id),
    userIds: userIds.map(({ id }) => id),
    addresses,
    usernameKeys: usernameKeys.map(({ key }) => key),
    phones,
    credentialIds: credentialIds.map(({ id }) => id),
    accounts: held,
  };
}

/**
 * Writes some people, whole. Whoever only said that an address or a number is theirs loses it to one of them who has
 * shown it, as at any proof of it.
 */
export async function add(db: Db, source: string, people: readonly ImportedPerson[], now: Date): Promise<void> {
  const rows = JSON.stringify(people);
  await release(db, people);
  await db.execute`
    INSERT INTO users (id, name, username, username_key, roles, created_at, last_login_at, disabled_at)
    SELECT "userId", name, username, "usernameKey", roles, "createdAt", "lastLoginAt", CASE WHEN disabled THEN ${now}::timestamptz END
    FROM jsonb_to_recordset(${rows}::jsonb) AS p ("userId" uuid, name text, username text, "usernameKey" text,
      roles text[], "createdAt" timestamptz, "lastLoginAt" timestamptz, disabled boolean)`;
  await Promise.all([
    db.execute`
      INSERT INTO emails (id, user_id, address, is_primary, verified_at, created_at)
      SELECT gen_random_uuid(), "userId", e.value->>'address', e.nth = 1,
        CASE WHEN (e.value->>'verified')::boolean THEN ${now}::timestamptz END, "createdAt"
      FROM jsonb_to_recordset(${rows}::jsonb) AS p ("userId" uuid, emails jsonb, "createdAt" timestamptz),
        jsonb_array_elements(emails) WITH ORDINALITY AS e (value, nth)`,
    db.execute`
      INSERT INTO phones (user_id, number, verified_at, created_at)
      SELECT "userId", phone->>'number', CASE WHEN (phone->>'verified')::boolean THEN ${now}::timestamptz END, "createdAt"
      FROM jsonb_to_recordset(${rows}::jsonb) AS p ("userId" uuid, phone jsonb, "createdAt" timestamptz)
      WHERE phone->>'number' IS NOT NULL`,
    db.execute`
      INSERT INTO passwords (user_id, hash, pepper_key_id, changed_at, replace_reason)
      SELECT "userId", password->>'hash', NULL, ${now}::timestamptz,
        CASE WHEN (password->>'replace')::boolean THEN 'ADMINISTRATOR'::password_change_reason END
      FROM jsonb_to_recordset(${rows}::jsonb) AS p ("userId" uuid, password jsonb) WHERE password->>'hash' IS NOT NULL`,
    db.execute`
      INSERT INTO authenticators (id, user_id, kind, name, credential_id, data, created_at)
      SELECT gen_random_uuid(), "userId", a.value->>'kind', a.value->>'name', a.value->>'credentialId', a.value->'data', "createdAt"
      FROM jsonb_to_recordset(${rows}::jsonb) AS p ("userId" uuid, authenticators jsonb, "createdAt" timestamptz),
        jsonb_array_elements(authenticators) AS a (value)`,
    db.execute`
      INSERT INTO social_connections (id, user_id, provider, issuer, subject, display_name, email, created_at)
      SELECT gen_random_uuid(), "userId", c.value->>'provider', c.value->>'issuer', c.value->>'subject',
        c.value->>'displayName', c.value->>'email', "createdAt"
      FROM jsonb_to_recordset(${rows}::jsonb) AS p ("userId" uuid, connections jsonb, "createdAt" timestamptz),
        jsonb_array_elements(connections) AS c (value)`,
    db.execute`
      INSERT INTO imported_people (source, external_id, user_id, imported_at)
      SELECT ${source}, "externalId", "userId", ${now}
      FROM jsonb_to_recordset(${rows}::jsonb) AS p ("externalId" text, "userId" uuid)`,
  ]);
}

async function release(db: Db, people: readonly ImportedPerson[]): Promise<void> {
  const addresses = people.flatMap(({ emails }) =>
    emails.filter(({ verified }) => verified).map(({ address }) => address),
  );
  const numbers = people.flatMap(({ phone }) => (phone?.verified ? [phone.number] : []));
  const lost = await db.query<{ user_id: string }>`
    DELETE FROM emails WHERE address = ANY(${addresses}::text[]) AND verified_at IS NULL RETURNING user_id`;
  await db.execute`
    UPDATE emails SET is_primary = true WHERE id IN (
      SELECT DISTINCT ON (user_id) id FROM emails e
      WHERE user_id = ANY(${lost.map(({ user_id: id }) => id)}::uuid[]) AND verified_at IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM emails WHERE user_id = e.user_id AND is_primary)
      ORDER BY user_id, created_at)`;
  await db.execute`DELETE FROM phones WHERE number = ANY(${numbers}::text[]) AND verified_at IS NULL`;
}
