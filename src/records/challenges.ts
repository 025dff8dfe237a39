import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';
import { hashToken, isToken, makeToken } from '../lib/secrets.ts';
import { hashCode, makeCode, matchesCode, readCode, readOwnCode } from '../lib/user-code.ts';

/** What codes and links are for. */
export const PURPOSES = [
  'VERIFY_EMAIL',
  'CONFIRM_EMAIL',
  'VERIFY_PHONE',
  'LOGIN_CODE',
  'RESET_PASSWORD',
  'REAUTHENTICATE',
  'LINK_ACCOUNT',
] as const;
/** What one code or link is for. It does for nothing else. */
export type ChallengePurpose = (typeof PURPOSES)[number];

export type Channel = 'EMAIL' | 'SMS';

/** Checks of one code, however often it is sent again (NIST SP 800-63B-4 §3.2.2). */
export const MAX_ATTEMPTS = 5;
/** Milliseconds. */
export const CODE_LIFETIME_MS = 10 * 60_000;
/** Milliseconds that must pass before a code is sent again. */
export const RESEND_PAUSE_MS = 30_000;
const DAY_MS = 24 * 3_600_000;

/** How long the link of each purpose lives, in milliseconds. */
export const LINK_LIFETIME_MS: Readonly<Record<ChallengePurpose, number>> = {
  VERIFY_EMAIL: DAY_MS,
  CONFIRM_EMAIL: DAY_MS,
  RESET_PASSWORD: 30 * 60_000,
  LOGIN_CODE: CODE_LIFETIME_MS,
  // These have no link.
  VERIFY_PHONE: 0,
  REAUTHENTICATE: 0,
  LINK_ACCOUNT: 0,
};

/** The keys that codes are hashed with: the first makes, all of them check. */
export type CodeKeys = readonly [Buffer, ...Buffer[]];

/** A code on its way to somebody, and the link that does the same. */
export interface Challenge {
  readonly id: string;
  readonly purpose: ChallengePurpose;
  readonly pendingLoginId: string | null;
  /** The session that asked for it. One that renews a session renews this one, and no other may use it. */
  readonly sessionId: string | null;
  /** Null for one that nobody can answer. */
  readonly userId: string | null;
  readonly channel: Channel;
  readonly destination: string;
  readonly codeHash: Buffer;
  readonly resendAt: Date;
  readonly codeExpiresAt: Date;
  readonly linkExpiresAt: Date;
}

/** What has to be delivered. Neither stands in the database. */
export interface Secrets {
  readonly code: string;
  /** The token of the link; null for a purpose or channel that has none. */
  readonly link: string | null;
}

/** A challenge, and what has to be delivered for it. */
export interface Issued {
  readonly challenge: Challenge;
  readonly secrets: Secrets;
}

/** What a challenge is made of. */
export interface NewChallenge {
  readonly purpose: ChallengePurpose;
  readonly userId: string | null;
  readonly channel: Channel;
  readonly destination: string;
  /** Whose token names it; else {@link issue} makes a handle. */
  readonly pendingLoginId?: string;
  readonly sessionId?: string;
}

/** How a code and its link are made. */
export interface MakeOptions {
  /** Where no link may do. */
  readonly codeOnly?: boolean;
  /** The code; else one is made. */
  readonly code?: string | undefined;
}

/**
 * Makes a challenge.
 * @param options `sent: false` for one that waits until somebody asks for it; `linkLifetime` in milliseconds, if its link
 * lives otherwise than those of its purpose
 * @returns null if the pending login has one of this purpose already: of two that ask at once, one sends
 */
