import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { UsageError } from '../../src/cli/command.ts';
import { doctor } from '../../src/cli/doctor.ts';
import { readEnvironmentFile } from '../../src/config.ts';
import { type CheckName, checks } from '../../src/doctor/checks.ts';
import type { Finding } from '../../src/doctor/examine.ts';
import { GraphQLClient } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { READY, SECRET_ID } from '../support/doctor.ts';
import { openSurgery, type Surgery, startTlsFront, type TlsFront } from '../support/doctor-stand.ts';
import { newPerson, SIGN_UP } from '../support/people.ts';
import { type GatewayProcess, spawnGateway } from '../support/process.ts';
import { type LimitedRole, limitedRole } from '../support/role.ts';
import { type MailServer, startMailServer } from '../support/smtp.ts';

interface Report {
  readonly ready: boolean;
  readonly production: boolean;
  readonly summary: Readonly<Record<Finding['verdict'], number>>;
  readonly findings: readonly Finding[];
}

const NAMES = Object.keys(checks) as CheckName[];

/** Runs the command in this process, whose environment has no settings. */
async function run(values: Record<string, string>, ...flags: string[]) {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    const status = await doctor.run({ words: [], flags: new Set(flags), values });
    return { status, out: write.mock.calls.map(([text]) => String(text)).join('') };
  } finally {
    write.mockRestore();
  }
}

describe('a development machine', () => {
  test('is red, in everything that it lacks at once, and says so to machines', async () => {
    const { status, out } = await run({}, 'json');
    const { ready, production, summary, findings } = JSON.parse(out) as Report;
    expect([status, ready, production]).toEqual([1, false, false]);
    expect(findings.map(({ name }) => name)).toEqual(NAMES);
    for (const finding of findings)
      expect(Object.keys(finding)).toEqual(['name', 'title', 'verdict', 'reason', 'mend']);
    const verdicts = Object.fromEntries(findings.map(({ name, verdict }) => [name, verdict]));
    expect(verdicts).toMatchObject({
      production: 'failed',
      https: 'failed',
      'secret-strength': 'failed',
      'secret-places': 'failed',
      mail: 'failed',
      database: 'failed',
      administrators: 'failed',
      'database-role': 'skipped',
    });
    for (const [verdict, count] of Object.entries(summary))
      expect(findings.filter((finding) => finding.verdict === verdict)).toHaveLength(count);
  });

  test('is told so in lines for people', async () => {
    const { status, out } = await run({ only: 'verification, production,database' });
    expect(status).toBe(1);
    expect(out).toMatch(/^✗ production {4}NODE_ENV is /);
    expect(out).toContain('\n✓ verification  verification is mandatory\n');
    expect(out).toMatch(/\n {16}mend: {3}DATABASE_URL\n/);
    expect(out).toMatch(/\n2 failed, 0 warnings, 1 ok, 0 skipped\. .*\nNODE_ENV is not production here/);
  });

  test('may have warnings, unless they are to count', async () => {
    const only = 'password-length';
    expect((await run({ only })).status).toBe(0);
    expect((await run({ only }, 'strict')).status).toBe(1);
  });

  test.each([{ only: 'everything' }, { only: '' }, { 'send-test-mail': 'ada' }])(
    'is not looked at by a command line that means nothing: %j',
    async (values) => {
      await expect(run(values)).rejects.toThrow(UsageError);
    },
  );
});

test('a file of settings is told from the environment, which comes first', async () => {
  const folder = await openSurgery({ '.env': 'POSTERN_SECRET=x\nPATH=/nowhere\n' });
  await chmod(join(folder.path, '.env'), 0o640);
  const here = process.cwd();
  process.chdir(folder.path);
  try {
    expect(readEnvironmentFile()).toEqual({ names: ['POSTERN_SECRET'], mode: 0o640 });
  } finally {
    process.chdir(here);
    await folder.remove();
  }
});

