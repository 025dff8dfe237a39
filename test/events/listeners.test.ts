import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, expectTypeOf, test } from 'vitest';
import type { Listeners } from '../../src/deliveries/index.ts';
import type { AnnouncedEvent } from '../../src/events.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { CURRENT_USER, logIn, newPerson, signUp } from '../support/people.ts';

let gateway: Gateway;
let told: AnnouncedEvent[] = [];
let act: (event: AnnouncedEvent) => unknown = () => undefined;

const listeners: Listeners = {
  async SignedUp(event) {
    expectTypeOf(event.kind).toEqualTypeOf<'SignedUp'>();
    await act(event);
    told.push(event);
  },
  SessionEnded: ({ reason }) => expectTypeOf(reason).toBeString(),
  all: async (event) => {
    if (event.kind === 'SignedUp') return;
    await act(event);
    told.push(event);
  },
};

beforeAll(async () => {
  gateway = await startGateway({ listeners });
});
afterAll(() => gateway.stop());
beforeEach(() => {
  told = [];
  act = () => undefined;
});

const of = (userId: string) => told.filter((event) => event.userId === userId);

async function until(look: () => unknown | Promise<unknown>): Promise<void> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    if (await look()) return;
    await pause(20);
  }
  throw new Error(`it did not come about; told are ${told.map(({ kind }) => kind)}`);
}

async function rowOf(userId: string, kind: string) {
  const [row] = await gateway.sql<{ state: string; attempts: number; last_error: string | null; next_at: Date }>(
    `SELECT d.state, d.attempts, d.last_error, d.next_at FROM event_deliveries d JOIN events e ON e.id = d.event_id
     WHERE d.user_id = $1 AND e.kind = $2 AND subscriber = 'listeners'`,
    [userId, kind],
  );
  return row;
}

/** Whether an attempt has failed, and the next one is not under way. */
async function hasFailed(userId: string, kind: string, attempts: number): Promise<boolean> {
  const row = await rowOf(userId, kind);
  const underWay = row?.next_at.getTime() === gateway.clock().getTime() + 30_000;
  return row?.attempts === attempts && !underWay && row.last_error !== null;
}

test('listeners are told once it is committed, in order, with who, when and where from', async () => {
  const held = await signUp(gateway.client({ 'user-agent': 'a browser' }), newPerson());
  await until(() => of(held.userId).length === 2);
  const { userId, sessionId } = held;
  const always = { id: expect.stringMatching(/^\d+$/), at: gateway.clock(), userAgent: 'a browser', userId };
  expect(of(userId)).toMatchObject([
    { ...always, kind: 'SignedUp' },
    { ...always, kind: 'LoggedIn', sessionId, methods: [{ method: 'PASSWORD' }], newDevice: false },
  ]);
  expect(of(userId)[0]?.ipAddress).toMatch(/^10\./);
});

test('a listener that throws is called again, with what comes after it for the same person, and is in nobody’s way', async () => {
  const person = newPerson();
  let failing: string | null = null;
  let failures = 0;
  act = (event) => {
    failing ??= event.userId;
    if (event.userId === failing && failures++ < 2) throw new TypeError(`no address of ${person.email}`);
  };
  const held = await signUp(gateway.client(), person);
  await until(() => hasFailed(held.userId, 'SignedUp', 1));
  expect((await held.client.send(CURRENT_USER)).result.__typename).toBe('User');
  const other = await signUp(gateway.client(), newPerson());
  await until(() => of(other.userId).length === 2);
  expect(of(held.userId)).toEqual([]);
  // What it was about is for the log of the operator, not for the table.
  expect(await rowOf(held.userId, 'SignedUp')).toMatchObject({ state: 'PENDING', last_error: 'TypeError' });
  gateway.clock.advance(60_000);
  await until(() => hasFailed(held.userId, 'SignedUp', 2));
  gateway.clock.advance(60_000);
  await until(() => of(held.userId).length === 2);
  expect(of(held.userId).map(({ kind }) => kind)).toEqual(['SignedUp', 'LoggedIn']);
});

test('a listener that hangs counts as failed after ten seconds, and nobody waits for it', async () => {
  const person = newPerson();
  let calls = 0;
  act = () => (calls++ === 0 ? new Promise(() => undefined) : undefined);
  const held = await signUp(gateway.client(), person);
  await logIn(gateway.client(), person);
  await until(() => hasFailed(held.userId, 'SignedUp', 1));
  expect(await rowOf(held.userId, 'SignedUp')).toMatchObject({ last_error: 'no answer in time' });
  gateway.clock.advance(60_000);
  await until(() => of(held.userId).length === 3);
});

test('what was not told by an instance that stops is told by the next', async () => {
  const first = await gateway.another();
  let calls = 0;
  act = () => (calls++ === 0 ? new Promise(() => undefined) : undefined);
  const held = await signUp(first.client(), newPerson());
  await until(() => calls === 1);
  await first.stop();
  // Either instance may have had it: of the one that stops it is given back, the other one waits for ten seconds.
  await until(() => {
    gateway.clock.advance(60_000);
    return of(held.userId).length >= 2;
  });
  expect(new Set(of(held.userId).map(({ kind }) => kind))).toEqual(new Set(['SignedUp', 'LoggedIn']));
});

test('a gateway without listeners writes no row for anybody', async () => {
  const bare = await startGateway();
  await signUp(bare.client(), newPerson());
  expect(await bare.sql('SELECT 1 FROM event_deliveries')).toEqual([]);
  expect(await bare.sql('SELECT 1 FROM event_subscribers')).toEqual([]);
  await bare.stop();
});
