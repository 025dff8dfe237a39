import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCipher } from '../../src/lib/cipher.ts';
import { makeToken } from '../../src/lib/secrets.ts';
import * as signingKeys from '../../src/records/signing-keys.ts';
import { createVerifier, type Verifier, type VerifierOptions, VerifierUnavailable } from '../../src/verify/index.ts';
import { type Front, openFront } from '../support/front.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { ORDERS, SERVICES } from '../support/introspect.ts';
import { type Held, ISSUE_ACCESS_TOKEN, LOG_OUT, newPerson, REFRESH, signUp } from '../support/people.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const SECRET = 'the secret of these tests is long enough to be one';
const KEYS = '/.well-known/jwks.json';
const INTROSPECT = '/introspect';

let front: Front;
let gateway: Gateway;
let verifier: Verifier;
beforeAll(async () => {
  front = await openFront();
  const env = { ...SERVICES, POSTERN_PUBLIC_URL: front.url, POSTERN_SECRET: SECRET };
  gateway = await startGateway({ env, hooks: { accessTokenClaims: () => ({ org: 'analytical' }) } });
  front.before(gateway.url);
});
afterAll(async () => {
  await gateway.stop();
  await front.close();
});
beforeEach(() => {
  front.counts.clear();
  front.seen.length = 0;
  verifier = newVerifier();
});
afterEach(() => {
  front.answer = null;
});

function newVerifier(options: Partial<VerifierOptions> = {}): Verifier {
  return createVerifier({ issuer: front.url, service: ORDERS, clock: gateway.clock, ...options });
}
const issue = async ({ client }: Held) => String((await client.send(ISSUE_ACCESS_TOKEN)).result.accessToken);
const kindOf = async (token: string, by = verifier) => {
  const identity = await by.verify(token);
  return identity.kind === 'Identified' ? 'Identified' : identity.reason;
};

describe('a session token', () => {
  test('tells who, with their roles and the claims of the operator', async () => {
    const held = await signUp(gateway.client(), newPerson());
    await gateway.sql(`UPDATE users SET roles = '{clerk}' WHERE id = $1`, [held.userId]);
    await expect
      .poll(async () => ((await newVerifier().verify(held.token)) as { roles?: unknown }).roles)
      .toEqual(['clerk']);
    const authenticatedAt = new Date(Math.floor(gateway.clock().getTime() / 1000) * 1000);
    expect(await verifier.verify(held.token)).toEqual({
      kind: 'Identified',
      userId: held.userId,
      sessionId: held.sessionId,
      roles: ['clerk'],
      methods: ['pwd'],
      authenticatedAt,
      expiresAt: new Date(authenticatedAt.getTime() + gateway.app.config.session.idle),
      claims: { org: 'analytical' },
    });
  });

  test('is asked about once in five seconds, however many ask at once', async () => {
    const { token } = await signUp(gateway.client(), newPerson());
    const kinds = await Promise.all(Array.from({ length: 50 }, () => kindOf(token)));
    expect(new Set(kinds)).toEqual(new Set(['Identified']));
    gateway.clock.advance(5 * SECOND - 1);
    await kindOf(token);
    expect(front.count(INTROSPECT)).toBe(1);
    gateway.clock.advance(1);
    await kindOf(token);
    expect(front.count(INTROSPECT)).toBe(2);
  });

  test('of a session that has ended is REVOKED after five seconds, at once without a cache, and its JWTs with it (ended)', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const jwt = await issue(held);
    const eager = newVerifier({ introspectionCache: 0 });
    for (const by of [verifier, eager])
      expect([await kindOf(held.token, by), await kindOf(jwt, by)]).toEqual(['Identified', 'Identified']);
    await held.client.send(LOG_OUT);
    expect([await kindOf(held.token, eager), await kindOf(jwt, eager)]).toEqual(['REVOKED', 'REVOKED']);
    gateway.clock.advance(5 * SECOND);
    expect(await kindOf(jwt)).toBe('Identified');
    expect([await kindOf(held.token), await kindOf(jwt)]).toEqual(['REVOKED', 'REVOKED']);
  });

  test('that was replaced is REVOKED, and the JWTs of the session that goes on are not', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const eager = newVerifier({ introspectionCache: 0 });
    expect(await kindOf(held.token, eager)).toBe('Identified');
    const old = await issue(held);
    const CHANGE = `mutation ($input: ChangePasswordInput!) { changePassword(input: $input) {
      __typename ... on PasswordChanged { credential { ... on SessionToken { token } } } } }`;
    const input = { currentPassword: person.password, newPassword: 'another ladder in the library' };
    const { credential } = (await held.client.send(CHANGE, { input })).result as unknown as {
      credential: { token: string };
    };
    const young = await issue({ ...held, client: gateway.client().bearing(credential.token) });
    expect(await kindOf(held.token, eager)).toBe('REVOKED');
    expect([await kindOf(old, eager), await kindOf(young, eager), await kindOf(credential.token, eager)]).toEqual([
      'REVOKED',
      'Identified',
      'Identified',
    ]);
  });

  test('that is over by its time is EXPIRED, and one that nobody knows INVALID_CREDENTIAL', async () => {
    const { token } = await signUp(gateway.client(), newPerson());
    expect(await kindOf(token)).toBe('Identified');
    gateway.clock.advance(gateway.app.config.session.idle + MINUTE);
    expect(await kindOf(token)).toBe('EXPIRED');
    expect(await kindOf(makeToken('session'))).toBe('INVALID_CREDENTIAL');
    const cookie = await signUp(gateway.client(), newPerson(), 'COOKIE');
    expect(await kindOf(cookie.token)).toBe('INVALID_CREDENTIAL');
  });

  test('of nobody is remembered for a second only', async () => {
    const token = makeToken('session');
    for (const wait of [0, SECOND - 1, 1]) {
      gateway.clock.advance(wait);
      await kindOf(token);
    }
    expect(front.count(INTROSPECT)).toBe(2);
  });

  test('recognises nobody where the service was given no secret', async () => {
    const { token } = await signUp(gateway.client(), newPerson());
    const { service: _, ...options } = { service: null, issuer: front.url, clock: gateway.clock };
    expect(await kindOf(token, createVerifier(options))).toBe('INVALID_CREDENTIAL');
    expect(front.seen).toEqual([]);
  });
});

