import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { LOG_IN, logIn, newPerson, SIGN_UP, signUp } from '../support/people.ts';
import { startReceiver, verify, WEBHOOK_SECRET, type WebhookReceiver } from '../support/webhook-receiver.ts';

let gateway: Gateway;
let crm: WebhookReceiver;
let audit: WebhookReceiver;

beforeAll(async () => {
  [crm, audit] = await Promise.all([startReceiver(), startReceiver()]);
  gateway = await startGateway({
    webhooks: [
      { id: 'crm', url: crm.url, secret: crm.secret, events: ['SignedUp', 'LoggedIn', 'LoginFailed', 'SessionEnded'] },
      { id: 'audit', url: audit.url, secret: [OLD_SECRET, audit.secret], events: 'all' },
    ],
  });
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([crm.close(), audit.close()]);
});
beforeEach(() => {
  crm.reply(() => 204);
  audit.reply(() => 204);
});

const OLD_SECRET = `whsec_${Buffer.from('the one before, which is still known').toString('base64')}`;
const HOUR = 3_600_000;

interface Row {
  readonly state: string;
  readonly attempts: number;
  readonly last_status: number | null;
  readonly last_error: string | null;
  readonly next_at: Date;
}

function logOf(userId: string, subscriber = 'crm'): Promise<(Row & { kind: string })[]> {
  return gateway.sql(
    `SELECT e.kind, d.state, d.attempts, d.last_status, d.last_error, d.next_at FROM event_deliveries d JOIN events e ON e.id = event_id
     WHERE d.user_id = $1 AND subscriber = $2 ORDER BY event_id`,
    [userId, subscriber],
  );
}

/** Waits until the log of a person says so. */
async function untilLog(userId: string, says: (rows: Row[]) => boolean, subscriber = 'crm'): Promise<Row[]> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const rows = await logOf(userId, subscriber);
    if (rows.length > 0 && says(rows)) return rows;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`the log says ${JSON.stringify(await logOf(userId, subscriber))}`);
}

/** Whether so many attempts were made, and none is under way: for that one would be taken on for 30 seconds. */
const wasTried = (row: Row | undefined, attempts: number) =>
  row?.attempts === attempts && row.next_at.getTime() !== gateway.clock().getTime() + 30_000;

const types = (received: readonly { type: string }[]) => received.map(({ type }) => type);
const isDelivered = ({ state }: Row) => state === 'DELIVERED';

test('an event arrives as Standard Webhooks have it: id, timestamp, signature, and a body of type, timestamp and data', async () => {
  const { userId, sessionId } = await signUp(gateway.client({ 'user-agent': 'a browser' }), newPerson());
  const message = await crm.until(() => crm.of(userId).find(({ type }) => type === 'LoggedIn'));
  expect(message.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'postern' });
  expect(message.id).toBe(`evt_${message.data.id}`);
  expect(message.timestamp).toBe(gateway.clock().toISOString());
  expect(message.data).toEqual({
    id: expect.stringMatching(/^\d+$/),
    userId,
    sessionId,
    methods: [{ method: 'PASSWORD', at: expect.any(String) }],
    newDevice: false,
    ipAddress: expect.stringMatching(/^10\./),
    userAgent: 'a browser',
  });
  expect(verify(message, crm.secret)).toEqual(JSON.parse(message.body));
  expect(() => verify({ ...message, body: message.body.replace('LoggedIn', 'SignedUp') }, crm.secret)).toThrow();
  expect(() => verify(message, OLD_SECRET)).toThrow();
});

test('while secrets are rotated each of them signs, so that either verifies', async () => {
  const { userId } = await signUp(gateway.client(), newPerson());
  const message = await audit.until(() => audit.of(userId)[0]);
  expect(message.headers['webhook-signature']?.split(' ')).toHaveLength(2);
  verify(message, OLD_SECRET);
  verify(message, WEBHOOK_SECRET);
});

test('an endpoint is told of what it asked for, and of nothing else', async () => {
  const { userId, client } = await signUp(gateway.client(), newPerson());
  await client.send('mutation { updateProfile(input: { name: "Ada" }) { __typename } }');
  await audit.until(() => audit.of(userId).some(({ type }) => type === 'ProfileUpdated'));
  await untilLog(userId, (rows) => rows.every(isDelivered));
  expect(types(crm.of(userId))).toEqual(['SignedUp', 'LoggedIn']);
});