test('a folder where much is wrong is told all of it, and none of its secrets [without the redactor the last is shown]', async () => {
  const folder = await openSurgery({
    '.env': `POSTERN_SERVICES=orders:canary2${'x'.repeat(40)}\n`,
    'postern.config.mjs': 'export default { hook: {} }',
  });
  await chmod(join(folder.path, '.env'), 0o644);
  const { status, out, err } = await folder.run({
    ...READY,
    POSTERN_PUBLIC_URL: 'https://127.0.0.1:1',
    POSTERN_SECRET: 'canary1-canary1-canary1-canary1-canary1',
    DATABASE_URL: 'postgresql://ada:canary3@127.0.0.1:1/postern',
    POSTERN_SMTP_URL: 'smtp://ada:canary4@127.0.0.1:1',
    POSTERN_REDIS_URL: 'redis://ada:canary5@127.0.0.1:1',
    POSTERN_PROVIDERS: '[{"id":"google","clientId":"x","clientSecret":"canary6"},{"id":"acme","clientSecret":7}]',
    POSTERN_ALLOWED_ORIGINS: 'http://canary6.example.com',
  });
  await folder.remove();
  expect([status, err]).toEqual([1, '']);
  for (const name of ['operator-config', 'secret-places', 'secret-strength', 'origins', 'database', 'mail', 'redis'])
    expect(out).toContain(`\n✗ ${name} `);
  expect(out).toContain('hook is not known');
  expect(out).toContain('others may read .env (mode 644)');
  expect(out).not.toContain('canary');
});

describe('a production, set up as the pages say', () => {
  let database: TestDatabase;
  let role: LimitedRole;
  let mailServer: MailServer;
  let front: TlsFront;
  let gateway: GatewayProcess;
  let surgery: Surgery;
  let settings: Record<string, string>;

  beforeAll(async () => {
    database = await createDatabase(inject('templateUrl'));
    role = await limitedRole(database.url);
    mailServer = await startMailServer();
    front = await startTlsFront();
    surgery = await openSurgery();
    settings = {
      ...(READY as Record<string, string>),
      DATABASE_URL: role.url,
      POSTERN_PUBLIC_URL: front.url,
      POSTERN_SMTP_URL: mailServer.url,
      POSTERN_REDIRECT_URLS: 'https://app.example.com/welcome',
      POSTERN_PROVIDERS: JSON.stringify([
        { id: 'acme', type: 'oidc', clientId: 'x', clientSecret: 'y'.repeat(30), issuer: front.issuer },
      ]),
    };
    gateway = spawnGateway(settings);
    front.hands(await gateway.ready());
  });
  afterAll(async () => {
    await gateway.end('SIGTERM');
    await surgery.remove();
    await front.close();
    await mailServer.stop();
    await database.drop();
    await role.drop();
  });

  test('is green, even where warnings count, and its test mail comes', async () => {
    // The certificate of the tests is for this machine, and that is no origin for a production.
    const only = NAMES.filter((name) => name !== 'origins').join(',');
    const words = [
      '--strict',
      '--backed-up',
      SECRET_ID,
      '--send-test-mail',
      'ada@example.com',
      '--only',
      only,
      '--json',
    ];
    const { status, out } = await surgery.run(settings, ...words);
    const { findings, ...rest } = JSON.parse(out) as Report;
    const others = findings.filter(({ verdict }) => verdict !== 'ok').map(({ name, verdict }) => [name, verdict]);
    expect(others).toEqual([['redis', 'skipped']]);
    expect(rest).toMatchObject({ ready: true, production: true, summary: { failed: 0, warning: 0, skipped: 1 } });
    expect(status).toBe(0);
    expect((await mailServer.next('ada@example.com')).subject).toContain('test');
  });

  test('runs on a role that may do no more than it needs: people sign up, and their mails go out', async () => {
    const person = newPerson();
    const client = new GraphQLClient(await gateway.ready(), {});
    const { result } = await client.send(SIGN_UP, { input: { ...person, credential: 'SESSION_TOKEN' } });
    expect(result.__typename).toBe('EmailVerificationRequired');
    expect((await mailServer.next(person.email)).text).toContain('https://app.example.com/verify-email');
  });

  test('has a role that can neither make tables nor change them', async () => {
    for (const statement of ['CREATE TABLE mine (id int)', 'DROP TABLE users', 'ALTER TABLE users DISABLE TRIGGER ALL'])
      await expect(role.run(statement)).rejects.toThrow(/permission denied|must be owner/);
  });
});
