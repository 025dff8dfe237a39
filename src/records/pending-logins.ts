import { randomUUID } from 'node:crypto';
import type { Db } from '../infra/database.ts';
import type { EmailAddress } from '../lib/email-address.ts';
import type { PhoneNumber } from '../lib/phone-number.ts';
import type { AuthenticationMethod, CredentialKind } from './sessions.ts';

/** Which way in a login came. */
export type LoginPurpose = 'SIGN_UP' | 'PASSWORD' | 'CODE' | 'PASSWORD_RESET' | 'PASSKEY' | 'PROVIDER';

/** Answers to the question for a second factor of one login. */
export const MAX_FACTOR_ATTEMPTS = 5;

/** A login between the first proof and the session. */
export interface PendingLogin {
  readonly purpose: LoginPurpose;
  /** Null for a login that only looks like one. */
  readonly userId: string | null;
  readonly credential: CredentialKind;
  readonly methods: readonly AuthenticationMethod[];
  /** Names the password that the account had as the login began. */
  readonly passwordChangedAt: Date | null;
  /** The address that it was begun with, or that was put in its place. */
  readonly email: EmailAddress | null;
  /** The number that it was begun with. */
  readonly phone: PhoneNumber | null;
  /** What somebody signed up with, sealed, as long as no account could be made of it. */
  readonly sealedSignUp: string | null;
  /** The account at a provider that joins the person with the session, sealed. */
  readonly sealedIdentity: string | null;
  /** What a passkey has to sign to answer for it, until then. */
  readonly passkeyChallenge: PasskeyChallenge;
  /** SHA-256 of the token of the trusted device that the client showed. */
  readonly trustedDeviceHash: Buffer | null;
  /** Whether the device is to be trusted once the login is finished. */
  readonly trustsDevice: boolean;
  readonly expiresAt: Date;
}

/** 256 random bits, and until when they do. */
export interface PasskeyChallenge {
  readonly bytes: Buffer;
  readonly expiresAt: Date;
}

/** A login that is stored. */
export interface StoredLogin extends PendingLogin {
  readonly id: string;
  /** The stage where it last stopped. */
  readonly stage: string;
}

/** Keeps a login that still asks for something. */
export async function store(
  db: Db,
  login: StoredLogin & { tokenHash: Buffer; ipAddress: string | null; userAgent: string | null; now: Date },
): Promise<void> {
  await db.execute`
    INSERT INTO pending_logins (id, token_hash, purpose, user_id, credential, methods, password_changed_at, email, phone,
      sealed_sign_up, sealed_identity, passkey_challenge, passkey_challenge_expires_at, trusted_device_hash, trusts_device, stage, ip_address,
      user_agent, created_at, expires_at)
    VALUES (${login.id}::uuid, ${login.tokenHash}, ${login.purpose}, ${login.userId}::uuid, ${login.credential}::credential_kind,
      ${JSON.stringify(login.methods)}::jsonb, ${login.passwordChangedAt}, ${login.email}, ${login.phone}, ${login.sealedSignUp},
      ${login.sealedIdentity}, ${login.passkeyChallenge.bytes}, ${login.passkeyChallenge.expiresAt}, ${login.trustedDeviceHash}, ${login.trustsDevice}, ${login.stage}, ${login.ipAddress}, ${login.userAgent}, ${login.now}, ${login.expiresAt})`;
}

/** Makes the id of a login that is about to be stored. */
export function newId(): string {
  return randomUUID();
}

/** Finds a login that is neither over nor too old. */
export function find(db: Db, tokenHash: Buffer, now: Date): Promise<StoredLogin | null> {
  return findBy(db, tokenHash, null, now);
}

/** Finds the login that a challenge belongs to, if it is neither over nor too old. */
export function findById(db: Db, id: string, now: Date): Promise<StoredLogin | null> {
  return findBy(db, null, id, now);
}

interface Row extends Omit<StoredLogin, 'passkeyChallenge'> {
  readonly challenge: Buffer;
  readonly challengeExpiresAt: Date;
}

// Either of the two is null, which equals nothing.
async function findBy(db: Db, tokenHash: Buffer | null, id: string | null, now: Date): Promise<StoredLogin | null> {
  const [row] = await db.query<Row>`
    SELECT id, purpose, user_id AS "userId", credential, methods, password_changed_at AS "passwordChangedAt", email, phone,
      sealed_sign_up AS "sealedSignUp", sealed_identity AS "sealedIdentity", passkey_challenge AS challenge, passkey_challenge_expires_at AS "challengeExpiresAt",
      trusted_device_hash AS "trustedDeviceHash", trusts_device AS "trustsDevice", stage, expires_at AS "expiresAt"
    FROM pending_logins
    WHERE (token_hash = ${tokenHash} OR id = ${id}::uuid) AND completed_at IS NULL AND expires_at > ${now}`;
  if (!row) return null;
  const { challenge, challengeExpiresAt, ...login } = row;
  return { ...login, passkeyChallenge: { bytes: challenge, expiresAt: challengeExpiresAt } };
}

