import type { SessionEndReason } from '../events.ts';
import type { Db } from '../infra/database.ts';
import { addressKey } from '../lib/client-address.ts';
import type { FieldValues } from '../lib/user-fields/declaration.ts';
import type { User } from './users.ts';

/** Sessions of one person that may live at once; opening one more ends the oldest. */
export const MAX_SESSIONS = 50;

export type AuthenticationMethodKind =
  | 'PASSWORD'
  | 'CODE'
  | 'LINK'
  | 'PASSKEY'
  | 'PROVIDER'
  | 'TOTP'
  | 'RECOVERY_CODE'
  | 'PASSWORD_RESET';

/** What was proven, and when. */
export interface AuthenticationMethod {
  readonly method: AuthenticationMethodKind;
  /** ISO 8601, since it is kept as JSON. */
  readonly at: string;
  /** For PROVIDER. */
  readonly provider?: string;
  /** Whether it proved a second factor: what a login asks for once there is one. */
  readonly mfa?: true;
}

/** How a client holds its session. */
export type CredentialKind = 'COOKIE' | 'SESSION_TOKEN' | 'JWT';

export interface Session {
  readonly id: string;
  readonly userId: string;
  readonly credential: CredentialKind;
  /** How often its credential was replaced. */
  readonly credentialGeneration: number;
  readonly methods: readonly AuthenticationMethod[];
  readonly createdAt: Date;
  readonly lastSeenAt: Date;
  readonly expiresAt: Date;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
}

/** Where a session is used from, and by which program. */
export type SessionClient = Pick<Session, 'ipAddress' | 'userAgent'>;

/** A session with the person it recognises, as one read gives them. */
export interface KnownSession {
  readonly session: Session;
  /** The client that it was last seen with. */
  readonly seenWith: SessionClient;
  readonly user: User;
  /** Set once it is over, by whatever cause but the passing of time. */
  readonly endReason: SessionEndReason | null;
}

/** The instant at which a session is over by the passing of time. */
export function expiryOf(session: Session, idle: number): Date {
  return new Date(Math.min(session.expiresAt.getTime(), session.lastSeenAt.getTime() + idle));
}

/** When the person last proved who they are. Nothing but a proof moves it. */
export function authenticatedAt({ methods, createdAt }: Session): Date {
  return new Date(methods.at(-1)?.at ?? createdAt);
}

/** When a second factor was last proven. */
export function secondFactorAt({ methods }: Session): Date | null {
  const last = methods.findLast(({ mfa }) => mfa);
  return last ? new Date(last.at) : null;
}

/** RFC 8176 §2. `mfa` joins them where a second factor was proven. */
const AMR: Readonly<Record<string, string>> = {
  PASSWORD: 'pwd',
  CODE: 'otp',
  LINK: 'otp',
  PASSKEY: 'pop',
  PROVIDER: 'fed',
  TOTP: 'otp',
  RECOVERY_CODE: 'otp',
  PASSWORD_RESET: 'otp',
};

/** What an access token says of a session by itself. */
export function accessTokenSubject(session: Session) {
  return {
    userId: session.userId,
    sessionId: session.id,
    generation: session.credentialGeneration,
    authenticatedAt: authenticatedAt(session),
    expiresAt: session.expiresAt,
    methods: amrOf(session),
  };
}

/** What was proven, as RFC 8176 has it. */
export function amrOf({ methods }: Session): string[] {
  const amr = methods.flatMap(({ method }) => AMR[method] ?? []);
  return [...new Set(methods.some(({ mfa }) => mfa) ? [...amr, 'mfa'] : amr)];
}

/**
 * Opens a session, unless the account was disabled, or its password replaced, since the login began. The rows that tell
 * are locked meanwhile, so a change of the password that runs at the same moment either comes first and stops this, or
 * comes second and finds the new session to revoke; and of two logins at once the second sees what the first opened.
 *
 * @param session `passwordChangedAt` names the password that the account had as the login began, null for none
 * @returns whose session it is, the ids of older ones that had to make room, and whether the person was never seen with
 * this client from this address before (not so for a first session); null if none was opened
 */
