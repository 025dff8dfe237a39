import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventsOf } from '../support/account.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { REVOKE_OTHER_SESSIONS, REVOKE_SESSION } from '../support/live.ts';
import {
  CURRENT_SESSION,
  CURRENT_USER,
  type Held,
  ISSUE_ACCESS_TOKEN,
  LOG_IN,
  LOG_OUT,
  logIn,
  newPerson,
  signUp,
} from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

describe('currentUser', () => {
  test('is nobody without a credential, and says why', async () => {
    const { result } = await gateway.client().send(CURRENT_USER);
    expect(result).toEqual({
      __typename: 'Unauthenticated',
      reason: 'NO_CREDENTIAL',
      message: 'You are not signed in.',
    });
  });

  test('tells everything that the person may know of themselves', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const { result } = await held.client.send(CURRENT_USER);
    expect(result).toEqual({
      __typename: 'User',
      id: held.userId,
      createdAt: gateway.clock().toISOString(),
      lastLoginAt: gateway.clock().toISOString(),
      displayName: person.email.split('@')[0],
      name: null,
      username: null,
      email: person.email,
      emailVerified: false,
      roles: [],
      hasPassword: true,
      hasMfa: false,
    });
  });

  test('shows at once what changed elsewhere: a factor, a role, an address', async () => {
    const held = await signUp(gateway.client(), newPerson());
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ hasMfa: false, roles: [] });
    await gateway.sql(
      "INSERT INTO authenticators (id, user_id, kind, data, created_at) VALUES (gen_random_uuid(), $1, 'TOTP', '{}', now())",
      [held.userId],
    );
    await gateway.sql("UPDATE users SET roles = '{admin}', name = 'Ada' WHERE id = $1", [held.userId]);
    await gateway.sql('UPDATE emails SET verified_at = now() WHERE user_id = $1', [held.userId]);
    await expect
      .poll(async () => (await held.client.send(CURRENT_USER)).result)
      .toMatchObject({ hasMfa: true, roles: ['admin'], displayName: 'Ada', emailVerified: true });
  });

  test('has no factor with recovery codes alone', async () => {
    const held = await signUp(gateway.client(), newPerson());
    await gateway.sql(
      "INSERT INTO authenticators (id, user_id, kind, data, created_at) VALUES (gen_random_uuid(), $1, 'RECOVERY_CODE', '{}', now())",
      [held.userId],
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await held.client.send(CURRENT_USER)).result.hasMfa).toBe(false);
  });
});

describe('currentSession', () => {
  test('tells how it came to be, and until when it lasts', async () => {
    const client = gateway.client({ 'user-agent': 'Ada’s'.replace('’', "'") });
    const held = await signUp(client, newPerson());
    const at = gateway.clock();
    gateway.clock.advance(60_000);
    const { result } = await held.client.send(CURRENT_SESSION);
    expect(result).toEqual({
      __typename: 'Session',
      id: held.sessionId,
      current: true,
      createdAt: at.toISOString(),
      lastSeenAt: gateway.clock().toISOString(),
      expiresAt: new Date(at.getTime() + 30 * 86_400_000).toISOString(),
      credential: 'SESSION_TOKEN',
      ipAddress: client.headers['x-forwarded-for'],
      userAgent: "Ada's",
      methods: [{ method: 'PASSWORD', at: at.toISOString(), provider: null }],
      freshUntil: new Date(at.getTime() + 15 * 60_000).toISOString(),
    });
    gateway.clock.advance(15 * 60_000);
    expect((await held.client.send(CURRENT_SESSION)).result.freshUntil).toBeNull();
  });
});

describe('User.sessions', () => {
  const SESSIONS = 'query { currentUser { ... on User { sessions { id current credential } } } }';

  test('lists what is not over, the newest first, and marks the one that asks', async () => {
    const person = newPerson();
    const first = await signUp(gateway.client(), person);
    gateway.clock.advance(1_000);
    const second = await logIn(gateway.client(), person, 'COOKIE');
    gateway.clock.advance(1_000);
    const third = await logIn(gateway.client(), person, 'JWT');
    await first.client.send(LOG_OUT);
    const { result } = await second.client.send(SESSIONS);
    expect(result.sessions).toEqual([
      { id: third.sessionId, current: false, credential: 'JWT' },
      { id: second.sessionId, current: true, credential: 'COOKIE' },
    ]);
  });

  test("never lists anybody else's", async () => {
    const held = await signUp(gateway.client(), newPerson());
    await signUp(gateway.client(), newPerson());
    expect((await held.client.send(SESSIONS)).result.sessions).toHaveLength(1);
  });
});