test('what fails is tried again under the same id, and holds back what comes after it for the same person, and nobody else', async () => {
  const person = newPerson();
  const { userId } = await signUp(gateway.client(), person);
  await untilLog(userId, (rows) => rows.length === 2 && rows.every(isDelivered));
  crm.reply(({ type, data }) => (data.userId === userId && type === 'LoginFailed' ? 500 : 204));
  await gateway.client().send(LOG_IN, { input: { ...person, password: 'not it', credential: 'COOKIE' } });
  await crm.until(() => crm.of(userId).length === 3);
  await logIn(gateway.client(), person);
  const other = await signUp(gateway.client(), newPerson());
  await crm.until(() => crm.of(other.userId).length === 2);
  await untilLog(userId, ([, , third]) => wasTried(third, 1));

  // As long as it fails, nothing that came later is told, however often it is tried.
  for (let attempts = 2; attempts <= 4; attempts += 1) {
    gateway.clock.advance(HOUR);
    await untilLog(userId, ([, , third]) => wasTried(third, attempts));
  }
  expect(types(crm.of(userId))).toEqual(['SignedUp', 'LoggedIn', ...Array(4).fill('LoginFailed')]);
  expect(
    new Set(
      crm
        .of(userId)
        .slice(2)
        .map(({ id }) => id),
    ).size,
  ).toBe(1);
  crm.reply(() => 204);
  gateway.clock.advance(HOUR);
  await untilLog(userId, (rows) => rows.every(isDelivered));
  expect(types(crm.of(userId)).slice(-2)).toEqual(['LoginFailed', 'LoggedIn']);
});

test('after eleven attempts over more than a day it is given up, and what comes after it is told', async () => {
  crm.reply(({ type }) => (type === 'SignedUp' ? 503 : 204));
  const given = await signUp(gateway.client(), newPerson());
  for (let attempts = 1; attempts <= 11; attempts += 1) {
    await untilLog(given.userId, ([first]) => wasTried(first, attempts));
    gateway.clock.advance(attempts < 6 ? HOUR : 11 * HOUR);
  }
  const [first, second] = await untilLog(given.userId, (rows) => rows[1]?.state === 'DELIVERED');
  expect(first).toMatchObject({ state: 'FAILED', attempts: 11, last_status: 503, last_error: 'refused' });
  expect(second).toMatchObject({ attempts: 1 });
  expect(gateway.logs.filter((line) => line.includes('given up') && line.includes('"crm"'))).not.toEqual([]);
});

test.each([
  [301, 'it redirects'],
  [302, 'it redirects'],
  [307, 'it redirects'],
  [400, 'refused'],
  [404, 'refused'],
])('an answer of %i is a failure, and a redirect is not followed', async (status, why) => {
  crm.reply(() => (response) => {
    response.writeHead(status, { location: audit.url.replace('/hook', '/elsewhere') }).end();
  });
  const before = audit.received.length;
  const { userId } = await signUp(gateway.client(), newPerson());
  const [first] = await untilLog(userId, ([row]) => row?.last_status === status);
  expect(first).toMatchObject({ state: 'PENDING', attempts: 1, last_error: why });
  await untilLog(userId, (rows) => rows.every(isDelivered), 'audit');
  expect(audit.received.slice(before).every(({ data }) => data.userId === userId)).toBe(true);
});

test('an answer without an end is as good as its head, and is not read', async () => {
  let written = 0;
  let closed = false;
  crm.reply(() => (response) => {
    response.writeHead(200);
    const chunk = Buffer.alloc(2 ** 20);
    const more = () => {
      while (!response.destroyed && response.write(chunk)) written += chunk.length;
    };
    response.on('drain', more);
    response.on('close', () => {
      closed = true;
    });
    more();
  });
  const { userId } = await signUp(gateway.client(), newPerson());
  await untilLog(userId, (rows) => rows.every(isDelivered));
  await crm.until(() => closed);
  expect(written).toBeLessThan(64 * 2 ** 20);
});

test('a server that does not answer costs ten seconds, and nobody else anything', async () => {
  crm.reply(() => () => undefined);
  const { userId } = await signUp(gateway.client(), newPerson());
  await crm.until(() => crm.of(userId).length === 1);
  const other = await signUp(gateway.client(), newPerson());
  await untilLog(other.userId, (rows) => rows.every(isDelivered), 'audit');
  const [first] = await untilLog(userId, ([row]) => row?.last_error !== null);
  expect(first).toMatchObject({ state: 'PENDING', attempts: 1, last_status: null, last_error: 'no answer in time' });
});

