import type { ForeignConnection, ForeignEmail, ForeignPerson, ForeignTotp, Lost, Source } from '../person.ts';
import { nobodyYet } from '../person.ts';
import { databaseSource, quoted, type Row, rowsOf, type Schema } from './database.ts';
import { passwordForm } from './password-form.ts';
import { list, object, text, wholeName } from './values.ts';

const USERS = 'auth.users';
const IDENTITIES = 'auth.identities';
const FACTORS = 'auth.mfa_factors';

/** Reads people of Supabase Auth from its database. */
export function readSupabase(url: string): Source {
  return databaseSource(url, { tables: [USERS, IDENTITIES, FACTORS], statement: statementFor, personOf });
}

function statementFor(schema: Schema): string {
  if (!schema.columns(USERS).has('encrypted_password')) throw new Error(`there is no table ${USERS} of Supabase Auth`);
  const owned = (table: string) => (schema.has(table) ? rowsOf(table, 'user_id') : `'[]'::jsonb`);
  return `SELECT to_jsonb(u) || jsonb_build_object('identities', ${owned(IDENTITIES)}, 'factors', ${owned(FACTORS)}) AS person
    FROM ${quoted(USERS)} u ORDER BY u.id`;
}

function personOf(user: Row) {
  const id = text(user.id);
  if (id === null) return { refused: 'BROKEN', detail: 'id' } as const;
  if (user.is_anonymous === true) return { refused: 'GONE', detail: 'anonymous' } as const;
  if (text(user.deleted_at) !== null) return { refused: 'GONE', detail: 'deleted' } as const;
  const told = object(user.raw_user_meta_data);
  const factors = factorsOf(user.factors);
  return {
    ...nobodyYet(id),
    name: text(told.full_name) ?? text(told.name) ?? wholeName(told.first_name, told.last_name),
    emails: emailOf(user),
    phone: phoneOf(user),
    password: passwordForm(text(user.encrypted_password)),
    totp: factors.totp,
    connections: connectionsOf(user.identities),
    disabled: isBanned(user.banned_until),
    createdAt: user.created_at,
    lastLoginAt: user.last_sign_in_at,
    lost: factors.lost,
  } satisfies ForeignPerson;
}

function emailOf(user: Row): ForeignEmail[] {
  const address = text(user.email);
  const confirmed = text(user.email_confirmed_at) ?? text(user.confirmed_at);
  return address === null ? [] : [{ address, verified: confirmed !== null, primary: true }];
}

/** It keeps numbers without their plus sign. */
function phoneOf(user: Row): ForeignPerson['phone'] {
  const digits = text(user.phone);
  if (digits === null) return null;
  return { number: digits.startsWith('+') ? digits : `+${digits}`, verified: text(user.phone_confirmed_at) !== null };
}

function isBanned(until: unknown): boolean {
  const written = text(until);
  return written !== null && (written === 'infinity' || new Date(written) > new Date());
}

function connectionsOf(identities: unknown): ForeignConnection[] {
  return list(identities)
    .map(object)
    .flatMap((identity) => {
      const [provider, data] = [text(identity.provider), object(identity.identity_data)];
      const subject = text(identity.provider_id) ?? text(data.sub) ?? text(identity.id);
      if (provider === null || subject === null || provider === 'email' || provider === 'phone') return [];
      const displayName = text(data.full_name) ?? text(data.name) ?? text(data.user_name);
      return [{ provider, subject, displayName, email: text(data.email) }];
    });
}

/** Those that were never confirmed are none. */
function factorsOf(written: unknown): { readonly totp: ForeignTotp[]; readonly lost: Lost[] } {
  const factors = list(written)
    .map(object)
    .filter(({ status }) => status === 'verified');
  const secrets = factors.filter((each) => each.factor_type === 'totp').map(({ secret }) => text(secret));
  const isPlain = (secret: string | null): secret is string => secret !== null && /^[A-Z2-7]+=*$/i.test(secret);
  return {
    totp: secrets.filter(isPlain).map((secret) => ({ secret, digits: 6, period: 30 })),
    lost: [
      ...secrets.filter((secret) => !isPlain(secret)).map((): Lost => ({ code: 'TOTP_SEALED', detail: null })),
      ...factors
        .filter((each) => each.factor_type !== 'totp')
        .map((each): Lost => ({ code: 'FACTOR_UNKNOWN', detail: text(each.factor_type) })),
    ],
  };
}
