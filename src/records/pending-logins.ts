import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';
import type { AuthenticationMethod, CredentialKind } from './sessions.ts';

/** Which way in a login came. */
export type LoginPurpose = 'SIGN_UP' | 'PASSWORD';

/** A login between the first proof and the session. */
export interface PendingLogin {
  readonly purpose: LoginPurpose;
  /** Null for a login that only looks like one. */
  readonly userId: string | null;
  readonly credential: CredentialKind;
  readonly methods: readonly AuthenticationMethod[];
  /** Names the password that the account had as the login began. */
  readonly passwordChangedAt: Date | null;
  readonly expiresAt: Date;
}

/** Keeps a login that still asks for something. */
export async function store(
  db: Db,
  login: PendingLogin & { tokenHash: Buffer; ipAddress: string | null; userAgent: string | null; now: Date },
): Promise<void> {
  await db.execute`
    INSERT INTO pending_logins (id, token_hash, purpose, user_id, credential, methods, password_changed_at, ip_address, user_agent, created_at, expires_at)
    VALUES (${randomUUID()}::uuid, ${login.tokenHash}, ${login.purpose}, ${login.userId}::uuid, ${login.credential}::credential_kind,
      ${JSON.stringify(login.methods)}::jsonb, ${login.passwordChangedAt}, ${login.ipAddress}, ${login.userAgent}, ${login.now}, ${login.expiresAt})`;
}

/** Finds a login that is neither over nor too old. */
export async function find(db: Db, tokenHash: Buffer, now: Date): Promise<(PendingLogin & { id: string }) | null> {
  const [login] = await db.query<PendingLogin & { id: string }>`
    SELECT id, purpose, user_id AS "userId", credential, methods, password_changed_at AS "passwordChangedAt", expires_at AS "expiresAt"
    FROM pending_logins WHERE token_hash = ${tokenHash} AND completed_at IS NULL AND expires_at > ${now}`;
  return login ?? null;
}

/** Uses a login up. False if it was used, or is too old: of fifty at once, one gets true. */
export async function complete(db: Db, id: string, now: Date): Promise<boolean> {
  const completed = await db.execute`
    UPDATE pending_logins SET completed_at = ${now}
    WHERE id = ${id}::uuid AND completed_at IS NULL AND expires_at > ${now}`;
  return completed === 1;
}