/** Whether an account at a provider joins whoever's login this turns out to be. */
export async function joinsIdentity(db: Db, id: string | null): Promise<boolean> {
  const rows = await db.query`
    SELECT 1 FROM pending_logins WHERE id = ${id}::uuid AND sealed_identity IS NOT NULL`;
  return rows.length > 0;
}

/** Locks a login until the transaction ends. */
export async function lock(db: Db, id: string): Promise<void> {
  await db.query`SELECT 1 FROM pending_logins WHERE id = ${id}::uuid FOR UPDATE`;
}

/** Notes the stage where a login stops. False if it stopped there before: of two at once, one enters. */
export async function stopAt(db: Db, id: string, stage: string): Promise<boolean> {
  const stopped = await db.execute`
    UPDATE pending_logins SET stage = ${stage} WHERE id = ${id}::uuid AND completed_at IS NULL AND stage <> ${stage}`;
  return stopped === 1;
}

/** Adds to what was proven. */
export async function addMethod(db: Db, id: string, method: AuthenticationMethod): Promise<void> {
  await db.execute`
    UPDATE pending_logins SET methods = methods || ${JSON.stringify([method])}::jsonb
    WHERE id = ${id}::uuid AND completed_at IS NULL`;
}

/**
 * Counts an answer to its question for a second factor, before it is checked.
 * @returns how many more there may be if this one is wrong; null if there was none left, or the login is over
 */
export async function countFactorAttempt(db: Db, id: string): Promise<number | null> {
  const [counted] = await db.query<{ attempts: number }>`
    UPDATE pending_logins SET factor_attempts = factor_attempts + 1
    WHERE id = ${id}::uuid AND completed_at IS NULL AND factor_attempts < ${MAX_FACTOR_ATTEMPTS}
    RETURNING factor_attempts AS attempts`;
  return counted ? MAX_FACTOR_ATTEMPTS - counted.attempts : null;
}

/** Gives it another challenge for a passkey, because the one before is too old. */
export async function setPasskeyChallenge(db: Db, id: string, { bytes, expiresAt }: PasskeyChallenge): Promise<void> {
  await db.execute`
    UPDATE pending_logins SET passkey_challenge = ${bytes}, passkey_challenge_expires_at = ${expiresAt} WHERE id = ${id}::uuid`;
}

/** Notes that the device is to be trusted once the login is finished. */
export async function trustDevice(db: Db, id: string): Promise<void> {
  await db.execute`UPDATE pending_logins SET trusts_device = true WHERE id = ${id}::uuid`;
}

/** Puts another address in the place of the one that a login waits for, and perhaps the account that was made of it. */
export async function setEmail(
  db: Db,
  id: string,
  to: Pick<PendingLogin, 'email' | 'userId' | 'passwordChangedAt'>,
): Promise<void> {
  await db.execute`
    UPDATE pending_logins SET email = ${to.email}, user_id = ${to.userId}::uuid, password_changed_at = ${to.passwordChangedAt}
    WHERE id = ${id}::uuid AND completed_at IS NULL`;
}

/**
 * Says whose a login is that was nobody's so far, or that looks like somebody's from now on.
 * @returns false if it is over, or somebody's by now
 */
export async function decide(
  db: Db,
  id: string,
  to: Pick<PendingLogin, 'purpose' | 'userId' | 'passwordChangedAt' | 'email' | 'sealedSignUp' | 'sealedIdentity'>,
): Promise<boolean> {
  const decided = await db.execute`
    UPDATE pending_logins SET purpose = ${to.purpose}, user_id = ${to.userId}::uuid, email = ${to.email},
      password_changed_at = ${to.passwordChangedAt}, sealed_sign_up = ${to.sealedSignUp}, sealed_identity = ${to.sealedIdentity}
    WHERE id = ${id}::uuid AND completed_at IS NULL AND user_id IS NULL`;
  return decided === 1;
}

/** Lets a login go on with the password that its owner set in its course. */
export async function setPasswordChangedAt(db: Db, id: string, passwordChangedAt: Date): Promise<void> {
  await db.execute`
    UPDATE pending_logins SET password_changed_at = ${passwordChangedAt} WHERE id = ${id}::uuid AND completed_at IS NULL`;
}

/** Uses a login up. False if it was used, or is too old: of fifty at once, one gets true. */
export async function complete(db: Db, id: string, now: Date): Promise<boolean> {
  const completed = await db.execute`
    UPDATE pending_logins SET completed_at = ${now}
    WHERE id = ${id}::uuid AND completed_at IS NULL AND expires_at > ${now}`;
  return completed === 1;
}

/** Ends every login of a person that is not finished, or all but one. */
export async function endAll(db: Db, userId: string, now: Date, except: string | null = null): Promise<void> {
  await db.execute`
    UPDATE pending_logins SET completed_at = ${now}
    WHERE user_id = ${userId}::uuid AND completed_at IS NULL AND id IS DISTINCT FROM ${except}::uuid`;
}

/** Removes logins that only look like one and name an address or number of a person who leaves. */
export async function forget(db: Db, emails: readonly string[], phone: string | null): Promise<void> {
  await db.execute`DELETE FROM pending_logins WHERE user_id IS NULL AND (email = ANY(${emails}) OR phone = ${phone})`;
}