describe('logInWithPassword', () => {
  test('marks the new session as the current one in its answer', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const { result } = await gateway.client().send(
      `mutation ($input: LogInWithPasswordInput!) { logInWithPassword(input: $input) {
        ... on LoggedIn { session { id current } trustedDeviceToken user { sessions { id current } } } } }`,
      { input: person },
    );
    const { session, user } = result as unknown as {
      session: { id: string };
      user: { sessions: { id: string; current: boolean }[] };
    };
    expect(result).toMatchObject({ session: { current: true }, trustedDeviceToken: null });
    expect(user.sessions.filter(({ current }) => current)).toEqual([{ id: session.id, current: true }]);
  });

  test('takes the cookie away where a token takes its place, so that the two never meet in one request', async () => {
    const person = newPerson();
    const browser = await signUp(gateway.client(), person, 'COOKIE');
    const answer = await browser.client.send(LOG_IN, { input: person });
    expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(/^postern=; .*Expires=Thu, 01 Jan 1970/)]);
    expect((await browser.client.send(CURRENT_USER)).result.reason).toBe('REVOKED');
  });
});

describe('logOut', () => {
  test('ends the session and takes the cookie away', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const answer = await held.client.send(LOG_OUT);
    expect(answer.result).toEqual({ __typename: 'LoggedOut', sessionId: held.sessionId });
    expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(/^postern=; /)]);
    expect(answer.headers.get('clear-site-data')).toBe('"cache", "storage"');
    expect((await held.client.send(LOG_OUT)).result).toEqual({ __typename: 'Unauthenticated', reason: 'REVOKED' });
  });
});

describe('issueAccessToken', () => {
  test.each(['COOKIE', 'SESSION_TOKEN', 'JWT'] as const)(
    'gives a JWT to a session that is held as %s',
    async (kind) => {
      const held = await signUp(gateway.client(), newPerson(), kind);
      const { result } = await held.client.send(ISSUE_ACCESS_TOKEN);
      expect(result.__typename).toBe('AccessTokenIssued');
      expect((await gateway.client().bearing(String(result.accessToken)).send(CURRENT_USER)).result.id).toBe(
        held.userId,
      );
    },
  );

  test('gives none to nobody', async () => {
    expect((await gateway.client().send(ISSUE_ACCESS_TOKEN)).result).toEqual({
      __typename: 'Unauthenticated',
      reason: 'NO_CREDENTIAL',
    });
  });
});

describe('authConfig', () => {
  test('tells what a client can offer', async () => {
    const { result } = await gateway
      .client()
      .send(
        '{ authConfig { signUpOpen signUp loginIdentifiers emailVerification loginCodes passkeyLogin passkeySignUp passwordMinLength } }',
      );
    expect(result).toEqual({
      signUpOpen: true,
      signUp: 'OPEN',
      loginIdentifiers: ['EMAIL'],
      emailVerification: 'NONE',
      loginCodes: true,
      passkeyLogin: true,
      passkeySignUp: false,
      passwordMinLength: 8,
    });
  });
});

describe('revokeSession', () => {
  test('ends a session of the same person, wherever it is, and no other', async () => {
    const person = newPerson();
    const [held, other, third] = [
      await signUp(gateway.client(), person),
      await logIn(gateway.client(), person, 'JWT'),
      await logIn(gateway.client(), person, 'COOKIE'),
    ];
    const revoke = () => held.client.send(REVOKE_SESSION, { input: { id: other.sessionId } });
    expect((await revoke()).result).toEqual({ __typename: 'SessionRevoked', id: other.sessionId });
    expect((await revoke()).result).toEqual({ __typename: 'NotFound' });
    expect((await other.client.send(CURRENT_USER)).result).toMatchObject({ reason: 'REVOKED' });
    for (const { client } of [held, third]) expect((await client.send(CURRENT_USER)).result.id).toBe(held.userId);
    expect(await eventsOf(gateway, held.userId)).toContainEqual({ kind: 'SessionEnded', data: { reason: 'REVOKED' } });
  });

  test('ends the own one as well', async () => {
    const held = await signUp(gateway.client(), newPerson());
    await held.client.send(REVOKE_SESSION, { input: { id: held.sessionId } });
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ reason: 'REVOKED' });
  });

  // Defence: the sessions that are looked through are those of the viewer.
  test('does not tell a session of somebody else from none (S07)', async () => {
    const [held, victim] = [await signUp(gateway.client(), newPerson()), await signUp(gateway.client(), newPerson())];
    const answers = new Set<string>();
    for (const id of [victim.sessionId, crypto.randomUUID(), victim.userId, '', "' OR 1=1", '1'])
      answers.add((await held.client.send(REVOKE_SESSION, { input: { id } })).text);
    expect([...answers]).toEqual(['{"data":{"revokeSession":{"__typename":"NotFound"}}}']);
    expect((await victim.client.send(CURRENT_USER)).result.id).toBe(victim.userId);
  });

  // Defence: freshlySignedIn.
  test('asks for a fresh proof, and so does revokeOtherSessions (S06)', async () => {
    const person = newPerson();
    const [held, other] = [await signUp(gateway.client(), person), await logIn(gateway.client(), person)];
    gateway.clock.advance(16 * 60_000);
    const expected = { __typename: 'ReauthenticationRequired', methods: ['PASSWORD'] };
    const input = { id: other.sessionId };
    expect((await held.client.send(REVOKE_SESSION, { input })).result).toEqual(expected);
    expect((await held.client.send(REVOKE_OTHER_SESSIONS)).result).toEqual(expected);
    expect((await other.client.send(CURRENT_USER)).result.id).toBe(held.userId);
  });
});

