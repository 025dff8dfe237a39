import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEmbeddedDatabase } from '../../src/infra/embedded.ts';
import { migrate } from '../../src/infra/migrate.ts';
import { transact } from '../../src/unit.ts';
import { GraphQLClient } from '../support/client.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  CURRENT_SESSION,
  CURRENT_USER,
  ISSUE_ACCESS_TOKEN,
  LOG_IN,
  LOG_OUT,
  logIn,
  newPerson,
  REFRESH,
  SIGN_UP,
  signUp,
} from '../support/people.ts';
import { spawnGateway, temporaryFolder } from '../support/process.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_LOG_LEVEL: 'trace' } });
});
afterAll(() => gateway.stop());

/** Every row of every table, as text. */
async function everythingStored({ sql }: Gateway): Promise<string> {
  const tables = await sql<{ tablename: string }>("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
  const rows = await Promise.all(
    tables.map(({ tablename }) => sql<{ row: string }>(`SELECT t::text AS row FROM "${tablename}" t`)),
  );
  return rows
    .flat()
    .map(({ row }) => row)
    .join('\n');
}

describe('secrets', () => {
  test('appear in no log line and in no table (D02: logging a body or storing a token finds them)', async () => {
    const person = { ...newPerson(), password: 'canary-password-of-a-whole-conversation' };
    const client = gateway.client({ 'user-agent': 'canary-browser' });
    const secrets = [person.password];
    for (const kind of ['SESSION_TOKEN', 'COOKIE', 'JWT'] as const) {
      const held = kind === 'SESSION_TOKEN' ? await signUp(client, person, kind) : await logIn(client, person, kind);
      secrets.push(held.token);
      await held.client.send(CURRENT_USER);
      await held.client.send(CURRENT_SESSION);
      const issued = await held.client.send(ISSUE_ACCESS_TOKEN);
      secrets.push(String(issued.result.accessToken));
      if (held.refreshToken) {
        const refreshed = await client.send(REFRESH, { input: { refreshToken: held.refreshToken } });
        const pair = refreshed.result.credential as { accessToken: string; refreshToken: string };
        secrets.push(held.refreshToken, pair.accessToken, pair.refreshToken);
      }
      await held.client.send(LOG_OUT);
    }
    await client.send(LOG_IN, { input: { ...person, password: 'canary-guess' } });
    await client.send(LOG_IN, { input: { email: { a: 'canary-object' }, password: ['canary-list'] } });
    await client.post('{"query":"canary-broken-body', {});
    await client.send(`{ canary(secret: "canary-literal") }`);
    await fetch(`${gateway.url}/health/live?token=canary-query`);
    secrets.push(
      'canary-guess',
      'canary-object',
      'canary-list',
      'canary-broken-body',
      'canary-literal',
      'canary-query',
    );

    const logged = gateway.logs.join('\n');
    const stored = await everythingStored(gateway);
    expect(secrets.length).toBeGreaterThan(14);
    expect(stored).toContain('canary-browser');
    for (const secret of secrets) {
      expect(logged).not.toContain(secret);
      expect(stored).not.toContain(secret);
      expect(stored).not.toContain(Buffer.from(secret).toString('hex'));
      expect(stored).not.toContain(Buffer.from(secret).toString('base64'));
    }
  });
});

describe('the events', () => {
  test('tell once of each thing that happened: who, when, from where, by what (D03)', async () => {
    const person = newPerson();
    const client = gateway.client({ 'user-agent': 'Browser \t1\u00e9' });
    const first = await signUp(client, person);
    await client.send(LOG_IN, { input: { ...person, password: 'not the one that it is' } });
    const second = await logIn(client, person);
    await second.client.send(LOG_OUT);
    const events = await gateway.sql('SELECT * FROM events WHERE user_id = $1 ORDER BY id', [first.userId]);
    expect(events.map(({ kind, session_id }) => [kind, session_id])).toEqual([
      ['SignedUp', null],
      ['LoggedIn', first.sessionId],
      ['LoginFailed', null],
      ['LoggedIn', second.sessionId],
      ['SessionEnded', second.sessionId],
    ]);
    for (const event of events) {
      expect(event).toMatchObject({ ip_address: client.headers['x-forwarded-for'], at: gateway.clock() });
    }
    expect(events.map(({ data }) => data)).toEqual([
      {},
      { methods: [{ method: 'PASSWORD', at: gateway.clock().toISOString() }], newDevice: false },
      { method: 'PASSWORD' },
      { methods: [{ method: 'PASSWORD', at: gateway.clock().toISOString() }], newDevice: false },
      { reason: 'LOGGED_OUT' },
    ]);
  });

  test('and the log keep control characters of clients inside their line (D03)', () => {
    for (const line of gateway.logs) {
      expect(line.trimEnd()).not.toMatch(/\p{Cc}/u);
      expect(() => JSON.parse(line)).not.toThrow();
    }
  });
});

describe('the database layer', () => {
  test('refuses a value that is undefined, and reads text as a value, never as SQL (D04: without the guard it is NULL)', async () => {
    const { database } = gateway.app;
    const nothing = undefined as unknown as string;
    await expect(database.query`SELECT 1 FROM users WHERE id = ${nothing}::uuid`).rejects.toThrow(/undefined/);
    await expect(database.execute`DELETE FROM users WHERE name = ${nothing}`).rejects.toThrow(/undefined/);
    const hostile = "'; DROP TABLE users; --";
    expect(await database.query`SELECT ${hostile}::text AS same`).toEqual([{ same: hostile }]);
  });

  test('undoes a transaction whose last statements fail, though the work was done (D05)', async () => {
    const { database } = gateway.app;
    const id = '00000000-0000-4000-8000-000000000001';
    const failing = database.transaction(
      (db) => db.execute`INSERT INTO users (id, created_at) VALUES (${id}::uuid, now())`,
      (db) => db.execute`SELECT 1 / 0`,
    );
    await expect(failing).rejects.toThrow(/division by zero/);
    expect(await gateway.sql('SELECT 1 FROM users WHERE id = $1', [id])).toEqual([]);
    // Nor is one committed whose failure the work itself did not mind.
    const careless = database.transaction(async (db) => {
      await db.execute`INSERT INTO users (id, created_at) VALUES (${id}::uuid, now())`;
      await db.execute`SELECT 1 / 0`.catch(() => undefined);
    });
    await expect(careless).rejects.toThrow(/rolled back/);
    // The connection is whole: the next transaction works.
    expect(await database.transaction((db) => db.query`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
  });

  test('undoes a change whose mail cannot be stored, and whose event cannot (D05: after the commit it would stand without them)', async () => {
    const own = await startGateway({ env: { POSTERN_EMAIL_VERIFICATION: 'mandatory' } });
    const breaks = [
      [
        'ALTER FUNCTION graphile_worker.add_job RENAME TO gone',
        'ALTER FUNCTION graphile_worker.gone RENAME TO add_job',
      ],
      ['ALTER TABLE events RENAME TO gone', 'ALTER TABLE gone RENAME TO events'],
    ] as const;
    for (const [broken, mended] of breaks) {
      await own.sql(broken);
      const answer = await own.client().send(SIGN_UP, { input: newPerson() });
      expect(answer.status).toBe(500);
      expect(await own.sql('SELECT id FROM users')).toEqual([]);
      await own.sql(mended);
    }
    const answer = await own.client().send(SIGN_UP, { input: newPerson() });
    expect(answer.result.__typename).toBe('EmailVerificationRequired');
    await own.stop();
  });

  test.each(['40P01', '40001', '23505', '23503'])(
    'tries a transaction again that collided with another (%s), as if the first attempt had not been',
    async (code) => {
      const id = randomUUID();
      let attempts = 0;
      const collide = (times: number) =>
        transact(gateway.app, { ipAddress: '', userAgent: null }, async ({ db, now, emit }) => {
          attempts += 1;
          await db.execute`INSERT INTO users (id, created_at) VALUES (${id}::uuid, ${now})`;
          emit({ kind: 'SignedUp', userId: id });
          if (attempts <= times) throw Object.assign(new Error('a collision'), { code });
          return attempts;
        });
      expect(await collide(2)).toBe(3);
      expect(await gateway.sql('SELECT kind FROM events WHERE user_id = $1', [id])).toEqual([{ kind: 'SignedUp' }]);
      attempts = 0;
      await gateway.sql('DELETE FROM users WHERE id = $1', [id]);
      await expect(collide(9)).rejects.toThrow('a collision');
      expect(attempts).toBe(3);
    },
  );

  test('has one winner for a conditional write, of fifty at once (D05)', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const answers = await Promise.all(Array.from({ length: 50 }, () => held.client.send(LOG_OUT)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const ends = await gateway.sql("SELECT 1 FROM events WHERE session_id = $1 AND kind = 'SessionEnded'", [
      held.sessionId,
    ]);
    expect(ends).toHaveLength(1);
  });

  test('when it is gone lets nobody in, and nobody stay: a typed fault, no session, and back to work after it (D06)', async () => {
    const folder = await temporaryFolder();
    const log = () => undefined;
    let database = await startEmbeddedDatabase({ dataDir: folder.path, log });
    await migrate(database.url, log);
    const own = spawnGateway({
      DATABASE_URL: database.url,
      POSTERN_DATA_DIR: folder.path,
      POSTERN_PASSWORD_HASH: 'm=64,t=1,p=1',
      POSTERN_EMAIL_VERIFICATION: 'none',
    });
    const url = await own.ready();
    const there = new GraphQLClient(url, {});
    const person = newPerson();
    const held = await signUp(there, person);
    expect((await held.client.send(CURRENT_USER)).result.__typename).toBe('User');

    await database.stop();
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    for (const answer of [await held.client.send(CURRENT_USER), await there.send(LOG_IN, { input: person })]) {
      expect(answer.status).toBe(503);
      expect(answer.text).not.toMatch(/LoggedIn|ada\.|postgres|ECONN|prisma/i);
    }
    expect((await fetch(`${url}/health/ready`)).status).toBe(503);
    expect((await fetch(`${url}/health/live`)).status).toBe(200);

    // Whoever starts it anew finds everything that was acknowledged.
    await own.end('SIGTERM');
    database = await startEmbeddedDatabase({ dataDir: folder.path, log });
    const settings = { DATABASE_URL: database.url, POSTERN_DATA_DIR: folder.path, POSTERN_EMAIL_VERIFICATION: 'none' };
    const next = spawnGateway(settings);
    await logIn(new GraphQLClient(await next.ready(), {}), person);
    await next.end('SIGTERM');
    await database.stop();
    await folder.remove();
  });
});

describe('a fault that nobody catches', () => {
  test('is logged, and the gateway drains and ends with status 1, its database stopped (D07)', async () => {
    const folder = await temporaryFolder();
    const cheap = { POSTERN_PASSWORD_HASH: 'm=64,t=1,p=1', POSTERN_EMAIL_VERIFICATION: 'none' };
    const gatewayProcess = spawnGateway({ POSTERN_DATA_DIR: folder.path, ...cheap }, [
      '--import',
      'data:text/javascript,process.on("SIGUSR2",()=>Promise.reject(new Error("boom")))',
    ]);
    await gatewayProcess.ready();
    expect(await gatewayProcess.end('SIGUSR2')).toBe(1);
    expect(gatewayProcess.output()).toMatch(/"level":"fatal"[^\n]*boom/);
    expect(gatewayProcess.output()).toContain('stopped');
    await folder.remove();
  });
});
