import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { userFieldsOf, writeUserFields } from '../../src/flows/write-user-fields.ts';
import { DELETE_ACCOUNT, eventsOf } from '../support/account.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { connectLive, lastEventId } from '../support/live.ts';
import { type Held, newPerson, SIGN_UP, signUp } from '../support/people.ts';
import { recordStatements } from '../support/statements.ts';
import { newMemberNumber, OWN_FIELDS, USER_FIELDS, write } from '../support/user-fields.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ userFields: USER_FIELDS, env: { POSTERN_RATE_LIMITS: 'off' } });
});
afterAll(() => gateway.stop());

const NOTHING = { phoneNumber: null, organization: null, onboarded: false, memberNumber: null, plan: null };
const somebody = () => signUp(gateway.client(), newPerson());
const own = async ({ client }: Held) => (await client.send(OWN_FIELDS)).result;
const storedOf = async ({ userId }: Held) =>
  (await gateway.sql<{ fields: object }>('SELECT fields FROM users WHERE id = $1', [userId]))[0]?.fields;
const kindsOf = async ({ userId }: Held) => (await eventsOf(gateway, userId)).map(({ kind }) => kind);

describe('a field that its owner writes', () => {
  test('comes with the sign-up, read as it was declared, and is there at once', async () => {
    const input = { ...newPerson(), phoneNumber: ' +1 (202) 555-0123', onboarded: true };
    const client = gateway.client();
    const { result } = await client.send(SIGN_UP, { input });
    expect(result.__typename).toBe('LoggedIn');
    const { token } = result.credential as { token: string };
    expect((await client.bearing(token).send(OWN_FIELDS)).result).toMatchObject({
      ...NOTHING,
      phoneNumber: '+12025550123',
      onboarded: true,
    });
  });

  test('that does not do is refused with its name, beside what else does not', async () => {
    const { result } = await gateway.client().send(SIGN_UP, { input: { email: 'x', phoneNumber: '12' } });
    expect(result).toMatchObject({
      __typename: 'InvalidInput',
      issues: [
        { path: ['email'], code: 'INVALID' },
        { path: ['password'], code: 'REQUIRED' },
        { path: ['phoneNumber'], code: 'INVALID', message: 'This does not have the right form.' },
      ],
    });
    const held = await somebody();
    const refused = await write(held, { name: 'Ada', phoneNumber: 'one' });
    expect(refused.result).toMatchObject({ issues: [{ path: ['phoneNumber'], code: 'INVALID' }] });
    expect(await own(held)).toMatchObject(NOTHING);
  });

  test('is changed by updateProfile: what is left out stays, null takes away, and a default comes back', async () => {
    const held = await somebody();
    await own(held);
    const { result } = await write(held, { name: 'Ada', phoneNumber: '+12025550123', onboarded: true });
    expect(result).toMatchObject({
      __typename: 'ProfileUpdated',
      user: { ...NOTHING, name: 'Ada', phoneNumber: '+12025550123', onboarded: true },
    });
    expect(await own(held)).toMatchObject({ phoneNumber: '+12025550123', onboarded: true });
    await write(held, { phoneNumber: null });
    expect(await own(held)).toMatchObject({ phoneNumber: null, onboarded: true });
    await write(held, { onboarded: null });
    expect(await own(held)).toMatchObject(NOTHING);
    expect(await storedOf(held)).toEqual({});
  });

  test('is announced once for each change, without its value, and not where nothing changes', async () => {
    const held = await somebody();
    const before = await eventsOf(gateway, held.userId);
    await write(held, { phoneNumber: '+12025550124' });
    await write(held, { phoneNumber: '+1 202 555 0124' });
    await write(held, {});
    expect((await eventsOf(gateway, held.userId)).slice(before.length)).toEqual([{ kind: 'ProfileUpdated', data: {} }]);
  });

  test('is told to the open apps with the change', async () => {
    const held = await somebody();
    const following = connectLive(gateway.url, { token: held.token }).follow(
      `subscription Events($after: ID) { sessionEvents(after: $after) {
        __typename ... on AccountChanged { change user { phoneNumber onboarded organization } }
      } }`,
      { after: await lastEventId(held) },
    );
    await write(held, { onboarded: true });
    expect(await following.next()).toEqual({
      __typename: 'AccountChanged',
      change: 'PROFILE_CHANGED',
      user: { phoneNumber: null, onboarded: true, organization: null },
    });
    await writeUserFields(gateway.app, held.userId, { organization: 'Acme' });
    expect(await following.next()).toMatchObject({ user: { onboarded: true, organization: 'Acme' } });
  });

  test('is gone with the account', async () => {
    const held = await somebody();
    await write(held, { phoneNumber: '+12025550125' });
    expect((await held.client.send(DELETE_ACCOUNT)).result.__typename).toBe('AccountDeleted');
    const [{ dump } = { dump: '' }] = await gateway.sql<{ dump: string }>(
      `SELECT (SELECT coalesce(jsonb_agg(u), '[]') FROM users u)::text || (SELECT coalesce(jsonb_agg(e), '[]') FROM events e)::text AS dump`,
    );
    expect(dump).not.toContain('2025550125');
  });

  test('costs no statement to read, beside those of a gateway that has none', async () => {
    const bare = await startGateway();
    try {
      const count = async (at: Gateway, query: string) => {
        const { client } = await signUp(at.client(), newPerson());
        const statements = recordStatements(at);
        const asked = [];
        for (let n = 0; n < 3; n += 1) {
          await client.send(query);
          asked.push(statements.take().length);
        }
        return asked;
      };
      const plain = '{ currentUser { __typename ... on User { id name } } }';
      const [with_, without] = [await count(gateway, OWN_FIELDS), await count(bare, plain)];
      expect(with_).toEqual(without);
      expect(with_.at(-1)).toBe(0);
    } finally {
      await bare.stop();
    }
  });
});

