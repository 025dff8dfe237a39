import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type PersonOptions, startTestGateway, type TestGateway } from '../../src/testing/index.ts';
import { BEGIN_PASSKEY_LOGIN, GENERATE_RECOVERY_CODES, LOG_IN_WITH_PASSKEY, VERIFY_MFA } from '../support/factors.ts';
import { lastEventId, REVOKE_SESSION, SESSION_EVENTS, WATCH_SESSION } from '../support/live.ts';
import {
  type CredentialKind,
  CURRENT_SESSION,
  CURRENT_USER,
  hold,
  LOG_IN,
  LOG_IN_WITH_CODE,
  REQUEST_LOGIN_CODE,
  SIGN_UP,
  VERIFY_EMAIL,
  VERIFY_PHONE,
} from '../support/people.ts';
import { BEGIN_PROVIDER_LOGIN, COMPLETE_PROVIDER_LOGIN, CONNECTIONS } from '../support/social.ts';

const CREDENTIALS: readonly CredentialKind[] = ['SESSION_TOKEN', 'COOKIE', 'JWT'];

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway({ sms: true });
});

afterAll(() => gateway?.stop());

/** Logs in with a password, as far as it goes. */
async function withPassword({ email, password }: { readonly email: string; readonly password: string }) {
  const client = gateway.client();
  const answer = await client.send(LOG_IN, { input: { email, password, credential: 'SESSION_TOKEN' } });
  return { client, answer };
}

/** Logs in at the mock provider, as whoever comes. */
async function atProvider() {
  const client = gateway.client();
  const redirectUrl = `${gateway.url}/welcome`;
  const input = { provider: 'mock', redirectUrl, credential: 'SESSION_TOKEN' };
  const { result } = await client.send(BEGIN_PROVIDER_LOGIN, { input });
  const returned = await gateway.provider.visit(String(result.url));
  const code = returned.searchParams.get('code') ?? '';
  const answer = await client.send(COMPLETE_PROVIDER_LOGIN, { input: { flowToken: result.flowToken, code } });
  return { client, returned, answer };
}

