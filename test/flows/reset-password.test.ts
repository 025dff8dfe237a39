import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  askForReset,
  marked,
  newPassword,
  REQUEST_RESET,
  RESET_PASSWORD,
  resetWith,
  verified,
} from '../support/passwords.ts';
import { CURRENT_SESSION, CURRENT_USER, hold, LOG_IN, logIn, newPerson, signUp } from '../support/people.ts';

const MINUTE = 60_000;

let gateway: Gateway;
let trusting: Gateway;
let telephoning: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
  trusting = await startGateway({ env: { POSTERN_LOG_IN_AFTER_PASSWORD_RESET: 'on' } });
  telephoning = await startGateway({ sms: true, env: { POSTERN_LOGIN_IDENTIFIERS: 'email,phone' } });
});
afterAll(() => Promise.all([gateway.stop(), trusting.stop(), telephoning.stop()]));

describe('requestPasswordReset', () => {
  test('sends a code and a link, and says how long the code lives', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const { result } = await gateway.client().send(REQUEST_RESET, { input: { email: person.email.toUpperCase() } });
    const now = gateway.clock().getTime();
    expect(result).toMatchObject({
      __typename: 'CodeSent',
      expiresAt: new Date(now + 10 * MINUTE).toISOString(),
      resendAvailableAt: new Date(now + MINUTE / 2).toISOString(),
    });
    const mail = await gateway.mails.next(person.email);
    expect(mail.code).toMatch(/^[A-Z]{4}-[A-Z]{4}$/);
    expect(mail.link).toContain('/reset-password?token=pk_');
  });

  test('tells an address without an account so, and sends it nothing that opens anything', async () => {
    const { email } = newPerson();
    const { result } = await gateway.client().send(REQUEST_RESET, { input: { email } });
    expect(result.__typename).toBe('CodeSent');
    expect(await gateway.mails.next(email)).toMatchObject({ code: '', token: '' });
  });

  test('sends an address without an account nothing where that is configured', async () => {
    const quiet = await startGateway({ env: { POSTERN_MAIL_UNKNOWN_ACCOUNTS: 'off' } });
    const { email } = newPerson();
    const { result } = await quiet.client().send(REQUEST_RESET, { input: { email } });
    expect(result.__typename).toBe('CodeSent');
    await quiet.mails.none(email);
    await quiet.stop();
  });

  test('wants an address or a number, and one of them', async () => {
    const issues = async (input: object, at = gateway) =>
      (await at.client().send(REQUEST_RESET, { input })).result.issues;
    expect(await issues({})).toEqual([{ path: ['email'], code: 'REQUIRED' }]);
    expect(await issues({ email: '' })).toEqual([{ path: ['email'], code: 'REQUIRED' }]);
    expect(await issues({ email: 'nobody' })).toEqual([{ path: ['email'], code: 'INVALID' }]);
    expect(await issues({ phone: '+12025550123' })).toEqual([{ path: ['phone'], code: 'NOT_ALLOWED' }]);
    expect(await issues({ email: 'ada@example.com', phone: '+12025550123' }, telephoning)).toHaveLength(1);
  });
});