describe('a JWT', () => {
  test('is checked here: one reading of the keys, and no question about it', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'JWT');
    const now = Math.floor(gateway.clock().getTime() / 1000) * 1000;
    expect(await verifier.verify(held.token)).toEqual({
      kind: 'Identified',
      userId: held.userId,
      sessionId: held.sessionId,
      roles: null,
      methods: ['pwd'],
      authenticatedAt: new Date(now),
      expiresAt: new Date(now + 5 * MINUTE),
      claims: { org: 'analytical' },
    });
    await Promise.all(Array.from({ length: 50 }, () => kindOf(held.token)));
    expect(front.counts).toEqual(new Map([[KEYS, 1]]));
  });

  test('is EXPIRED five seconds after its time, though it was good before', async () => {
    const { token } = await signUp(gateway.client(), newPerson(), 'JWT');
    expect(await kindOf(token)).toBe('Identified');
    gateway.clock.advance(5 * MINUTE + 4 * SECOND);
    expect(await kindOf(token)).toBe('Identified');
    gateway.clock.advance(2 * SECOND);
    expect([await kindOf(token), await kindOf(token, newVerifier())]).toEqual(['EXPIRED', 'EXPIRED']);
  });

  test('ends with its session within the cache, with checkRevocation, and tells the roles', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'JWT');
    const careful = newVerifier({ checkRevocation: true });
    expect(await careful.verify(held.token)).toMatchObject({
      kind: 'Identified',
      roles: [],
      claims: { org: 'analytical' },
    });
    await held.client.send(LOG_OUT);
    expect(await kindOf(held.token, careful)).toBe('Identified');
    gateway.clock.advance(5 * SECOND);
    expect(await kindOf(held.token, careful)).toBe('REVOKED');
    expect(await kindOf(held.token)).toBe('Identified');
    expect(front.count(INTROSPECT)).toBe(2);
  });
});