describe('a person of the kit', () => {
  test('logs in with their password', async () => {
    const { client, answer } = await withPassword(await gateway.aPerson());
    expect((await hold(client, answer).client.send(CURRENT_USER)).result).toMatchObject({
      __typename: 'User',
      emailVerified: true,
    });
  });

  test('has the names and roles that were asked for', async () => {
    const given = { email: 'Ada@Example.com', name: 'Ada Lovelace', username: 'ada.l', roles: ['staff'] };
    const person = await gateway.aPerson(given);
    const { client } = await gateway.logInAs(person);
    const { result } = await client.send(CURRENT_USER);
    expect(result).toMatchObject({ ...given, email: 'ada@example.com', id: person.id });
  });

  test('may be one whose address is not verified', async () => {
    const { answer } = await withPassword(await gateway.aPerson({ verified: false }));
    expect(answer.result.__typename).toBe('EmailVerificationRequired');
  });

  test('may be one whose account is disabled', async () => {
    const person = await gateway.aPerson({ disabled: true });
    expect((await withPassword(person)).answer.result.__typename).toBe('InvalidCredentials');
    await expect(gateway.logInAs(person)).rejects.toThrow('gone, or disabled');
  });

  test('is asked for the code of their app, once for each', async () => {
    const person = await gateway.aPerson({ totp: true });
    const enter = async () => {
      const { client, answer } = await withPassword(person);
      expect(answer.result).toMatchObject({ __typename: 'MfaRequired', factors: ['TOTP', 'RECOVERY_CODE'] });
      const proof = { totp: person.totp.code() };
      return client.send(VERIFY_MFA, { input: { loginToken: answer.result.loginToken, proof } });
    };
    expect((await enter()).result.__typename).toBe('LoggedIn');
    expect((await enter()).result.__typename).toBe('InvalidCode');
    gateway.clock.advance('30s');
    expect((await enter()).result.__typename).toBe('LoggedIn');
  });

  test('may answer with one of their recovery codes', async () => {
    const person = await gateway.aPerson({ totp: true });
    const { client, answer } = await withPassword(person);
    const proof = { recoveryCode: person.recoveryCodes[3] };
    const { result } = await client.send(VERIFY_MFA, { input: { loginToken: answer.result.loginToken, proof } });
    expect(result.__typename).toBe('LoggedIn');
    expect((await gateway.aPerson({ totp: true, recoveryCodes: false })).recoveryCodes).toEqual([]);
  });

  test('answers with their passkey, after a password and alone', async () => {
    const person = await gateway.aPerson({ passkey: true });
    const { client, answer } = await withPassword(person);
    const proof = { passkey: person.passkey.get(answer.result.passkeyOptions) };
    const second = await client.send(VERIFY_MFA, { input: { loginToken: answer.result.loginToken, proof } });
    expect(second.result.__typename).toBe('LoggedIn');

    const { result: begun } = await client.send(BEGIN_PASSKEY_LOGIN, { input: { credential: 'SESSION_TOKEN' } });
    const response = person.passkey.get(begun.options);
    const alone = await client.send(LOG_IN_WITH_PASSKEY, { input: { loginToken: begun.loginToken, response } });
    expect(alone.result).toMatchObject({ __typename: 'LoggedIn', user: { id: person.id } });
  });

  test('comes from the provider that they are connected to', async () => {
    const person = await gateway.aPerson({ password: null, connected: 'mock' });
    expect(person.password).toBeNull();
    gateway.provider.will(person.connection);
    const { answer } = await atProvider();
    expect(answer.result).toMatchObject({ __typename: 'LoggedIn', user: { id: person.id } });
  });

  test('has a telephone that codes are sent to', async () => {
    const person = await gateway.aPerson({ phone: '+1 202 555 0123', email: null, verified: true });
    expect(person).toMatchObject({ phone: '+12025550123', email: null });
    const { client } = await gateway.logInAs(person);
    const { result } = await client.send('{ currentUser { ... on User { phone { number verified } } } }');
    expect(result.phone).toEqual({ number: '+12025550123', verified: true });
  });

  test('is refused where the gateway would refuse them', async () => {
    const { email } = await gateway.aPerson();
    const refusals: readonly (readonly [PersonOptions, string])[] = [
      [{ email }, 'the email of this person is taken'],
      [{ email: 'nobody' }, 'nobody is not an address'],
      [{ phone: '12' }, '12 is not a telephone number'],
      [{ username: 'a b' }, 'a b is not a user name: INVALID'],
      [{ connected: 'elsewhere' }, 'there is no provider elsewhere'],
    ];
    for (const [options, message] of refusals) await expect(gateway.aPerson(options)).rejects.toThrow(message);
  });

  test('is one of many that are made at once, and is told nothing of it', async () => {
    const people = await Promise.all(Array.from({ length: 40 }, () => gateway.aPerson({ totp: true })));
    expect(new Set(people.map(({ id }) => id)).size).toBe(40);
    for (const { email } of people) await gateway.mails.none(email);
  });
});

