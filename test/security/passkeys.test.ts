import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SoftwareAuthenticator, type Twist } from '../support/authenticator.ts';
import type { GraphQLClient } from '../support/client.ts';
import {
  AUTHENTICATORS,
  BEGIN_PASSKEY,
  BEGIN_PASSKEY_LOGIN,
  beginMfaLogin,
  CONFIRM_PASSKEY,
  enrollPasskey,
  LOG_IN_WITH_PASSKEY,
  VERIFY_MFA,
  verifiedPerson,
} from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { BEGIN_REAUTHENTICATION, REAUTHENTICATE } from '../support/passwords.ts';
import { CONTINUE_LOGIN, CURRENT_USER } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_RATE_LIMITS: 'off' } });
});
afterAll(() => gateway.stop());

type Response = Record<string, unknown> & { response: Record<string, unknown> };
const begin = async (client: GraphQLClient) => {
  const { result } = await client.send(BEGIN_PASSKEY_LOGIN, { input: {} });
  return result as unknown as { loginToken: string; options: { challenge: string; allowCredentials: unknown[] } };
};
const logIn = (client: GraphQLClient, loginToken: string, response: unknown) =>
  client.send(LOG_IN_WITH_PASSKEY, { input: { loginToken, response } });

/** Somebody with a passkey. */
async function holder(authenticator = new SoftwareAuthenticator()) {
  const held = await verifiedPerson(gateway);
  return { ...held, ...(await enrollPasskey(held.client, authenticator)) };
}

async function outcome(authenticator: SoftwareAuthenticator, twist: Parameters<SoftwareAuthenticator['get']>[1]) {
  const client = gateway.client();
  const { loginToken, options } = await begin(client);
  const { status, result } = await logIn(client, loginToken, authenticator.get(options, twist));
  expect(status).toBe(200);
  return result.__typename;
}

/** What is wrong about a ceremony, whichever of the two it is. */
const TWISTS: readonly (readonly [what: string, twist: Twist])[] = [
  ['the type of the other ceremony (W02)', {}],
  ['another challenge (W03)', { challenge: randomBytes(32).toString('base64url') }],
  ['an empty challenge (W03)', { challenge: '' }],
  ['another port (W04)', { origin: 'http://localhost:4001' }],
  ['https in the place of http (W04)', { origin: 'https://localhost:4000' }],
  ['a sub-domain (W04)', { origin: 'http://app.localhost:4000' }],
  ['a look-alike (W04)', { origin: 'http://localhost:4000.evil.example' }],
  ['a path behind the origin (W04)', { origin: 'http://localhost:4000/' }],
  ['the origin null (W04)', { origin: 'null' }],
  ['a page in a frame (W05: isFramed)', { crossOrigin: true }],
  ['a page in a frame of ours (W05)', { crossOrigin: true, topOrigin: 'http://localhost:4000' }],
  ['a top origin alone (W05)', { topOrigin: 'http://localhost:4000' }],
  ['the hash of another RP (W06)', { rpId: 'evil.example' }],
  ['nobody present (W07)', { userPresent: false }],
  ['a backup of what may not be copied (W08)', { backupEligible: false, backedUp: true }],
];

