/** What the database says of itself and of what is in it, all tables together. Nothing here writes. */
import type { Db } from '../infra/database.ts';

/** The server, and who we are there. */
export interface Server {
  /** As in `server_version_num`: 170002. */
  readonly version: number;
  readonly role: string;
  readonly superuser: boolean;
  /** Makes databases or roles, replicates, or passes row security by. */
  readonly privileged: boolean;
  /** Owns our tables, or may make others beside them. */
  readonly changesTables: boolean;
  readonly encrypted: boolean;
  /** As the server sees itself; `local` is a socket of the machine. */
  readonly network: 'local' | 'private' | 'public';
}

export async function serverOf(db: Db): Promise<Server | null> {
  const [server] = await db.query<Server>`
    SELECT current_setting('server_version_num')::int AS version, rolname AS role, rolsuper AS superuser,
      rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls AS privileged,
      coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) OR EXISTS (
        SELECT 1 FROM pg_class WHERE relname = 'users' AND relnamespace::regnamespace::text = current_schema()
          AND pg_has_role(relowner, 'USAGE')) AS "changesTables",
      coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS encrypted,
      CASE WHEN inet_server_addr() IS NULL OR inet_server_addr() <<= ANY ('{127.0.0.0/8,::1/128}'::inet[]) THEN 'local'
        WHEN inet_server_addr() <<= ANY ('{10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7}'::inet[]) THEN 'private'
        ELSE 'public' END AS network
    FROM pg_roles WHERE rolname = current_user`;
  return server ?? null;
}

/** The clock of the database. */
export async function timeOf(db: Db): Promise<Date> {
  const [row] = await db.query<{ now: Date }>`SELECT clock_timestamp() AS now`;
  return row?.now ?? new Date(Number.NaN);
}

/** How many connections there may be, and how many instances share them now. */
export interface Capacity {
  /** For roles like ours; the least of what server, database and role allow. */
  readonly allowed: number;
  readonly instances: number;
}

/** @param presenceLock the first half of the key of the advisory lock that each instance holds */
export async function capacityOf(db: Db, presenceLock: number): Promise<Capacity> {
  const [row] = await db.query<Capacity>`
    SELECT least(
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
          - coalesce(current_setting('reserved_connections', true)::int, 0),
        (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
        (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)) AS allowed,
      (SELECT count(DISTINCT pid)::int FROM pg_locks
        WHERE locktype = 'advisory' AND classid = ${presenceLock}::int::oid AND objsubid = 2 AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS instances`;
  return row ?? { allowed: 0, instances: 0 };
}

/** How many people have one of these roles, and how many of them nothing of these kinds to log in with as well. */
export interface Administrators {
  readonly all: number;
  readonly withoutFactor: number;
}

export async function administrators(
  db: Db,
  { roles, factors }: { readonly roles: readonly string[]; readonly factors: readonly string[] },
): Promise<Administrators> {
  const [row] = await db.query<Administrators>`
    SELECT count(*)::int AS "all", count(*) FILTER (WHERE NOT EXISTS (
      SELECT 1 FROM authenticators WHERE user_id = users.id AND kind = ANY(${factors})))::int AS "withoutFactor"
    FROM users WHERE roles && ${roles}::text[] AND disabled_at IS NULL`;
  return row ?? { all: 0, withoutFactor: 0 };
}

/** Connections whose tokens are kept. */
export async function keptTokens(db: Db): Promise<number> {
  const [row] = await db.query<{ kept: number }>`
    SELECT count(*)::int AS kept FROM social_connections WHERE sealed_tokens IS NOT NULL`;
  return row?.kept ?? 0;
}

/** With which key things are sealed or peppered, and how many. */
export interface KeyUse {
  readonly what: 'signing keys' | 'authenticator apps' | 'tokens of providers' | 'passwords';
  readonly keyId: string;
  readonly count: number;
}

/** Of each table as many rows as may be read without being in the way. */
const READ_AT_MOST = 1_000_000;

/** Which keys are needed to open what stays in the database. */
export function keyUses(db: Db): Promise<KeyUse[]> {
  return db.query<KeyUse>`
    SELECT what, key_id AS "keyId", count(*)::int AS count FROM (
      SELECT 'signing keys' AS what, split_part(sealed_private_jwk, '.', 2) AS key_id FROM signing_keys
      UNION ALL (SELECT 'authenticator apps', split_part(data ->> 'sealedSecret', '.', 2) FROM authenticators
        WHERE kind = 'TOTP' LIMIT ${READ_AT_MOST})
      UNION ALL (SELECT 'tokens of providers', split_part(sealed_tokens, '.', 2) FROM social_connections
        WHERE sealed_tokens IS NOT NULL LIMIT ${READ_AT_MOST})
      UNION ALL (SELECT 'passwords', pepper_key_id FROM passwords WHERE pepper_key_id IS NOT NULL LIMIT ${READ_AT_MOST})
    ) AS used GROUP BY what, key_id ORDER BY what, key_id`;
}
