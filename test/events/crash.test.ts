import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { GraphQLClient } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { logIn, newPerson, signUp } from '../support/people.ts';
import { type GatewayProcess, spawnGateway } from '../support/process.ts';
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

let database: TestDatabase;
let receiver: WebhookReceiver;
let pool: pg.Pool;
const running: GatewayProcess[] = [];

beforeAll(async () => {
  [database, receiver] = await Promise.all([createDatabase(inject('templateUrl')), startReceiver()]);
  pool = new pg.Pool({ connectionString: database.url, max: 1 });
});
afterAll(async () => {
  await Promise.all(running.map(({ end }) => end('SIGTERM')));
  await Promise.all([pool.end(), receiver.close()]);
  await database.drop();
});

async function start(): Promise<{ gateway: GatewayProcess; client: GraphQLClient }> {
  const gateway = spawnGateway({
    DATABASE_URL: database.url,
    POSTERN_SECRET: 'one secret that every instance of this test knows',
    POSTERN_PASSWORD_HASH: 'm=64,t=1,p=1',
    POSTERN_RATE_LIMITS: 'off',
    POSTERN_EMAIL_VERIFICATION: 'none',
    POSTERN_WEBHOOKS: JSON.stringify([
      { id: 'crm', url: receiver.url, secret: receiver.secret, events: ['SignedUp', 'LoggedIn'] },
    ]),
  });
  running.push(gateway);
  return { gateway, client: new GraphQLClient(await gateway.ready(), {}) };
}

test('what a gateway has not delivered when it is killed is delivered by the next one, in order, and what it had not finished once more', async () => {
  const first = await start();
  // Taken, and never answered: all that it delivers is under way when it is killed.
  receiver.reply(() => () => undefined);
  const people = await Promise.all(
    Array.from({ length: 12 }, async () => {
      const person = newPerson();
      const { userId } = await signUp(first.client, person);
      await logIn(first.client, person);
      return userId;
    }),
  );
  await receiver.until(() => receiver.received.length > 0);
  await first.gateway.end('SIGKILL');
  running.pop();
  const lost = new Set(receiver.received.map(({ id }) => id));
  const before = receiver.received.length;
  receiver.reply(() => 204);

  await start();
  const left = async () =>
    (await pool.query(`SELECT 1 FROM event_deliveries WHERE state <> 'DELIVERED' LIMIT 1`)).rows.length;
  for (const end = Date.now() + 90_000; (await left()) > 0 && Date.now() < end; )
    await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await left()).toBe(0);
  const told = receiver.received.slice(before);
  for (const userId of people) {
    const types = told.filter(({ data }) => data.userId === userId).map(({ type }) => type);
    expect(types).toEqual(['SignedUp', 'LoggedIn', 'LoggedIn']);
  }
  expect(told.map(({ id }) => id)).toEqual(expect.arrayContaining([...lost]));
}, 150_000);
