import { randomUUID } from 'node:crypto';
import { passkeyData } from '../factors/passkey.ts';
import { foreignRecoveryCodesData } from '../factors/recovery-code.ts';
import { totpData } from '../factors/totp.ts';
import type { Cipher } from '../lib/cipher.ts';
import { type EmailAddress, parseEmailAddress } from '../lib/email-address.ts';
import { readForeignHash } from '../lib/foreign-hash.js';
import { adoptPasskey } from '../lib/foreign-passkey.ts';
import { parsePersonName } from '../lib/person-name.ts';
import { type PhoneNumber, parsePhoneNumber } from '../lib/phone-number.ts';
import { readForeignRecoveryCode } from '../lib/recovery-code.ts';
import { matchTotp, readTotpSecret } from '../lib/totp.ts';
import { parseUsername, type Username } from '../lib/username.ts';
import { isUuid } from '../lib/uuid.ts';
import type { ImportedAuthenticator, ImportedConnection } from '../records/imported-people.ts';
import { NOBODY } from '../records/users.ts';
import type { ForeignPerson, Loss, Lost } from './person.ts';
import type { AccountAt } from './providers.ts';

/** A person as they would be written, before it is known what of it somebody else holds. */
export interface Draft {
  readonly externalId: string;
  /** That of the other system where it is a UUID, so that what refers to it stays right. */
  readonly userId: string;
  readonly name: string | null;
  readonly username: { readonly username: Username; readonly key: string } | null;
  /** The primary one first. */
  readonly emails: readonly DraftEmail[];
  readonly phone: { readonly number: PhoneNumber; readonly verified: boolean } | null;
  readonly password: { readonly hash: string; readonly format: string; readonly replace: boolean } | null;
  readonly authenticators: readonly ImportedAuthenticator[];
  readonly connections: readonly ImportedConnection[];
  readonly roles: readonly string[];
  readonly disabled: boolean;
  readonly createdAt: Date;
  readonly lastLoginAt: Date | null;
  readonly lost: readonly Lost[];
}

export interface DraftEmail {
  readonly address: EmailAddress;
  readonly verified: boolean;
}

/** What people are read for. */
export interface Target {
  readonly rpId: string;
  readonly cipher: Cipher;
  /** The account at a provider of ours that an account at a provider of theirs is. */
  readonly accountAt: AccountAt;
  readonly now: Date;
}

/** Reads a person as we write them. Whatever does not fit is left behind, and told. */
export function draftOf(person: ForeignPerson, target: Target): Draft {
  const lost: Lost[] = [...person.lost];
  const lose = (code: Loss, detail: string | null = null) => {
    lost.push({ code, detail });
    return null;
  };
  const userId = isUuid(person.id) && person.id !== NOBODY ? person.id.toLowerCase() : randomUUID();
  const createdAt = readDate(person.createdAt, target.now, lose) ?? target.now;
  return {
    externalId: person.id,
    userId,
    name: readName(person.name, lose),
    username: readUsername(person.username, lose),
    emails: readEmails(person, lose),
    phone: readPhone(person.phone, lose),
    password: readPassword(person, lose),
    authenticators: [
      ...readTotps(person, userId, target, lose),
      ...readPasskeys(person, target, lose),
      ...readRecoveryCodes(person, userId, target, lose),
    ],
    connections: readConnections(person, target, lose),
    roles: readRoles(person.roles, lose),
    disabled: person.disabled,
    createdAt,
    lastLoginAt: readDate(person.lastLoginAt, target.now, lose),
    lost,
  };
}

type Lose = (code: Loss, detail?: string | null) => null;

function readName(written: string | null, lose: Lose): string | null {
  const name = parsePersonName(written ?? '');
  return name === null || typeof name === 'string' ? name : lose('NAME_UNFIT');
}

function readUsername(written: string | null, lose: Lose): Draft['username'] {
  if (!written) return null;
  const username = parseUsername(written);
  return typeof username === 'string' ? lose('USERNAME_UNFIT', written.slice(0, 80)) : username;
}

/** The primary one first: one that is verified before one that is not, and what that system held for it. */
function readEmails({ emails }: ForeignPerson, lose: Lose): DraftEmail[] {
  const found = new Map<EmailAddress, DraftEmail & { readonly primary: boolean }>();
  for (const { address: written, verified, primary } of emails) {
    const address = parseEmailAddress(written);
    if (!address) lose('EMAIL_UNFIT', written.slice(0, 100));
    else
      found.set(address, {
        address,
        verified: (verified && isSameMailbox(written, address)) || (found.get(address)?.verified ?? false),
        primary: primary || (found.get(address)?.primary ?? false),
      });
  }
  const rank = ({ verified, primary }: { verified: boolean; primary: boolean }) =>
    (verified ? 2 : 0) + (primary ? 1 : 0);
  return [...found.values()].sort((a, b) => rank(b) - rank(a)).map(({ address, verified }) => ({ address, verified }));
}

/**
 * Whether an address that was verified is the one that we read. Another mailbox may only fold to it: what was proven of
 * that one is not proven of this.
 */
