import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  CONTINUE_LOGIN,
  CURRENT_SESSION,
  CURRENT_USER,
  hold,
  LOG_IN,
  LOG_IN_WITH_CODE,
  logIn,
  newPerson,
  REQUEST_LOGIN_CODE,
  RESEND_CODE,
  signUp,
} from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_RATE_LIMITS: 'off' } });
});
afterAll(() => gateway.stop());

async function requestCode(on: Gateway, email: string, more = {}) {
  const client = on.client();
  const { result } = await client.send(REQUEST_LOGIN_CODE, { input: { email, ...more } });
  expect(result.__typename).toBe('LoginCodeRequired');
  return { client, handle: String(result.loginToken), mail: await on.mails.next(email) };
}

describe('a login by code', () => {
  test('is finished by the code, however it is typed', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const { client, handle, mail } = await requestCode(gateway, person.email);
    const code = ` ${mail.code.toLowerCase().replace('-', ' ')}`;
    const answer = await client.send(LOG_IN_WITH_CODE, { input: { proof: { code: { handle, code } } } });
    const { client: holder } = hold(client, answer);
    const { result } = await holder.send(CURRENT_SESSION);
    expect(result.methods).toMatchObject([{ method: 'CODE' }]);
  });

  test('is finished by the link, wherever it is opened, and there only', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const { client, handle, mail } = await requestCode(gateway, person.email);
    const phone = gateway.client();
    hold(phone, await phone.send(LOG_IN_WITH_CODE, { input: { proof: { token: mail.token } } }));
    const { result } = await client.send(CONTINUE_LOGIN, { input: { loginToken: handle } });
    expect(result.__typename).toBe('LoginExpired');
  });

  test('takes each of them once', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const { client, handle, mail } = await requestCode(gateway, person.email);
    const code = { handle, code: mail.code };
    const again = () => client.send(LOG_IN_WITH_CODE, { input: { proof: { code } } });
    expect((await again()).result.__typename).toBe('LoggedIn');
    expect((await again()).result.__typename).toBe('LoginExpired');
    const { result } = await client.send(LOG_IN_WITH_CODE, { input: { proof: { token: mail.token } } });
    expect(result.__typename).toBe('InvalidToken');
  });

  test('tells how many tries are left, and is over after the last', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const { client, handle } = await requestCode(gateway, person.email);
    const guess = () => client.send(LOG_IN_WITH_CODE, { input: { proof: { code: { handle, code: 'BBBB-BBBB' } } } });
    const left = [];
    for (let n = 0; n < 5; n += 1) left.push((await guess()).result.attemptsLeft);
    expect(left).toEqual([4, 3, 2, 1, 0]);
    expect((await guess()).result.__typename).toBe('LoginExpired');
  });

  test('sends another code after a pause; the one before is void', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const { client, handle, mail } = await requestCode(gateway, person.email);
    const tooSoon = await client.send(RESEND_CODE, { input: { handle } });
    expect(tooSoon.result).toMatchObject({ __typename: 'RateLimited', retryAfter: 30 });
    gateway.clock.advance(30_000);
    expect((await client.send(RESEND_CODE, { input: { handle } })).result.__typename).toBe('CodeSent');
    const { code } = await gateway.mails.next(person.email);
    const old = await client.send(LOG_IN_WITH_CODE, { input: { proof: { code: { handle, code: mail.code } } } });
    expect(old.result.__typename).toBe('InvalidCode');
    const fresh = await client.send(LOG_IN_WITH_CODE, { input: { proof: { code: { handle, code } } } });
    expect(fresh.result.__typename).toBe('LoggedIn');
  });

  test('is refused where it is switched off', async () => {
    const off = await startGateway({ env: { POSTERN_LOGIN_CODES: 'off' } });
    const { result } = await off.client().send(REQUEST_LOGIN_CODE, { input: { email: 'ada@example.com' } });
    expect(result).toMatchObject({ issues: [{ path: ['email'], code: 'NOT_ALLOWED' }] });
    await off.stop();
  });

  test('looks the same for an address without an account, which gets a mail that says so', async () => {
    const { client, handle, mail } = await requestCode(gateway, newPerson().email);
    expect(mail.code).toBe('');
    const { result } = await client.send(LOG_IN_WITH_CODE, {
      input: { proof: { code: { handle, code: 'BCDF-GHJK' } } },
    });
    expect(result).toMatchObject({ __typename: 'InvalidCode', attemptsLeft: 4 });
  });

  test('begins with exactly one of address and number', async () => {
    const neither = await gateway.client().send(REQUEST_LOGIN_CODE, { input: {} });
    expect(neither.result).toMatchObject({ issues: [{ path: ['email'], code: 'REQUIRED' }] });
    const phone = await gateway.client().send(REQUEST_LOGIN_CODE, { input: { phone: '+12025550123' } });
    expect(phone.result).toMatchObject({ issues: [{ path: ['phone'], code: 'NOT_ALLOWED' }] });
  });
});

