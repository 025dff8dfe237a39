import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { marked, newPassword, REPLACE_PASSWORD } from '../support/passwords.ts';
import {
  CONTINUE_LOGIN,
  CURRENT_USER,
  hold,
  LOG_IN,
  logIn,
  newPerson,
  type Person,
  signUp,
} from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

/** Somebody whose password is marked, and the token of their login. */
async function stopped(reason = 'ADMINISTRATOR') {
  const person = newPerson();
  const client = gateway.client();
  const held = await marked(gateway, await signUp(gateway.client(), person), reason);
  return { person, client, held, loginToken: await begin(person, client) };
}

async function begin(person: Person, client = gateway.client()): Promise<string> {
  const { result } = await client.send(LOG_IN, { input: person });
  expect(result.__typename).toBe('PasswordChangeRequired');
  return String(result.loginToken);
}

const replace = (loginToken: string, password = newPassword(), client = gateway.client()) =>
  client.send(REPLACE_PASSWORD, { input: { loginToken, newPassword: password } });

describe('replacePassword', () => {
  test.each(['BREACHED', 'ADMINISTRATOR'])('lets a login go on whose password was marked: %s', async (reason) => {
    const { person, client, loginToken } = await stopped(reason);
    const password = newPassword();
    const held = hold(client, await replace(loginToken, password, client));
    expect((await held.client.send(CURRENT_USER)).result.email).toBe(person.email);
    await logIn(gateway.client(), { ...person, password });
    expect((await gateway.client().send(LOG_IN, { input: person })).result.__typename).toBe('InvalidCredentials');
  });

  test('ends the sessions that the old password has opened, and tells the person', async () => {
    const { person, held, loginToken } = await stopped();
    await replace(loginToken);
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ reason: 'REVOKED' });
    const [notice] = await gateway.sql('SELECT 1 FROM events WHERE kind = $1 AND user_id = $2', [
      'PasswordChanged',
      held.userId,
    ]);
    expect(notice).toBeDefined();
    expect((await gateway.mails.next(person.email)).text).toContain('password');
  });

  test('refuses the old password, and one that breaks the rules; the login stays where it is', async () => {
    const { person, loginToken } = await stopped();
    expect((await replace(loginToken, person.password)).result).toMatchObject({ reasons: ['REFUSED'] });
    expect((await replace(loginToken, 'password123')).result).toMatchObject({ reasons: ['COMMON'] });
    expect((await replace(loginToken, person.email)).result).toMatchObject({ reasons: ['TOO_SIMILAR'] });
    const { result } = await gateway.client().send(CONTINUE_LOGIN, { input: { loginToken } });
    expect(result.__typename).toBe('PasswordChangeRequired');
    expect((await replace(loginToken)).result.__typename).toBe('LoggedIn');
  });

  test('answers only a login that asks for it', async () => {
    const made = await startGateway({ env: { POSTERN_LOGIN_CODE_REQUIRED: 'on' } });
    const person = newPerson();
    await made.client().send(LOG_IN, { input: person });
    const { userId } = await signUp(made.client(), person);
    await made.sql("UPDATE passwords SET replace_reason = 'BREACHED' WHERE user_id = $1", [userId]);
    const { result } = await made.client().send(LOG_IN, { input: person });
    expect(result.__typename).toBe('LoginCodeRequired');
    const input = { loginToken: result.loginToken, newPassword: newPassword() };
    expect((await made.client().send(REPLACE_PASSWORD, { input })).result.__typename).toBe('LoginExpired');
    expect((await made.client().send(LOG_IN, { input: person })).result.__typename).toBe('LoginCodeRequired');
    await made.stop();
  });

  test('is over once it was answered, and for a token that is none', async () => {
    const { loginToken } = await stopped();
    await replace(loginToken);
    expect((await replace(loginToken)).result.__typename).toBe('LoginExpired');
    expect((await replace('pl_nothing')).result.__typename).toBe('LoginExpired');
  });

  test('ends other logins of the person that wait for the same', async () => {
    const { person, loginToken } = await stopped();
    const other = await begin(person);
    await replace(loginToken);
    expect((await replace(other)).result.__typename).toBe('LoginExpired');
  });

  test('twenty times at once sets one password', async () => {
    const { person, loginToken } = await stopped();
    const tries = Array.from({ length: 20 }, () => newPassword());
    const answers = await Promise.all(tries.map((password) => replace(loginToken, password)));
    const won = answers
      .map(({ result }) => result.__typename)
      .flatMap((kind, index) => (kind === 'LoggedIn' ? [index] : []));
    expect(won).toHaveLength(1);
    await logIn(gateway.client(), { ...person, password: tries[won[0] ?? 0] ?? '' });
  });
});