export async function open(
  db: Db,
  session: Session & { readonly tokenHash: Buffer | null; readonly passwordChangedAt: Date | null },
): Promise<{ user: User; ended: string[]; newDevice: boolean } | null> {
  const { id, userId, passwordChangedAt, createdAt: now } = session;
  const byPassword = session.methods.some(({ method }) => method === 'PASSWORD');
  const locked = db.query`SELECT 1 FROM users WHERE id = ${userId}::uuid FOR UPDATE`;
  const opened = db.query<UserRow & { ended: string[] | null; seen: boolean; seen_from: (string | null)[] | null }>`
    WITH password AS (
      UPDATE passwords SET consecutive_attempts = CASE WHEN ${byPassword} THEN 0 ELSE consecutive_attempts END
      WHERE user_id = ${userId}::uuid AND changed_at = ${passwordChangedAt}::timestamptz RETURNING user_id
    ), opened AS (
      INSERT INTO sessions (id, user_id, token_hash, credential, methods, created_at, last_seen_at, expires_at, ip_address, user_agent)
      SELECT ${id}::uuid, u.id, ${session.tokenHash}, ${session.credential}::credential_kind,
        ${JSON.stringify(session.methods)}::jsonb, ${now}, ${now}, ${session.expiresAt}, ${session.ipAddress}, ${session.userAgent}
      FROM users u
      WHERE u.id = ${userId}::uuid AND u.disabled_at IS NULL AND (
        EXISTS (SELECT 1 FROM password)
        OR (${passwordChangedAt}::timestamptz IS NULL AND NOT EXISTS (SELECT 1 FROM passwords WHERE user_id = u.id)))
      RETURNING user_id
    ), greeted AS (
      UPDATE users SET last_login_at = ${now} WHERE id IN (SELECT user_id FROM opened)
    ), crowded AS (
      SELECT s.id FROM sessions s JOIN opened ON opened.user_id = s.user_id WHERE s.ended_at IS NULL
      ORDER BY s.created_at DESC, s.id OFFSET ${MAX_SESSIONS - 1}
    ), ended AS (
      UPDATE sessions SET ended_at = ${now}, end_reason = 'REVOKED' WHERE id IN (SELECT id FROM crowded) RETURNING id
    )
    SELECT u.id AS user_id, u.created_at AS user_created_at, u.name, u.username, u.roles, u.fields,
      e.address AS email, e.verified_at IS NOT NULL AS email_verified,
      EXISTS (SELECT 1 FROM passwords p WHERE p.user_id = u.id) AS has_password,
      ARRAY(SELECT DISTINCT kind FROM authenticators a WHERE a.user_id = u.id AND NOT used_up) AS factors,
      (SELECT array_agg(id::text) FROM ended) AS ended,
      EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id) AS seen,
      (SELECT array_agg(DISTINCT s.ip_address) FROM sessions s
        WHERE s.user_id = u.id AND s.user_agent IS NOT DISTINCT FROM ${session.userAgent}) AS seen_from
    FROM users u JOIN opened ON opened.user_id = u.id LEFT JOIN emails e ON e.user_id = u.id AND e.is_primary`;
  const [, [row]] = await Promise.all([locked, opened]);
  if (!row) return null;
  const from = addressKey(session.ipAddress ?? '');
  const known = row.seen_from?.some((address) => addressKey(address ?? '') === from) ?? false;
  return { user: userFrom(row), ended: row.ended ?? [], newDevice: row.seen && !known };
}

/** Finds a session by the hash of its opaque token. */
export function findByTokenHash(db: Db, tokenHash: Buffer): Promise<KnownSession | null> {
  return find(db, tokenHash, null);
}

/** Finds a session by its id. */
export function findById(db: Db, id: string): Promise<KnownSession | null> {
  return find(db, null, id);
}

/** The sessions of a person that are not over, the newest first. */
export function listLive(db: Db, userId: string, idle: number, now: Date): Promise<Session[]> {
  return db.query<Session>`
    SELECT id, user_id AS "userId", credential, credential_generation AS "credentialGeneration", methods, created_at AS "createdAt", last_seen_at AS "lastSeenAt",
      expires_at AS "expiresAt", ip_address AS "ipAddress", user_agent AS "userAgent"
    FROM sessions
    WHERE user_id = ${userId}::uuid AND ended_at IS NULL AND expires_at > ${now}
      AND last_seen_at > ${new Date(now.getTime() - idle)}
    ORDER BY created_at DESC, id DESC`;
}

/** The sessions of these ids, whether or not they are over. */
export function listByIds(db: Db, ids: readonly string[]): Promise<Session[]> {
  return db.query<Session>`
    SELECT id, user_id AS "userId", credential, credential_generation AS "credentialGeneration", methods, created_at AS "createdAt", last_seen_at AS "lastSeenAt",
      expires_at AS "expiresAt", ip_address AS "ipAddress", user_agent AS "userAgent"
    FROM sessions WHERE id = ANY(${ids}::uuid[])`;
}

/** Whether a person had a session from a client's address, or from its network, not so long ago. */
export async function isKnownAddress(db: Db, userId: string, ipAddress: string): Promise<boolean> {
  const rows = await db.query<{ ip_address: string | null }>`
    SELECT DISTINCT ip_address FROM sessions WHERE user_id = ${userId}::uuid`;
  const from = addressKey(ipAddress);
  return rows.some((row) => row.ip_address !== null && addressKey(row.ip_address) === from);
}

/**
 * Ends a session.
 * @returns false if it was over already: of two that end it at once, one does
 */