export async function issue(
  db: Db,
  keys: CodeKeys,
  challenge: NewChallenge,
  now: Date,
  {
    sent = true,
    linkLifetime = LINK_LIFETIME_MS[challenge.purpose],
    ...options
  }: MakeOptions & { readonly sent?: boolean; readonly linkLifetime?: number } = {},
): Promise<(Issued & { readonly handle: string }) | null> {
  const { purpose, userId, channel, destination, pendingLoginId = null, sessionId = null } = challenge;
  const id = randomUUID();
  const handle = makeToken('handle');
  const made = makeSecrets(id, { purpose, channel }, keys, options);
  const linkExpiresAt = new Date(now.getTime() + linkLifetime);
  const ends = { ...endsOf(purpose, now), ...(sent ? {} : { resendAt: now }), linkExpiresAt };
  const inserted = await db.execute`
    INSERT INTO challenges (id, purpose, handle_hash, pending_login_id, session_id, user_id, channel, destination,
      code_hash, link_hash, created_at, resend_at, code_expires_at, link_expires_at)
    VALUES (${id}::uuid, ${purpose}, ${pendingLoginId ? null : hashToken(handle)}, ${pendingLoginId}::uuid, ${sessionId}::uuid,
      ${userId}::uuid, ${channel}::channel, ${destination}, ${made.codeHash}, ${made.linkHash}, ${now}, ${ends.resendAt},
      ${ends.codeExpiresAt}, ${ends.linkExpiresAt})
    ON CONFLICT (pending_login_id, purpose) DO NOTHING`;
  if (inserted !== 1) return null;
  return {
    challenge: {
      id,
      purpose,
      pendingLoginId,
      sessionId,
      userId,
      channel,
      destination,
      codeHash: made.codeHash,
      ...ends,
    },
    secrets: made.secrets,
    handle,
  };
}

/**
 * Begins to send a challenge once more: the pause before the next time starts now.
 * @returns null if it was used, has no checks left, or may not be sent again yet: of two at once, one sends
 */
export async function beginResend(
  db: Db,
  keys: CodeKeys,
  challenge: Challenge,
  now: Date,
  options: MakeOptions = {},
): Promise<Issued | null> {
  const ends = endsOf(challenge.purpose, now);
  const begun = await db.execute`
    UPDATE challenges SET resend_at = ${ends.resendAt}
    WHERE id = ${challenge.id}::uuid AND used_at IS NULL AND attempts < ${MAX_ATTEMPTS} AND resend_at <= ${now}`;
  if (begun !== 1) return null;
  const made = makeSecrets(challenge.id, challenge, keys, options);
  return { challenge: { ...challenge, codeHash: made.codeHash, ...ends }, secrets: made.secrets };
}

/**
 * Puts the code and link of {@link beginResend} in the place of the earlier ones, which are void then. The checks that
 * were spent stay spent.
 */
export async function finishResend(db: Db, { challenge, secrets }: Issued): Promise<void> {
  await replace(db, challenge, secrets.link);
}

/**
 * Makes a new code and link for another destination, and perhaps another person. It need not wait: nothing has been
 * sent there yet.
 * @returns null if it was used or has no checks left
 */
export async function redirect(
  db: Db,
  keys: CodeKeys,
  challenge: Challenge,
  to: { readonly destination: string; readonly userId: string | null },
  now: Date,
  options: MakeOptions = {},
): Promise<Issued | null> {
  const made = makeSecrets(challenge.id, challenge, keys, options);
  const redirected = { ...challenge, ...to, codeHash: made.codeHash, ...endsOf(challenge.purpose, now) };
  const replaced = await replace(db, redirected, made.secrets.link);
  return replaced ? { challenge: redirected, secrets: made.secrets } : null;
}

async function replace(db: Db, challenge: Challenge, link: string | null): Promise<boolean> {
  const replaced = await db.execute`
    UPDATE challenges SET code_hash = ${challenge.codeHash}, link_hash = ${link === null ? null : hashToken(link)},
      destination = ${challenge.destination}, user_id = ${challenge.userId}::uuid, resend_at = ${challenge.resendAt},
      code_expires_at = ${challenge.codeExpiresAt}, link_expires_at = ${challenge.linkExpiresAt}
    WHERE id = ${challenge.id}::uuid AND used_at IS NULL AND attempts < ${MAX_ATTEMPTS}`;
  return replaced === 1;
}

