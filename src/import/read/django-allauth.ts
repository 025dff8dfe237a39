import { djangoRecoveryCodes } from '../../lib/django-recovery-codes.ts';
import { type ForeignPasskey, readAttestation } from '../../lib/foreign-passkey.ts';
import { isUuid } from '../../lib/uuid.ts';
import type { ForeignConnection, ForeignEmail, ForeignPerson, Lost, Source } from '../person.ts';
import { nobodyYet } from '../person.ts';
import { databaseSource, quoted, type Row, rowsOf, type Schema } from './database.ts';
import { passwordForm } from './password-form.ts';
import { list, object, parsed, text, wholeName } from './values.ts';

/** What the database of a site does not say. */
export interface DjangoSettings {
  /** The table of its users, with the schema or without. */
  readonly userTable: string;
  /** The column of it that has a phone number, and is taken as unverified. */
  readonly phoneColumn: string | null;
  /** MFA_RECOVERY_CODE_COUNT, MFA_RECOVERY_CODE_DIGITS, MFA_TOTP_PERIOD and MFA_TOTP_DIGITS. */
  readonly recoveryCodes: { readonly count: number; readonly digits: number };
  readonly totp: { readonly period: number; readonly digits: number };
}

const EMAILS = 'account_emailaddress';
const ACCOUNTS = 'socialaccount_socialaccount';
const AUTHENTICATORS = 'mfa_authenticator';

/** Reads people of a Django site with django-allauth from its database. */
export function readDjangoAllauth(url: string, settings: DjangoSettings): Source {
  return databaseSource(url, {
    tables: [settings.userTable, EMAILS, ACCOUNTS, AUTHENTICATORS],
    statement: (schema) => statementFor(schema, settings),
    personOf: (row) => personOf(row, settings),
  });
}

function statementFor(schema: Schema, { userTable, phoneColumn }: DjangoSettings): string {
  const columns = schema.columns(userTable);
  if (!columns.has('id') || !columns.has('password'))
    throw new Error(`there is no table ${userTable} of a Django site; name the right one with --user-table`);
  if (phoneColumn !== null && !columns.has(phoneColumn)) throw new Error(`${userTable} has no column ${phoneColumn}`);
  const owned = (table: string) => (schema.has(table) ? rowsOf(table, 'user_id') : `'[]'::jsonb`);
  return `SELECT to_jsonb(u) || jsonb_build_object('emails', ${owned(EMAILS)}, 'accounts', ${owned(ACCOUNTS)},
    'authenticators', ${owned(AUTHENTICATORS)}) AS person FROM ${quoted(userTable)} u ORDER BY u.id`;
}

function personOf(user: Row, settings: DjangoSettings) {
  const id = text(user.id);
  if (id === null) return { refused: 'BROKEN', detail: 'id' } as const;
  const phone = settings.phoneColumn === null ? null : text(user[settings.phoneColumn]);
  const authenticators = list(user.authenticators).map(object);
  const dataOf = (type: string) => authenticators.filter((each) => each.type === type).map(({ data }) => parsed(data));
  const [totps, sheets] = [
    dataOf('totp').map(secretOf),
    dataOf('recovery_codes').map((data) => codesOf(data, settings)),
  ];
  const lost: Lost[] = [
    ...totps.filter((secret) => secret === null).map((): Lost => ({ code: 'TOTP_SEALED', detail: null })),
    ...sheets.filter((sheet) => sheet === null).map((): Lost => ({ code: 'RECOVERY_CODES_SEALED', detail: null })),
  ];
  const keys = dataOf('webauthn').map((data) => passkeyOf(data, id));
  return {
    ...nobodyYet(id),
    name: wholeName(user.first_name, user.last_name),
    username: text(user.username),
    emails: emailsOf(user),
    phone: phone === null ? null : { number: phone, verified: false },
    password: passwordForm(text(user.password)),
    totp: totps.filter((secret) => secret !== null).map((secret) => ({ secret, ...settings.totp })),
    recoveryCodes: sheets.find((sheet) => sheet !== null) ?? null,
    passkeys: keys.filter((key) => key !== null),
    connections: connectionsOf(user),
    disabled: user.is_active === false,
    createdAt: user.date_joined,
    lastLoginAt: user.last_login,
    lost: [...lost, ...keys.filter((key) => key === null).map((): Lost => ({ code: 'PASSKEY_UNFIT', detail: null }))],
  } satisfies ForeignPerson;
}

/** That of the user's own row is unverified unless it stands among the others: allauth adds it there at a login. */
function emailsOf(user: Row): ForeignEmail[] {
  const listed = list(user.emails)
    .map(object)
    .map(({ email, verified, primary }) => ({
      address: text(email) ?? '',
      verified: verified === true,
      primary: primary === true,
    }));
  const own = text(user.email);
  const isListed = listed.some(({ address }) => address.toLowerCase() === own?.trim().toLowerCase());
  return own === null || isListed
    ? listed
    : [...listed, { address: own, verified: false, primary: listed.length === 0 }];
}

/** Null where a site has sealed its secrets by a way of its own. */
function secretOf({ secret }: Row): string | null {
  const written = text(secret);
  return written !== null && /^[A-Z2-7]+=*$/i.test(written) ? written : null;
}

function codesOf(data: Row, { recoveryCodes }: DjangoSettings): ForeignPerson['recoveryCodes'] {
  // Those that came to allauth from elsewhere; used ones are taken out there.
  if (Array.isArray(data.migrated_codes)) {
    const codes = data.migrated_codes.map((code) => String(code));
    return { codes, total: codes.length };
  }
  const seed = text(data.seed);
  if (seed === null || !/^[0-9a-f]{40,128}$/.test(seed)) return null;
  const used = Number(data.used_mask ?? 0);
  const isUsed = (nth: number) => Math.floor(used / 2 ** nth) % 2 === 1;
  const codes = djangoRecoveryCodes(seed, recoveryCodes).filter((_, nth) => !isUsed(nth));
  return { codes, total: recoveryCodes.count };
}

function passkeyOf(data: Row, userId: string): ForeignPasskey | null {
  const credential = object(data.credential);
  const response = object(credential.response);
  const attested = readAttestation(text(response.attestationObject) ?? '');
  if (!attested) return null;
  const { rk } = object(object(credential.clientExtensionResults).credProps);
  return {
    ...attested,
    name: text(data.name),
    // It keeps that of the registration for ever: the first use tells.
    counter: 0,
    transports: response.transports,
    discoverable: rk === true,
    userHandle: Buffer.from(handleOf(userId)).toString('base64url'),
  };
}

/** What allauth calls a person to their authenticators: a number to the base of 36, or a UUID without its dashes. */
function handleOf(userId: string): string {
  if (isUuid(userId)) return userId.replaceAll('-', '');
  return /^\d{1,19}$/.test(userId) ? BigInt(userId).toString(36) : userId;
}

function connectionsOf(user: Row): ForeignConnection[] {
  return list(user.accounts)
    .map(object)
    .flatMap((account) => {
      const [provider, subject] = [text(account.provider), text(account.uid)];
      if (provider === null || subject === null) return [];
      const extra = parsed(account.extra_data);
      // Since 65.11 what OpenID Connect told stands a step deeper.
      const told = { ...extra, ...object(extra.id_token), ...object(extra.userinfo) };
      return [{ provider, subject, displayName: text(told.name) ?? text(told.login), email: text(told.email) }];
    });
}
