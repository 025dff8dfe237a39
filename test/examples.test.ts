import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type MockProvider, startMockProvider } from '../src/testing/provider.ts';
import { GraphQLClient } from './support/client.ts';
import { createDatabase, type TestDatabase } from './support/database.ts';
import { newPerson, SIGN_UP } from './support/people.ts';
import { type GatewayProcess, spawnGateway, type TemporaryFolder, temporaryFolder } from './support/process.ts';
import { startReceiver } from './support/webhook-receiver.ts';

let database: TestDatabase;
let folder: TemporaryFolder;
beforeAll(async () => {
  database = await createDatabase(inject('templateUrl'));
  folder = await temporaryFolder();
});
afterAll(async () => {
  await database.drop();
  await folder.remove();
});

const { PATH = '', HOME = '' } = process.env;
const settings = () => ({ PATH, HOME, DATABASE_URL: database.url, POSTERN_DATA_DIR: folder.path });

describe('the scripts of examples/logins', () => {
  let gateway: GatewayProcess;
  let provider: MockProvider;
  let url: string;
  let callbackPort: number;
  beforeAll(async () => {
    callbackPort = await freePort();
    const port = await freePort();
    provider = await startMockProvider();
    gateway = spawnGateway({
      ...settings(),
      PORT: String(port),
      POSTERN_PROVIDERS: JSON.stringify([provider.entry]),
      POSTERN_REDIRECT_URLS: `http://127.0.0.1:${callbackPort}/`,
    });
    await gateway.ready();
    url = `http://localhost:${port}`;
  });
  afterAll(async () => {
    await gateway.end('SIGTERM');
    await provider.stop();
  });

  const start = (script: string, more: Record<string, string> = {}) =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', `examples/logins/${script}`], {
      env: { ...settings(), AUTH_URL: url, ...more },
    });
  const run = async (script: string) => (await start(script)).stdout;

  test('password.ts logs in by a password, and out', async () => {
    expect(await run('password.ts')).toMatch(/__typename: 'User'[\s\S]*reason: 'REVOKED'/);
  });

  test('code.ts logs in by a mailed code, and by its link', async () => {
    expect(await run('code.ts')).toMatch(/by the code:[\s\S]*by the link:/);
  });

  test('totp.ts logs in by an authenticator app, and by a recovery code', async () => {
    expect(await run('totp.ts')).toMatch(/by the app:[\s\S]*by a recovery code:/);
  });

  test('passkey.ts logs in by a passkey', async () => {
    expect(await run('passkey.ts')).toMatch(/by the passkey:[\s\S]*'PASSKEY'/);
  });

  test('provider.ts logs in at a provider, by the browser', async () => {
    provider.will({ sub: '1815', email: 'mary@example.com', email_verified: true, name: 'Mary' });
    const running = start('provider.ts', { PROVIDER: 'mock', CALLBACK_PORT: String(callbackPort) });
    let shown = '';
    running.child.stdout?.on('data', (chunk) => (shown += chunk));
    while (!/open \S+\n/.test(shown)) await once(running.child.stdout ?? running.child, 'data');
    const returned = await provider.visit(/open (\S+)/.exec(shown)?.[1] ?? '');
    await fetch(returned);
    expect((await running).stdout).toMatch(/by the provider:[\s\S]*mary@example.com/);
  });
});

test('examples/standalone blocks a domain, has fields of its own, wants a second factor of staff, and tells a webhook', async () => {
  const receiver = await startReceiver();
  const gateway = spawnGateway(
    {
      ...settings(),
      POSTERN_EMAIL_VERIFICATION: 'none',
      CRM_WEBHOOK_URL: receiver.url,
      CRM_WEBHOOK_SECRET: receiver.secret,
    },
    [],
    'examples/standalone',
  );
  const client = new GraphQLClient(await gateway.ready(), {});
  const { email, password } = newPerson();
  const signUp = (input: Record<string, unknown>) =>
    client.send(
      `mutation ($input: SignUpInput!) { signUp(input: $input) { __typename
        ... on LoggedIn { user { id email phoneNumber organization onboarded } } ... on InvalidInput { issues { path code } } } }`,
      { input: { email, password, ...input } },
    );
  expect((await signUp({ email: 'ada@mail.throwaway.example' })).result).toMatchObject({
    issues: [{ path: ['email'], code: 'NOT_ALLOWED' }],
  });
  expect((await signUp({ phoneNumber: '12' })).result).toMatchObject({
    issues: [{ path: ['phoneNumber'], code: 'INVALID' }],
  });
  const { result } = await signUp({ phoneNumber: '+1 202 555 0123' });
  expect(result.user).toMatchObject({ email, phoneNumber: '+12025550123', organization: null, onboarded: false });
  const { id } = result.user as { id: string };
  expect(await receiver.until(() => receiver.of(id)[0])).toMatchObject({ type: 'SignedUp' });

  await promisify(execFile)(process.execPath, ['dist/cli.js', 'users', 'roles', id, 'staff'], {
    env: settings(),
  });
  // A factor is set up by whoever has shown that the mailbox is theirs.
  const sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
  await sql.query('UPDATE emails SET verified_at = now() WHERE user_id = $1', [id]);
  await sql.end();
  const again = await client.send(
    'mutation ($input: LogInWithPasswordInput!) { logInWithPassword(input: $input) { __typename } }',
    { input: { email, password } },
  );
  expect(again.result.__typename).toBe('MfaEnrollmentRequired');
  expect(await gateway.end('SIGTERM')).toBe(0);
  await receiver.close();
});

describe('examples/express', () => {
  let server: ChildProcess;
  let url: string;
  beforeAll(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    server = spawn(process.execPath, ['--import', 'tsx', 'examples/express/server.ts'], {
      env: { ...settings(), PORT: String(port), POSTERN_EMAIL_VERIFICATION: 'none' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    server.stdout?.on('data', (chunk) => (output += chunk));
    while (!output.includes('ready at')) await once(server.stdout ?? server, 'data');
  });

  test('answers for itself and for Postern, and ends on SIGTERM', async () => {
    expect((await fetch(`${url}/me`)).status).toBe(401);
    const person = newPerson();
    const { result } = await new GraphQLClient(url, {}).send(SIGN_UP, {
      input: { ...person, credential: 'SESSION_TOKEN' },
    });
    const { token } = result.credential as { token: string };
    const me = await fetch(`${url}/me`, { headers: { authorization: `Bearer ${token}` } });
    expect(await me.json()).toMatchObject({ email: person.email, hasMfa: false });
    server.kill('SIGTERM');
    expect(await once(server, 'exit')).toEqual([0, null]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
