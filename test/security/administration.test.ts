import { randomUUID } from 'node:crypto';
import { GraphQLUnionType, getNamedType } from 'graphql';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { DELETE_ACCOUNT, eventsOf } from '../support/account.ts';
import {
  ACTS,
  CREATE_USER,
  DELETE_USER,
  DISABLE_USER,
  giveRoles,
  INVITE_USER,
  LOOKS,
  newAdministrator,
  REQUIRE_PASSWORD_CHANGE,
  RESET_USER_FACTORS,
  SET_USER_ROLES,
  trailOf,
  USER,
  USERS,
} from '../support/administration.ts';
import type { GraphQLClient } from '../support/client.ts';
import { enrollTotp, totpHolder } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { connectLive } from '../support/live.ts';
import { REAUTHENTICATE } from '../support/passwords.ts';
import { ISSUE_ACCESS_TOKEN, LOG_IN, logIn, newPerson, signUp } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

const ALL = { ...LOOKS, ...ACTS };

/** How each operation answers somebody, about a person who exists. */
async function answersTo(client: GraphQLClient, id: string, operations: typeof ALL = ALL) {
  const answers: Record<string, string> = {};
  for (const [field, operation] of Object.entries(operations))
    answers[field] = (await client.send(...operation(id))).result.__typename;
  return answers;
}

const allAre = (name: string, operations: typeof ALL = ALL) =>
  Object.fromEntries(Object.keys(operations).map((field) => [field, name]));

/** That nothing happened to somebody. */
async function expectUntouched(userId: string): Promise<void> {
  const [row] = await gateway.sql('SELECT roles, disabled_at FROM users WHERE id = $1', [userId]);
  expect(row).toEqual({ roles: [], disabled_at: null });
  expect((await eventsOf(gateway, userId)).map(({ kind }) => kind)).toEqual(['SignedUp', 'LoggedIn']);
}

