import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeToken } from '../../src/lib/secrets.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { basic, introspect, ORDERS, SERVICES, STOCK } from '../support/introspect.ts';
import { ISSUE_ACCESS_TOKEN, LOG_OUT, logIn, newPerson, signUp } from '../support/people.ts';

const MINUTE = 60_000;
const INACTIVE = { active: false };

let gateway: Gateway;
let other: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { ...SERVICES, POSTERN_PUBLIC_URL: 'http://auth.test' } });
  other = await gateway.another();
});
afterAll(() => gateway.stop());

const seconds = (instant: Date) => Math.floor(instant.getTime() / 1000);

describe('an active token', () => {
  test('of a session tells who, since when, until when, and by what', async () => {
    const { token, userId, sessionId } = await signUp(gateway.client(), newPerson());
    await gateway.sql(`UPDATE users SET roles = '{clerk}' WHERE id = $1`, [userId]);
    const now = seconds(gateway.clock());
    await expect.poll(async () => (await introspect(gateway, { token })).body.roles).toEqual(['clerk']);
    const { status, headers, body } = await introspect(gateway, { token, token_type_hint: 'access_token' });
    expect({ status, cache: headers.get('cache-control') }).toEqual({ status: 200, cache: 'no-store' });
    const { publicUrl, session } = gateway.app.config;
    expect(body).toEqual({
      active: true,
      sub: userId,
      sid: sessionId,
      iss: publicUrl,
      aud: publicUrl,
      iat: now,
      exp: now + session.idle / 1000,
      auth_time: now,
      amr: ['pwd'],
      token_type: 'Bearer',
      roles: ['clerk'],
    });
  });

  test('that is a JWT tells what it says itself, and the roles of now', async () => {
    const { client, userId, sessionId } = await signUp(gateway.client(), newPerson());
    const { accessToken } = (await client.send(ISSUE_ACCESS_TOKEN)).result as unknown as { accessToken: string };
    const { iss, aud, iat, exp, auth_time } = decodeJwt(accessToken);
    expect((await introspect(gateway, { token: accessToken })).body).toEqual({
      ...{ active: true, sub: userId, sid: sessionId, iss, aud, iat, exp, auth_time },
      ...{ amr: ['pwd'], token_type: 'Bearer', roles: [] },
    });
  });

  test('is used by being asked about: its session does not become idle', async () => {
    const { token, client } = await signUp(gateway.client(), newPerson());
    const { idle } = gateway.app.config.session;
    gateway.clock.advance(idle - MINUTE);
    expect((await introspect(gateway, { token })).body).toMatchObject({
      active: true,
      exp: seconds(gateway.clock()) + idle / 1000,
    });
    gateway.clock.advance(idle - MINUTE);
    expect((await client.send('{ currentUser { __typename } }')).result.__typename).toBe('User');
  });
});