/** Finds the live challenge of a handle that {@link issue} made. */
export async function findByHandle(db: Db, handle: string, now: Date): Promise<Challenge | null> {
  if (!isToken('handle', handle)) return null;
  const [challenge] = await db.query<Challenge>`
    SELECT id, purpose, pending_login_id AS "pendingLoginId", session_id AS "sessionId", user_id AS "userId", channel, destination,
      code_hash AS "codeHash", resend_at AS "resendAt", code_expires_at AS "codeExpiresAt", link_expires_at AS "linkExpiresAt"
    FROM challenges WHERE handle_hash = ${hashToken(handle)} AND used_at IS NULL AND attempts < ${MAX_ATTEMPTS}
      AND GREATEST(code_expires_at, link_expires_at) > ${now}`;
  return challenge ?? null;
}

/** Finds the live challenge that a pending login awaits. */
export async function findByLogin(
  db: Db,
  pendingLoginId: string,
  purpose: ChallengePurpose,
): Promise<Challenge | null> {
  const [challenge] = await db.query<Challenge>`
    SELECT id, purpose, pending_login_id AS "pendingLoginId", session_id AS "sessionId", user_id AS "userId", channel, destination,
      code_hash AS "codeHash", resend_at AS "resendAt", code_expires_at AS "codeExpiresAt", link_expires_at AS "linkExpiresAt"
    FROM challenges WHERE pending_login_id = ${pendingLoginId}::uuid AND purpose = ${purpose} AND used_at IS NULL
      AND attempts < ${MAX_ATTEMPTS}`;
  return challenge ?? null;
}

/** Finds the live challenge of a link. */
export async function findByLink(
  db: Db,
  token: string,
  purposes: readonly ChallengePurpose[],
  now: Date,
): Promise<Challenge | null> {
  if (!isToken('link', token)) return null;
  const [challenge] = await db.query<Challenge>`
    SELECT id, purpose, pending_login_id AS "pendingLoginId", session_id AS "sessionId", user_id AS "userId", channel, destination,
      code_hash AS "codeHash", resend_at AS "resendAt", code_expires_at AS "codeExpiresAt", link_expires_at AS "linkExpiresAt"
    FROM challenges WHERE link_hash = ${hashToken(token)} AND purpose = ANY(${purposes}) AND used_at IS NULL
      AND user_id IS NOT NULL AND link_expires_at > ${now}`;
  return challenge ?? null;
}

/**
 * Checks a code, and counts that in the same statement, before it looks. So a hundred parallel guesses are a hundred
 * counted ones.
 * @returns null if it is right; else the checks that are left, or `over` if there was none left or its time is over
 */
export async function checkCode(
  db: Db,
  keys: CodeKeys,
  challenge: Challenge,
  typed: string,
  now: Date,
): Promise<null | 'over' | { readonly attemptsLeft: number }> {
  const [counted] = await db.query<{ attempts: number; code_hash: Buffer }>`
    UPDATE challenges SET attempts = attempts + 1
    WHERE id = ${challenge.id}::uuid AND used_at IS NULL AND attempts < ${MAX_ATTEMPTS} AND code_expires_at > ${now}
    RETURNING attempts, code_hash`;
  if (!counted) return 'over';
  const code = readCode(typed) ?? readOwnCode(typed);
  const matches = code !== null && matchesCode(code, challenge.id, keys, counted.code_hash);
  return matches && challenge.userId !== null ? null : { attemptsLeft: MAX_ATTEMPTS - counted.attempts };
}

/** Gives the check back of a code that was right but could not be used yet. */
export async function giveBackAttempt(db: Db, id: string): Promise<void> {
  await db.execute`UPDATE challenges SET attempts = attempts - 1 WHERE id = ${id}::uuid AND used_at IS NULL`;
}

/** Uses a challenge up. False if it was used, or sent again since it was read: of fifty at once, one gets true. */
export async function consume(db: Db, { id, codeHash, userId }: Challenge, now: Date): Promise<boolean> {
  // The person first, then what is theirs: who changes both takes them in this order, so that nobody waits in a circle.
  const locked = db.query`SELECT 1 FROM users WHERE id = ${userId}::uuid FOR UPDATE`;
  const consumed = db.execute`
    UPDATE challenges SET used_at = ${now} WHERE id = ${id}::uuid AND used_at IS NULL AND code_hash = ${codeHash}`;
  const [, used] = await Promise.all([locked, consumed]);
  return used === 1;
}