describe('an assertion is refused with', () => {
  test.each([
    ...TWISTS.map(([what, twist]) => [what, what.includes('W02') ? { type: 'webauthn.create' } : twist] as const),
    ['something that may suddenly be copied (W08)', { backupEligible: true }],
    ['another id (W12)', { id: randomBytes(32).toString('base64url') }],
    ['the handle of somebody else (W12)', { userHandle: randomBytes(16).toString('base64url') }],
    ['a first bit of the signature flipped (W09)', { flip: 0 }],
    ['a last bit of the signature flipped (W09)', { flip: -1 + 2 ** 20 }],
  ] as const)('%s', async (_what, twist) => {
    const { authenticator } = await holder();
    expect(await outcome(authenticator, twist)).toBe('InvalidCredentials');
    // Nothing has changed.
    expect(await outcome(authenticator, {})).toBe('LoggedIn');
  });

  test('a signature over anything else (W09: every byte of it is looked at)', async () => {
    const { authenticator } = await holder();
    const client = gateway.client();
    const outcomes = new Set<string>();
    for (let at = 0; at < 37; at += 1) {
      const { loginToken, options } = await begin(client);
      const response = authenticator.get(options) as Response;
      const data = Buffer.from(String(response.response.authenticatorData), 'base64url');
      data[at] = (data[at] ?? 0) ^ 1;
      response.response.authenticatorData = data.toString('base64url');
      outcomes.add((await logIn(client, loginToken, response)).result.__typename);
    }
    expect([...outcomes]).toEqual(['InvalidCredentials']);
    for (const signature of ['', 'AA', Buffer.alloc(70).toString('base64url')]) {
      const { loginToken, options } = await begin(client);
      const response = authenticator.get(options) as Response;
      response.response.signature = signature;
      expect((await logIn(client, loginToken, response)).result.__typename).toBe('InvalidCredentials');
    }
  });

  test('a signature that was changed anywhere, or written in another form (W09: isDer)', async () => {
    const { authenticator } = await holder();
    const client = gateway.client();
    const outcomeOf = async (change: (signature: Buffer) => Buffer) => {
      const { loginToken, options } = await begin(client);
      const response = authenticator.get(options) as Response;
      const signature = Buffer.from(String(response.response.signature), 'base64url');
      response.response.signature = change(signature).toString('base64url');
      return (await logIn(client, loginToken, response)).result.__typename;
    };
    const outcomes = new Set<string>();
    for (let at = 0; at < 144; at += 1) {
      const flip = (signature: Buffer) => {
        const index = at % signature.length;
        signature[index] = (signature[index] ?? 0) ^ 1;
        return signature;
      };
      outcomes.add(await outcomeOf(flip));
    }
    // A zero before r, the length in two bytes, and something behind the end.
    const [tag, of, body] = [
      Buffer.from([0x30]),
      (bytes: number) => Buffer.from([bytes]),
      (s: Buffer) => s.subarray(2),
    ];
    for (const change of [
      (s: Buffer) => Buffer.concat([tag, of(s.length - 1), Buffer.from([2, (s[3] ?? 0) + 1, 0]), s.subarray(4)]),
      (s: Buffer) => Buffer.concat([tag, Buffer.from([0x81]), of(s.length - 2), body(s)]),
      (s: Buffer) => Buffer.concat([s, Buffer.from([0])]),
    ])
      outcomes.add(await outcomeOf(change));
    expect([...outcomes]).toEqual(['InvalidCredentials']);
    expect(await outcomeOf((signature) => signature)).toBe('LoggedIn');
  });

  test('a counter that did not move on, and its owner is told (W11)', async () => {
    const { authenticator, person, userId } = await holder();
    expect(await outcome(authenticator, { counter: 7 })).toBe('LoggedIn');
    for (const counter of [7, 6, 0]) expect(await outcome(authenticator, { counter })).toBe('InvalidCredentials');
    expect(await outcome(authenticator, { counter: 8 })).toBe('LoggedIn');
    const events = await gateway.sql(
      `SELECT kind FROM events WHERE user_id = $1 AND kind = 'PasskeyCounterRegressed'`,
      [userId],
    );
    expect(events).toHaveLength(3);
    const mails = await gateway.mails.rest(person.email);
    expect(mails.filter(({ subject }) => subject === 'A passkey of your account was refused')).toHaveLength(3);
  });

  test.each([
    ['null', null],
    ['nothing in it', {}],
    ['numbers', { id: 1, rawId: 2, response: 3 }],
    ['null everywhere', { id: null, rawId: null, type: null, response: null }],
    ['an id that is no base64url', { id: '../../etc', rawId: '../../etc', type: 'public-key', response: {} }],
    [
      'operators',
      { id: { not: '' }, rawId: { not: '' }, type: 'public-key', response: { clientDataJSON: { not: '' } } },
    ],
    ['a very long id', { id: 'A'.repeat(10_000), rawId: 'A'.repeat(10_000), type: 'public-key', response: {} }],
    ['a prototype', JSON.parse('{"__proto__":{"id":"x"},"constructor":{"prototype":{}}}')],
  ])('%s as the response', async (_what, response) => {
    const client = gateway.client();
    const { loginToken } = await begin(client);
    const { status, result, text } = await logIn(client, loginToken, response);
    if (response === null) expect(status).toBe(400);
    else expect([status, result.__typename]).toEqual([200, 'InvalidCredentials']);
    expect(text).not.toMatch(/etc|TypeError|stack/);
  });
});

