import { readFile } from 'node:fs/promises';
import type { Source } from '../../import/person.ts';
import { readAuth0 } from '../../import/read/auth0.ts';
import { readBetterAuth } from '../../import/read/better-auth.ts';
import { readCsv } from '../../import/read/csv.ts';
import { readDjangoAllauth } from '../../import/read/django-allauth.ts';
import { parseHashConfig, readFirebase } from '../../import/read/firebase.ts';
import { readKeycloak } from '../../import/read/keycloak.ts';
import { readSupabase } from '../../import/read/supabase.ts';
import { UsageError } from '../command.ts';

/** What was given with the options of the command. */
type Values = Readonly<Record<string, string>>;

/** The systems that people can be taken from: whether one is read from a database, which options it has, and how. */
const systems = {
  'django-allauth': {
    database: true,
    options: ['user-table', 'phone-column', 'recovery-codes', 'totp'],
    open: async (from: string, values: Values) => {
      const [count = 10, digits = 8] = pair(values, 'recovery-codes') ?? [];
      return readDjangoAllauth(from, {
        userTable: values['user-table'] ?? 'auth_user',
        phoneColumn: values['phone-column'] ?? null,
        recoveryCodes: { count, digits },
        totp: totp(values),
      });
    },
  },
  'better-auth': {
    database: true,
    options: ['totp', 'secret-file'],
    open: async (from: string, values: Values) => {
      const secret = values['secret-file'] ? (await readFile(values['secret-file'], 'utf8')).trim() : null;
      return readBetterAuth(from, { secret, totp: totp(values) });
    },
  },
  csv: { database: false, options: [], open: async (from: string) => readCsv(from) },
  auth0: { database: false, options: [], open: async (from: string) => readAuth0(from) },
  firebase: {
    database: false,
    options: ['hash-config'],
    open: async (from: string, values: Values) =>
      readFirebase(from, values['hash-config'] ? parseHashConfig(await readFile(values['hash-config'], 'utf8')) : null),
  },
  supabase: { database: true, options: [], open: async (from: string) => readSupabase(from) },
  keycloak: { database: false, options: [], open: async (from: string) => readKeycloak(from) },
} as const satisfies Record<
  string,
  {
    readonly database: boolean;
    readonly options: readonly string[];
    open(from: string, values: Values): Promise<Source>;
  }
>;

export type System = keyof typeof systems;

export const SYSTEMS = Object.keys(systems) as readonly System[];

export function isSystem(name: string | undefined): name is System {
  return name !== undefined && Object.hasOwn(systems, name);
}

/** Options that are for one system or another. */
const OWN_OPTIONS = [...new Set(Object.values(systems).flatMap(({ options }): readonly string[] => options))];

/**
 * Makes a source of what was given.
 * @throws UsageError for what does not fit the system
 */
export async function openSource(system: System, from: string, values: Values): Promise<Source> {
  const { database, options, open } = systems[system];
  const foreign = Object.keys(values).find(
    (name) => OWN_OPTIONS.includes(name) && !(options as readonly string[]).includes(name),
  );
  if (foreign !== undefined) throw new UsageError(`--${foreign} is not for ${system}`);
  if (/^postgres(?:ql)?:\/\//.test(from) !== database)
    throw new UsageError(
      database ? `${system} is read --from the URL of its database` : `${system} is read --from a file`,
    );
  return open(from, values);
}

function totp(values: Values): { readonly period: number; readonly digits: number } {
  const [period = 30, digits = 6] = pair(values, 'totp') ?? [];
  return { period, digits };
}

/** Two numbers, such as `10x8`. */
function pair(values: Values, name: string): readonly [number, number] | null {
  const written = values[name];
  if (written === undefined) return null;
  const [, first, second] = /^([1-9]\d{0,2})x([1-9]\d?)$/.exec(written) ?? [];
  if (first === undefined || second === undefined) throw new UsageError(`--${name} ${written} is not of the form 10x8`);
  return [Number(first), Number(second)];
}