describe('logInAs', () => {
  test.each(CREDENTIALS)('gives a client that holds a %s, for requests and for sockets', async (credential) => {
    const person = await gateway.aPerson();
    const { client, sessionId } = await gateway.logInAs(person, { credential });
    const { result } = await client.send(CURRENT_SESSION);
    expect(result).toMatchObject({ id: sessionId, credential, current: true });

    const events = client.subscribe(SESSION_EVENTS, { after: await lastEventId({ client }) });
    const other = await gateway.logInAs(person);
    expect(await events.next()).toMatchObject({ __typename: 'SessionStarted', session: { id: other.sessionId } });
    await other.client.send(REVOKE_SESSION, { input: { id: sessionId } });
    expect(await events.next()).toMatchObject({ __typename: 'SessionEnded', sessionId });
    await events.ended;
    expect((await client.send(CURRENT_USER)).result).toMatchObject({ reason: 'REVOKED' });
    await gateway.mails.none(person.email);
  });

  test.each(CREDENTIALS)('gives a %s that may change what is sensitive, unless told', async (credential) => {
    const person = await gateway.aPerson({ totp: true });
    const change = async (options: Parameters<TestGateway['logInAs']>[1]) => {
      const { client } = await gateway.logInAs(person, { credential, ...options });
      return (await client.send(GENERATE_RECOVERY_CODES)).result.__typename;
    };
    expect(await change({})).toBe('RecoveryCodesGenerated');
    expect(await change({ methods: ['PASSWORD', 'RECOVERY_CODE'] })).toBe('RecoveryCodesGenerated');
    expect(await change({ methods: ['PASSWORD'] })).toBe('ReauthenticationRequired');
    expect(await change({ fresh: false })).toBe('ReauthenticationRequired');
  });

  test('says in the session what was proven', async () => {
    const methodsOf = async (options: PersonOptions) => {
      const { client } = await gateway.logInAs(await gateway.aPerson(options));
      const { result } = await client.send(CURRENT_SESSION);
      return (result.methods as { method: string; provider: string | null }[]).map(({ method, provider }) =>
        provider === null ? method : `${method} ${provider}`,
      );
    };
    expect(await methodsOf({})).toEqual(['PASSWORD']);
    expect(await methodsOf({ passkey: true })).toEqual(['PASSWORD', 'PASSKEY']);
    expect(await methodsOf({ password: null })).toEqual(['CODE']);
    expect(await methodsOf({ password: null, connected: 'mock' })).toEqual(['PROVIDER mock']);
  });

  test('asks nothing of somebody whom a login would ask', async () => {
    const person = await gateway.aPerson({ verified: false });
    expect((await (await gateway.logInAs(person)).client.send(CURRENT_USER)).result.__typename).toBe('User');
  });
});

describe('the messages', () => {
  test('are read as people read them: the code of the last one, and its link', async () => {
    const person = { email: 'grace@example.com', password: 'a tall ladder in the library' };
    const client = gateway.client();
    const { result } = await client.send(SIGN_UP, { input: { ...person, credential: 'SESSION_TOKEN' } });
    const proof = { code: { handle: result.loginToken, code: await gateway.mails.lastCode(person.email) } };
    expect((await client.send(VERIFY_EMAIL, { input: { proof } })).result.__typename).toBe('LoggedIn');

    const asked = { email: person.email, credential: 'SESSION_TOKEN' };
    await client.send(REQUEST_LOGIN_CODE, { input: asked });
    const token = new URL(await gateway.mails.lastLink(person.email)).searchParams.get('token');
    const entered = await client.send(LOG_IN_WITH_CODE, { input: { proof: { token } } });
    expect(entered.result.__typename).toBe('LoggedIn');
    await expect(gateway.mails.lastCode('nobody@example.com')).rejects.toThrow('no mail with a code');
  });

  test('are text messages as well; what an app sends its own with is never called', async () => {
    const env = { POSTERN_LOGIN_IDENTIFIERS: 'email,phone' };
    const sendSms = () => Promise.reject(new Error('this would have cost something'));
    const texting = await startTestGateway({ env, hooks: { sendSms } });
    try {
      const phone = '+12025550199';
      const client = texting.client();
      const input = { phone, password: 'a tall ladder in the library', credential: 'SESSION_TOKEN' };
      const { result } = await client.send(SIGN_UP, { input });
      const code = { handle: result.loginToken, code: await texting.texts.lastCode(phone) };
      expect((await client.send(VERIFY_PHONE, { input: { code } })).result.__typename).toBe('LoggedIn');
    } finally {
      await texting.stop();
    }
  });
});