describe('a registration is refused with', () => {
  test.each([
    ...TWISTS.map(([what, twist]) => [what, what.includes('W02') ? { type: 'webauthn.get' } : twist] as const),
    ['an id that is too long (W10)', { id: randomBytes(1024).toString('base64url') }],
    ['no id (W10)', { id: '' }],
    ['a curve that ES256 does not have (W09)', { curve: 'P-384' }],
  ] as const)('%s', async (_what, twist) => {
    const { client } = await verifiedPerson(gateway);
    const { result } = await client.send(BEGIN_PASSKEY, { input: {} });
    const confirm = (response: unknown) => client.send(CONFIRM_PASSKEY, { input: { handle: result.handle, response } });
    const bad = await confirm(new SoftwareAuthenticator().create(result.options, twist));
    expect([bad.status, bad.result.__typename]).toEqual([200, 'PasskeyRejected']);
    expect((await client.send(CURRENT_USER)).result.hasMfa).toBe(false);
    // Whoever has set the origins wrongly finds it in the log.
    const told = gateway.logs.findLast((line) => line.includes('a passkey was refused')) ?? '';
    expect(told.includes('POSTERN_PASSKEY_ORIGINS')).toBe('origin' in twist);
    const good = await confirm(new SoftwareAuthenticator().create(result.options));
    expect(good.result.__typename).toBe('PasskeyAdded');
  });

  test('an algorithm that was not offered (W09)', async () => {
    const { client } = await verifiedPerson(gateway);
    const { result } = await client.send(BEGIN_PASSKEY, { input: {} });
    const offered = (result.options as { pubKeyCredParams: { alg: number }[] }).pubKeyCredParams.map(({ alg }) => alg);
    expect(offered.sort()).toEqual([-257, -7, -8].sort());
    const response = new SoftwareAuthenticator().create(result.options) as Response;
    // ES256 (-7, one byte) written as ES384 (-35, two bytes).
    const object = Buffer.from(String(response.response.attestationObject), 'base64url');
    const at = object.indexOf(Buffer.from([0x01, 0x02, 0x03, 0x26]));
    expect(at).toBeGreaterThan(0);
    object[at + 3] = 0x22;
    response.response.attestationObject = object.toString('base64url');
    const answer = await client.send(CONFIRM_PASSKEY, { input: { handle: result.handle, response } });
    expect(answer.result.__typename).toBe('PasskeyRejected');
  });

  const NO_POINT = Buffer.alloc(32);
  const modulus = (bytes: number) => Buffer.concat([Buffer.from([0xc3]), randomBytes(bytes - 2), Buffer.from([0x01])]);
  const rsa = (n: Buffer, e: number[]) => [
    [1, 3],
    [3, -257],
    [-1, n],
    [-2, Buffer.from(e)],
  ];
  const ec = (x: Buffer, y: Buffer) => [
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, x],
    [-3, y],
  ];
  test.each([
    ['RSA with the exponent 1, which anybody signs with', rsa(modulus(256), [1])],
    ['RSA of 512 bits', rsa(modulus(64), [1, 0, 1])],
    ['RSA of 16,384 bits', rsa(modulus(2048), [1, 0, 1])],
    ['a point that is not on the curve', ec(NO_POINT, NO_POINT)],
    ['coordinates that are too short', ec(randomBytes(3), randomBytes(3))],
    ['the algorithm of another kind of key', [...ec(NO_POINT, NO_POINT).filter(([label]) => label !== 3), [3, -257]]],
    ['a kind in words', [['1', 'EC2'], ...ec(NO_POINT, NO_POINT).slice(1)]],
  ])('a key that is none: %s (W09: isSound)', async (_what, key) => {
    const { client } = await verifiedPerson(gateway);
    const { result } = await client.send(BEGIN_PASSKEY, { input: {} });
    const response = new SoftwareAuthenticator().create(result.options, { key: new Map(key as [unknown, unknown][]) });
    const answer = await client.send(CONFIRM_PASSKEY, { input: { handle: result.handle, response } });
    expect([answer.status, answer.result.__typename]).toEqual([200, 'PasskeyRejected']);
  });

  test('the id of a passkey that somebody has (W10)', async () => {
    const ada = await holder();
    const eve = await verifiedPerson(gateway);
    const [{ id = '' } = {}] = ada.authenticator.credentials;
    for (const client of [eve.client, ada.client]) {
      const { result } = await client.send(BEGIN_PASSKEY, { input: {} });
      const response = new SoftwareAuthenticator().create(result.options, { id });
      const answer = await client.send(CONFIRM_PASSKEY, { input: { handle: result.handle, response } });
      expect(answer.result.__typename).toBe('PasskeyRejected');
    }
    expect(await outcome(ada.authenticator, {})).toBe('LoggedIn');
  });

  test('the handle of somebody else, or of a login (W03, W13)', async () => {
    const [ada, eve] = [await verifiedPerson(gateway), await verifiedPerson(gateway)];
    const { result } = await ada.client.send(BEGIN_PASSKEY, { input: {} });
    const response = new SoftwareAuthenticator().create(result.options);
    for (const client of [eve.client, gateway.client()]) {
      const answer = await client.send(CONFIRM_PASSKEY, { input: { handle: result.handle, response } });
      expect(answer.result.__typename).toBe('InvalidToken');
    }
    const { loginToken } = await begin(eve.client);
    const crossed = await eve.client.send(CONFIRM_PASSKEY, { input: { handle: loginToken, response } });
    expect(crossed.result.__typename).toBe('InvalidToken');
  });

  test('an attestation is not looked at, whatever it is', async () => {
    const { client } = await verifiedPerson(gateway);
    const { result } = await client.send(BEGIN_PASSKEY, { input: {} });
    expect(result.options).toMatchObject({ attestation: 'none' });
    const response = new SoftwareAuthenticator().create(result.options, { fmt: 'android-safetynet' });
    const answer = await client.send(CONFIRM_PASSKEY, { input: { handle: result.handle, response } });
    expect(answer.result.__typename).toBe('PasskeyAdded');
  });
});

