import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ADD_EMAIL,
  DELETE_ACCOUNT,
  REMOVE_PHONE,
  SET_PHONE,
  SET_PRIMARY_EMAIL,
  UPDATE_PROFILE,
} from '../support/account.ts';
import { SoftwareAuthenticator } from '../support/authenticator.ts';
import type { Answer, GraphQLClient } from '../support/client.ts';
import {
  AUTHENTICATORS,
  BEGIN_PASSKEY,
  BEGIN_TOTP,
  CONFIRM_PASSKEY,
  CONFIRM_TOTP,
  enrollPasskey,
  FORGET_TRUSTED_DEVICES,
  GENERATE_RECOVERY_CODES,
  totpCode,
  verifiedPerson,
} from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { BEGIN_REAUTHENTICATION } from '../support/passwords.ts';
import { CURRENT_USER, LOG_IN, logIn } from '../support/people.ts';

// Calls that come at the same moment are made to meet: all of them wait for the row of their person, in this order.

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ sms: true, env: { POSTERN_LOGIN_IDENTIFIERS: 'email,phone' } });
});
afterAll(() => gateway.stop());

/** Lets calls pile up behind the row of a person, and then go. */
async function meeting(userId: string, calls: readonly (() => Promise<Answer>)[]): Promise<Answer[]> {
  const holder = new pg.Client({ connectionString: gateway.databaseUrl });
  await holder.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM users WHERE id = $1 FOR UPDATE', [userId]);
    const answers: Promise<Answer>[] = [];
    for (const call of calls) {
      answers.push(call());
      await untilWaiting(answers.length);
    }
    await holder.query('COMMIT');
    return await Promise.all(answers);
  } finally {
    await holder.end();
  }
}

async function untilWaiting(count: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const rows = await gateway.sql(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    if (rows.length >= count) return;
    await pause(10);
  }
  throw new Error(`${count} calls were to wait`);
}

async function begunTotp(client: GraphQLClient): Promise<() => Promise<Answer>> {
  const { result } = await client.send(BEGIN_TOTP, { input: {} });
  const { handle, secret } = result as unknown as { handle: string; secret: string };
  return () => client.send(CONFIRM_TOTP, { input: { handle, code: totpCode(secret, gateway.clock()) } });
}

test('a login by password beside the first factor does not get past it (M14: the lock before the stages)', async () => {
  for (const credential of ['SESSION_TOKEN', 'JWT']) {
    const { client, person, userId } = await verifiedPerson(gateway);
    const [confirmed, login] = await meeting(userId, [
      await begunTotp(client),
      () => gateway.client().send(LOG_IN, { input: { ...person, credential } }),
    ]);
    expect(confirmed?.result.__typename).toBe('TotpEnabled');
    expect(login?.result.__typename).toBe('MfaRequired');
  }
});

test('another session gets no recovery codes beside the first factor (M10, M11: lockFactorFresh)', async () => {
  const { client, person, userId } = await verifiedPerson(gateway);
  const other = await logIn(gateway.client(), person);
  const [confirmed, ...others] = await meeting(userId, [
    await begunTotp(client),
    () => other.client.send(GENERATE_RECOVERY_CODES),
    () => other.client.send(BEGIN_PASSKEY, { input: {} }),
    () => other.client.send(FORGET_TRUSTED_DEVICES),
  ]);
  expect(confirmed?.result.__typename).toBe('TotpEnabled');
  expect(others.map(({ result }) => result.__typename)).toEqual(Array(3).fill('Unauthenticated'));
});

test.each([
  ['addEmail', ADD_EMAIL, { email: 'late@ada.example' }],
  ['setPrimaryEmail', SET_PRIMARY_EMAIL, { id: '00000000-0000-4000-8000-000000000000' }],
  ['setPhone', SET_PHONE, { phone: '+4930123456' }],
  ['removePhone', REMOVE_PHONE, undefined],
  ['updateProfile', UPDATE_PROFILE, { name: 'Eve' }],
  ['deleteAccount', DELETE_ACCOUNT, undefined],
] as const)(
  'a session that ended while its %s waited changes nothing more (lockViewer)',
  async (_name, query, input) => {
    const { client, person, userId } = await verifiedPerson(gateway);
    const other = await logIn(gateway.client(), person);
    // The first factor ends the other session.
    const [confirmed, late] = await meeting(userId, [
      await begunTotp(client),
      () => other.client.send(query, input ? { input } : {}),
    ]);
    expect(confirmed?.result.__typename).toBe('TotpEnabled');
    expect(late?.result.__typename).toBe('Unauthenticated');
  },
);

test('of several apps that are confirmed together one is added (the lock before hasTotp)', async () => {
  const { client, userId } = await verifiedPerson(gateway);
  const begun = [await begunTotp(client), await begunTotp(client), await begunTotp(client)];
  const answers = await meeting(userId, begun);
  expect(answers.map(({ result }) => result.__typename)).toEqual(['TotpEnabled', 'AlreadyEnabled', 'AlreadyEnabled']);
  const { result } = await client.send(AUTHENTICATORS);
  expect(result.authenticators).toMatchObject([{ __typename: 'TotpAuthenticator' }, { __typename: 'RecoveryCodes' }]);
});

test('twenty passkeys are the most, also where many are begun before (MAX_PASSKEYS at the end)', async () => {
  const { client, userId } = await verifiedPerson(gateway);
  await enrollPasskey(client);
  await gateway.sql(
    `INSERT INTO authenticators (id, user_id, kind, credential_id, data, created_at)
     SELECT gen_random_uuid(), user_id, kind, credential_id || n, data, created_at
     FROM authenticators, generate_series(1, 18) n WHERE user_id = $1 AND kind = 'PASSKEY'`,
    [userId],
  );
  const begin = async () => {
    const { result } = await client.send(BEGIN_PASSKEY, { input: {} });
    const response = new SoftwareAuthenticator().create(result.options);
    return () => client.send(CONFIRM_PASSKEY, { input: { handle: result.handle, response } });
  };
  const answers = await meeting(userId, [await begin(), await begin()]);
  expect(answers.map(({ result }) => result.__typename)).toEqual(['PasskeyAdded', 'EnrollmentRefused']);
});

test('who leaves begins no proof any more, and nothing breaks (lockEnabled)', async () => {
  const { client, userId } = await verifiedPerson(gateway);
  await enrollPasskey(client);
  const answers = await meeting(userId, [
    () => client.send(DELETE_ACCOUNT),
    () => client.send(BEGIN_REAUTHENTICATION, { input: { method: 'PASSKEY' } }),
  ]);
  expect(answers.map(({ status, result }) => [status, result.__typename])).toEqual([
    [200, 'AccountDeleted'],
    [200, 'Unauthenticated'],
  ]);
  expect((await client.send(CURRENT_USER)).result.__typename).toBe('Unauthenticated');
});