export async function end(db: Db, id: string, reason: SessionEndReason, now: Date): Promise<boolean> {
  const ended = await db.execute`
    UPDATE sessions SET ended_at = ${now}, end_reason = ${reason}::session_end_reason
    WHERE id = ${id}::uuid AND ended_at IS NULL`;
  return ended === 1;
}

/**
 * Ends all sessions of a person, or all but one.
 * @returns the ids of those that were not over yet
 */
export async function endAll(
  db: Db,
  userId: string,
  reason: SessionEndReason,
  now: Date,
  except: string | null = null,
): Promise<string[]> {
  const ended = await db.query<{ id: string }>`
    UPDATE sessions SET ended_at = ${now}, end_reason = ${reason}::session_end_reason
    WHERE user_id = ${userId}::uuid AND ended_at IS NULL AND id IS DISTINCT FROM ${except}::uuid RETURNING id`;
  return ended.map(({ id }) => id);
}

/** A session that came to its end without anybody ending it. */
export interface OverdueSession {
  readonly id: string;
  readonly userId: string;
  readonly reason: SessionEndReason;
}

/** Some of the people who have sessions that {@link endOverdue} would end. Reads all sessions of everybody. */
export async function findPeopleWithOverdue(db: Db, idle: number, now: Date, limit: number): Promise<string[]> {
  const rows = await db.query<{ id: string }>`
    SELECT DISTINCT u.id FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.ended_at IS NULL
      AND (s.expires_at <= ${now} OR s.last_seen_at <= ${new Date(now.getTime() - idle)} OR u.disabled_at IS NOT NULL)
    LIMIT ${limit}`;
  return rows.map(({ id }) => id);
}

/**
 * Ends the sessions of some people whose time has passed, or whose person was disabled, so that each is over once and for
 * all.
 * @param idle milliseconds for which a session lives without use
 * @returns those that it ended, `limit` at most: of two that do it at once, one gets each
 */
export function endOverdue(
  db: Db,
  userIds: readonly string[],
  idle: number,
  now: Date,
  limit: number,
): Promise<OverdueSession[]> {
  return db.query<OverdueSession>`
    UPDATE sessions SET ended_at = ${now}, end_reason = overdue.reason::session_end_reason
    FROM (
      SELECT s.id AS overdue_id, CASE WHEN u.disabled_at IS NULL THEN 'EXPIRED' ELSE 'ACCOUNT_DISABLED' END AS reason
      FROM sessions s JOIN users u ON u.id = s.user_id
      WHERE s.user_id = ANY(${userIds}::uuid[]) AND s.ended_at IS NULL
        AND (s.expires_at <= ${now} OR s.last_seen_at <= ${new Date(now.getTime() - idle)} OR u.disabled_at IS NOT NULL)
      ORDER BY s.id LIMIT ${limit} FOR UPDATE OF s
    ) AS overdue
    WHERE id = overdue_id AND ended_at IS NULL
    RETURNING id, user_id AS "userId", end_reason AS reason`;
}

/**
 * Adds to what was proven for a session that is not over. An earlier proof of the same kind that came after the login
 * makes room for it.
 * @returns the session as it is then, or null if it is over
 */
export async function addMethod(db: Db, id: string, method: AuthenticationMethod): Promise<Session | null> {
  const [session] = await db.query<Session>`
    UPDATE sessions SET methods = (
      SELECT coalesce(jsonb_agg(proof ORDER BY position), '[]'::jsonb)
      FROM jsonb_array_elements(methods) WITH ORDINALITY AS proven (proof, position)
      WHERE proof ->> 'method' <> ${method.method} OR (proof ->> 'at')::timestamptz <= created_at
    ) || ${JSON.stringify([method])}::jsonb
    WHERE id = ${id}::uuid AND ended_at IS NULL
    RETURNING id, user_id AS "userId", credential, credential_generation AS "credentialGeneration", methods, created_at AS "createdAt", last_seen_at AS "lastSeenAt",
      expires_at AS "expiresAt", ip_address AS "ipAddress", user_agent AS "userAgent"`;
  return session ?? null;
}

/**
 * Puts another credential in the place of the one by which a session is held: access tokens of the one before are not
 * taken any more.
 * @param tokenHash of the opaque token; null for a session that is held as a JWT
 * @returns the session as it is then, or null if it is over
 */
export async function replaceCredential(db: Db, id: string, tokenHash: Buffer | null): Promise<Session | null> {
  const [session] = await db.query<Session>`
    UPDATE sessions SET token_hash = ${tokenHash}, credential_generation = credential_generation + 1
    WHERE id = ${id}::uuid AND ended_at IS NULL
    RETURNING id, user_id AS "userId", credential, credential_generation AS "credentialGeneration", methods,
      created_at AS "createdAt", last_seen_at AS "lastSeenAt", expires_at AS "expiresAt", ip_address AS "ipAddress",
      user_agent AS "userAgent"`;
  return session ?? null;
}