describe('{ "active": false } and nothing else is the answer', () => {
  test('for whatever is no token that a service may be shown (authenticate, as a bearer)', async () => {
    const cookie = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const pair = await signUp(gateway.client(), newPerson(), 'JWT');
    const own = await signUp(gateway.client(), newPerson());
    const others = [
      cookie.token,
      pair.refreshToken ?? '',
      makeToken('session'),
      makeToken('login'),
      makeToken('refresh'),
      pair.sessionId,
      `${own.token}A`,
      ` ${own.token}`,
      `${own.token}\0`,
      `Bearer ${own.token}`,
      'ps_',
      '{}',
      'x'.repeat(9_000),
    ];
    for (const token of others) {
      expect(await introspect(gateway, { token }), token).toMatchObject({ status: 200, body: INACTIVE });
    }
    const pending = await startGateway({ env: { ...SERVICES, POSTERN_EMAIL_VERIFICATION: 'mandatory' } });
    const { loginToken } = (
      await pending
        .client()
        .send(
          'mutation ($input: SignUpInput!) { signUp(input: $input) { __typename ... on PendingLogin { loginToken } } }',
          { input: newPerson() },
        )
    ).result as unknown as { loginToken: string };
    expect((await introspect(pending, { token: loginToken })).body).toEqual(INACTIVE);
    await pending.stop();
  });

  test.each<[string, (of: Awaited<ReturnType<typeof signUp>>) => Promise<unknown>]>([
    ['logging out', ({ client }) => client.send(LOG_OUT)],
    [
      'disabling the account',
      ({ userId }) => gateway.sql('UPDATE users SET disabled_at = now() WHERE id = $1', [userId]),
    ],
    ['removing the account', ({ userId }) => gateway.sql('DELETE FROM users WHERE id = $1', [userId])],
  ])(
    'once %s has ended the session, of a session token and its JWT, at both instances (authenticate)',
    async (_how, end) => {
      const held = await signUp(gateway.client(), newPerson());
      const { accessToken } = (await held.client.send(ISSUE_ACCESS_TOKEN)).result as unknown as { accessToken: string };
      const ask = async () =>
        (
          await Promise.all(
            [gateway, other].flatMap((where) => [held.token, accessToken].map((token) => introspect(where, { token }))),
          )
        ).map(({ body }) => body.active);
      expect(await ask()).toEqual([true, true, true, true]);
      await end(held);
      await expect.poll(ask, { timeout: 1_000, interval: 10 }).toEqual([false, false, false, false]);
      expect((await introspect(other, { token: accessToken })).body).toEqual(INACTIVE);
    },
  );

  test('once its time is over (authenticate)', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'JWT');
    gateway.clock.advance(5 * MINUTE + 6_000);
    expect((await introspect(gateway, { token: held.token })).body).toEqual(INACTIVE);
    const { token } = await signUp(gateway.client(), newPerson());
    gateway.clock.advance(gateway.app.config.session.idle);
    expect((await introspect(gateway, { token })).body).toEqual(INACTIVE);
  });
});

describe('a service', () => {
  test('shows its secret by the header or in the form, and either of two while it rotates', async () => {
    const { token } = await signUp(gateway.client(), newPerson());
    for (const [id, secret] of [
      [ORDERS.id, ORDERS.secret],
      ...STOCK.secrets.map((each) => [STOCK.id, each]),
    ] as const) {
      const shown = [
        introspect(gateway, { token }, { authorization: basic(id ?? '', secret ?? '') }),
        introspect(
          gateway,
          { token, client_id: id ?? '' },
          { authorization: basic(id ?? '', secret ?? '').replace('Basic', 'basic ') },
        ),
        introspect(gateway, { token, client_id: id ?? '', client_secret: secret ?? '' }, {}),
      ];
      for (const { status, body } of await Promise.all(shown))
        expect({ status, active: body.active }).toEqual({ status: 200, active: true });
    }
  });

  test('that is not known, or shows a wrong secret, hears nothing of any token (isService)', async () => {
    const { token } = await signUp(gateway.client(), newPerson());
    const raw = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
    const { id, secret } = ORDERS;
    const wrong: Record<string, string>[] = [
      {},
      { authorization: '' },
      { authorization: 'Basic' },
      { authorization: `Bearer ${token}` },
      { authorization: basic(id, `${secret}x`) },
      { authorization: basic(id, secret.slice(1)) },
      { authorization: basic(id, '') },
      { authorization: basic('', secret) },
      { authorization: basic(STOCK.id, secret) },
      { authorization: basic('Orders', secret) },
      { authorization: `${basic(id, secret)}, ${basic(id, secret)}` },
      { authorization: `${basic(id, secret)} x` },
      raw(`${id}:${secret}%`),
      raw(id),
      raw(`${id}${secret}`),
      // Not form-urlencoded, so the plus is a blank.
      raw(`${STOCK.id}:${STOCK.secrets[0]}`),
    ];
    for (const headers of wrong) {
      const answer = await introspect(gateway, { token }, headers);
      expect(answer, JSON.stringify(headers)).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
      expect(answer.headers.get('www-authenticate')).toMatch(/^Basic /);
    }
    for (const form of [
      { client_id: id },
      { client_secret: secret },
      { client_id: id, client_secret: '' },
      { client_id: 'x', client_secret: secret },
    ]) {
      expect((await introspect(gateway, { token, ...(form as Record<string, string>) }, {})).status).toBe(401);
    }
    expect((await introspect(gateway, { token, client_id: STOCK.id })).status).toBe(401);
  });

  test('shows it once: in both places at once is refused (RFC 6749 §2.3)', async () => {
    const { token } = await signUp(gateway.client(), newPerson());
    const form = { token, client_id: ORDERS.id, client_secret: ORDERS.secret };
    expect(await introspect(gateway, form)).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
  });
});