describe('the mock provider', () => {
  test('logs somebody in whom nobody knows yet', async () => {
    gateway.provider.will({ sub: '1815', email: 'mary@example.com', email_verified: true, name: 'Mary Somerville' });
    const { client, answer } = await atProvider();
    const { result } = await hold(client, answer).client.send(CONNECTIONS);
    expect(result).toMatchObject({
      name: 'Mary Somerville',
      emailVerified: true,
      connections: [{ provider: { id: 'mock' } }],
    });
  });

  test('refuses', async () => {
    gateway.provider.wont();
    const { answer } = await atProvider();
    expect(answer.result.__typename).not.toBe('LoggedIn');
  });

  test('does not mind what the clock of the gateway says', async () => {
    gateway.clock.advance('40d');
    gateway.provider.will({ sub: '1816', email: 'caroline@example.com', email_verified: true });
    expect((await atProvider()).answer.result.__typename).toBe('LoggedIn');
  });

  test('stands for a provider of the app, under its name', async () => {
    const named = await startTestGateway({ provider: { id: 'google', name: 'Google' } });
    try {
      const { result } = await named.client().send('{ authConfig { providers { id name } } }');
      expect(result).toMatchObject({ providers: [{ id: 'google', name: 'Google' }] });
    } finally {
      await named.stop();
    }
  });
});

test('an authenticator without a passkey gets one as a browser does', async () => {
  const { client } = await gateway.logInAs(await gateway.aPerson());
  const { result: begun } = await client.send(
    'mutation { beginPasskey(input: {}) { __typename ... on PasskeyStarted { handle options } } }',
  );
  const response = gateway.authenticator().create(begun.options);
  const { result } = await client.send(
    'mutation Confirm($input: ConfirmPasskeyInput!) { confirmPasskey(input: $input) { __typename } }',
    { input: { handle: begun.handle, response } },
  );
  expect(result.__typename).toBe('PasskeyAdded');
});

test('the clock moves sessions to their end, and a stream of them with it', async () => {
  const own = await startTestGateway({ clock: new Date('2030-01-01'), env: { POSTERN_SESSION_LIFETIME: '2h' } });
  try {
    const { client } = await own.logInAs(await own.aPerson());
    const watching = client.subscribe(WATCH_SESSION);
    expect(await watching.next()).toMatchObject({ __typename: 'Session' });
    own.clock.advance('1h');
    const { result } = await client.send(CURRENT_SESSION);
    expect(result).toMatchObject({ expiresAt: '2030-01-01T02:00:00.000Z', freshUntil: null });
    own.clock.advance(60 * 60 * 1_000);
    expect((await client.send(CURRENT_USER)).result).toMatchObject({ reason: 'EXPIRED' });
    // It may tell before that the proof is not fresh any more.
    while ((await watching.next()).__typename === 'Session') expect(watching.values.length).toBeLessThan(5);
    expect(watching.values.at(-1)).toMatchObject({ __typename: 'Unauthenticated', reason: 'EXPIRED' });
    expect(() => own.clock.advance('soon')).toThrow('soon is not a duration');
  } finally {
    await own.stop();
  }
});

test('another instance knows the sessions of the first', async () => {
  const other = await gateway.another({ POSTERN_PRODUCT_NAME: 'The other one' });
  const { client } = await gateway.logInAs(await gateway.aPerson(), { credential: 'JWT' });
  const there = other.client({ authorization: client.headers.authorization ?? '' });
  expect((await there.send(CURRENT_USER)).result.__typename).toBe('User');
  expect(other.url).not.toBe(gateway.url);
});

test('on a server that is given, the database is gone in the end, and so is that of a gateway that did not start', async () => {
  const databaseUrl = inject('templateUrl');
  const before = await scratchDatabases(databaseUrl);
  const given = await startTestGateway({ databaseUrl });
  expect(new URL(given.databaseUrl).port).toBe(new URL(databaseUrl).port);
  expect(await scratchDatabases(databaseUrl)).toHaveLength(before.length + 1);
  await given.stop();
  await given.stop();
  const unfit = startTestGateway({ databaseUrl, env: { POSTERN_SESSION_LIFETIME: 'long' } });
  await expect(unfit).rejects.toThrow('POSTERN_SESSION_LIFETIME');
  expect(await scratchDatabases(databaseUrl)).toEqual(before);
});

async function scratchDatabases(serverUrl: string): Promise<string[]> {
  const { default: pg } = await import('pg');
  const connection = new pg.Client({ connectionString: serverUrl });
  await connection.connect();
  const found = await connection
    .query("SELECT datname FROM pg_database WHERE datname LIKE 'postern\\_test\\_%' ORDER BY 1")
    .finally(() => connection.end());
  return found.rows.map(({ datname }) => datname);
}
