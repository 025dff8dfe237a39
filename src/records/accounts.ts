import type { Db } from '../infra/database.ts';
import type { FieldValues } from '../lib/user-fields/declaration.ts';
import { isUuid } from '../lib/uuid.ts';
import { NOBODY } from './users.ts';

/** A person as administrators see them: all that is said of them in a list. No secret is a part of it. */
export interface Account {
  readonly id: string;
  readonly createdAt: Date;
  readonly lastLoginAt: Date | null;
  readonly disabledAt: Date | null;
  readonly name: string | null;
  readonly username: string | null;
  readonly roles: readonly string[];
  /** The primary address. */
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly phone: string | null;
  readonly hasPassword: boolean;
  /** Whether a login asks for another password first. */
  readonly mustChangePassword: boolean;
  /** The kinds of further factors that this person holds something of. */
  readonly factors: readonly string[];
  /** The operator's own fields, as they are stored. */
  readonly fields: FieldValues;
}

/** Which accounts a list has. */
export interface AccountFilter {
  /** With this role; null for any. */
  readonly role: string | null;
  /** Null for both. */
  readonly disabled: boolean | null;
}

/** The place in a list after which a page begins: what the list is ordered by, and whose row it was. */
export interface AccountCursor {
  readonly key: string;
  readonly id: string;
}

/** An account in a list, with its place there. */
export type ListedAccount = Account & { readonly key: string };

/** How much of a list is asked for. */
export interface AccountPage {
  readonly after: AccountCursor | null;
  readonly limit: number;
}

/** Those that are looked at one by one. */
const FEW = 2_000;
/** Names and addresses by which one person may be found: ten addresses, a number, a user name, a name. */
const KEYS_OF_ONE = 13;
/** No text that is searched for goes on like this. */
const LAST = '\u{10ffff}';

/** Finds an account by its id. */
export async function find(db: Db, id: string): Promise<Account | null> {
  const [account] = isUuid(id) ? await listByIds(db, [id]) : [];
  return account ?? null;
}

/** The newest accounts first, before one of them. The key of a row is when it was made, in milliseconds. */
export async function list(db: Db, filter: AccountFilter, page: AccountPage): Promise<ListedAccount[]> {
  const few = await findFew(db, filter);
  const rows = await (few ? listFew(db, few, page) : listMany(db, filter, page));
  const accounts = await inOrder(db, rows);
  return accounts.map((account) => ({ ...account, key: String(account.createdAt.getTime()) }));
}

/**
 * The accounts that have an address, a number, a user name or a name that begins like this, in the order of what they
 * were found by. Each is found once, by the first of those.
 * @param text folded as addresses and user names are
 */
export async function search(db: Db, text: string, filter: AccountFilter, page: AccountPage): Promise<ListedAccount[]> {
  // A place of another search is none in this one.
  const after = page.after?.key.startsWith(text) ? page.after : { key: text, id: NOBODY };
  const range = { ...after, from: text, to: `${text}${LAST}`, limit: page.limit };
  const few = await findFew(db, filter);
  const rows = await (few ? searchFew(db, few, range) : searchMany(db, filter, range));
  const keys = new Map(rows.map((row) => [row.id, row.key]));
  return (await inOrder(db, rows)).map((account) => ({ ...account, key: keys.get(account.id) ?? '' }));
}

/** A part of what is searched for: keys from a place on, as far as they begin like the text. */
interface Range extends AccountCursor {
  readonly from: string;
  readonly to: string;
  readonly limit: number;
}

/**
 * Those whom a filter lets through, if they are few enough to look at all of them. PostgreSQL expects them everywhere, and
 * would go through everybody to find the last of three administrators.
 */
async function findFew(db: Db, { role, disabled }: AccountFilter): Promise<string[] | null> {
  if (role === null && disabled !== true) return null;
  const rows = await (role === null
    ? db.query<{ id: string }>`SELECT id FROM users WHERE disabled_at IS NOT NULL LIMIT ${FEW + 1}`
    : db.query<{ id: string }>`
      SELECT id FROM users WHERE roles @> ARRAY[${role}::text]
        AND (${disabled}::boolean IS NULL OR (disabled_at IS NOT NULL) = ${disabled}::boolean)
      LIMIT ${FEW + 1}`);
  return rows.length > FEW ? null : rows.map(({ id }) => id);
}

function listFew(db: Db, few: readonly string[], { after, limit }: AccountPage) {
  const before = after && new Date(Number(after.key));
  return db.query<{ id: string }>`
    SELECT id FROM users
    WHERE id = ANY(${few}::uuid[])
      AND (${after?.id ?? null}::uuid IS NULL OR (created_at, id) < (${before}::timestamptz, ${after?.id ?? null}::uuid))
    ORDER BY created_at DESC, id DESC LIMIT ${limit}`;
}

function listMany(db: Db, { role, disabled }: AccountFilter, { after, limit }: AccountPage) {
  const before = after && new Date(Number(after.key));
  return db.query<{ id: string }>`
    SELECT id FROM users
    WHERE (created_at, id) < (coalesce(${before}::timestamptz, 'infinity'), coalesce(${after?.id ?? null}::uuid, ${NOBODY}::uuid))
      AND (${role}::text IS NULL OR roles @> ARRAY[${role}::text])
      AND (${disabled}::boolean IS NULL OR (disabled_at IS NOT NULL) = ${disabled}::boolean)
    ORDER BY created_at DESC, id DESC LIMIT ${limit}`;
}

