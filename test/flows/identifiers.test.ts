import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  CURRENT_USER,
  hold,
  LOG_IN,
  LOG_IN_WITH_CODE,
  newPerson,
  REQUEST_LOGIN_CODE,
  SIGN_UP,
  signUp,
  VERIFY_PHONE,
} from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({
    env: { POSTERN_LOGIN_IDENTIFIERS: 'email,username,phone', POSTERN_RATE_LIMITS: 'off' },
    sms: true,
  });
});
afterAll(() => gateway.stop());

let numbers = 0;
/** A number that is valid and nobody's. */
function newNumber(): string {
  numbers += 1;
  return `+120255501${String(numbers).padStart(2, '0')}`;
}

describe('a number', () => {
  test('is verified by a text message before it opens a session, and logs in from then on', async () => {
    const [phone, { password }] = [newNumber(), newPerson()];
    const client = gateway.client();
    const { result } = await client.send(SIGN_UP, { input: { phone, password } });
    expect(result).toMatchObject({ __typename: 'PhoneVerificationRequired', phone: `••••••${phone.slice(-2)}` });
    const { code } = await gateway.texts.next(phone);
    const answer = await client.send(VERIFY_PHONE, { input: { code: { handle: result.loginToken, code } } });
    const { userId } = hold(client, answer);

    const spelled = `${phone.slice(0, 2)} (${phone.slice(2, 5)}) ${phone.slice(5, 8)}-${phone.slice(8)}`;
    const again = await gateway.client().send(LOG_IN, { input: { phone: spelled, password } });
    expect(hold(gateway.client(), again).userId).toBe(userId);

    const begun = await client.send(REQUEST_LOGIN_CODE, { input: { phone } });
    const sent = await gateway.texts.next(phone);
    const proof = { code: { handle: begun.result.loginToken, code: sent.code } };
    expect(hold(client, await client.send(LOG_IN_WITH_CODE, { input: { proof } })).userId).toBe(userId);
  });

  test('that is taken looks like any other; its holder is told', async () => {
    const [phone, { password }] = [newNumber(), newPerson()];
    const client = gateway.client();
    const { result } = await client.send(SIGN_UP, { input: { phone, password } });
    const { code } = await gateway.texts.next(phone);
    hold(client, await client.send(VERIFY_PHONE, { input: { code: { handle: result.loginToken, code } } }));

    const second = await gateway.client().send(SIGN_UP, { input: { phone, password: newPerson().password } });
    expect(second.result).toMatchObject({ __typename: 'PhoneVerificationRequired', phone: result.phone });
    expect((await gateway.texts.next(phone)).code).toBe('');
  });

  test('has to be one', async () => {
    const { result } = await gateway.client().send(SIGN_UP, { input: { phone: '12', password: newPerson().password } });
    expect(result).toMatchObject({ issues: [{ path: ['phone'], code: 'INVALID' }] });
  });

  test('is of no use where nobody sends text messages, and authConfig says so', async () => {
    const mute = await startGateway({ env: { POSTERN_LOGIN_IDENTIFIERS: 'email,phone' } });
    const { result } = await mute.client().send(SIGN_UP, { input: { phone: newNumber(), password: 'x'.repeat(12) } });
    expect(result).toMatchObject({
      issues: [
        { path: ['email'], code: 'REQUIRED' },
        { path: ['phone'], code: 'NOT_ALLOWED' },
      ],
    });
    const config = await mute.client().send('{ authConfig { loginIdentifiers } }');
    expect(config.result).toEqual({ loginIdentifiers: ['EMAIL'] });
    await mute.stop();
  });
});

describe('a user name', () => {
  test('logs in, in whatever case it is typed, and is shown as its owner writes it', async () => {
    const person = newPerson();
    const client = gateway.client();
    const username = `Ada.${Math.random().toString(36).slice(2, 8)}`;
    hold(client, await client.send(SIGN_UP, { input: { ...person, username } }));
    const answer = await client.send(LOG_IN, {
      input: { username: username.toUpperCase(), password: person.password },
    });
    const { result } = await hold(client, answer).client.send(CURRENT_USER);
    expect(result).toMatchObject({ username, email: person.email, displayName: username });
  });

  test('that is taken, in whatever case, or kept for others is refused', async () => {
    const username = `grace${Math.random().toString(36).slice(2, 8)}`;
    const client = gateway.client();
    hold(client, await client.send(SIGN_UP, { input: { ...newPerson(), username } }));
    const taken = await client.send(SIGN_UP, { input: { ...newPerson(), username: username.toUpperCase() } });
    expect(taken.result).toMatchObject({ issues: [{ path: ['username'], code: 'TAKEN' }] });
    const reserved = await client.send(SIGN_UP, { input: { ...newPerson(), username: 'Admin' } });
    expect(reserved.result).toMatchObject({ issues: [{ path: ['username'], code: 'NOT_ALLOWED' }] });
  });

  test('of nobody, or that nobody may have, is answered like a wrong password', async () => {
    for (const username of ['nobody-at-all', 'admin']) {
      const { result } = await gateway.client().send(LOG_IN, { input: { username, password: 'tall ladder' } });
      expect(result.__typename).toBe('InvalidCredentials');
    }
  });
});

test('a login names one of them', async () => {
  const person = newPerson();
  await signUp(gateway.client(), person);
  const { result } = await gateway.client().send(LOG_IN, { input: { ...person, username: 'ada' } });
  expect(result).toMatchObject({ issues: [{ path: ['username'], code: 'NOT_ALLOWED' }] });
});

test('every name of an account counts for the same limit (L01: else each name is ten more guesses)', async () => {
  const limited = await startGateway({ env: { POSTERN_LOGIN_IDENTIFIERS: 'email,username' } });
  const person = newPerson();
  const username = 'ada-lovelace';
  await limited.client().send(SIGN_UP, { input: { ...person, username } });
  const guess = (name: object) => limited.client().send(LOG_IN, { input: { ...name, password: 'a wrong one' } });
  for (let n = 0; n < 5; n += 1) await guess({ email: person.email });
  for (let n = 0; n < 5; n += 1) await guess({ username });
  for (const name of [{ email: person.email }, { username }])
    expect((await guess(name)).result.__typename).toBe('RateLimited');
  await limited.stop();
});