test('a field of any type goes in and comes out as its type', async () => {
  const other = await startGateway({
    userFields: {
      seats: { type: 'Int', write: 'OWNER' },
      ratio: { type: 'Float', write: 'OWNER' },
      since: { type: 'DateTime', write: 'OWNER' },
      reference: { type: 'ID', write: 'OWNER' },
      tags: { type: '[String!]', write: 'OWNER' },
      tier: { type: 'Enum', values: ['FREE', 'PRO'], write: 'OWNER', default: 'FREE' },
    },
  });
  try {
    const held = await signUp(other.client(), newPerson());
    const own = 'seats ratio since reference tags tier';
    const given = {
      seats: 3,
      ratio: 0.5,
      since: '2027-01-01T01:00:00+01:00',
      reference: 7,
      tags: ['a', 'b'],
      tier: 'PRO',
    };
    const read = async () => (await held.client.send(`{ currentUser { __typename ... on User { ${own} } } }`)).result;
    const empty = { seats: null, ratio: null, since: null, reference: null, tags: null, tier: 'FREE' };
    expect(await read()).toMatchObject(empty);
    const document = `mutation W($input: UpdateProfileInput!) {
      updateProfile(input: $input) { __typename ... on ProfileUpdated { user { ${own} } } }
    }`;
    const stored = { ...given, since: '2027-01-01T00:00:00.000Z', reference: '7' };
    expect((await held.client.send(document, { input: given })).result).toMatchObject({ user: stored });
    expect(await read()).toMatchObject(stored);
    // As if they had been declared otherwise then.
    await other.sql(
      `UPDATE users SET fields = '{"seats": "x", "since": "x", "tags": 3, "tier": "GOLD"}' WHERE id = $1`,
      [held.userId],
    );
    await expect.poll(read).toMatchObject(empty);
  } finally {
    await other.stop();
  }
});