describe('revokeOtherSessions', () => {
  test('ends all but the one that asks, and says how many there were', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const others = [
      await logIn(gateway.client(), person, 'JWT'),
      await logIn(gateway.client(), person, 'COOKIE'),
      await logIn(gateway.client(), person),
    ];
    await others[2]?.client.send(LOG_OUT);
    expect((await held.client.send(REVOKE_OTHER_SESSIONS)).result).toEqual({ __typename: 'SessionsRevoked', count: 2 });
    expect((await held.client.send(REVOKE_OTHER_SESSIONS)).result).toEqual({ __typename: 'SessionsRevoked', count: 0 });
    for (const { client } of others)
      expect((await client.send(CURRENT_USER)).result).toMatchObject({ reason: 'REVOKED' });
    expect((await held.client.send(CURRENT_USER)).result.id).toBe(held.userId);
  });

  // Defence: lockViewer, which makes one wait for the other and then looks again.
  test('of two sessions that end each other at once, one is left', async () => {
    const person = newPerson();
    const two = [await signUp(gateway.client(), person), await logIn(gateway.client(), person)];
    await Promise.all(two.map(({ client }) => client.send(REVOKE_OTHER_SESSIONS)));
    const alive = await Promise.all(two.map(async ({ client }) => (await client.send(CURRENT_USER)).result.__typename));
    expect(alive.sort()).toEqual(['Unauthenticated', 'User']);
  });
});

describe('securityEvents', () => {
  const TRAIL = `query Trail($first: Int, $after: ID) { currentUser { ... on User { securityEvents(first: $first, after: $after) {
    nodes { id at kind ipAddress userAgent } endCursor hasNextPage
  } } } }`;
  interface Trail {
    readonly nodes: readonly { id: string; kind: string; ipAddress: string | null; userAgent: string | null }[];
    readonly endCursor: string | null;
    readonly hasNextPage: boolean;
  }
  const trailOf = async (held: Held, page = {}) => (await held.client.send(TRAIL, page)).result.securityEvents as Trail;

  test('tell what happened, the newest first, and from where', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client({ 'user-agent': 'Loom' }), person);
    await gateway
      .client({ 'x-forwarded-for': '203.0.113.7' })
      .send(LOG_IN, { input: { ...person, password: 'wrong one' } });
    const { nodes, hasNextPage } = await trailOf(held);
    expect(nodes.map(({ kind }) => kind)).toEqual(['LoginFailed', 'LoggedIn', 'SignedUp']);
    expect(nodes[0]).toMatchObject({ ipAddress: '203.0.113.7' });
    expect(nodes[1]).toMatchObject({ userAgent: 'Loom' });
    expect(hasNextPage).toBe(false);
  });

  test('come in pages, each event once, in the order of numbers and not of their digits', async () => {
    const held = await signUp(gateway.client(), newPerson());
    await gateway.sql(
      "INSERT INTO events (at, kind, user_id, data) SELECT now(), 'ProfileUpdated', $1, '{}' FROM generate_series(1, 120)",
      [held.userId],
    );
    const ids: bigint[] = [];
    for (let after: string | null = null, more = true; more; ) {
      const page: Trail = await trailOf(held, { first: 50, after });
      ids.push(...page.nodes.map(({ id }) => BigInt(id)));
      after = page.endCursor;
      more = page.hasNextPage;
    }
    expect(ids).toHaveLength(122);
    expect(ids.every((id, at) => at === 0 || id < (ids[at - 1] ?? 0n))).toBe(true);
  });

  // Defence: isOf of src/records/events.ts.
  test('have no page of an impossible size, nor after an event of somebody else', async () => {
    const [held, other] = [await signUp(gateway.client(), newPerson()), await signUp(gateway.client(), newPerson())];
    const foreign = (await trailOf(other)).endCursor;
    const codesOf = async (page: object) =>
      (await held.client.send(TRAIL, { ...page })).errors.map(({ extensions }) => extensions?.code);
    for (const first of [0, -1, 101]) expect(await codesOf({ first })).toEqual(['INVALID_PAGE_SIZE']);
    for (const after of [foreign, 'x', '']) expect(await codesOf({ after })).toEqual(['INVALID_CURSOR']);
  });
});