test('a server that asks for a pause gets one, for all that it is told', async () => {
  crm.reply(() => (response) => response.writeHead(429, { 'retry-after': '7200' }).end());
  const { userId } = await signUp(gateway.client(), newPerson());
  await untilLog(userId, ([row]) => row?.last_status === 429);
  crm.reply(() => 204);
  const other = await signUp(gateway.client(), newPerson());
  gateway.clock.advance(HOUR);
  await untilLog(other.userId, (rows) => rows.every(isDelivered), 'audit');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(crm.of(other.userId)).toEqual([]);
  gateway.clock.advance(2 * HOUR);
  await untilLog(other.userId, (rows) => rows.every(isDelivered));
  await untilLog(userId, (rows) => rows.every(isDelivered));
});

test('a server that is gone (410) is told nothing more until a gateway starts again, and then all of it', async () => {
  crm.reply(() => 410);
  const { userId } = await signUp(gateway.client(), newPerson());
  await crm.until(() => crm.of(userId).length === 1);
  while ((await gateway.sql('SELECT 1 FROM event_subscribers WHERE gone_at IS NOT NULL')).length === 0)
    await new Promise((resolve) => setTimeout(resolve, 20));
  crm.reply(() => 204);
  gateway.clock.advance(30 * HOUR);
  const other = await signUp(gateway.client(), newPerson());
  await untilLog(other.userId, (rows) => rows.every(isDelivered), 'audit');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(crm.of(other.userId)).toEqual([]);
  const started = await gateway.another();
  await untilLog(other.userId, (rows) => rows.every(isDelivered));
  await untilLog(userId, (rows) => rows.every(isDelivered));
  expect(types(crm.of(userId))).toEqual(['SignedUp', 'SignedUp', 'LoggedIn']);
  await started.stop();
});

test('two instances tell each thing once, in order for each person', async () => {
  const second = await gateway.another();
  const people = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const person = newPerson();
      const held = await signUp(gateway.client(), person);
      for (const each of [second, gateway, second, gateway]) await logIn(each.client(), person);
      return held.userId;
    }),
  );
  for (const userId of people) {
    await untilLog(userId, (rows) => rows.every(isDelivered));
    const ids = crm.of(userId).map(({ data }) => Number(data.id));
    expect(ids).toHaveLength(6);
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
  }
  await second.stop();
});

test('what somebody else writes into the table of events is told as well', async () => {
  const { userId } = await signUp(gateway.client(), newPerson());
  await gateway.sql(
    `INSERT INTO events (at, kind, user_id, data) VALUES ($2, 'RolesChanged', $1, '{"roles":["staff"],"by":null}')`,
    [userId, gateway.clock()],
  );
  const message = await audit.until(() => audit.of(userId).find(({ type }) => type === 'RolesChanged'));
  expect(message.data).toMatchObject({ userId, roles: ['staff'], ipAddress: null, userAgent: null });
});

test('whoever is told of sign-ups has a row for one that was in vain too: else the time would tell it (TELLTALE)', async () => {
  const hook = await startReceiver();
  const webhooks = [{ id: 'crm', url: hook.url, secret: hook.secret, events: ['SignedUp'] }] as const;
  const strict = await startGateway({ webhooks, env: { POSTERN_EMAIL_VERIFICATION: 'mandatory' } });
  const person = newPerson();
  const signUpOnce = async () => {
    await strict.client().send(SIGN_UP, { input: { ...person, credential: 'SESSION_TOKEN' } });
    await strict.sql('UPDATE emails SET verified_at = now()');
    return (await strict.sql('SELECT 1 FROM event_deliveries')).length;
  };
  expect(await signUpOnce()).toBe(1);
  expect(await signUpOnce()).toBe(2);
  await hook.until(() => hook.received.length > 0);
  while ((await strict.sql(`SELECT 1 FROM event_deliveries WHERE state = 'PENDING'`)).length > 0)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(types(hook.received)).toEqual(['SignedUp']);
  await strict.stop();
  await hook.close();
});

test('what was not told of somebody by the time they are gone is told no more, but that they are gone', async () => {
  crm.reply(() => 500);
  audit.reply(() => 500);
  const { userId, client } = await signUp(gateway.client(), newPerson());
  await untilLog(userId, ([row]) => row?.last_status === 500, 'audit');
  await client.send('mutation { deleteAccount { __typename } }');
  audit.reply(() => 204);
  const before = audit.of(userId).length;
  gateway.clock.advance(HOUR);
  await audit.until(() => audit.of(userId).some(({ type }) => type === 'AccountDeleted'));
  const told = audit.of(userId).slice(before);
  expect(types(told)).toEqual(['SignedUp', 'SessionEnded', 'AccountDeleted']);
  expect(told[1]?.data).toMatchObject({ reason: 'ACCOUNT_DELETED', ipAddress: null, userAgent: null });
  expect((await logOf(userId, 'audit')).find(({ kind }) => kind === 'LoggedIn')).toMatchObject({ state: 'SKIPPED' });
});