// Defence: asAdministrator and asFreshAdministrator before every one of these.
describe('what administrators do', () => {
  test('is every field of the schema that asks for one', () => {
    const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
    const asking = roots
      .flatMap((root) => Object.values(root?.getFields() ?? {}))
      .filter(({ type }) => {
        const union = getNamedType(type);
        return union instanceof GraphQLUnionType && union.getTypes().some(({ name }) => name === 'NotAdministrator');
      });
    expect(asking.map(({ name }) => name).sort()).toEqual(Object.keys(ALL).sort());
  });

  test('nobody does who is not signed in', async () => {
    const victim = await signUp(gateway.client(), newPerson());
    expect(await answersTo(gateway.client(), victim.userId)).toEqual(allAre('Unauthenticated'));
    await expectUntouched(victim.userId);
  });

  test('nobody does without the role, and they learn nothing of whether somebody exists', async () => {
    const [victim, person] = [await signUp(gateway.client(), newPerson()), await signUp(gateway.client(), newPerson())];
    await giveRoles(gateway, person, ['administrator', 'Admin', 'staff']);
    expect(await answersTo(person.client, victim.userId)).toEqual(allAre('NotAdministrator'));
    await expectUntouched(victim.userId);
    for (const [field, operation] of Object.entries(ACTS)) {
      const texts = await Promise.all(
        [victim.userId, randomUUID(), person.userId, 'x'].map(async (id) => {
          const { text } = await person.client.send(...operation(id));
          return text;
        }),
      );
      expect(new Set(texts).size, field).toBe(1);
    }
  });

  test('nobody does whose proof is old, but look', async () => {
    const [victim, admin] = [await signUp(gateway.client(), newPerson()), await newAdministrator(gateway)];
    gateway.clock.advance(16 * 60_000);
    expect(await answersTo(admin.client, victim.userId, ACTS)).toEqual(allAre('ReauthenticationRequired', ACTS));
    await expectUntouched(victim.userId);
    expect((await admin.client.send(USERS)).result.__typename).toBe('AccountConnection');
  });

  test('nobody does who has a second factor and has not just shown it', async () => {
    const admin = await totpHolder(gateway);
    await giveRoles(gateway, admin, ['admin']);
    const victim = await signUp(gateway.client(), newPerson());
    gateway.clock.advance(16 * 60_000);
    const again = await admin.client.send(REAUTHENTICATE, { input: { proof: { password: admin.person.password } } });
    // A password is not even asked for any more; if it did, it would not be enough.
    expect(again.result.__typename).toBeDefined();
    const { result } = await admin.client.send(DISABLE_USER, { input: { id: victim.userId } });
    expect(result).toMatchObject({ __typename: 'ReauthenticationRequired', methods: ['TOTP', 'RECOVERY_CODE'] });
    await expectUntouched(victim.userId);
  });

  test('nobody does who is disabled, or whose role was just taken, over HTTP or a socket', async () => {
    const victim = await signUp(gateway.client(), newPerson());
    const [boss, demoted, disabled] = await Promise.all([0, 1, 2].map(() => newAdministrator(gateway)));
    if (!boss || !demoted || !disabled) throw new Error('there are three');
    const lives = [demoted, disabled].map(({ token }) => connectLive(gateway.url, { token }));
    for (const live of lives) expect(await live.send(USERS)).toMatchObject({ __typename: 'AccountConnection' });
    await boss.client.send(SET_USER_ROLES, { input: { id: demoted.userId, roles: ['staff'] } });
    await boss.client.send(DISABLE_USER, { input: { id: disabled.userId } });
    expect(await answersTo(demoted.client, victim.userId)).toEqual(allAre('NotAdministrator'));
    expect(await answersTo(disabled.client, victim.userId)).toEqual(allAre('Unauthenticated'));
    for (const operation of Object.values(ALL))
      expect(await lives[0]?.send(...operation(victim.userId))).toMatchObject({ __typename: 'NotAdministrator' });
    expect(await lives[1]?.closed).toMatchObject({ code: 4403 });
    lives[0]?.dispose();
    await expectUntouched(victim.userId);
  });

  test('nobody does by a JWT that other services get to see, nor by one of somebody who lost the role', async () => {
    const victim = await signUp(gateway.client(), newPerson());
    const admin = await newAdministrator(gateway);
    const { result } = await admin.client.send(ISSUE_ACCESS_TOKEN);
    const service = gateway.client().bearing(String(result.accessToken));
    expect(await answersTo(service, victim.userId)).toEqual(allAre('ReauthenticationRequired'));
    // Who holds their session as a JWT looks, and changes once they have proven anew who they are.
    const holder = await logIn(gateway.client(), admin.person, 'JWT');
    expect(await answersTo(holder.client, victim.userId, ACTS)).toEqual(allAre('ReauthenticationRequired', ACTS));
    expect((await holder.client.send(USERS)).result.__typename).toBe('AccountConnection');
    await giveRoles(gateway, holder, []);
    expect(await answersTo(holder.client, victim.userId)).toEqual(allAre('NotAdministrator'));
    await expectUntouched(victim.userId);
  });

  test('nobody does who must have a second factor and has none, however the role came', async () => {
    const own = await startGateway({ env: { POSTERN_MFA_REQUIRED: 'role:admin' } });
    const admin = await newAdministrator(own);
    expect((await admin.client.send(USERS)).result).toMatchObject({
      __typename: 'ReauthenticationRequired',
      methods: [],
    });
    const { result } = await admin.client.send(DISABLE_USER, { input: { id: admin.userId } });
    expect(result.__typename).toBe('ReauthenticationRequired');
    await own.sql('UPDATE emails SET verified_at = now()');
    await enrollTotp(own, admin.client);
    expect((await admin.client.send(USERS)).result.__typename).toBe('AccountConnection');
    await own.stop();
  });

  test('nobody does where administration is off', async () => {
    const own = await startGateway({ env: { POSTERN_ADMIN_ROLES: 'off' } });
    const admin = await newAdministrator(own);
    expect(await answersTo(admin.client, admin.userId)).toEqual(allAre('NotAdministrator'));
    await own.stop();
  });
});

// Defence: lockAdministrator, which looks once more under the lock.
test.each([
  ['the role', "UPDATE users SET roles = '{staff}' WHERE id = $1", 'NotAdministrator'],
  [
    'the session',
    "UPDATE sessions SET ended_at = now(), end_reason = 'REVOKED' WHERE user_id = (SELECT id FROM users WHERE id = $1 FOR UPDATE)",
    'Unauthenticated',
  ],
])('an act that waits is not done once %s is gone', async (_what, statement, expected) => {
  const [victim, admin] = [await signUp(gateway.client(), newPerson()), await newAdministrator(gateway)];
  const hand = new pg.Client({ connectionString: gateway.databaseUrl });
  await hand.connect();
  await hand.query('BEGIN');
  await hand.query(statement, [admin.userId]);
  // At the door they are an administrator still.
  const acting = admin.client.send(DISABLE_USER, { input: { id: victim.userId } });
  await untilSomebodyWaits(gateway);
  await hand.query('COMMIT');
  await hand.end();
  expect((await acting).result.__typename).toBe(expected);
  await expectUntouched(victim.userId);
});

