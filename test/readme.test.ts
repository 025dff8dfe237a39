import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createDatabase, type TestDatabase } from './support/database.ts';
import { startGateway } from './support/gateway.ts';
import { ORDERS, SERVICES } from './support/introspect.ts';
import { newPerson, signUp } from './support/people.ts';
import { type GatewayProcess, spawnGateway, type TemporaryFolder, temporaryFolder } from './support/process.ts';

const readme = readFileSync('README.md', 'utf8');

let database: TestDatabase;
let folder: TemporaryFolder;
let gateway: GatewayProcess;
let url: string;
beforeAll(async () => {
  database = await createDatabase(inject('templateUrl'));
  folder = await temporaryFolder();
  gateway = spawnGateway({ DATABASE_URL: database.url, POSTERN_DATA_DIR: folder.path });
  url = await gateway.ready();
});
afterAll(async () => {
  await gateway.end('SIGTERM');
  await database.drop();
  await folder.remove();
});

/** What each block comes to that asks something, in its order. */
const EXPECTED = [
  ['EmailVerificationRequired'],
  ['LoggedIn'],
  ['LoggedIn'],
  ['User'],
  ['EmailVerificationRequired', 'EmailVerificationRequired', 'EmailVerified', 'LoggedIn'],
  ['LoginCodeRequired', 'LoggedIn'],
  ['CodeSent', 'PasswordWasReset', 'LoggedIn'],
  ['CodeSent', 'EmailVerified', undefined, 'EmailsChanged', 'EmailsChanged'],
  ['ProfileUpdated', 'PasswordChanged'],
  ['Reauthenticated'],
  ['TotpStarted', 'TotpEnabled'],
  ['MfaRequired', 'LoggedIn'],
  ['AccountDeleted'],
];

test('the conversations of the README work as they stand, line by line', { timeout: 60_000 }, async () => {
  const conversation = readme.split('## A first conversation')[1]?.split('\n## How a client')[0] ?? '';
  const blocks = [...conversation.matchAll(/^```sh\n([\s\S]*?)```/gm)].map(([, block]) => block);
  const script = blocks.join('\necho ---\n').replaceAll('http://localhost:4000', url);
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script]);
  const answers = stdout.split('---\n').map((part) =>
    part
      .trim()
      .split('\n')
      .map((line) => Object.values(JSON.parse(line).data)[0] as { __typename?: string }),
  );
  expect(answers.map((part) => part.map(({ __typename }) => __typename))).toEqual(EXPECTED);
  const shown = JSON.parse(/```json\n([\s\S]*?)```/.exec(conversation)?.[1] ?? '');
  expect({ ...answers[3]?.[0], id: '…' }).toEqual(shown.data.currentUser);
});

test('the README names every route that the gateway answers', async () => {
  for (const route of [
    '/.well-known/jwks.json',
    '/.well-known/openid-configuration',
    '/health/live',
    '/health/ready',
    '/outbox',
    '/verify-email',
    '/confirm-email',
    '/reset-password',
    '/log-in',
  ]) {
    expect(readme).toMatch(new RegExp(`^\\| .*\`(?:GET )?${route.replaceAll('.', '\\.')}\``, 'm'));
    expect((await fetch(url + route)).status).toBe(200);
  }
});

test('a service asks whose a token is, and is told what the page shows, claims of its hook included', async () => {
  const page = readFileSync('docs/services.md', 'utf8');
  const [ask = ''] = /^curl .*introspect.*$/m.exec(page) ?? [];
  const shown = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '');
  const program = /```js\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const { hooks } = (await import(`data:text/javascript,${encodeURIComponent(program)}`)).default;
  const asked = await startGateway({ env: SERVICES, hooks });
  const { token } = await signUp(asked.client(), newPerson());
  const env = { ...process.env, AUTH_URL: asked.url, AUTH_SECRET: ORDERS.secret, TOKEN: token };
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', ask], { env });
  const { roles_of, plan, ...answer } = JSON.parse(stdout);
  expect({ roles_of, plan }).toEqual({ roles_of: [], plan: 'team' });
  expect(Object.keys(answer).sort()).toEqual(Object.keys(shown).sort());
  expect(answer).toMatchObject({ active: true, amr: shown.amr, token_type: shown.token_type, roles: shown.roles });
  await asked.stop();
});