describe('resetPassword', () => {
  test('takes the link: the new password logs in, the old one does not', async () => {
    const person = newPerson();
    await verified(gateway, await signUp(gateway.client(), person));
    const { mail } = await askForReset(gateway, person.email);
    const password = newPassword();
    const { result } = await resetWith(gateway.client(), mail.token, password);
    expect(result).toEqual({ __typename: 'PasswordWasReset', sessionsEnded: 1 });
    expect((await gateway.client().send(LOG_IN, { input: person })).result.__typename).toBe('InvalidCredentials');
    await logIn(gateway.client(), { ...person, password });
    expect((await gateway.mails.next(person.email)).text).toContain('password');
  });

  test('takes the code, as people type it', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const { handle, mail } = await askForReset(gateway, person.email);
    const password = newPassword();
    const proof = { code: { handle, code: ` ${mail.code.toLowerCase().replace('-', ' ')} ` } };
    const { result } = await gateway.client().send(RESET_PASSWORD, { input: { proof, newPassword: password } });
    expect(result.__typename).toBe('PasswordWasReset');
    await logIn(gateway.client(), { ...person, password });
  });

  test('takes the code of a text message', async () => {
    const number = '+12025550147';
    const held = await signUp(telephoning.client(), newPerson());
    await telephoning.sql(
      'INSERT INTO phones (user_id, number, verified_at, created_at) VALUES ($1, $2, now(), now())',
      [held.userId, number],
    );
    const { result: sent } = await telephoning.client().send(REQUEST_RESET, { input: { phone: number } });
    const { code } = await telephoning.texts.next(number);
    const proof = { code: { handle: sent.handle, code } };
    const { result } = await telephoning
      .client()
      .send(RESET_PASSWORD, { input: { proof, newPassword: newPassword() } });
    expect(result).toEqual({ __typename: 'PasswordWasReset', sessionsEnded: 1 });
  });

  test('refuses a password that breaks the rules, and the link is good for a better one', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const { mail } = await askForReset(gateway, person.email);
    for (const [password, reason] of [
      ['short', 'TOO_SHORT'],
      ['password123', 'COMMON'],
      [person.email, 'TOO_SIMILAR'],
    ] as const) {
      const { result } = await resetWith(gateway.client(), mail.token, password);
      expect(result).toMatchObject({ __typename: 'PasswordRejected', reasons: expect.arrayContaining([reason]) });
    }
    expect((await resetWith(gateway.client(), mail.token)).result.__typename).toBe('PasswordWasReset');
  });

  test('gives the try of a right code back whose password is unfit for this person', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const { result } = await gateway.client().send(REQUEST_RESET, { input: { email: person.email } });
    const mail = await gateway.mails.next(person.email);
    const proof = { code: { handle: result.handle, code: mail.code } };
    const set = async (newPassword: string) =>
      (await gateway.client().send(RESET_PASSWORD, { input: { proof, newPassword } })).result.__typename;
    for (let n = 0; n < 7; n += 1) expect(await set(person.email)).toBe('PasswordRejected');
    expect(await set('another ladder in the library')).toBe('PasswordWasReset');
  });

  test('says how many tries of the code are left', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const { handle } = await askForReset(gateway, person.email);
    const proof = { code: { handle, code: 'BCDF-BCDF' } };
    const { result } = await gateway.client().send(RESET_PASSWORD, { input: { proof, newPassword: newPassword() } });
    expect(result).toMatchObject({ __typename: 'InvalidCode', attemptsLeft: 4 });
  });

  test('counts the sessions that it ends, but not those whose time was over', async () => {
    const person = newPerson();
    await verified(gateway, await signUp(gateway.client(), person));
    gateway.clock.advance(8 * 24 * 60 * MINUTE);
    const held = await logIn(gateway.client(), person, 'COOKIE');
    const { mail } = await askForReset(gateway, person.email);
    expect((await resetWith(gateway.client(), mail.token)).result.sessionsEnded).toBe(1);
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ reason: 'REVOKED' });
  });

  test('verifies the address that the mail went to', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const { mail } = await askForReset(gateway, person.email);
    const password = newPassword();
    await resetWith(gateway.client(), mail.token, password);
    const held = await logIn(gateway.client(), { ...person, password });
    expect((await held.client.send(CURRENT_USER)).result.emailVerified).toBe(true);
  });

  test('takes the mark off a password that had to be replaced', async () => {
    const person = newPerson();
    await marked(gateway, await signUp(gateway.client(), person));
    const { mail } = await askForReset(gateway, person.email);
    const password = newPassword();
    await resetWith(gateway.client(), mail.token, password);
    await logIn(gateway.client(), { ...person, password });
  });

  test('does not take the one again that had to be replaced', async () => {
    const person = newPerson();
    await marked(gateway, await signUp(gateway.client(), person));
    const { mail } = await askForReset(gateway, person.email);
    expect((await resetWith(gateway.client(), mail.token, person.password)).result.reasons).toEqual(['REFUSED']);
    expect((await resetWith(gateway.client(), mail.token)).result.__typename).toBe('PasswordWasReset');
  });

  test('logs in where that is configured, with the credential that was asked for', async () => {
    const person = newPerson();
    const before = await verified(trusting, await signUp(trusting.client(), person));
    const { mail } = await askForReset(trusting, person.email);
    const client = trusting.client();
    const answer = await client.send(RESET_PASSWORD, {
      input: { proof: { token: mail.token }, newPassword: newPassword(), credential: 'COOKIE' },
    });
    const held = hold(client, answer);
    const { result } = await held.client.send(CURRENT_SESSION);
    expect(result).toMatchObject({ id: held.sessionId, credential: 'COOKIE', methods: [{ method: 'PASSWORD_RESET' }] });
    expect((await before.client.send(CURRENT_USER)).result).toMatchObject({ reason: 'REVOKED' });
  });
});