async function untilSomebodyWaits({ sql }: Gateway, count = 1): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    const rows = await sql(
      "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
    );
    if (rows.length >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('nobody waits');
}

// Defence: users.isLastWith, and the lock that it takes.
describe('the last administrator', () => {
  test.each([
    ['disable', (id: string) => [DISABLE_USER, { input: { id } }] as const],
    ['delete', (id: string) => [DELETE_USER, { input: { id } }] as const],
    ['take the role from', (id: string) => [SET_USER_ROLES, { input: { id, roles: ['staff'] } }] as const],
  ])('stays, of two who %s each other or themselves at once', async (_what, act) => {
    const own = await startGateway();
    const [ada, grace] = [await newAdministrator(own), await newAdministrator(own)];
    const answers = await Promise.all([
      ada.client.send(...act(grace.userId)),
      grace.client.send(...act(ada.userId)),
      ada.client.send(...act(ada.userId)),
      grace.client.send(...act(grace.userId)),
    ]);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const left = await own.sql("SELECT id FROM users WHERE roles @> '{admin}' AND disabled_at IS NULL");
    expect(left).toHaveLength(1);
    const last = [ada, grace].find(({ userId }) => userId === left[0]?.id);
    for (const [operation, variables] of [act(last?.userId ?? ''), [DELETE_ACCOUNT, {}] as const])
      expect((await last?.client.send(operation, variables))?.result.__typename).toBe('LastAdministrator');
    expect(await own.sql("SELECT id FROM users WHERE roles @> '{admin}' AND disabled_at IS NULL")).toEqual(left);
    await own.stop();
  });

  // Defence: the lock of users.isLastWith. Each locks nobody but themselves.
  test('stays, of two who give up their own role at the same moment', async () => {
    const own = await startGateway();
    const both = [await newAdministrator(own), await newAdministrator(own)];
    for (const { client } of both) await client.send(INVITE_USER, { input: { email: newPerson().email, roles: [] } });
    const hand = new pg.Client({ connectionString: own.databaseUrl });
    await hand.connect();
    await hand.query('BEGIN');
    // What they invited to goes with their role: so both come as far as that.
    await hand.query('SELECT 1 FROM invitations FOR UPDATE');
    const giving = both.map(({ client, userId }) => client.send(SET_USER_ROLES, { input: { id: userId, roles: [] } }));
    await untilSomebodyWaits(own, 2);
    await hand.query('COMMIT');
    await hand.end();
    const kinds = (await Promise.all(giving)).map(({ result }) => result.__typename);
    expect(kinds.sort()).toEqual(['LastAdministrator', 'UserAdministered']);
    await own.stop();
  });
});

