import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  CHANGE_PASSWORD,
  marked,
  newPassword,
  REAUTHENTICATE,
  renewed,
  withoutPassword,
} from '../support/passwords.ts';
import {
  CURRENT_SESSION,
  CURRENT_USER,
  ISSUE_ACCESS_TOKEN,
  LOG_IN,
  logIn,
  newPerson,
  type Person,
  REFRESH,
  signUp,
} from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

const inputFor = ({ password }: Person, to = newPassword()) => ({
  input: { currentPassword: password, newPassword: to },
});

describe('changePassword', () => {
  test('changes it: the new one logs in, the old one does not, and the person is told', async () => {
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person);
    const password = newPassword();
    const { result } = await client.send(CHANGE_PASSWORD, inputFor(person, password));
    expect(result).toMatchObject({ __typename: 'PasswordChanged', sessionsEnded: 0 });
    await logIn(gateway.client(), { ...person, password });
    expect((await gateway.client().send(LOG_IN, { input: person })).result.__typename).toBe('InvalidCredentials');
    expect((await gateway.mails.next(person.email)).text).toContain('password');
  });

  test.each(['SESSION_TOKEN', 'COOKIE'] as const)(
    'gives the session, held as %s, another token; the old one is refused at once',
    async (kind) => {
      const person = newPerson();
      const held = await signUp(gateway.client(), person, kind);
      await held.client.send(CURRENT_USER);
      const answer = await held.client.send(CHANGE_PASSWORD, inputFor(person));
      expect((await held.client.send(CURRENT_USER)).result.__typename).toBe('Unauthenticated');
      const { result } = await renewed(held.client, answer).send(CURRENT_SESSION);
      expect(result).toMatchObject({ id: held.sessionId, credential: kind, methods: [{ method: 'PASSWORD' }] });
    },
  );

  test('gives a session that is held as a JWT another pair; the old refresh token gives nothing', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'JWT');
    gateway.clock.advance(1_000);
    await held.client.send(REAUTHENTICATE, { input: { password: person.password } });
    const answer = await held.client.send(CHANGE_PASSWORD, inputFor(person));
    const { refreshToken } = answer.result.credential as { refreshToken: string };
    expect((await renewed(held.client, answer).send(CURRENT_SESSION)).result.id).toBe(held.sessionId);
    const refresh = async (token: string | null) =>
      (await gateway.client().send(REFRESH, { input: { refreshToken: token } })).result.__typename;
    expect(await refresh(held.refreshToken)).toBe('Unauthenticated');
    expect(await refresh(refreshToken)).toBe('SessionTokensRefreshed');
  });

  test.each(['JWT', 'SESSION_TOKEN'] as const)(
    'leaves no access token of a session that is held as %s (T05: else an old one changes the address and resets the new password)',
    async (credential) => {
      const person = newPerson();
      const held = await signUp(gateway.client(), person, credential);
      const { result: issued } = await held.client.send(ISSUE_ACCESS_TOKEN);
      const old = [String(issued.accessToken), ...(credential === 'JWT' ? [held.token] : [])];
      gateway.clock.advance(1);
      await held.client.send(REAUTHENTICATE, { input: { password: person.password } });
      const other = await gateway.another({ POSTERN_PUBLIC_URL: gateway.app.config.publicUrl });
      for (const token of old) {
        expect((await other.client().bearing(token).send(CURRENT_USER)).result.__typename).toBe('User');
      }
      const answer = await held.client.send(CHANGE_PASSWORD, inputFor(person));
      expect(answer.result.__typename).toBe('PasswordChanged');
      for (const token of old) {
        const here = await gateway.client().bearing(token).send(CURRENT_USER);
        expect(here.result).toMatchObject({ __typename: 'Unauthenticated', reason: 'REVOKED' });
        await expect
          .poll(async () => (await other.client().bearing(token).send(CURRENT_USER)).result.__typename)
          .toBe('Unauthenticated');
      }
      expect((await renewed(held.client, answer).send(CURRENT_USER)).result.id).toBe(held.userId);
    },
  );

  test('ends every other session', async () => {
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person);
    const others = await Promise.all(
      (['SESSION_TOKEN', 'COOKIE', 'JWT'] as const).map((kind) => logIn(gateway.client(), person, kind)),
    );
    const { result } = await client.send(CHANGE_PASSWORD, inputFor(person));
    expect(result.sessionsEnded).toBe(3);
    for (const other of others) {
      expect((await other.client.send(CURRENT_USER)).result).toMatchObject({ reason: 'REVOKED' });
    }
  });

  test('needs the current password of who has one', async () => {
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person);
    for (const currentPassword of [undefined, null, '', 'not the one that it is']) {
      const { result } = await client.send(CHANGE_PASSWORD, { input: { currentPassword, newPassword: newPassword() } });
      expect(result.__typename).toBe('InvalidCredentials');
    }
    await logIn(gateway.client(), person);
  });

  test('sets the first password of who has none', async () => {
    const person = newPerson();
    const { client } = await withoutPassword(gateway, await signUp(gateway.client(), person));
    const password = newPassword();
    expect((await client.send(CHANGE_PASSWORD, inputFor(person))).result.__typename).toBe('InvalidCredentials');
    const answer = await client.send(CHANGE_PASSWORD, { input: { newPassword: password } });
    expect(answer.result.__typename).toBe('PasswordChanged');
    expect((await renewed(client, answer).send(CURRENT_USER)).result.hasPassword).toBe(true);
    await logIn(gateway.client(), { ...person, password });
  });

  test('refuses a password that breaks the rules, which is no guess at the current one', async () => {
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person);
    for (let n = 0; n < 12; n += 1) {
      expect((await client.send(CHANGE_PASSWORD, inputFor(person, 'password123'))).result.reasons).toEqual(['COMMON']);
    }
    expect((await client.send(CHANGE_PASSWORD, inputFor(person, person.email))).result.reasons).toEqual([
      'TOO_SIMILAR',
    ]);
    expect((await client.send(CHANGE_PASSWORD, inputFor(person))).result.__typename).toBe('PasswordChanged');
  });

  test('does not take the one again that had to be replaced', async () => {
    const person = newPerson();
    const { client } = await marked(gateway, await signUp(gateway.client(), person));
    expect((await client.send(CHANGE_PASSWORD, inputFor(person, person.password))).result.reasons).toEqual(['REFUSED']);
    expect((await client.send(CHANGE_PASSWORD, inputFor(person))).result.__typename).toBe('PasswordChanged');
  });

  test('is for who is signed in', async () => {
    const { result } = await gateway.client().send(CHANGE_PASSWORD, inputFor(newPerson()));
    expect(result).toEqual({ __typename: 'Unauthenticated', reason: 'NO_CREDENTIAL' });
  });
});