describe('a rotation of the keys', () => {
  const cipher = createCipher([SECRET]);
  const policy = { algorithm: 'ES256', keyLifetime: 90 * 24 * 60 * MINUTE, tokenLifetime: 5 * MINUTE } as const;
  const rotate = async (force: 'soon' | 'now') => {
    const before = gateway.app.keys.publicKeys().map(({ kid }) => kid);
    await gateway.app.database.transaction((db) => signingKeys.rotate(db, cipher, policy, gateway.clock(), force));
    const isNew = () => gateway.app.keys.publicKeys().some(({ kid }) => !before.includes(kid));
    await expect.poll(isNew, { timeout: 2_000, interval: 5 }).toBe(true);
  };

  test('refuses no good token, of the old key or the new', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const old = await issue(held);
    expect(await kindOf(old)).toBe('Identified');
    await rotate('soon');
    for (let minute = 0; minute < 11; minute += 1) {
      gateway.clock.advance(MINUTE);
      expect(await kindOf(await issue(held))).toBe('Identified');
    }
  });

  test('that is forced is followed at once, and what the lost key signed is refused within five minutes (version)', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const lost = await signUp(gateway.client(), newPerson(), 'JWT');
    expect(await kindOf(lost.token)).toBe('Identified');
    gateway.clock.advance(5 * SECOND);
    await rotate('now');
    expect(await kindOf(await issue(held))).toBe('Identified');
    // The page was read for the new key, so the lost one is gone with it.
    expect(await kindOf(lost.token)).toBe('INVALID_CREDENTIAL');

    // Where no new token comes, its age is what counts.
    const { token: quiet } = await signUp(gateway.client(), newPerson(), 'JWT');
    const other = newVerifier();
    expect(await kindOf(quiet, other)).toBe('Identified');
    await rotate('now');
    gateway.clock.advance(5 * MINUTE);
    expect(await kindOf(quiet, other)).toBe('INVALID_CREDENTIAL');
  });

  test('is noticed beside the work once the page is half as old as it may be: nobody waits, and the answer is the old one', async () => {
    const { refreshToken, client, token } = await signUp(gateway.client(), newPerson(), 'JWT');
    expect(await kindOf(token)).toBe('Identified');
    gateway.clock.advance(2.5 * MINUTE);
    front.answer = () => undefined;
    expect(await kindOf(token)).toBe('Identified');
    await expect.poll(() => front.count(KEYS)).toBe(2);
    expect((await client.send(REFRESH, { input: { refreshToken } })).result.__typename).toBe('SessionTokensRefreshed');
  });
});

/** Were it the answer of Postern, it would mean that nobody asks. */
const NOTHING = '{"active":false,"keys":[]}';

/** Ways in which Postern does not answer. */
const AWAY: readonly (readonly [string, (request: IncomingMessage, response: ServerResponse) => void])[] = [
  ['closes the connection', (request) => request.socket.destroy()],
  ['answers 503', (_request, response) => response.writeHead(503).end(NOTHING)],
  ['answers 401', (_request, response) => response.writeHead(401).end(NOTHING)],
  ['leads elsewhere', (_request, response) => response.writeHead(302, { location: `${gateway.url}${KEYS}` }).end()],
  ['says what is no JSON', (_request, response) => response.end('<html>')],
  ['says nothing', (_request, response) => response.end()],
  ['says null', (_request, response) => response.end('null')],
  ['says an empty object', (_request, response) => response.end('{}')],
  ['says active without anybody', (_request, response) => response.end('{"active":true}')],
  ['never ends', (_request, response) => void Array.from({ length: 20 }, () => response.write('x'.repeat(8_192)))],
];

test('Postern may be asked at another address than that of its issuer, which tokens are held to all the same', async () => {
  const held = await signUp(gateway.client(), newPerson());
  front.answer = (request) => request.socket.destroy();
  const inside = newVerifier({ endpoint: `${gateway.url}/` });
  for (const token of [held.token, await issue(held)]) expect(await kindOf(token, inside)).toBe('Identified');
  const other = newVerifier({ issuer: 'https://auth.example.com', endpoint: gateway.url });
  expect(await kindOf(await issue(held), other)).toBe('INVALID_CREDENTIAL');
  for (const endpoint of ['', 'postern:4000', 'file:///etc/postern', 'http://a:b@postern'])
    expect(() => newVerifier({ endpoint })).toThrow(TypeError);
  expect(() => newVerifier({ endpoint: 'http://postern:4000' })).not.toThrow();
  expect(() => newVerifier({ issuer: 'http://postern:4000' })).toThrow(TypeError);
});

test('whoever runs a service is told why nobody is recognised, without its secret (onUnavailable)', async () => {
  const { token } = await signUp(gateway.client(), newPerson());
  const told: string[] = [];
  const secret = 'x'.repeat(40);
  const wrong = newVerifier({
    service: { id: ORDERS.id, secret },
    onUnavailable: ({ message }) => told.push(message),
  });
  await expect(wrong.verify(token)).rejects.toThrow(VerifierUnavailable);
  expect(told).toEqual([expect.stringContaining('does not know this service')]);
  const failing = newVerifier({
    service: { id: ORDERS.id, secret },
    onUnavailable() {
      throw new Error('the listener failed');
    },
  });
  await expect(failing.verify(token)).rejects.toThrow(VerifierUnavailable);
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => !warning.message.includes('listener') && warnings.push(warning);
  process.on('warning', onWarning);
  const silent = newVerifier({ service: { id: ORDERS.id, secret } });
  for (let n = 0; n < 3; n += 1) await expect(silent.verify(token)).rejects.toThrow(VerifierUnavailable);
  await expect.poll(() => warnings.map(({ name }) => name)).toEqual(['PosternUnavailable']);
  process.off('warning', onWarning);
  expect(JSON.stringify([told, warnings.map(String)])).not.toContain(secret);
});