describe('a field that its owner does not write', () => {
  const inputs = [
    ['updateProfile', 'UpdateProfileInput', {}],
    ['signUp', 'SignUpInput', { email: 'x@example.com', password: 'long enough a password' }],
    ['completeProviderSignUp', 'CompleteProviderSignUpInput', { loginToken: 'x' }],
  ] as const;
  const fields = [
    ['organization', 'Acme'],
    ['plan', 'PRO'],
  ] as const;

  test.each(
    inputs.flatMap(([name, type, input]) => fields.map(([field, value]) => ({ name, type, input, field, value }))),
  )(
    '$field is no part of $type, whether written out or in the variables',
    async ({ name, type, input, field, value }) => {
      const held = await somebody();
      const document = `mutation M($input: ${type}!) { ${name}(input: $input) { __typename } }`;
      const byVariable = await held.client.send(document, { input: { ...input, [field]: value } });
      expect(byVariable.errors).toHaveLength(1);
      const literal = Object.entries({ ...input, [field]: value }).map(
        ([key, text]) => `${key}: ${JSON.stringify(text)}`,
      );
      const written = await held.client.send(`mutation { ${name}(input: { ${literal.join(', ')} }) { __typename } }`);
      expect(written.errors[0]?.extensions?.code).toBe('GRAPHQL_VALIDATION_FAILED');
      expect(await own(held)).toMatchObject(NOTHING);
    },
  );

  test('is written by the operator’s own code, all of it or nothing, and seen at once on every instance', async () => {
    const another = await gateway.another();
    const held = await somebody();
    const elsewhere = another.client().bearing(held.token);
    await Promise.all([own(held), elsewhere.send(OWN_FIELDS)]);
    const written = await writeUserFields(gateway.app, held.userId, {
      organization: ' Acme ',
      plan: 'PRO',
      onboarded: true,
    });
    const now = { ...NOTHING, organization: 'Acme', plan: 'PRO', onboarded: true };
    expect(written).toEqual({ kind: 'UserFieldsWritten', fields: now });
    expect(await own(held)).toMatchObject(now);
    await expect.poll(async () => (await elsewhere.send(OWN_FIELDS)).result).toMatchObject(now);
    expect(await userFieldsOf(gateway.app, held.userId)).toEqual(now);

    const refused = await writeUserFields(gateway.app, held.userId, { organization: null, plan: 'GOLD', nonsense: 1 });
    expect(refused).toEqual({
      kind: 'InvalidInput',
      issues: [
        { path: ['plan'], code: 'INVALID' },
        { path: ['nonsense'], code: 'NOT_ALLOWED' },
      ],
    });
    expect(await own(held)).toMatchObject(now);
    expect((await kindsOf(held)).filter((kind) => kind === 'ProfileUpdated')).toHaveLength(1);
    const [event] = await gateway.sql(
      `SELECT ip_address, data FROM events WHERE kind = 'ProfileUpdated' AND user_id = $1`,
      [held.userId],
    );
    expect(event).toEqual({ ip_address: null, data: {} });
  });

  test('of nobody is not written', async () => {
    for (const id of ['00000000-0000-4000-8000-000000000000', 'nobody']) {
      expect(await writeUserFields(gateway.app, id, { plan: 'PRO' })).toEqual({ kind: 'NotFound' });
      expect(await userFieldsOf(gateway.app, id)).toBeNull();
    }
  });
});

describe('a field that is unique', () => {
  test('is TAKEN for the second, and free again once the first gives it up', async () => {
    const [first, second] = [await somebody(), await somebody()];
    const memberNumber = newMemberNumber();
    expect((await write(first, { memberNumber })).result).toMatchObject({ user: { memberNumber } });
    expect((await write(first, { memberNumber })).result.__typename).toBe('ProfileUpdated');
    const taken = { __typename: 'InvalidInput', issues: [{ path: ['memberNumber'], code: 'TAKEN' }] };
    expect((await write(second, { memberNumber, onboarded: true })).result).toMatchObject(taken);
    expect(await writeUserFields(gateway.app, second.userId, { memberNumber })).toMatchObject({ kind: 'InvalidInput' });
    expect(await own(second)).toMatchObject(NOTHING);
    await write(first, { memberNumber: null });
    expect((await write(second, { memberNumber })).result).toMatchObject({ user: { memberNumber } });
  });

  test('is one person’s, however many write it at once', async () => {
    // One after the other: so many passwords at once are refused.
    const people: Held[] = [];
    while (people.length < 50) people.push(await somebody());
    const memberNumber = newMemberNumber();
    const answers = await Promise.all(people.map((held) => write(held, { memberNumber })));
    const kinds = answers.map(({ result }) => result.__typename).sort();
    expect(kinds).toEqual([...Array(49).fill('InvalidInput'), 'ProfileUpdated']);
    const [{ count } = { count: 0 }] = await gateway.sql<{ count: number }>(
      `SELECT count(*)::int FROM users WHERE fields ->> 'memberNumber' = $1`,
      [memberNumber],
    );
    expect(count).toBe(1);
  });

  test('is not theirs who looked before somebody else’s was committed', async () => {
    const [first, second] = [await somebody(), await somebody()];
    const memberNumber = newMemberNumber();
    const client = new pg.Client({ connectionString: gateway.databaseUrl });
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query(`UPDATE users SET fields = $1 WHERE id = $2`, [{ memberNumber }, first.userId]);
      let answered = false;
      const answer = write(second, { memberNumber }).finally(() => {
        answered = true;
      });
      const waits = () => gateway.sql(`SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'`);
      while (!answered && (await waits()).length === 0) await pause(10);
      await client.query('COMMIT');
      expect((await answer).result).toMatchObject({ issues: [{ path: ['memberNumber'], code: 'TAKEN' }] });
    } finally {
      await client.end();
    }
  });

  test('is no part of a sign-up, where it would tell whether the one before became an account', async () => {
    const input = { ...newPerson(), memberNumber: newMemberNumber() };
    const { errors } = await gateway.client().send(SIGN_UP, { input });
    expect(errors).toHaveLength(1);
  });
});
