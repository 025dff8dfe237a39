import type { ForeignPasskey } from '../../lib/foreign-passkey.ts';
import { totpSecretOf } from '../../lib/totp.ts';
import type { ForeignConnection, ForeignPerson, Lost, Source } from '../person.ts';
import { nobodyYet } from '../person.ts';
import { openBetterAuth } from './better-auth-seal.ts';
import { databaseSource, quoted, type Row, rowsOf, type Schema } from './database.ts';
import { passwordForm } from './password-form.ts';
import { base64url, list, object, text, truth } from './values.ts';

/** Its tables, as its adapters may call them. */
const TABLES = {
  users: ['user', 'users'],
  accounts: ['account', 'accounts'],
  twoFactors: ['twoFactor', 'two_factor', 'twoFactors', 'two_factors'],
  passkeys: ['passkey', 'passkeys'],
} as const;

/** What the database does not say. */
export interface BetterAuthSettings {
  /** BETTER_AUTH_SECRET, with which the second factors are sealed; null leaves them behind. */
  readonly secret: string | null;
  readonly totp: { readonly period: number; readonly digits: number };
}

/** Reads people of better-auth from its database. */
export function readBetterAuth(url: string, settings: BetterAuthSettings): Source {
  return databaseSource(url, {
    tables: Object.values(TABLES).flat(),
    statement: statementFor,
    personOf: (row) => personOf(row, settings),
  });
}

function statementFor(schema: Schema): string {
  const named = (names: readonly string[]) => names.find((name) => schema.has(name));
  const owner = (table: string) => ['userId', 'user_id'].find((column) => schema.columns(table).has(column));
  const [users, accounts] = [named(TABLES.users), named(TABLES.accounts)];
  if (!users || !accounts || !owner(accounts)) throw new Error('there are no tables user and account of better-auth');
  const owned = (names: readonly string[]) => {
    const table = named(names);
    const column = table && owner(table);
    return table && column ? rowsOf(table, column) : `'[]'::jsonb`;
  };
  return `SELECT to_jsonb(u) || jsonb_build_object('accounts', ${owned(TABLES.accounts)}, 'factors', ${owned(TABLES.twoFactors)},
    'passkeys', ${owned(TABLES.passkeys)}) AS person FROM ${quoted(users)} u ORDER BY u.id`;
}

/** A column, as one adapter writes it or the other. */
function of(row: Row, name: string): unknown {
  return row[name] ?? row[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)];
}

function personOf(user: Row, settings: BetterAuthSettings) {
  const id = text(user.id);
  if (id === null) return { refused: 'BROKEN', detail: 'id' } as const;
  if (truth(of(user, 'isAnonymous'))) return { refused: 'GONE', detail: 'anonymous' } as const;
  const [address, number] = [text(user.email), text(of(user, 'phoneNumber'))];
  const accounts = list(user.accounts).map(object);
  const passwords = accounts
    .filter((account) => of(account, 'providerId') === 'credential')
    .map(({ password }) => passwordForm(text(password)));
  const factors = factorsOf(user, settings);
  return {
    ...nobodyYet(id),
    name: text(user.name),
    username: text(of(user, 'displayUsername')) ?? text(user.username),
    emails: address === null ? [] : [{ address, verified: truth(of(user, 'emailVerified')), primary: true }],
    phone: number === null ? null : { number, verified: truth(of(user, 'phoneNumberVerified')) },
    password: passwords.find((password) => password !== null) ?? null,
    totp: factors.totp,
    recoveryCodes: factors.recoveryCodes,
    passkeys: list(user.passkeys).map(object).map(passkeyOf),
    connections: connectionsOf(accounts, address),
    disabled: isBanned(user),
    createdAt: of(user, 'createdAt'),
    lost: factors.lost,
  } satisfies ForeignPerson;
}

function isBanned(user: Row): boolean {
  const until = text(of(user, 'banExpires'));
  return truth(user.banned) && (until === null || new Date(until) > new Date());
}

function connectionsOf(accounts: readonly Row[], address: string | null): ForeignConnection[] {
  return accounts.flatMap((account) => {
    const [provider, subject] = [text(of(account, 'providerId')), text(of(account, 'accountId'))];
    if (provider === null || subject === null || provider === 'credential') return [];
    return [{ provider, subject, displayName: null, email: address }];
  });
}

/** It names a person to each of their authenticators by chance, and does not keep that: the first use tells. */
function passkeyOf(row: Row): ForeignPasskey {
  return {
    name: text(row.name),
    id: text(of(row, 'credentialID')) ?? text(row.credential_id) ?? '',
    publicKey: base64url(of(row, 'publicKey')),
    counter: Number(row.counter ?? 0),
    transports: (text(row.transports) ?? '').split(','),
    backupEligible: of(row, 'deviceType') === 'multiDevice',
    backedUp: truth(of(row, 'backedUp')),
    userVerified: null,
    // It is what they log in with.
    discoverable: true,
    aaguid: text(row.aaguid),
    rpIdHash: null,
    userHandle: null,
  };
}

/** Factors that were never confirmed are none. */
function factorsOf(
  user: Row,
  { secret, totp }: BetterAuthSettings,
): Pick<ForeignPerson, 'totp' | 'recoveryCodes' | 'lost'> {
  const [factor] = truth(of(user, 'twoFactorEnabled')) ? list(user.factors).map(object) : [];
  if (!factor) return { totp: [], recoveryCodes: null, lost: [] };
  const key = openBetterAuth(text(factor.secret), secret);
  const codes = codesOf(openBetterAuth(text(of(factor, 'backupCodes')), secret));
  const lost: Lost[] = [];
  if (key === null) lost.push({ code: 'TOTP_SEALED', detail: null });
  if (codes === null) lost.push({ code: 'RECOVERY_CODES_SEALED', detail: null });
  return {
    // The text itself is the key.
    totp: key === null ? [] : [{ secret: totpSecretOf(Buffer.from(key)), ...totp }],
    recoveryCodes: codes && { codes, total: codes.length },
    lost,
  };
}

function codesOf(opened: string | null): string[] | null {
  try {
    const codes: unknown = JSON.parse(opened ?? 'null');
    return Array.isArray(codes) ? codes.map(String) : null;
  } catch {
    return null;
  }
}
