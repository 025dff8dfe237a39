import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { ISSUE_ACCESS_TOKEN, LOG_OUT, newPerson, signUp } from '../support/people.ts';
import { exchange, wire } from './raw.ts';

const HASURA = 'https://hasura.io/jwt/claims';
const MINUTE = 60_000;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_HASURA: 'on' } });
});
afterAll(() => gateway.stop());

type Shown = Record<string, unknown>;

async function read(response: Response) {
  return { status: response.status, headers: response.headers, body: await response.json() };
}
const byGet = async (headers: Shown) =>
  read(await fetch(`${gateway.url}/hasura`, { headers: headers as Record<string, string> }));
const byPost = async (headers: unknown) =>
  post(JSON.stringify({ headers, request: { query: '{ a }', variables: null } }));
const post = async (body: string) =>
  read(await fetch(`${gateway.url}/hasura`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }));

async function somebody(roles: readonly string[] = []) {
  const held = await signUp(gateway.client(), newPerson());
  if (roles.length === 0) return held;
  await gateway.sql('UPDATE users SET roles = $2 WHERE id = $1', [held.userId, roles]);
  const current = async () =>
    (await byGet({ authorization: `Bearer ${held.token}`, 'x-hasura-role': roles[0] })).status;
  await expect.poll(current, { timeout: 2_000, interval: 10 }).toBe(200);
  return held;
}

test('a JWT carries the claims that Hasura asks for', async () => {
  const { client, userId } = await somebody(['clerk', 'user']);
  const { accessToken } = (await client.send(ISSUE_ACCESS_TOKEN)).result as unknown as { accessToken: string };
  expect(decodeJwt(accessToken)[HASURA]).toEqual({
    'x-hasura-default-role': 'user',
    'x-hasura-allowed-roles': ['user', 'clerk'],
    'x-hasura-user-id': userId,
  });
});

describe.each([
  ['GET', byGet],
  ['POST', byPost],
] as const)('the webhook by %s', (_method, ask) => {
  test('says who asks, by either header and by a JWT, for the next seconds', async () => {
    const held = await somebody();
    const { accessToken } = (await held.client.send(ISSUE_ACCESS_TOKEN)).result as unknown as { accessToken: string };
    for (const shown of [
      { Authorization: `Bearer ${held.token}` },
      { AUTHORIZATION: `bearer ${accessToken}` },
      { 'x-Session-TOKEN': held.token },
    ]) {
      const { status, headers, body } = await ask({ ...shown, 'X-Other': 'x' });
      expect({ status, body }).toEqual({
        status: 200,
        body: { 'X-Hasura-User-Id': held.userId, 'X-Hasura-Role': 'user' },
      });
      expect(headers.get('cache-control')).toBe('private, max-age=30');
      const until = new Date(gateway.clock().getTime() + 30_000);
      expect(headers.get('expires')).toBe(until.toUTCString());
    }
  });

  test('gives the role that is asked for, if it is one of theirs (hasuraRoles)', async () => {
    const clerk = await somebody(['clerk']);
    const shown = { authorization: `Bearer ${clerk.token}` };
    const roleOf = async (role: string) =>
      (await ask({ ...shown, 'X-HASURA-Role': role })).body['X-Hasura-Role'] ?? 'refused';
    expect(await roleOf('clerk')).toBe('clerk');
    expect(await roleOf('user')).toBe('user');
    for (const role of ['admin', 'Clerk', '', 'clerk,user', 'anonymous', '__proto__'])
      expect(await roleOf(role), role).toBe('refused');
  });

  test('does not outlast the credential: what is told of the last seconds of a JWT is for these seconds', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'JWT');
    gateway.clock.advance(5 * MINUTE - 8_000);
    const near = await ask({ authorization: `Bearer ${held.token}` });
    expect(near.headers.get('cache-control')).toMatch(/^private, max-age=[78]$/);
    gateway.clock.advance(MINUTE);
    expect((await ask({ authorization: `Bearer ${held.token}` })).status).toBe(401);
  });

  test('is 401 for nobody, and at once for a session that has ended (authenticate)', async () => {
    const held = await somebody();
    const good = { authorization: `Bearer ${held.token}` };
    for (const shown of [
      {},
      { 'x-hasura-role': 'user' },
      { authorization: 'Bearer x' },
      { authorization: `Basic ${held.token}` },
      { 'x-session-token': '' },
    ]) {
      expect(await ask(shown), JSON.stringify(shown)).toMatchObject({ status: 401, body: { error: 'unauthorized' } });
    }
    expect((await ask(good)).status).toBe(200);
    await held.client.send(LOG_OUT);
    const refused = await ask(good);
    expect({ status: refused.status, cache: refused.headers.get('cache-control') }).toEqual({
      status: 401,
      cache: 'no-store',
    });
  });

  test('is 401 for more than one credential, and for a cookie (askedBy)', async () => {
    const held = await somebody();
    const holder = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const cookie = `postern=${holder.token}`;
    for (const shown of [
      { authorization: `Bearer ${held.token}`, 'x-session-token': held.token },
      { authorization: `Bearer ${held.token}`, cookie },
      { cookie },
    ])
      expect((await ask(shown)).status).toBe(401);
    expect((await ask({ authorization: `Bearer ${held.token}`, cookie: 'other=1' })).status).toBe(200);
  });
});