function searchFew(db: Db, few: readonly string[], { key, id, from, to, limit }: Range) {
  return db.query<{ id: string; key: string }>`
    WITH few AS MATERIALIZED (
      SELECT id, username_key, lower(name) AS called FROM users WHERE id = ANY(${few}::uuid[])
    ), found AS (
      SELECT few.id, (
        SELECT min(key) FROM (
          SELECT address COLLATE "C" AS key FROM emails WHERE user_id = few.id
          UNION ALL SELECT number COLLATE "C" FROM phones WHERE user_id = few.id
          UNION ALL SELECT few.username_key COLLATE "C"
          UNION ALL SELECT few.called COLLATE "C"
        ) AS own WHERE key >= ${from} AND key < ${to}) AS key
      FROM few
    )
    SELECT id, key FROM found WHERE (key COLLATE "C", id) > (${key}, ${id}::uuid) ORDER BY key COLLATE "C", id LIMIT ${limit}`;
}

// One range of an index each, read from the place where the last page ended for as many rows as a page can need: so it
// takes as long for a letter that a million begin with as for a whole address. The place is all that says where a range
// begins: beside another condition PostgreSQL would begin at the one that says less.
function searchMany(db: Db, { role, disabled }: AccountFilter, { key, id, from, to, limit }: Range) {
  const most = limit * KEYS_OF_ONE;
  return db.query<{ id: string; key: string }>`
    WITH found AS (
      (SELECT e.address COLLATE "C" AS key, e.user_id AS id FROM emails e JOIN users u ON u.id = e.user_id
        WHERE (e.address COLLATE "C", e.user_id) > (${key}, ${id}::uuid) AND e.address COLLATE "C" < ${to}
          AND (${role}::text IS NULL OR u.roles @> ARRAY[${role}::text])
          AND (${disabled}::boolean IS NULL OR (u.disabled_at IS NOT NULL) = ${disabled}::boolean)
        ORDER BY e.address COLLATE "C", e.user_id LIMIT ${most})
      UNION
      (SELECT p.number COLLATE "C", p.user_id FROM phones p JOIN users u ON u.id = p.user_id
        WHERE (p.number COLLATE "C", p.user_id) > (${key}, ${id}::uuid) AND p.number COLLATE "C" < ${to}
          AND (${role}::text IS NULL OR u.roles @> ARRAY[${role}::text])
          AND (${disabled}::boolean IS NULL OR (u.disabled_at IS NOT NULL) = ${disabled}::boolean)
        ORDER BY p.number COLLATE "C", p.user_id LIMIT ${most})
      UNION
      (SELECT username_key COLLATE "C", u.id FROM users u
        WHERE (username_key COLLATE "C", u.id) > (${key}, ${id}::uuid) AND username_key COLLATE "C" < ${to}
          AND (${role}::text IS NULL OR roles @> ARRAY[${role}::text])
          AND (${disabled}::boolean IS NULL OR (disabled_at IS NOT NULL) = ${disabled}::boolean)
        ORDER BY username_key COLLATE "C", u.id LIMIT ${most})
      UNION
      (SELECT lower(name) COLLATE "C", u.id FROM users u
        WHERE (lower(name) COLLATE "C", u.id) > (${key}, ${id}::uuid) AND lower(name) COLLATE "C" < ${to}
          AND (${role}::text IS NULL OR roles @> ARRAY[${role}::text])
          AND (${disabled}::boolean IS NULL OR (disabled_at IS NOT NULL) = ${disabled}::boolean)
        ORDER BY lower(name) COLLATE "C", u.id LIMIT ${most})
    )
    SELECT found.id, found.key FROM found WHERE found.key = (
      SELECT min(key) FROM (
        SELECT address COLLATE "C" AS key FROM emails WHERE user_id = found.id
        UNION ALL SELECT number COLLATE "C" FROM phones WHERE user_id = found.id
        UNION ALL SELECT unnest(ARRAY[username_key, lower(name)]) COLLATE "C" FROM users WHERE id = found.id
      ) AS own WHERE key >= ${from} AND key < ${to})
    ORDER BY found.key COLLATE "C", found.id LIMIT ${limit}`;
}

async function inOrder(db: Db, rows: readonly { readonly id: string }[]): Promise<Account[]> {
  const found = await listByIds(
    db,
    rows.map(({ id }) => id),
  );
  const byId = new Map(found.map((account) => [account.id, account]));
  return rows.flatMap(({ id }) => byId.get(id) ?? []);
}

function listByIds(db: Db, ids: readonly string[]): Promise<Account[]> {
  return db.query<Account>`
    SELECT u.id, u.created_at AS "createdAt", u.last_login_at AS "lastLoginAt", u.disabled_at AS "disabledAt", u.name,
      u.username, u.roles, u.fields, e.address AS email, e.verified_at IS NOT NULL AS "emailVerified",
      (SELECT number FROM phones WHERE user_id = u.id) AS phone, p.user_id IS NOT NULL AS "hasPassword",
      p.replace_reason IS NOT NULL AS "mustChangePassword",
      ARRAY(SELECT DISTINCT kind FROM authenticators a WHERE a.user_id = u.id) AS factors
    FROM users u LEFT JOIN emails e ON e.user_id = u.id AND e.is_primary LEFT JOIN passwords p ON p.user_id = u.id
    WHERE u.id = ANY(${ids}::uuid[])`;
}
