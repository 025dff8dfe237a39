import type { Entry, ForeignPerson, Source } from '../person.ts';
import { nobodyYet } from '../person.ts';
import { csvRecords } from './csv-records.ts';
import { passwordForm } from './password-form.ts';
import { text, truth } from './values.ts';

/** The columns that a file may have, in any order. */
export const CSV_COLUMNS = [
  'external_id',
  'email',
  'email_verified',
  'name',
  'username',
  'phone',
  'phone_verified',
  'password_hash',
  'roles',
  'disabled',
  'created_at',
  'last_login_at',
  'totp_secret',
  'recovery_codes',
  'connections',
] as const;

type Row = Partial<Record<(typeof CSV_COLUMNS)[number], string>>;

/**
 * Reads people of a file of comma-separated values (RFC 4180) in UTF-8, whose first line names its columns.
 * @throws Error, as it is read, for columns that are not known, or where nothing tells one person from another
 */
export function readCsv(path: string): Source {
  return { read: () => entriesOf(path), close: async () => undefined };
}

async function* entriesOf(path: string): AsyncGenerator<Entry> {
  let columns: readonly string[] | null = null;
  for await (const record of csvRecords(path)) {
    const { line } = record;
    const broken = (detail: string): Entry => ({ place: { line, id: null }, refused: 'BROKEN', detail });
    if (columns === null) columns = columnsOf('fields' in record ? record.fields : []);
    else if ('fault' in record) yield broken(record.fault);
    else if (record.fields.length !== columns.length) yield broken('COLUMNS');
    else yield entryOf(rowOf(columns, record.fields), line);
  }
}

function rowOf(columns: readonly string[], fields: readonly string[]): Row {
  return Object.fromEntries(columns.map((column, nth) => [column, fields[nth] ?? '']));
}

function columnsOf(header: readonly string[]): string[] {
  const names = header.map((name) => name.trim().toLowerCase());
  const known: readonly string[] = CSV_COLUMNS;
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`there is no column ${unknown.join(', ')}; there are ${known.join(', ')}`);
  if (new Set(names).size < names.length) throw new Error('a column stands there twice');
  if (!names.includes('external_id') && !names.includes('email'))
    throw new Error('there is neither external_id nor email');
  return names;
}

function entryOf(row: Row, line: number): Entry {
  const [id, address, number] = [text(row.external_id) ?? text(row.email), text(row.email), text(row.phone)];
  if (id === null) return { place: { line, id: null }, refused: 'BROKEN', detail: 'external_id' };
  const secret = text(row.totp_secret);
  const codes = words(row.recovery_codes);
  const person: ForeignPerson = {
    ...nobodyYet(id.trim()),
    name: text(row.name),
    username: text(row.username),
    emails: address === null ? [] : [{ address, verified: truth(row.email_verified), primary: true }],
    phone: number === null ? null : { number, verified: truth(row.phone_verified) },
    password: passwordForm(text(row.password_hash)),
    totp: secret === null ? [] : [{ secret, digits: 6, period: 30 }],
    recoveryCodes: codes.length > 0 ? { codes, total: codes.length } : null,
    connections: words(row.connections).map((word) => {
      const at = word.indexOf('=');
      return { provider: word.slice(0, at), subject: word.slice(at + 1), displayName: null, email: address };
    }),
    roles: words(row.roles),
    disabled: truth(row.disabled),
    createdAt: row.created_at,
    lastLoginAt: row.last_login_at,
  };
  return { place: { line, id: person.id }, person };
}

function words(written: string | undefined): string[] {
  return (written ?? '').split(/\s+/).filter((word) => word !== '');
}
