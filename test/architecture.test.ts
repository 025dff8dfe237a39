import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

/** Who may import whom: the table of ARCHITECTURE.md. A folder may always import itself, unless it says otherwise. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  infra: ['lib', 'config', 'type providers'],
  providers: ['lib'],
  records: ['lib', 'events', 'type infra/database'],
  factors: ['lib', 'records', 'type unit', 'type config'],
  mail: ['lib', 'records/challenges', 'type events', 'type config', 'type hooks'],
  login: ['lib', 'records', 'factors', 'mail', 'type unit', 'type config', 'type providers'],
  administration: ['lib', 'records', 'login', 'type config', 'type events', 'type unit'],
  flows: [
    'administration',
    'lib',
    'login',
    'records',
    'factors',
    'mail',
    'type config',
    'type hooks',
    'type events',
    'type app',
    'type providers',
    'unit',
    'account-limit',
  ],
  graphql: ['lib', 'factors', 'flows', 'type administration', 'type records', 'type login', 'type app'],
  http: ['lib', 'flows', 'graphql', 'type app', 'type login'],
  deliveries: ['lib', 'infra', 'records', 'events'],
  app: [
    'lib',
    'infra',
    'type providers',
    'config',
    'deliveries',
    'hooks',
    'limit-hits',
    'records',
    'login',
    'tasks',
    'live',
  ],
  verify: ['lib'],
  'limit-hits': ['lib', 'records', 'type app', 'type infra/database'],
  'account-limit': ['lib', 'records', 'type app', 'type unit'],
  unit: ['account-limit', 'lib', 'infra', 'mail', 'config', 'events', 'hooks', 'records', 'app'],
  tasks: ['lib', 'infra', 'mail', 'config', 'hooks', 'records', 'unit', 'reseal', 'overdue'],
  operator: [
    'lib',
    'records',
    'mail',
    'unit',
    'type administration',
    'type config',
    'type events',
    'type infra/database',
  ],
  live: ['lib', 'infra', 'type config', 'records', 'overdue'],
  overdue: ['records', 'type infra/database'],
  reseal: ['lib', 'records', 'factors', 'type infra/database'],
  import: ['lib', 'records', 'factors', 'type infra/database', 'type providers'],
  doctor: ['lib', 'infra', 'records', 'factors', 'config', 'type hooks', 'type providers'],
  hooks: ['lib', 'type mail'],
  config: ['lib', 'type factors', 'providers', 'deliveries/settings'],
  events: ['type lib', 'type records'],
};
/** What puts everything together. */
const MAY_IMPORT_ALL = ['main', 'cli', 'index', 'create-postern', 'standalone', 'operator-config', 'testing'];

/** Records that know another record. */
const RECORDS: Readonly<Record<string, readonly string[]>> = {
  sessions: ['users'],
  'pending-logins': ['sessions'],
  'provider-flows': ['sessions'],
  passwords: ['users'],
  events: ['users'],
  'event-deliveries': ['events'],
  accounts: ['users'],
  'session-events': ['events', 'sessions'],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly type: boolean;
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => /\.(ts|js)$/.test(file));
const source = new Map(files.map((file) => [file, readFileSync(join('src', file), 'utf8')]));
const imports: Import[] = [...source].flatMap(([file, text]) =>
  [...text.matchAll(/^(import|export)( type)? ?([^;]*?)from '(\.[^']+)'/gms)].map(
    ([, , type, names = '', target = '']) => ({
      from: file,
      to: relative('.', join(dirname(file), target)),
      type: Boolean(type) || /^\{\s*(type \w+(?: as \w+)?,?\s*)+\}\s*$/.test(names),
    }),
  ),
);

const folderOf = (file: string) => file.split('/')[0]?.replace(/\.ts$/, '') ?? '';

test.each(imports.map((each) => [`${each.from} → ${each.to}${each.type ? ' (types)' : ''}`, each] as const))(
  '%s is allowed',
  (_title, { from, to, type }) => {
    const [here, there] = [folderOf(from), folderOf(to)];
    if (MAY_IMPORT_ALL.includes(here)) return;
    if (here === there) {
      if (here === 'flows')
        expect(
          to,
          `${from}: flows do not import flows; what two of them share is a noun, the pipeline, or in flows/shared`,
        ).toMatch(/^flows\/shared\//);
      if (here === 'records') {
        const allowed = RECORDS[from.slice('records/'.length, -'.ts'.length)] ?? [];
        expect(allowed, `${from}: a noun knows few others`).toContain(to.slice('records/'.length, -'.ts'.length));
      }
      return;
    }
    const allowed = MAY_IMPORT[here] ?? [];
    const file = to.replace(/\.ts$/, '');
    const ways = [there, file, ...(type ? [`type ${there}`, `type ${file}`] : [])];
    expect(
      ways.some((way) => allowed.includes(way)),
      `${here}/ may not import ${type ? 'types of ' : ''}${there}/: ${from} → ${to}`,
    ).toBe(true);
  },
);

/** What other services load: by the files that a file imports, all the way down. */
function loadedBy(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const { to } of imports.filter(({ from, type }) => from === file && !type)) loadedBy(to, seen);
  return seen;
}

test('postern/verify loads nothing of the gateway, and no package but jose and lru-cache', () => {
  const loaded = [...loadedBy('verify/index.ts')];
  expect(loaded.length).toBeGreaterThan(10);
  expect(loaded.filter((file) => !/^(verify|lib)\//.test(file))).toEqual([]);
  const packages = loaded.flatMap((file) =>
    [...(source.get(file) ?? '').matchAll(/^(?:import|export)(?! type) [^;]*?from '([^.'][^']*)'/gms)].map(
      ([, name]) => name,
    ),
  );
  expect([...new Set(packages.filter((name) => !name?.startsWith('node:')))].sort()).toEqual(['jose', 'lru-cache']);
});

test('nothing of the gateway loads the test kit', () => {
  const elsewhere = imports.filter(({ from, to }) => folderOf(to) === 'testing' && folderOf(from) !== 'testing');
  expect(elsewhere).toEqual([]);
});

test('postern/testing loads no package that only the tests of Postern have', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  const files = [...source].filter(([file]) => file.startsWith('testing/'));
  const packages = files.flatMap(([, text]) =>
    [...text.matchAll(/^(?:import|export) [^;]*?from '([^.'][^']*)'/gms)].map(([, name = '']) => name),
  );
  const foreign = packages.filter((name) => !name.startsWith('node:') && !Object.hasOwn(dependencies, name));
  expect(packages).toContain('jose');
  expect(foreign).toEqual([]);
});

/** Where a piece of code may stand at all. */
const ONLY_IN: readonly (readonly [what: string, pattern: RegExp, files: RegExp])[] = [
  ['reads process.env', /process\.env/, /^config\.ts$/],
  ['opens a session', /sessions\.open\(/, /^login\/pipeline\.ts$/],
  ['calls transact', /\btransact\(/, /^(flows\/|unit\.ts|testing\/)/],
  ['writes text for people', /message: '[A-Z]/, /^(graphql\/|http\/|mail\/|config\.ts)/],
  ['prints', /console\.|process\.std(out|err)\.write/, /^(main\.ts|cli\.ts|cli\/)/],
];

test.each(ONLY_IN)('only its own place %s', (what, pattern, place) => {
  const elsewhere = [...source].filter(([file, text]) => pattern.test(text) && !place.test(file)).map(([file]) => file);
  expect(elsewhere, `${elsewhere.join(', ')} ${what}`).toEqual([]);
});