/** Voids what is on its way to a person for these purposes, or all of it but one. */
export async function voidAll(
  db: Db,
  userId: string | null,
  purposes: readonly ChallengePurpose[],
  now: Date,
  except: string | null = null,
): Promise<void> {
  await db.execute`
    UPDATE challenges SET used_at = ${now}
    WHERE user_id = ${userId}::uuid AND purpose = ANY(${purposes}) AND used_at IS NULL AND id IS DISTINCT FROM ${except}::uuid`;
}

/**
 * From when on more may be sent to a destination that somebody named for this purpose; null if nothing was sent yet.
 * What nobody can answer counts like the rest.
 */
export async function lastResendAt(
  db: Db,
  userId: string,
  purpose: ChallengePurpose,
  destination: string,
): Promise<Date | null> {
  const [row] = await db.query<{ resend_at: Date | null }>`
    SELECT max(resend_at) AS resend_at FROM challenges WHERE purpose = ${purpose} AND destination = ${destination}
      AND (user_id = ${userId}::uuid OR session_id = ANY(ARRAY(SELECT id FROM sessions WHERE user_id = ${userId}::uuid)))`;
  return row?.resend_at ?? null;
}

/** Whether somebody asked for this, and nobody could answer, since an instant. */
export async function wasAskedOfNobody(
  db: Db,
  purpose: ChallengePurpose,
  destination: string,
  since: Date,
): Promise<boolean> {
  const rows = await db.query`
    SELECT 1 FROM challenges WHERE destination = ${destination} AND user_id IS NULL AND session_id IS NULL
      AND purpose = ${purpose} AND created_at > ${since} LIMIT 1`;
  return rows.length > 0;
}

/** Voids what a person asked for earlier for a purpose, to one destination or to all. What a login awaits stays. */
export async function voidEarlier(
  db: Db,
  userId: string,
  purpose: ChallengePurpose,
  destination: string | null,
  now: Date,
): Promise<void> {
  await db.execute`
    UPDATE challenges SET used_at = ${now}
    WHERE purpose = ${purpose} AND (${destination}::text IS NULL OR destination = ${destination}) AND used_at IS NULL
      AND pending_login_id IS NULL
      AND (user_id = ${userId}::uuid OR session_id = ANY(ARRAY(SELECT id FROM sessions WHERE user_id = ${userId}::uuid)))`;
}

/** Voids whatever is on its way to a destination that a person gives up. */
export async function voidTo(db: Db, userId: string, destination: string, now: Date): Promise<void> {
  await db.execute`
    UPDATE challenges SET used_at = ${now}
    WHERE destination = ${destination} AND used_at IS NULL
      AND (user_id = ${userId}::uuid OR session_id = ANY(ARRAY(SELECT id FROM sessions WHERE user_id = ${userId}::uuid)))`;
}

/** Removes what strangers asked for and nobody can answer, because these are, or were, the destinations of a person. */
export async function forget(db: Db, destinations: readonly string[]): Promise<void> {
  await db.execute`
    DELETE FROM challenges WHERE destination = ANY(${destinations}) AND user_id IS NULL AND session_id IS NULL`;
}

function makeSecrets(
  id: string,
  { purpose, channel }: Pick<Challenge, 'purpose' | 'channel'>,
  [key]: CodeKeys,
  { codeOnly = false, code = makeCode(channel === 'SMS' ? 'digits' : 'letters') }: MakeOptions,
) {
  const link = channel === 'EMAIL' && LINK_LIFETIME_MS[purpose] > 0 && !codeOnly ? makeToken('link') : null;
  return {
    secrets: { code, link },
    codeHash: hashCode(code, id, key),
    linkHash: link === null ? null : hashToken(link),
  };
}

function endsOf(purpose: ChallengePurpose, now: Date) {
  const after = (milliseconds: number) => new Date(now.getTime() + milliseconds);
  return {
    resendAt: after(RESEND_PAUSE_MS),
    codeExpiresAt: after(CODE_LIFETIME_MS),
    linkExpiresAt: after(LINK_LIFETIME_MS[purpose]),
  };
}
