import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HookAccessToken, Hooks } from '../../src/hooks.ts';
import type { GraphQLClient } from '../support/client.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { introspect, SERVICES } from '../support/introspect.ts';
import {
  CURRENT_USER,
  type Held,
  ISSUE_ACCESS_TOKEN,
  LOG_IN,
  logIn,
  newPerson,
  type Person,
  REFRESH,
  signUp,
} from '../support/people.ts';

type Decide = NonNullable<Hooks['accessTokenClaims']>;
const GOOD: Decide = ({ person }) => ({ org: `org of ${person.userId}`, plan: { seats: 3 } });

let gateway: Gateway;
let decide: Decide = GOOD;
let asked: HookAccessToken[] = [];
beforeAll(async () => {
  const accessTokenClaims: Decide = (token) => {
    asked.push(token);
    return decide(token);
  };
  gateway = await startGateway({ env: SERVICES, hooks: { accessTokenClaims } });
});
afterAll(() => gateway.stop());
beforeEach(() => {
  [decide, asked] = [GOOD, []];
});

const issue = async (client: GraphQLClient) => String((await client.send(ISSUE_ACCESS_TOKEN)).result.accessToken);
const refresh = (client: GraphQLClient, held: Held) =>
  client.send(REFRESH, { input: { refreshToken: held.refreshToken } });

describe('what the hook says', () => {
  test('stands in every access token: of a login, of a refresh, of issueAccessToken, and in an introspection', async () => {
    const person = newPerson();
    const session = await signUp(gateway.client(), person);
    await gateway.sql(`UPDATE users SET roles = '{clerk}' WHERE id = $1`, [session.userId]);
    const held = await logIn(gateway.client(), person, 'JWT');
    const { credential } = (await refresh(held.client, held)).result as unknown as {
      credential: { accessToken: string };
    };
    const tokens = [held.token, credential.accessToken, await issue(held.client), await issue(session.client)];
    const extra = { org: `org of ${held.userId}`, plan: { seats: 3 } };
    for (const token of tokens) {
      expect(decodeJwt(token)).toMatchObject({ ...extra, sub: held.userId, amr: ['pwd'] });
      expect((await held.client.bearing(token).send(CURRENT_USER)).result).toMatchObject({
        __typename: 'User',
        id: held.userId,
      });
    }
    for (const token of [...tokens, session.token])
      expect((await introspect(gateway, { token })).body).toMatchObject({ active: true, ...extra });
    expect(asked[0]).toEqual({
      person: { userId: held.userId, email: person.email, roles: ['clerk'], fields: {} },
      session: { id: held.sessionId, createdAt: gateway.clock(), authenticatedAt: gateway.clock(), methods: ['pwd'] },
    });
  });

  test('may be nothing', async () => {
    const plain = ['amr', 'aud', 'auth_time', 'exp', 'iat', 'iss', 'jti', 'sid', 'sub'];
    for (const nothing of [null, undefined, {}]) {
      decide = () => nothing;
      const { token } = await signUp(gateway.client(), newPerson(), 'JWT');
      expect(Object.keys(decodeJwt(token)).sort()).toEqual(plain);
    }
  });

  test('may fill 4 KiB, and the token is still one that Postern takes', async () => {
    decide = () => ({ a: 'x'.repeat(4_088) });
    const { token, client } = await signUp(gateway.client(), newPerson(), 'JWT');
    expect(token.length).toBeLessThan(8 * 1024);
    expect((await client.send(CURRENT_USER)).result.__typename).toBe('User');
  });
});

/** Ways to decide nothing that a token could carry, and what the log says of each. */
const FAILING: readonly (readonly [string, Decide, RegExp])[] = [
  [
    'throws',
    () => {
      throw Object.assign(new Error('the other database is away'), { code: '40001' });
    },
    /accessTokenClaims failed: the other database is away/,
  ],
  ['rejects', () => Promise.reject(new Error('no')), /accessTokenClaims failed: no/],
  ['throws what is no error', () => Promise.reject('x'), /accessTokenClaims failed/],
  ['gives a text', (() => 'admin') as unknown as Decide, /accessTokenClaims gave no object/],
  ['gives a list', (() => ['admin']) as unknown as Decide, /accessTokenClaims gave no object/],
  ['gives no JSON', () => ({ since: new Date() }), /accessTokenClaims gave claims that are no JSON/],
  ['gives too much', () => ({ a: 'x'.repeat(5_000) }), /accessTokenClaims gave claims of more than 4 KiB/],
  ['says whose the token is', () => ({ sub: 'somebody else' }), /accessTokenClaims gave the claim sub/],
  ['says how long it lasts', () => ({ exp: 1e10 }), /accessTokenClaims gave the claim exp/],
  ['hangs', () => new Promise(() => undefined), /accessTokenClaims took longer than 2 s/],
];

describe.each(FAILING)('a hook that %s', (_how, failing, told) => {
  test('gets nobody a token, takes nothing from anybody, and is named in the log (extraClaims)', async () => {
    const person: Person = newPerson();
    const session = await signUp(gateway.client(), person);
    const held = await logIn(gateway.client(), person, 'JWT');
    const live = async () =>
      (await gateway.sql('SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL', [held.userId])).length;
    expect(await live()).toBe(2);
    decide = failing;
    asked = [];
    const before = gateway.logs.length;
    const answers = await Promise.all([
      gateway.client().send(LOG_IN, { input: { ...person, credential: 'JWT' } }),
      refresh(held.client, held),
      session.client.send(ISSUE_ACCESS_TOKEN),
    ]);
    for (const answer of answers) {
      expect(answer.status).toBeGreaterThanOrEqual(500);
      expect(answer.text).not.toMatch(/ey[A-Za-z0-9_-]{20}|accessTokenClaims|away|somebody else/);
    }
    for (const token of [session.token, held.token]) {
      expect(await introspect(gateway, { token })).toMatchObject({
        status: 503,
        body: { error: 'temporarily_unavailable' },
      });
    }
    // Once each: a failure of the operator's is not tried again, as a collision in the database is.
    expect(asked).toHaveLength(5);
    const lines = gateway.logs.slice(before).map((line) => JSON.parse(line));
    expect(lines.filter(({ level, err }) => level === 'error' && told.test(err.message))).toHaveLength(5);
    expect(await live()).toBe(2);

    decide = GOOD;
    // The refresh token was not used up, nor the session harmed.
    expect((await refresh(held.client, held)).result.__typename).toBe('SessionTokensRefreshed');
    expect((await session.client.send(CURRENT_USER)).result.__typename).toBe('User');
  });
});

test('a login that is held otherwise asks the hook nothing', async () => {
  decide = () => Promise.reject(new Error('no'));
  for (const kind of ['COOKIE', 'SESSION_TOKEN'] as const) await signUp(gateway.client(), newPerson(), kind);
  expect(asked).toEqual([]);
});

test('a refresh asks it before its transaction: while it decides, no connection is held', async () => {
  const held = await signUp(gateway.client(), newPerson(), 'JWT');
  let idle = -1;
  decide = async () => {
    const [row] = await gateway.sql<{ open: number }>(
      `SELECT count(*)::int AS open FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`,
    );
    idle = row?.open ?? -1;
    return {};
  };
  expect((await refresh(held.client, held)).result.__typename).toBe('SessionTokensRefreshed');
  expect(idle).toBe(0);
});