export function isSameMailbox(written: string, read: EmailAddress): boolean {
  const plain = (address: string) =>
    address
      .trim()
      .slice(0, address.trim().lastIndexOf('@'))
      .replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return plain(written) === plain(read);
}

function readPhone(phone: ForeignPerson['phone'], lose: Lose): Draft['phone'] {
  if (!phone) return null;
  const number = parsePhoneNumber(phone.number);
  return number ? { number, verified: phone.verified } : lose('PHONE_UNFIT');
}

function readPassword({ password, mustReplacePassword }: ForeignPerson, lose: Lose): Draft['password'] {
  if (password === null) return null;
  const hash = readForeignHash(password);
  if (!hash) return lose('PASSWORD_UNKNOWN', formatOf(password));
  if (!hash.affordable) return lose('PASSWORD_TOO_COSTLY', hash.format);
  return { hash: password, format: hash.format, replace: mustReplacePassword };
}

/** What a hash calls itself, and nothing of it. */
function formatOf(hash: string): string | null {
  return /^\$?([a-z][a-z0-9_-]{0,19})\$/i.exec(hash)?.[1] ?? null;
}

function readTotps(person: ForeignPerson, userId: string, target: Target, lose: Lose): ImportedAuthenticator[] {
  return person.totp.flatMap(({ secret: written, digits, period, algorithm }) => {
    const secret = readTotpSecret(written);
    const parameters = { period, digits: digits as 6 | 7 | 8, ...(algorithm ? { algorithm } : {}) };
    const fits =
      secret !== null && [6, 7, 8].includes(digits) && Number.isInteger(period) && period >= 10 && period <= 300;
    if (!fits || !isReadable(secret, parameters, target.now)) {
      lose('TOTP_UNFIT');
      return [];
    }
    const data = totpData(target.cipher, userId, { ...parameters, secret, lastStep: 0 });
    return [{ kind: 'TOTP', name: null, credentialId: null, data }];
  });
}

/** Whether the library takes it: a secret that it throws for would be a login that fails for a bug. */
function isReadable(secret: string, parameters: Parameters<typeof matchTotp>[2], now: Date): boolean {
  try {
    matchTotp('0'.repeat(parameters.digits), secret, parameters, { now, lastStep: 0 });
    return true;
  } catch {
    return false;
  }
}

function readPasskeys({ passkeys }: ForeignPerson, { rpId }: Target, lose: Lose): ImportedAuthenticator[] {
  return passkeys.flatMap((foreign) => {
    const credential = adoptPasskey(foreign, rpId);
    if (typeof credential === 'string') {
      lose(credential === 'OTHER_RP_ID' ? 'PASSKEY_OF_OTHER_RP_ID' : 'PASSKEY_UNFIT');
      return [];
    }
    const name = parsePersonName(foreign.name ?? '');
    const label = typeof name === 'string' ? name : null;
    return [{ kind: 'PASSKEY', name: label, credentialId: credential.id, data: passkeyData(credential) }];
  });
}

function readRecoveryCodes(
  { recoveryCodes }: ForeignPerson,
  userId: string,
  { cipher }: Target,
  lose: Lose,
): ImportedAuthenticator[] {
  if (!recoveryCodes) return [];
  const read = recoveryCodes.codes.map(readForeignRecoveryCode);
  const codes = [...new Set(read.filter((code) => code !== null))];
  if (read.includes(null)) lose('RECOVERY_CODES_UNFIT');
  if (codes.length === 0) return [];
  const data = foreignRecoveryCodesData(cipher, userId, { codes, total: Math.max(recoveryCodes.total, codes.length) });
  return [{ kind: 'RECOVERY_CODE', name: null, credentialId: null, data }];
}

function readConnections({ connections }: ForeignPerson, { accountAt }: Target, lose: Lose): ImportedConnection[] {
  return connections.flatMap(({ provider, subject, displayName, email }) => {
    const account = accountAt(provider, subject);
    if (typeof account === 'string') {
      lose(account, provider.slice(0, 80));
      return [];
    }
    const name = parsePersonName(displayName ?? '');
    const address = parseEmailAddress(email ?? '');
    return [
      { ...account, displayName: typeof name === 'string' ? name : (address ?? account.subject), email: address },
    ];
  });
}

const ROLE = /^[A-Za-z][A-Za-z0-9_:.-]{0,63}$/;

function readRoles(roles: readonly string[], lose: Lose): string[] {
  for (const role of roles) if (!ROLE.test(role)) lose('ROLE_UNFIT', role.slice(0, 80));
  return [...new Set(roles.filter((role) => ROLE.test(role)))];
}

// Nobody's account is older, and none is from tomorrow.
const EARLIEST = Date.UTC(1990, 0);

function readDate(written: unknown, now: Date, lose: Lose): Date | null {
  if (written === null || written === undefined || written === '') return null;
  const date = new Date(typeof written === 'number' || written instanceof Date ? written : String(written));
  if (Number.isNaN(date.getTime()) || date.getTime() < EARLIEST) return lose('DATE_UNFIT');
  return date > now ? now : date;
}