test.each([['yes'], ['\u0000'], ['\ud800'], [{ a: 1 }], [[]], ['x'.repeat(30_000)], [7]])(
  'what a browser says of its passkey is taken for yes or no, or for nothing: %j',
  async (rk) => {
    const { client } = await verifiedPerson(gateway);
    const { result } = await client.send(BEGIN_PASSKEY, { input: {} });
    const response = new SoftwareAuthenticator().create(result.options, { rk });
    const added = await client.send(CONFIRM_PASSKEY, { input: { handle: result.handle, response } });
    expect([added.status, added.result.__typename]).toEqual([200, 'PasskeyAdded']);
    const held = await client.send(AUTHENTICATORS);
    expect(held.result.authenticators).toContainEqual(expect.objectContaining({ passwordless: true }));
  },
);

describe('a challenge', () => {
  test('has 256 random bits, and none comes twice (W01)', async () => {
    const client = gateway.client();
    const challenges = new Set<string>();
    for (let each = 0; each < 50; each += 1) challenges.add((await begin(client)).options.challenge);
    expect(challenges.size).toBe(50);
    for (const challenge of challenges) expect(Buffer.from(challenge, 'base64url')).toHaveLength(32);
  });

  test('does for five minutes (W01)', async () => {
    const { authenticator } = await holder();
    const client = gateway.client();
    const { loginToken, options } = await begin(client);
    gateway.clock.advance(300_000);
    const late = await logIn(client, loginToken, authenticator.get(options));
    expect(late.result.__typename).toBe('LoginExpired');
  });

  test('does for one login when twenty bring its response at once, and is no copy of a passkey for the others (W01)', async () => {
    const { authenticator, userId } = await holder();
    const clients = Array.from({ length: 20 }, () => gateway.client());
    const { loginToken, options } = await begin(clients[0] as GraphQLClient);
    const response = authenticator.get(options);
    const answers = await Promise.all(clients.map((client) => logIn(client, loginToken, response)));
    const outcomes = answers.map(({ result }) => result.__typename);
    expect(outcomes.filter((each) => each === 'LoggedIn')).toHaveLength(1);
    expect(new Set(outcomes)).toEqual(new Set(['LoggedIn', 'LoginExpired']));
    const events = await gateway.sql(`SELECT 1 FROM events WHERE user_id = $1 AND kind = 'PasskeyCounterRegressed'`, [
      userId,
    ]);
    expect(events).toEqual([]);
  });

  test('of one login, person or purpose does for no other (W03)', async () => {
    const [ada, eve] = [await holder(), await holder()];
    const client = gateway.client();
    const [first, second] = [await begin(client), await begin(client)];
    const crossed = await logIn(client, second.loginToken, ada.authenticator.get(first.options));
    expect(crossed.result.__typename).toBe('InvalidCredentials');

    const [waitsForAda, waitsForEve] = [
      await beginMfaLogin(client, ada.person),
      await beginMfaLogin(client, eve.person),
    ];
    const verify = (loginToken: string, passkey: unknown) =>
      client.send(VERIFY_MFA, { input: { loginToken, proof: { passkey } } });
    for (const passkey of [
      eve.authenticator.get(waitsForAda.passkeyOptions),
      ada.authenticator.get(waitsForEve.passkeyOptions),
      ada.authenticator.get(first.options),
    ]) {
      expect((await verify(waitsForAda.loginToken, passkey)).result.__typename).toBe('InvalidCode');
    }
    const asLogin = await logIn(client, waitsForAda.loginToken, ada.authenticator.get(waitsForAda.passkeyOptions));
    expect(asLogin.result.__typename).toBe('LoginExpired');
  });

  test('for a proof in a session renews that session only', async () => {
    const { client, authenticator, person } = await holder();
    const { result: begun } = await client.send(BEGIN_REAUTHENTICATION, { input: { method: 'PASSKEY' } });
    const response = authenticator.get(begun.passkeyOptions);
    const other = await beginMfaLogin(gateway.client(), person);
    const elsewhere = gateway.client();
    const passkey = authenticator.get(other.passkeyOptions);
    const { result } = await elsewhere.send(VERIFY_MFA, {
      input: { loginToken: other.loginToken, proof: { passkey } },
    });
    const token = (result.credential as { token: string }).token;
    const input = { passkey: { handle: begun.handle, response } };
    expect((await elsewhere.bearing(token).send(REAUTHENTICATE, { input })).result.__typename).toBe('InvalidToken');
    // The counter has moved on since, so it takes a new response.
    const again = await client.send(BEGIN_REAUTHENTICATION, { input: { method: 'PASSKEY' } });
    const handled = { handle: again.result.handle, response: authenticator.get(again.result.passkeyOptions) };
    expect((await client.send(REAUTHENTICATE, { input: { passkey: handled } })).result.__typename).toBe(
      'Reauthenticated',
    );
    expect((await client.send(REAUTHENTICATE, { input: { passkey: handled } })).result.__typename).toBe('InvalidToken');
  });
});

