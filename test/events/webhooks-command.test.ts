import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { UsageError } from '../../src/cli/command.ts';
import { webhooks } from '../../src/cli/webhooks.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { newPerson, signUp } from '../support/people.ts';
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

/** Programs start slowly on a machine that is busy. */
const PATIENCE_MS = 120_000;

let gateway: Gateway;
let crm: WebhookReceiver;
let late: WebhookReceiver;

beforeAll(async () => {
  [crm, late] = await Promise.all([startReceiver(), startReceiver()]);
  gateway = await startGateway({
    clock: 'real',
    webhooks: [{ id: 'crm', url: crm.url, secret: crm.secret, events: ['SignedUp', 'LoggedIn', 'RolesChanged'] }],
  });
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([crm.close(), late.close()]);
});

/** Runs the command line beside the running gateway, as an operator does. */
async function postern(...words: string[]) {
  const { PATH = '', HOME = '' } = process.env;
  const env = { PATH, HOME, DATABASE_URL: gateway.databaseUrl };
  const child = spawn(process.execPath, ['dist/cli.js', ...words], { env });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (err += chunk));
  const [status] = (await once(child, 'close')) as [number];
  return { status, out, err };
}

async function untilDelivered(userId: string, subscriber = 'crm'): Promise<void> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const rows = await gateway.sql<{ state: string }>(
      'SELECT state FROM event_deliveries WHERE user_id = $1 AND subscriber = $2',
      [userId, subscriber],
    );
    if (rows.length > 0 && rows.every(({ state }) => state === 'DELIVERED')) return;
    await pause(20);
  }
  throw new Error('it was not delivered');
}

/** Somebody whose events were given up. */
async function givenUp(): Promise<string> {
  const { userId } = await signUp(gateway.client(), newPerson());
  await untilDelivered(userId);
  await gateway.sql(
    `UPDATE event_deliveries SET state = 'FAILED', attempts = 11, last_status = 500, last_error = 'refused'
     WHERE user_id = $1`,
    [userId],
  );
  return userId;
}

const told = (userId: string, receiver = crm) => receiver.of(userId).map(({ type, id }) => [type, id]);

test(
  'list says who is told, and deliveries what became of it, for people and for machines',
  async () => {
    const userId = await givenUp();
    const list = await postern('webhooks', 'list', '--json');
    expect(JSON.parse(list.out)).toMatchObject([{ id: 'crm', pending: 0, failed: 2, goneAt: null }]);
    expect((await postern('webhooks', 'list')).out).toMatch(
      /^crm {2}on {2}0 pending {2}2 failed {2}last 20\S+ {2}\S*SignedUp/,
    );
    const log = await postern('webhooks', 'deliveries', '--endpoint', 'crm', '--state', 'failed', '--json');
    expect(JSON.parse(log.out)).toMatchObject([
      { kind: 'LoggedIn', userId, subscriber: 'crm', state: 'FAILED', attempts: 11, lastStatus: 500 },
      { kind: 'SignedUp', userId, subscriber: 'crm', state: 'FAILED', attempts: 11, lastError: 'refused' },
    ]);
    const lines = (await postern('webhooks', 'deliveries', '--limit', '1')).out.trim().split('\n');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/crm {2}LoggedIn {2}failed {2}11 tries {2}500 {2}refused/);
  },
  PATIENCE_MS,
);

test(
  'replay tells once more what was given up, or one event, in order and under the same ids',
  async () => {
    const userId = await givenUp();
    const [first, second] = told(userId);
    expect((await postern('webhooks', 'replay', '--endpoint', 'crm', '--failed', '--json')).status).toBe(0);
    await crm.until(() => told(userId).length === 4);
    expect(told(userId)).toEqual([first, second, first, second]);
    await untilDelivered(userId);

    const once = await postern('webhooks', 'replay', '--endpoint', 'crm', '--id', String(first?.[1]));
    expect(once.out).toContain('told of 1 event once more');
    await crm.until(() => told(userId).length === 5);
    expect(told(userId).at(-1)).toEqual(first);
  },
  PATIENCE_MS,
);

test(
  'replay after an event reaches what was before the webhook was there, and wakes one that was gone',
  async () => {
    const { userId } = await signUp(gateway.client(), newPerson());
    const [before] = await gateway.sql<{ id: string }>(`SELECT min(id) - 1 AS id FROM events WHERE user_id = $1`, [
      userId,
    ]);
    const other = await startGatewayWith(late);
    await gateway.sql(`UPDATE event_subscribers SET gone_at = now() WHERE id = 'late'`);
    expect((await postern('webhooks', 'list')).out).toMatch(/^late {2}gone since /m);
    const { out } = await postern('webhooks', 'replay', '--endpoint', 'late', '--after', String(before?.id), '--json');
    expect(JSON.parse(out)).toEqual({ endpoint: 'late', replayed: 2 });
    await late.until(() => told(userId, late).length === 2);
    expect(told(userId, late)).toEqual(told(userId));
    await other.stop();
  },
  PATIENCE_MS,
);

/** Another gateway on the same database that knows one more webhook. */
function startGatewayWith(receiver: WebhookReceiver): Promise<Gateway> {
  const webhooks = [{ id: 'late', url: receiver.url, secret: receiver.secret, events: ['SignedUp', 'LoggedIn'] }];
  return gateway.another({ POSTERN_WEBHOOKS: JSON.stringify(webhooks) });
}

test(
  'what the command line does is told by the gateway that runs',
  async () => {
    const { userId } = await signUp(gateway.client(), newPerson());
    await postern('users', 'roles', userId, 'staff');
    const { data } = await crm.until(() => crm.of(userId).find(({ type }) => type === 'RolesChanged'));
    expect(data).toMatchObject({ roles: ['staff'], ipAddress: null });
  },
  PATIENCE_MS,
);

const given = (words: string[], values: Record<string, string> = {}, ...flags: string[]) => ({
  words,
  values,
  flags: new Set(flags),
});

test.each([
  ['nothing', given([]), 'say what to do'],
  ['another word', given(['ring']), 'say what to do'],
  ['nobody', given(['replay'], {}, 'failed'), 'say to whom'],
  ['no events', given(['replay'], { endpoint: 'crm' }), 'say what'],
  ['two kinds of events', given(['replay'], { endpoint: 'crm', id: '7' }, 'failed'), 'say what'],
  ['a word for an id', given(['replay'], { endpoint: 'crm', id: 'seven' }), 'is no id of an event'],
  ['another state', given(['deliveries'], { state: 'lost' }), 'is no state'],
  ['a limit of none', given(['deliveries'], { limit: '0' }), 'is no number'],
  ['what is for another word', given(['list'], {}, 'failed'), '--failed is not for list'],
])('%s is not understood, and opens no database', (_what, line, why) => {
  expect(() => webhooks.run(line)).toThrow(UsageError);
  expect(() => webhooks.run(line)).toThrow(why);
});

test(
  'a webhook that nobody knows is none',
  async () => {
    const { status, err } = await postern('webhooks', 'replay', '--endpoint', 'nobody', '--failed');
    expect([status, err]).toEqual([1, expect.stringContaining('Nobody is called nobody; there are')]);
  },
  PATIENCE_MS,
);