describe('a request', () => {
  test('that is no form, has no token, or has one twice is refused', async () => {
    const { token } = await signUp(gateway.client(), newPerson());
    const authorization = basic(ORDERS.id, ORDERS.secret);
    const refused = [
      introspect(gateway, { token_type_hint: 'access_token' }),
      introspect(gateway, { token: '' }),
      introspect(gateway, [
        ['token', token],
        ['token', token],
      ]),
      introspect(gateway, [
        ['token', token],
        ['x', '1'],
        ['x', '2'],
      ]),
      introspect(gateway, JSON.stringify({ token }), { authorization, 'content-type': 'application/json' }),
      introspect(gateway, `token=${token}`, { authorization, 'content-type': 'text/plain' }),
    ];
    for (const answer of await Promise.all(refused))
      expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    const inUrl = await fetch(`${gateway.url}/introspect?token=${token}`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(inUrl.status).toBe(400);
  });

  test('of more than 64 KiB is not read, whatever length it claims (bodyLimit)', async () => {
    const large = `token=${'x'.repeat(64 * 1024)}`;
    expect((await introspect(gateway, large)).status).toBe(413);
    const chunks = new Blob([large]).stream();
    const response = await fetch(`${gateway.url}/introspect`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: basic(ORDERS.id, ORDERS.secret) },
      body: chunks,
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
  });

  test('by another method is told which there is', async () => {
    const response = await fetch(`${gateway.url}/introspect`);
    expect({ status: response.status, allow: response.headers.get('allow') }).toEqual({ status: 405, allow: 'POST' });
  });
});

test('without services there is no such route, and the discovery does not speak of one', async () => {
  const closed = await startGateway();
  const { token } = await signUp(closed.client(), newPerson());
  expect((await introspect(closed, { token })).status).toBe(404);
  const read = async (where: Gateway) => (await fetch(`${where.url}/.well-known/openid-configuration`)).json();
  expect(await read(closed)).not.toHaveProperty('introspection_endpoint');
  expect(await read(gateway)).toMatchObject({
    introspection_endpoint: `${gateway.app.config.publicUrl}/introspect`,
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
  });
  await closed.stop();
});

test('a fault of ours is no answer about a token, and no line of the log has a token or a secret', async () => {
  const broken = await startGateway({ env: SERVICES });
  const person = newPerson();
  const { token } = await signUp(broken.client(), person);
  const again = await logIn(broken.client(), person);
  expect((await introspect(broken, { token })).body.active).toBe(true);
  await introspect(broken, { token }, { authorization: basic(ORDERS.id, 'wrong') });
  await broken.sql('ALTER TABLE sessions RENAME TO away');
  const answer = await introspect(broken, { token: again.token });
  expect(answer).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } });
  expect(answer.headers.get('x-request-id')).toBe(answer.body.id);
  const fault = broken.logs.find((line) => line.includes('a request failed')) ?? '';
  expect(JSON.parse(fault)).toMatchObject({ level: 'error', requestId: answer.body.id });
  const logged = broken.logs.join('');
  for (const secret of [token, again.token, ORDERS.secret, basic(ORDERS.id, ORDERS.secret)])
    expect(logged).not.toContain(secret);
  await broken.sql('ALTER TABLE away RENAME TO sessions');
  await broken.stop();
});