/**
 * Notes that a session was used. Never moves backwards, never revives an ended one.
 * @param every milliseconds within which one note is enough, whichever instance made it
 */
export async function touch(db: Db, id: string, now: Date, every: number): Promise<void> {
  await db.execute`
    UPDATE sessions SET last_seen_at = ${now}
    WHERE id = ${id}::uuid AND ended_at IS NULL AND last_seen_at <= ${new Date(now.getTime() - every)}`;
}

/**
 * Notes that a session is seen with another client than before.
 * @param since how recent a change may be without another being noted, whichever instance noted it
 * @returns the client that it was seen with before; null if nothing was noted
 */
export async function noteClient(
  db: Db,
  id: string,
  { ipAddress, userAgent }: SessionClient,
  now: Date,
  since: Date,
): Promise<SessionClient | null> {
  const [noted] = await db.query<SessionClient>`
    UPDATE sessions AS s
    SET client_ip_address = ${ipAddress}, client_user_agent = ${userAgent}, client_changed_at = ${now}
    FROM (
      SELECT id, CASE WHEN client_changed_at IS NULL THEN ip_address ELSE client_ip_address END AS ip_address,
        CASE WHEN client_changed_at IS NULL THEN user_agent ELSE client_user_agent END AS user_agent
      FROM sessions
      WHERE id = ${id}::uuid AND ended_at IS NULL AND (client_changed_at IS NULL OR client_changed_at <= ${since})
      FOR UPDATE
    ) AS was
    WHERE s.id = was.id
      AND (was.ip_address, was.user_agent) IS DISTINCT FROM (${ipAddress}::text, ${userAgent}::text)
    RETURNING was.ip_address AS "ipAddress", was.user_agent AS "userAgent"`;
  return noted ?? null;
}

interface UserRow {
  user_id: string;
  user_created_at: Date;
  name: string | null;
  username: string | null;
  roles: string[];
  email: string | null;
  email_verified: boolean;
  has_password: boolean;
  factors: string[];
  fields: FieldValues;
}

interface Row extends UserRow {
  id: string;
  credential: CredentialKind;
  credential_generation: number;
  methods: AuthenticationMethod[];
  created_at: Date;
  last_seen_at: Date;
  expires_at: Date;
  ip_address: string | null;
  user_agent: string | null;
  client_ip_address: string | null;
  client_user_agent: string | null;
  client_changed_at: Date | null;
  end_reason: SessionEndReason | null;
  disabled_at: Date | null;
}

// Either of the two is null, which equals nothing.
async function find(db: Db, tokenHash: Buffer | null, id: string | null): Promise<KnownSession | null> {
  const [row] = await db.query<Row>`
    SELECT s.id, s.user_id, s.credential, s.credential_generation, s.methods, s.created_at, s.last_seen_at, s.expires_at, s.ip_address,
      s.user_agent, s.client_ip_address, s.client_user_agent, s.client_changed_at, s.end_reason, u.created_at AS user_created_at, u.name, u.username, u.roles, u.fields,
      u.disabled_at, e.address AS email, e.verified_at IS NOT NULL AS email_verified,
      EXISTS (SELECT 1 FROM passwords p WHERE p.user_id = u.id) AS has_password,
      ARRAY(SELECT DISTINCT kind FROM authenticators a WHERE a.user_id = u.id AND NOT used_up) AS factors
    FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN emails e ON e.user_id = u.id AND e.is_primary
    WHERE s.token_hash = ${tokenHash} OR s.id = ${id}::uuid`;
  return row ? fromRow(row) : null;
}

function fromRow(row: Row): KnownSession {
  return {
    session: {
      id: row.id,
      userId: row.user_id,
      credential: row.credential,
      credentialGeneration: row.credential_generation,
      methods: row.methods,
      createdAt: row.created_at,
      lastSeenAt: row.last_seen_at,
      expiresAt: row.expires_at,
      ipAddress: row.ip_address,
      userAgent: row.user_agent,
    },
    seenWith: row.client_changed_at
      ? { ipAddress: row.client_ip_address, userAgent: row.client_user_agent }
      : { ipAddress: row.ip_address, userAgent: row.user_agent },
    user: userFrom(row),
    endReason: row.end_reason ?? (row.disabled_at ? 'ACCOUNT_DISABLED' : null),
  };
}

function userFrom(row: UserRow): User {
  return {
    id: row.user_id,
    createdAt: row.user_created_at,
    name: row.name,
    username: row.username,
    roles: row.roles,
    email: row.email,
    emailVerified: row.email_verified,
    hasPassword: row.has_password,
    factors: row.factors,
    fields: row.fields,
  };
}