describe.each(AWAY)('while Postern %s', (_how, away) => {
  test('nobody is let in, neither by a session token nor by a JWT of which nothing is known: VerifierUnavailable (fetchJson)', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const jwt = await issue(held);
    front.answer = away;
    for (const token of [held.token, jwt]) await expect(verifier.verify(token)).rejects.toThrow(VerifierUnavailable);
    // Whatever is not sent anywhere needs nobody's answer.
    expect(await kindOf('x')).toBe('INVALID_CREDENTIAL');
    front.answer = null;
    gateway.clock.advance(SECOND);
    for (const token of [held.token, jwt]) expect(await kindOf(token)).toBe('Identified');
  });
});

test('an answer that does not come is given up after three seconds, by everybody who waits for it (the signal)', {
  timeout: 10_000,
}, async () => {
  const { token } = await signUp(gateway.client(), newPerson());
  front.answer = () => undefined;
  const waiting = await Promise.allSettled(Array.from({ length: 20 }, () => verifier.verify(token)));
  expect(waiting.every((each) => each.status === 'rejected' && each.reason instanceof VerifierUnavailable)).toBe(true);
  expect(front.count(INTROSPECT)).toBe(1);
});

test('what is remembered goes on while Postern is away, for as long as it may be remembered', async () => {
  const held = await signUp(gateway.client(), newPerson());
  const jwt = await issue(held);
  for (const token of [held.token, jwt]) expect(await kindOf(token)).toBe('Identified');
  front.answer = (request) => request.socket.destroy();
  gateway.clock.advance(4 * SECOND);
  for (const token of [held.token, jwt]) expect(await kindOf(token)).toBe('Identified');
  gateway.clock.advance(2 * SECOND);
  await expect(verifier.verify(held.token)).rejects.toThrow(VerifierUnavailable);
  expect(await kindOf(jwt)).toBe('Identified');
});

test('an answer of another issuer, or for another audience, or without end is none (readAnswer, MAX_ANSWER_BYTES)', async () => {
  const { token, userId: sub, sessionId: sid } = await signUp(gateway.client(), newPerson());
  const [iat, exp] = [0, Math.floor(gateway.clock().getTime() / 1000) + 60];
  const good = {
    active: true,
    sub,
    sid,
    iss: front.url,
    aud: front.url,
    iat,
    exp,
    auth_time: iat,
    amr: [],
    token_type: 'Bearer',
    roles: [],
  };
  const asked = async (answer: object) => {
    front.answer = (_request, response) => response.end(JSON.stringify(answer));
    return newVerifier()
      .verify(token)
      .then(
        ({ kind }) => kind,
        (error: Error) => error.name,
      );
  };
  expect(await asked(good)).toBe('Identified');
  for (const change of [
    { iss: `${front.url}/` },
    { aud: [front.url] },
    { aud: 'http://other.test' },
    { sub: '' },
    { sid: null },
    { exp: '9' },
    { amr: 'mfa' },
    { roles: [1] },
    { token_type: 'N_A' },
    { active: 'true' },
    { active: undefined },
  ])
    expect(await asked({ ...good, ...change }), JSON.stringify(change)).toBe('VerifierUnavailable');
  expect(await asked({ ...good, padding: 'x'.repeat(64 * 1024) }), 'one that is too long').toBe('VerifierUnavailable');
  expect(await asked({ ...good, exp: exp - 120 })).toBe('Unidentified');
});

test.each<[string, Partial<VerifierOptions>]>([
  ['an issuer that is none', { issuer: 'auth.example.com' }],
  ['an issuer over plain http', { issuer: 'http://auth.example.com' }],
  ['an issuer with a query', { issuer: 'https://auth.example.com/?x' }],
  ['an empty audience', { audience: '' }],
  ['a short secret', { service: { id: 'orders', secret: randomBytes(8).toString('hex') } }],
  ['a cache that is no number', { introspectionCache: Number.NaN }],
])('%s is told when the verifier is made', (_what, options) => {
  expect(() => newVerifier(options)).toThrow(TypeError);
});

test('checkRevocation without a service is told, too', () => {
  expect(() => createVerifier({ issuer: front.url, checkRevocation: true })).toThrow(TypeError);
});
