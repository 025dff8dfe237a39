import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GraphQLClient } from './support/client.ts';
import { CURRENT_USER, logIn, newPerson, type Person, signUp } from './support/people.ts';
import { type GatewayProcess, spawnGateway, type TemporaryFolder, temporaryFolder } from './support/process.ts';

const clientOf = (url: string) => new GraphQLClient(url, {});
const CHEAP = { POSTERN_PASSWORD_HASH: 'm=64,t=1,p=1', POSTERN_RATE_LIMITS: 'off', POSTERN_EMAIL_VERIFICATION: 'none' };

describe('a gateway with a data folder', () => {
  let folder: TemporaryFolder;
  let running: GatewayProcess;
  const settings = () => ({ ...CHEAP, POSTERN_DATA_DIR: join(folder.path, 'data') });

  beforeAll(async () => {
    folder = await temporaryFolder();
    running = spawnGateway(settings());
    await running.ready();
  });
  afterAll(async () => {
    await running.end('SIGTERM');
    await folder.remove();
  });

  test('keeps it to itself, and another one is told so', async () => {
    expect(statSync(join(folder.path, 'data')).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder.path, 'data', 'secret')).mode & 0o777).toBe(0o600);
    const second = spawnGateway(settings());
    await expect(second.ready()).rejects.toThrow(/POSTERN_DATA_DIR/);
    await signUp(clientOf(await running.ready()), newPerson());
  });

  test('knows everybody after a restart: people, sessions, tokens, revocations (S14)', async () => {
    const client = clientOf(await running.ready());
    const person = newPerson();
    const lasting = await signUp(client, person, 'SESSION_TOKEN');
    const jwt = await logIn(client, person, 'JWT');
    const ended = await logIn(client, person, 'SESSION_TOKEN');
    await ended.client.send('mutation { logOut { __typename } }');

    expect(await running.end('SIGTERM')).toBe(0);
    expect(running.output()).toContain('stopped');
    running = spawnGateway(settings());
    const again = clientOf(await running.ready());
    expect((await again.bearing(lasting.token).send(CURRENT_USER)).result.__typename).toBe('User');
    expect((await again.bearing(ended.token).send(CURRENT_USER)).result.reason).toBe('REVOKED');
    await logIn(again, person);
    // The port is new, and with it the issuer: this is what a changed public URL does to JWTs.
    expect((await again.bearing(jwt.token).send(CURRENT_USER)).result.reason).toBe('INVALID_CREDENTIAL');
  });

  test('loses no sign-up that it acknowledged when it is killed in the middle of many (without a commit before the answer it does)', async () => {
    const client = clientOf(await running.ready());
    const acknowledged: Person[] = [];
    const signingUp = Promise.allSettled(
      Array.from({ length: 8 }, async () => {
        for (;;) {
          const person = newPerson();
          await signUp(client, person);
          acknowledged.push(person);
        }
      }),
    );
    while (acknowledged.length < 60) await new Promise((resolve) => setTimeout(resolve, 10));
    await running.end('SIGKILL');
    await signingUp;

    running = spawnGateway(settings());
    const again = clientOf(await running.ready());
    for (const person of acknowledged) await logIn(again, person);
  });

  test('finishes what runs when it is asked to stop, and then ends', async () => {
    const client = clientOf(await running.ready());
    const people = Array.from({ length: 6 }, newPerson);
    const answers = Promise.allSettled(people.map((person) => signUp(client, person)));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const begun = Date.now();
    expect(await running.end('SIGTERM')).toBe(0);
    expect(Date.now() - begun).toBeLessThan(10_000);
    const outcomes = await answers;
    // Each was either answered in full or not accepted at all; none was cut off.
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(String(outcome.reason)).toMatch(/fetch failed/);
    }
    running = spawnGateway(settings());
    const again = clientOf(await running.ready());
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') await logIn(again, people[index] as Person);
    }
  });
});

describe('a gateway that cannot start', () => {
  test('says that its port is taken, and how to choose another', async () => {
    const folder = await temporaryFolder();
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const gateway = spawnGateway({ PORT: String(port), POSTERN_DATA_DIR: folder.path });
    await expect(gateway.ready()).rejects.toThrow(new RegExp(`Port ${port} is taken[\\s\\S]*PORT=`));
    server.close();
    await folder.remove();
  });

  test('names everything that is wrong with its settings at once, without the values', async () => {
    const gateway = spawnGateway({
      NODE_ENV: 'production',
      POSTERN_SECRET: 'hunter2',
      POSTERN_SESSION_IDLE: 'often',
      PORT: 'http',
    });
    await expect(gateway.ready()).rejects.toThrow(/PORT[\s\S]*POSTERN_SESSION_IDLE/);
    expect(gateway.process.exitCode).toBe(1);
    expect(gateway.output()).not.toContain('hunter2');
  });

  test('says that its database cannot be reached', async () => {
    const gateway = spawnGateway({ DATABASE_URL: 'postgresql://nobody:canary-password@127.0.0.1:1/none' });
    await expect(gateway.ready()).rejects.toThrow(/ECONNREFUSED|DATABASE_URL/);
    expect(gateway.process.exitCode).toBe(1);
    expect(gateway.output()).not.toContain('canary-password');
  });
});