describe('where a code is required after the password', () => {
  let strict: Gateway;
  beforeAll(async () => {
    strict = await startGateway({ env: { POSTERN_LOGIN_CODE_REQUIRED: 'on', POSTERN_RATE_LIMITS: 'off' } });
  });
  afterAll(() => strict.stop());

  test('the password alone is not enough, and both are', async () => {
    const person = newPerson();
    await signUp(strict.client(), person);
    const client = strict.client();
    const { result } = await client.send(LOG_IN, { input: person });
    expect(result.__typename).toBe('LoginCodeRequired');
    const { code } = await strict.mails.next(person.email);
    const proof = { code: { handle: result.loginToken, code } };
    const answer = await client.send(LOG_IN_WITH_CODE, { input: { proof } });
    const session = await hold(client, answer).client.send(CURRENT_SESSION);
    expect(session.result.methods).toMatchObject([{ method: 'PASSWORD' }, { method: 'CODE' }]);
  });

  test('a login by code asks for nothing more', async () => {
    const person = newPerson();
    await signUp(strict.client(), person);
    const { client, handle, mail } = await requestCode(strict, person.email);
    const answer = await client.send(LOG_IN_WITH_CODE, { input: { proof: { code: { handle, code: mail.code } } } });
    expect(answer.result.__typename).toBe('LoggedIn');
  });
});

describe('a code beside a password', () => {
  test.each(['optional', 'none'])(
    'is proof of the mailbox under %s: a later login by code alone takes nothing away',
    async (POSTERN_EMAIL_VERIFICATION) => {
      const strict = await startGateway({ env: { POSTERN_LOGIN_CODE_REQUIRED: 'on', POSTERN_EMAIL_VERIFICATION } });
      const person = newPerson();
      await signUp(strict.client(), person);
      await strict.mails.rest(person.email);
      const client = strict.client();
      const { result } = await client.send(LOG_IN, { input: person });
      const mail = await strict.mails.next(person.email);
      // Whoever did not ask for it has to hear that their password is known.
      expect(mail.text).toContain('somebody else knows your password');
      const proof = { code: { handle: result.loginToken, code: mail.code } };
      const held = hold(client, await client.send(LOG_IN_WITH_CODE, { input: { proof } }));
      expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ emailVerified: true, hasPassword: true });

      // Of the new device it was told as well.
      await strict.mails.rest(person.email);
      const { handle, mail: alone } = await requestCode(strict, person.email);
      expect(alone.text).not.toContain('knows your password');
      const answer = await client.send(LOG_IN_WITH_CODE, { input: { proof: { code: { handle, code: alone.code } } } });
      const again = hold(client, answer);
      expect((await again.client.send(CURRENT_USER)).result).toMatchObject({ hasPassword: true });
      expect((await held.client.send(CURRENT_USER)).result.__typename).toBe('User');
      await strict.stop();
    },
  );
});

test('logging in on a new device is told to the person, on a known one it is not', async () => {
  const person = newPerson();
  const home = gateway.client({ 'user-agent': 'Lynx' });
  await signUp(home, person);
  await logIn(home, person);
  await gateway.mails.none(person.email);
  await logIn(gateway.client({ 'user-agent': 'Mosaic' }), person);
  const { text } = await gateway.mails.next(person.email);
  expect(text).toContain('Mosaic');
});