describe('what is told', () => {
  test('says who did it in both trails, and to the person nothing of where the administrator is', async () => {
    const agent = 'a secret browser of the office';
    const person = await totpHolder(gateway);
    const admin = await newAdministrator(gateway);
    const client = admin.client.with({ 'user-agent': agent, 'x-forwarded-for': '198.51.100.77' });
    const input = { id: person.userId };
    await gateway.mails.rest(person.person.email);
    await client.send(RESET_USER_FACTORS, { input });
    await client.send(REQUIRE_PASSWORD_CHANGE, { input });
    await client.send(SET_USER_ROLES, { input: { ...input, roles: ['staff'] } });
    await client.send(DISABLE_USER, { input });
    const theirs = trailOf((await client.send(USER, { id: person.userId })).result);
    const by = admin.userId;
    expect(theirs.filter(({ data }) => 'by' in data)).toEqual([
      expect.objectContaining({ kind: 'AccountDisabled', data: { by } }),
      expect.objectContaining({ kind: 'RolesChanged', data: { by, roles: ['staff'] } }),
      expect.objectContaining({ kind: 'PasswordChangeDemanded', data: { by } }),
      expect.objectContaining({ kind: 'FactorsReset', data: { by, factors: ['TOTP', 'RECOVERY_CODE'] } }),
    ]);
    expect(JSON.stringify(theirs)).not.toMatch(/office|198\.51/);
    const own = trailOf((await client.send(USER, { id: admin.userId })).result);
    const acts = own.filter(({ kind }) => kind === 'AdministratorActed');
    expect(acts.map(({ data }) => data.action)).toEqual([
      'DISABLE_USER',
      'SET_ROLES',
      'REQUIRE_PASSWORD_CHANGE',
      'RESET_FACTORS',
    ]);
    expect(acts.every(({ ipAddress, userAgent }) => ipAddress === '198.51.100.77' && userAgent === agent)).toBe(true);
    const mails = await gateway.mails.rest(person.person.email);
    expect(mails.map(({ subject }) => subject).sort()).toEqual([
      'Your password has to be changed',
      'Your second factors were removed',
    ]);
    expect(JSON.stringify(mails)).not.toMatch(/office|198\.51/);
  });

  test('stays in the trail of who deleted somebody, of whom nothing stays but that', async () => {
    const person = await signUp(gateway.client(), newPerson());
    const admin = await newAdministrator(gateway);
    const { result } = await admin.client.send(DELETE_USER, { input: { id: person.userId } });
    expect(result).toMatchObject({ __typename: 'UserDeleted', userId: person.userId });
    expect((await admin.client.send(USER, { id: person.userId })).result.__typename).toBe('NotFound');
    const acts = (await eventsOf(gateway, admin.userId)).filter(({ kind }) => kind === 'AdministratorActed');
    expect(acts).toEqual([{ kind: 'AdministratorActed', data: { action: 'DELETE_USER', subjectId: person.userId } }]);
    expect((await eventsOf(gateway, person.userId)).every(({ data }) => Object.keys(data).length === 0)).toBe(true);
  });
});

describe('an administrator', () => {
  test('does not get around what their own factors ask for', async () => {
    const admin = await newAdministrator(gateway);
    const { result } = await admin.client.send(RESET_USER_FACTORS, { input: { id: admin.userId } });
    expect(result.__typename).toBe('OwnAccount');
    const { result: shouted } = await admin.client.send(RESET_USER_FACTORS, {
      input: { id: admin.userId.toUpperCase() },
    });
    expect(shouted.__typename).toBe('OwnAccount');
  });

  test('is counted before the work, however many at once, and nobody else for them', async () => {
    const own = await startGateway({
      env: { POSTERN_RATE_LIMITS: '{"changePerAdministrator":"3/15m","lookUpPerAdministrator":"2/15m"}' },
    });
    const [admin, other] = [await newAdministrator(own), await newAdministrator(own)];
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        admin.client.send(INVITE_USER, { input: { email: newPerson().email, roles: [] } }),
      ),
    );
    const invited = answers.filter(({ result }) => result.__typename === 'UserInvited');
    expect(invited).toHaveLength(3);
    expect(await own.sql('SELECT 1 FROM invitations')).toHaveLength(3);
    const looks = await Promise.all(Array.from({ length: 5 }, () => admin.client.send(USERS)));
    expect(looks.filter(({ result }) => result.__typename === 'RateLimited')).toHaveLength(3);
    expect((await other.client.send(USERS)).result.__typename).toBe('AccountConnection');
    await own.stop();
  });

  test('gives a first password that is good for one login, which asks for another', async () => {
    const admin = await newAdministrator(gateway);
    const person = newPerson();
    const { result } = await admin.client.send(CREATE_USER, { input: { ...person, emailVerified: true } });
    expect(result.__typename).toBe('UserCreated');
    expect((await gateway.client().send(LOG_IN, { input: person })).result).toMatchObject({
      __typename: 'PasswordChangeRequired',
      reason: 'ADMINISTRATOR',
    });
  });

  test('gets to see no secret', async () => {
    const admin = await newAdministrator(gateway);
    const person = await totpHolder(gateway);
    const { text } = await admin.client.send(USER, { id: person.userId });
    const rows = await gateway.sql<{ row: string }>(
      "SELECT p.hash AS row FROM passwords p UNION ALL SELECT encode(token_hash, 'hex') FROM sessions WHERE token_hash IS NOT NULL",
    );
    for (const { row } of rows) expect(text).not.toContain(row);
    for (const secret of [person.secret, ...person.recoveryCodes, person.token]) expect(text).not.toContain(secret);
  });
});
