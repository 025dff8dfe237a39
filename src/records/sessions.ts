import type { SessionEndReason } from '../events.ts';
import { type CredentialKind, Prisma } from '../generated/prisma/client.ts';
import type { Db } from '../infra/database.ts';
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
}

export type { CredentialKind };

export interface Session {
  readonly id: string;
  readonly userId: string;
  readonly credential: CredentialKind;
  readonly methods: readonly AuthenticationMethod[];
  readonly createdAt: Date;
  readonly lastSeenAt: Date;
  readonly expiresAt: Date;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
}

/** A session with the person it recognises, as one read gives them. */
export interface KnownSession {
  readonly session: Session;
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

/** RFC 8176 §2. */
const AMR: Readonly<Record<AuthenticationMethodKind, string>> = {
  PASSWORD: 'pwd',
  CODE: 'otp',
  LINK: 'otp',
  PASSKEY: 'hwk',
  PROVIDER: 'fed',
  TOTP: 'otp',
  RECOVERY_CODE: 'otp',
  PASSWORD_RESET: 'otp',
};

/** What an access token says of a session. */
export function accessTokenSubject(session: Session) {
  return {
    userId: session.userId,
    sessionId: session.id,
    authenticatedAt: authenticatedAt(session),
    methods: [...new Set(session.methods.map(({ method }) => AMR[method]))],
  };
}

/**
 * Opens a session, unless the account was disabled, or its password replaced, since the login began. The rows that tell
 * are locked by the same statement, so a change of the password that runs at the same moment either comes first and
 * stops this, or comes second and finds the new session to revoke.
 *
 * @param session `passwordChangedAt` names the password that the account had as the login began, null for none
 * @returns the ids of older sessions that had to make room, or null if no session was opened
 */
export async function open(
  db: Db,
  session: Session & { readonly tokenHash: Buffer<ArrayBuffer> | null; readonly passwordChangedAt: Date | null },
): Promise<{ ended: string[] } | null> {
  const { id, userId, passwordChangedAt, createdAt: now } = session;
  const byPassword = session.methods.some(({ method }) => method === 'PASSWORD');
  const [row] = await db.$queryRaw<{ opened: boolean; ended: string[] | null }[]>`
    WITH account AS (
      UPDATE users SET last_login_at = ${now} WHERE id = ${userId}::uuid AND disabled_at IS NULL RETURNING id
    ), password AS (
      UPDATE passwords SET consecutive_attempts = CASE WHEN ${byPassword} THEN 0 ELSE consecutive_attempts END
      WHERE user_id = ${userId}::uuid AND changed_at = ${passwordChangedAt}::timestamptz RETURNING user_id
    ), opened AS (
      INSERT INTO sessions (id, user_id, token_hash, credential, methods, created_at, last_seen_at, expires_at, ip_address, user_agent)
      SELECT ${id}::uuid, account.id, ${session.tokenHash}, ${session.credential}::credential_kind,
        ${JSON.stringify(session.methods)}::jsonb, ${now}, ${now}, ${session.expiresAt}, ${session.ipAddress}, ${session.userAgent}
      FROM account
      WHERE EXISTS (SELECT 1 FROM password)
        OR (${passwordChangedAt}::timestamptz IS NULL AND NOT EXISTS (SELECT 1 FROM passwords WHERE user_id = account.id))
      RETURNING id
    ), crowded AS (
      SELECT s.id FROM sessions s WHERE s.user_id = ${userId}::uuid AND s.ended_at IS NULL AND EXISTS (SELECT 1 FROM opened)
      ORDER BY s.created_at DESC, s.id OFFSET ${MAX_SESSIONS - 1}
    ), ended AS (
      UPDATE sessions SET ended_at = ${now}, end_reason = 'REVOKED' WHERE id IN (SELECT id FROM crowded) RETURNING id
    )
    SELECT EXISTS (SELECT 1 FROM opened) AS opened, (SELECT array_agg(id::text) FROM ended) AS ended`;
  return row?.opened ? { ended: row.ended ?? [] } : null;
}

/** Finds a session by the hash of its opaque token. */
export function findByTokenHash(db: Db, tokenHash: Buffer<ArrayBuffer>): Promise<KnownSession | null> {
  return find(db, Prisma.sql`s.token_hash = ${tokenHash}`);
}

/** Finds a session by its id. */
export function findById(db: Db, id: string): Promise<KnownSession | null> {
  return find(db, Prisma.sql`s.id = ${id}::uuid`);
}

/** The sessions of a person that are not over, the newest first. */
export async function listLive(db: Db, userId: string, idle: number, now: Date): Promise<Session[]> {
  const rows = await db.session.findMany({
    where: {
      userId,
      endedAt: null,
      expiresAt: { gt: now },
      lastSeenAt: { gt: new Date(now.getTime() - idle) },
    },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    omit: { tokenHash: true, endedAt: true, endReason: true },
  });
  return rows.map((row) => ({ ...row, methods: row.methods as unknown as AuthenticationMethod[] }));
}

/**
 * Ends a session.
 * @returns false if it was over already: of two that end it at once, one does
 */
export async function end(db: Db, id: string, reason: SessionEndReason, now: Date): Promise<boolean> {
  const { count } = await db.session.updateMany({
    where: { id, endedAt: null },
    data: { endedAt: now, endReason: reason },
  });
  return count === 1;
}

/** Notes that a session was used. Never moves backwards, never revives an ended one. */
export async function touch(db: Db, id: string, now: Date): Promise<void> {
  await db.session.updateMany({ where: { id, endedAt: null, lastSeenAt: { lt: now } }, data: { lastSeenAt: now } });
}

interface Row {
  id: string;
  user_id: string;
  credential: CredentialKind;
  methods: AuthenticationMethod[];
  created_at: Date;
  last_seen_at: Date;
  expires_at: Date;
  ip_address: string | null;
  user_agent: string | null;
  end_reason: SessionEndReason | null;
  user_created_at: Date;
  last_login_at: Date | null;
  name: string | null;
  username: string | null;
  roles: string[];
  disabled_at: Date | null;
  email: string | null;
  email_verified: boolean;
  has_password: boolean;
  has_mfa: boolean;
}

async function find(db: Db, condition: Prisma.Sql): Promise<KnownSession | null> {
  const [row] = await db.$queryRaw<Row[]>`
    SELECT s.id, s.user_id, s.credential::text, s.methods, s.created_at, s.last_seen_at, s.expires_at, s.ip_address,
      s.user_agent, s.end_reason::text, u.created_at AS user_created_at, u.last_login_at, u.name, u.username, u.roles,
      u.disabled_at, e.address AS email, e.verified_at IS NOT NULL AS email_verified,
      EXISTS (SELECT 1 FROM passwords p WHERE p.user_id = u.id) AS has_password,
      EXISTS (SELECT 1 FROM authenticators a WHERE a.user_id = u.id AND a.kind IN ('TOTP', 'PASSKEY')) AS has_mfa
    FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN emails e ON e.user_id = u.id AND e.is_primary
    WHERE ${condition}`;
  return row ? fromRow(row) : null;
}

function fromRow(row: Row): KnownSession {
  return {
    session: {
      id: row.id,
      userId: row.user_id,
      credential: row.credential,
      methods: row.methods,
      createdAt: row.created_at,
      lastSeenAt: row.last_seen_at,
      expiresAt: row.expires_at,
      ipAddress: row.ip_address,
      userAgent: row.user_agent,
    },
    user: {
      id: row.user_id,
      createdAt: row.user_created_at,
      lastLoginAt: row.last_login_at,
      name: row.name,
      username: row.username,
      roles: row.roles,
      email: row.email,
      emailVerified: row.email_verified,
      hasPassword: row.has_password,
      hasMfa: row.has_mfa,
    },
    endReason: row.end_reason ?? (row.disabled_at ? 'ACCOUNT_DISABLED' : null),
  };
}