describe('user verification (W07)', () => {
  test('is not for the client to lower: a login by passkey without it is one factor', async () => {
    const { authenticator } = await holder();
    const client = gateway.client();
    const { loginToken, options } = await begin(client);
    const response = authenticator.get({ ...options, userVerification: 'discouraged' }, { userVerified: false });
    const { result } = await logIn(client, loginToken, response);
    expect(result.__typename).toBe('MfaRequired');
    expect(result.passkeyOptions).toMatchObject({ userVerification: 'required' });
    const passkey = authenticator.get(result.passkeyOptions, { userVerified: false });
    const answer = await client.send(VERIFY_MFA, { input: { loginToken: result.loginToken, proof: { passkey } } });
    expect(answer.result.__typename).toBe('InvalidCode');
  });
});

describe('a login by passkey', () => {
  test('offers the same to everybody: it asks for no name (W14)', async () => {
    const client = gateway.client();
    const [one, other] = [await begin(client), await begin(client)];
    expect({ ...one.options, challenge: '' }).toEqual({ ...other.options, challenge: '' });
    expect(one.options.allowCredentials).toEqual([]);
  });

  test('says whose it is: a passkey that must be named first logs nobody in (W12: identifies)', async () => {
    const { client } = await verifiedPerson(gateway);
    const { result } = await client.send(BEGIN_PASSKEY, { input: {} });
    const authenticator = new SoftwareAuthenticator();
    const response = authenticator.create(result.options, { rk: false });
    await client.send(CONFIRM_PASSKEY, { input: { handle: result.handle, response } });
    for (const userHandle of [null, ''])
      expect(await outcome(authenticator, { userHandle })).toBe('InvalidCredentials');
    const { result: user } = await client.send(AUTHENTICATORS);
    expect(user.authenticators).toContainEqual(expect.objectContaining({ passwordless: false }));
  });

  test('cannot be carried on as another kind of login', async () => {
    const client = gateway.client();
    const { loginToken } = await begin(client);
    expect((await client.send(CONTINUE_LOGIN, { input: { loginToken } })).result.__typename).toBe('LoginExpired');
  });

  test('of somebody disabled is refused as any', async () => {
    const { authenticator, userId } = await holder();
    await gateway.sql('UPDATE users SET disabled_at = now() WHERE id = $1', [userId]);
    expect(await outcome(authenticator, {})).toBe('InvalidCredentials');
  });

  test('that is wrong locks nobody out: whoever knows an id could do that', async () => {
    const limited = await startGateway();
    const held = await verifiedPerson(limited);
    const { authenticator } = await enrollPasskey(held.client);
    for (let each = 0; each < 12; each += 1) {
      const client = limited.client();
      const { loginToken, options } = await begin(client);
      await logIn(client, loginToken, authenticator.get(options, { flip: 9 }));
    }
    const client = limited.client();
    const { loginToken, options } = await begin(client);
    expect((await logIn(client, loginToken, authenticator.get(options))).result.__typename).toBe('LoggedIn');
    await limited.stop();
  });

  test('is wrong five times at most', async () => {
    const { authenticator } = await holder();
    const client = gateway.client();
    const { loginToken, options } = await begin(client);
    for (let each = 0; each < 5; each += 1) {
      const { result } = await logIn(client, loginToken, authenticator.get(options, { flip: each }));
      expect(result.__typename).toBe('InvalidCredentials');
    }
    expect((await logIn(client, loginToken, authenticator.get(options))).result.__typename).toBe('LoginExpired');
  });
});
