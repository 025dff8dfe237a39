import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UsageError } from '../../src/cli/command.ts';
import { importCommand } from '../../src/cli/import.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { fileOf } from '../support/imports.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/process.ts';

// Each starts a process or two.
const PATIENCE = { timeout: 180_000 };

let gateway: Gateway;
let folder: TemporaryFolder;
beforeAll(async () => {
  gateway = await startGateway();
  folder = await temporaryFolder();
});
afterAll(async () => {
  await gateway.stop();
  await folder.remove();
});

/** Begins the command as an operator does. */
function begin(...words: string[]) {
  const { PATH = '', HOME = '' } = process.env;
  const env = {
    PATH,
    HOME,
    DATABASE_URL: gateway.databaseUrl,
    POSTERN_SECRET: 'the secret of the tests is long enough to be one',
  };
  const child = spawn(process.execPath, ['dist/cli.js', 'import', ...words], { env });
  const [out, err]: string[][] = [[], []];
  child.stdout.on('data', (chunk) => out?.push(String(chunk)));
  child.stderr.on('data', (chunk) => err?.push(String(chunk)));
  const ended = once(child, 'close').then(([status]) => ({
    status: status as number | null,
    out: out?.join('') ?? '',
    err: err?.join('') ?? '',
  }));
  return { child, ended };
}

const postern = (...words: string[]) => begin(...words).ended;

const countOf = async (source: string) => {
  const [row] = await gateway.sql<{ n: number }>(
    'SELECT count(*)::int AS n FROM imported_people JOIN emails USING (user_id) WHERE source = $1',
    [source],
  );
  return row?.n ?? 0;
};

function people(prefix: string, count: number): string {
  const rows = Array.from({ length: count }, (_, n) => `${prefix}${n},${prefix}.${n}@example.com,true`);
  return `external_id,email,email_verified\n${rows.join('\n')}\n`;
}

describe('postern import', () => {
  test('says what would come of it, does it, and says by line what it left out', PATIENCE, async () => {
    const path = await fileOf(folder.path, `${people('ann', 3)}x,no address \u001b[2J,true\n`);
    const rehearsed = await postern('csv', '--from', path, '--dry-run');
    expect(rehearsed).toMatchObject({ status: 0, err: '' });
    expect(rehearsed.out).toContain('4 read: 3 would be taken, 0 here already, 1 not taken\n');
    expect(rehearsed.out).toContain('nothing was written');
    expect(await countOf('csv')).toBe(0);
    const { status, out } = await postern('csv', '--from', path);
    expect(status).toBe(0);
    expect(out.split('\n')[0]).toMatch(/^line 5, id x: not taken: has no address, .* \(no address \?\[2J\)$/);
    expect(out).toContain('4 read: 3 taken, 0 here already, 1 not taken\n');
    const again = JSON.parse((await postern('csv', '--from', path, '--json')).out);
    expect(again).toMatchObject({
      source: 'csv',
      dryRun: false,
      people: { read: 4, taken: 0, there: 3, refused: 1 },
      problems: [{ place: { line: 5, id: 'x' }, code: 'NO_WAY_IN' }],
    });
  });

  test('goes on where it was killed: everybody is taken once, and whole', PATIENCE, async () => {
    const path = await fileOf(folder.path, people('cut', 6_000));
    const { child, ended } = begin('csv', '--from', path, '--source', 'cut');
    while ((await countOf('cut')) === 0) expect(child.exitCode).toBeNull();
    child.kill('SIGKILL');
    await ended;
    const taken = await countOf('cut');
    expect(taken % 200).toBe(0);
    const { people: counts } = JSON.parse((await postern('csv', '--from', path, '--source', 'cut', '--json')).out);
    expect(counts).toEqual({ read: 6_000, taken: 6_000 - counts.there, there: counts.there, refused: 0 });
    expect(counts.there).toBeGreaterThanOrEqual(taken);
    expect(await countOf('cut')).toBe(6_000);
  });

  test('ends with 1 for a source that it cannot read', PATIENCE, async () => {
    const { status, err } = await postern('csv', '--from', `${folder.path}/none`);
    expect([status, err]).toEqual([1, expect.stringContaining('ENOENT')]);
  });

  test.each([
    [undefined, {}],
    ['ldap', { from: 'x' }],
    ['csv', {}],
    ['csv', { from: 'postgres://127.0.0.1/x' }],
    ['supabase', { from: 'people.csv' }],
    ['csv', { from: 'x', 'user-table': 'y' }],
    ['django-allauth', { from: 'postgres://127.0.0.1/x', totp: '30' }],
    ['csv', { from: 'x', providers: 'a' }],
    ['csv', { from: 'x', source: 'two words' }],
  ])('does not understand %s %j', async (system, values) => {
    const words = system === undefined ? [] : [system];
    await expect(importCommand.run({ words, flags: new Set(), values })).rejects.toThrow(UsageError);
  });
});
