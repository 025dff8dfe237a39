import type { Db } from '../infra/database.ts';

const DAY_MS = 24 * 3_600_000;

/** How long what is over is kept, in milliseconds: long enough to tell "expired" from "unknown", and for the audit. */
const KEPT_MS = {
  challenges: DAY_MS,
  pendingLogins: DAY_MS,
  ceremonies: DAY_MS,
  providerFlows: DAY_MS,
  /** A clock that is behind ours must not make it good again. */
  usedIdTokens: DAY_MS,
  refreshTokens: DAY_MS,
  /** A device is known by the sessions that it had. */
  sessions: 90 * DAY_MS,
} as const;

/**
 * Removes what has been over for a while. What is over does nothing meanwhile: its time is looked at at each use.
 * @param eventRetention milliseconds for which events are kept
 */
export async function purge(db: Db, eventRetention: number, now: Date): Promise<void> {
  const before = (kept: number) => new Date(now.getTime() - kept);
  await db.execute`
    DELETE FROM challenges WHERE GREATEST(code_expires_at, link_expires_at) < ${before(KEPT_MS.challenges)}`;
  await db.execute`DELETE FROM pending_logins WHERE expires_at < ${before(KEPT_MS.pendingLogins)}`;
  await db.execute`DELETE FROM ceremonies WHERE expires_at < ${before(KEPT_MS.ceremonies)}`;
  await db.execute`DELETE FROM provider_flows WHERE expires_at < ${before(KEPT_MS.providerFlows)}`;
  await db.execute`DELETE FROM used_id_tokens WHERE expires_at < ${before(KEPT_MS.usedIdTokens)}`;
  await db.execute`DELETE FROM trusted_devices WHERE expires_at < ${now}`;
  await db.execute`DELETE FROM refresh_tokens WHERE expires_at < ${before(KEPT_MS.refreshTokens)}`;
  await db.execute`
    DELETE FROM sessions WHERE LEAST(expires_at, ended_at) < ${before(KEPT_MS.sessions)}`;
  await db.execute`DELETE FROM events WHERE at < ${before(eventRetention)}`;
}
