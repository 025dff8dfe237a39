import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { GraphQLClient } from './support/client.ts';
import { createDatabase, type TestDatabase } from './support/database.ts';
import { newPerson, SIGN_UP } from './support/people.ts';
import { type GatewayProcess, spawnGateway, type TemporaryFolder, temporaryFolder } from './support/process.ts';

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
  let url: string;
  beforeAll(async () => {
    gateway = spawnGateway(settings());
    url = await gateway.ready();
  });
  afterAll(() => gateway.end('SIGTERM'));

  const run = async (script: string) => {
    const args = ['--import', 'tsx', `examples/logins/${script}`];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...settings(), AUTH_URL: url } });
    return stdout;
  };

  test('password.ts logs in by a password, and out', async () => {
    expect(await run('password.ts')).toMatch(/__typename: 'User'[\s\S]*reason: 'REVOKED'/);
  });

  test('code.ts logs in by a mailed code, and by its link', async () => {
    expect(await run('code.ts')).toMatch(/by the code:[\s\S]*by the link:/);
  });

  test('totp.ts logs in by an authenticator app, and by a recovery code', async () => {
    expect(await run('totp.ts')).toMatch(/by the app:[\s\S]*by a recovery code:/);
  });
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