test('by GET, a header that comes twice is 401 (askedBy)', async () => {
  const { token } = await somebody(['clerk']);
  const bearer = `Authorization: Bearer ${token}`;
  const statuses = async (headers: string[]) => (await exchange(gateway.url, wire('GET /hasura', headers))).statuses;
  expect(await statuses([bearer])).toEqual([200]);
  expect(await statuses([bearer, bearer])).toEqual([401]);
  expect(await statuses([bearer, 'X-Hasura-Role: user', 'X-Hasura-Role: clerk'])).toEqual([401]);
});

test('by POST, what is not headers of texts is 401, spelled twice too (headersIn)', async () => {
  const { token } = await somebody(['clerk']);
  const bearer = `Bearer ${token}`;
  const bodies = ['', '{', 'null', '[]', '"x"', '{}', '{"headers":null}', '{"headers":[]}', `{"headers":"${bearer}"}`];
  for (const body of bodies) expect((await post(body)).status, body).toBe(401);
  for (const headers of [
    { authorization: [bearer] },
    { authorization: { bearer } },
    { authorization: bearer, x: 1 },
    { authorization: bearer, Authorization: bearer },
    { authorization: bearer, 'x-hasura-role': 'user', 'X-Hasura-Role': 'clerk' },
  ])
    expect((await byPost(headers)).status, JSON.stringify(headers)).toBe(401);
  // The headers of Hasura's own request are none of its client.
  const own = await fetch(`${gateway.url}/hasura`, {
    method: 'POST',
    headers: { authorization: bearer },
    body: '{"headers":{"a":"b"}}',
  });
  expect(own.status).toBe(401);
  const long = JSON.stringify({ headers: { authorization: bearer }, request: { query: 'x'.repeat(256 * 1024) } });
  expect((await post(long)).status).toBe(401);
});

test('without POSTERN_HASURA there is neither', async () => {
  const off = await startGateway();
  const held = await signUp(off.client(), newPerson(), 'JWT');
  expect(decodeJwt(held.token)).not.toHaveProperty([HASURA]);
  expect((await fetch(`${off.url}/hasura`, { headers: { authorization: `Bearer ${held.token}` } })).status).toBe(404);
  await off.stop();
});

test('a hook cannot say what Hasura is told, unless nobody else does', async () => {
  const hooks = { accessTokenClaims: () => ({ [HASURA]: { 'x-hasura-allowed-roles': ['admin'] } }) };
  const on = await startGateway({ env: { POSTERN_HASURA: 'on' }, hooks });
  const off = await startGateway({ hooks });
  await expect(signUp(on.client(), newPerson(), 'JWT')).rejects.toThrow(/not logged in/);
  const { token } = await signUp(off.client(), newPerson(), 'JWT');
  expect(decodeJwt(token)[HASURA]).toEqual({ 'x-hasura-allowed-roles': ['admin'] });
  await on.stop();
  await off.stop();
});
