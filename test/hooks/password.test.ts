import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HookPassword } from '../../src/hooks.ts';
import { CREATE_USER, newAdministrator } from '../support/administration.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { changingHooks, faultsIn } from '../support/hooks.ts';
import {
  askForReset,
  CHANGE_PASSWORD,
  marked,
  newPassword,
  REPLACE_PASSWORD,
  RESET_PASSWORD,
} from '../support/passwords.ts';
import { LOG_IN, logIn, newPerson, type Person, SIGN_UP, signUp } from '../support/people.ts';

const changing = changingHooks();
let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ hooks: changing.hooks, env: { POSTERN_RATE_LIMITS: 'off' } });
});
afterAll(() => gateway.stop());
beforeEach(() => {
  changing.now = {};
  changing.asked.length = 0;
});

/** Somebody who has an account, and what sets their password once more. */
interface Setting {
  readonly person: Person;
  readonly userId: string | null;
  set(
    password: string,
  ): Promise<{ readonly result: { readonly __typename: string }; readonly errors: readonly unknown[] }>;
}

async function account() {
  const person = newPerson();
  return { person, held: await signUp(gateway.client(), person) };
}

/** Every way to set a password, by the input that takes it. */
const WAYS: Readonly<Record<string, () => Promise<Setting>>> = {
  async 'SignUpInput.password'() {
    const person = newPerson();
    const set = (password: string) => gateway.client().send(SIGN_UP, { input: { ...person, password } });
    return { person, userId: null, set };
  },
  async 'ChangePasswordInput.newPassword'() {
    const { person, held } = await account();
    const set = (newPassword: string) =>
      held.client.send(CHANGE_PASSWORD, { input: { currentPassword: person.password, newPassword } });
    return { person, userId: held.userId, set };
  },
  async 'ReplacePasswordInput.newPassword'() {
    const { person, held } = await account();
    await marked(gateway, held, 'ADMINISTRATOR');
    const client = gateway.client();
    const { result } = await client.send(LOG_IN, { input: person });
    const { loginToken } = result;
    const set = (newPassword: string) => client.send(REPLACE_PASSWORD, { input: { loginToken, newPassword } });
    return { person, userId: held.userId, set };
  },
  async 'ResetPasswordInput.newPassword'() {
    const { person, held } = await account();
    const { handle, mail } = await askForReset(gateway, person.email);
    const { code } = mail;
    const set = (newPassword: string) =>
      gateway.client().send(RESET_PASSWORD, { input: { proof: { code: { handle, code } }, newPassword } });
    return { person, userId: held.userId, set };
  },
};

describe('refusesPassword', () => {
  test('is asked by every input that sets a password', async () => {
    const { result } = await gateway.client().send('{ __schema { types { name kind inputFields { name } } } }');
    const inputs = (result.types as { name: string; inputFields: { name: string }[] | null }[]).flatMap(
      ({ name, inputFields }) => (inputFields ?? []).map((field) => `${name}.${field.name}`),
    );
    // The others are compared with the password that is.
    const compared = [
      'ChangePasswordInput.currentPassword',
      'LinkProof.password',
      'LogInWithPasswordInput.password',
      'ReauthenticateInput.password',
    ];
    const named = inputs.filter((input) => /password/i.test(input.split('.')[1] ?? ''));
    const ways = [...Object.keys(WAYS), 'CreateUserInput.password'];
    expect(named.filter((input) => !compared.includes(input)).sort()).toEqual(ways.sort());
  });

  test('CreateUserInput.password: hears the password and whose it is to be, and refuses it', async () => {
    const { client } = await newAdministrator(gateway);
    const { email } = newPerson();
    const [bad, good] = [newPassword(), newPassword()];
    changing.now.refusesPassword = ({ password }) => (password === bad ? 'BREACHED' : null);
    changing.take('refusesPassword');
    const { result } = await client.send(CREATE_USER, { input: { email, password: bad } });
    expect(result).toMatchObject({ __typename: 'PasswordRejected', reasons: ['BREACHED'] });
    expect(changing.take('refusesPassword')).toEqual([
      { password: bad, userId: null, email, username: null, name: null },
    ]);
    const created = await client.send(CREATE_USER, { input: { email, password: good } });
    expect(created.result.__typename).toBe('UserCreated');
  });

  // Defence: refuseByRule in src/flows/shared/password.ts, and who calls it.
  test.each(Object.entries(WAYS))(
    '%s: hears the password and whose it is to be, and refuses it',
    async (_input, way) => {
      const { person, userId, set } = await way();
      const [bad, good] = [newPassword(), newPassword()];
      changing.now.refusesPassword = ({ password }) => (password === bad ? 'BREACHED' : null);
      changing.take('refusesPassword');
      expect((await set(bad)).result).toMatchObject({ __typename: 'PasswordRejected', reasons: ['BREACHED'] });
      expect(changing.take('refusesPassword')).toEqual([
        { password: bad, userId, email: person.email, username: null, name: null },
      ]);
      expect((await gateway.client().send(LOG_IN, { input: { ...person, password: bad } })).result.__typename).toBe(
        'InvalidCredentials',
      );
      // What was refused has used nothing up.
      expect((await set(good)).result.__typename).toMatch(/^(LoggedIn|PasswordChanged|PasswordWasReset)$/);
      await logIn(gateway.client(), { ...person, password: good });
    },
  );

  test.each(Object.entries(WAYS))(
    '%s: one that fails sets nothing, uses nothing up, and logs no password',
    async (_input, way) => {
      const { person, set } = await way();
      const [bad, good] = [newPassword(), newPassword()];
      const quotes = ({ password }: HookPassword) => {
        throw Object.assign(new Error(`${password} ${encodeURIComponent(password)}`), { password, code: '40001' });
      };
      changing.now.refusesPassword = quotes;
      const from = gateway.logs.length;
      expect(await set(bad)).toMatchObject({ status: 503, errors: [{ extensions: { code: 'UNAVAILABLE' } }] });
      expect(faultsIn(gateway, from)).toEqual(['the hook refusesPassword failed: what it says may quote the password']);
      for (const secret of [bad, encodeURIComponent(bad)])
        expect(gateway.logs.slice(from).join()).not.toContain(secret);
      const rejected = await gateway.client().send(LOG_IN, { input: { ...person, password: bad } });
      expect(rejected.result.__typename).toBe('InvalidCredentials');
      changing.now = {};
      expect((await set(good)).errors).toEqual([]);
      await logIn(gateway.client(), { ...person, password: good });
    },
  );

  // Defence: the order of refuseByRule after all others.
  test('hears of no password that is refused anyway, nor of any that is not to be set', async () => {
    const { person, held } = await account();
    changing.take('refusesPassword');
    const common = { ...newPerson(), password: 'password1' };
    expect((await gateway.client().send(SIGN_UP, { input: common })).result.__typename).toBe('PasswordRejected');
    const own = { input: { currentPassword: person.password, newPassword: person.email } };
    expect((await held.client.send(CHANGE_PASSWORD, own)).result.__typename).toBe('PasswordRejected');
    await logIn(gateway.client(), person);
    expect(changing.take('refusesPassword')).toEqual([]);
  });

  test('of a reset it is asked once the code was right, and a wrong code asks nothing', async () => {
    const { person } = await account();
    const { handle } = await askForReset(gateway, person.email);
    changing.take('refusesPassword');
    const input = { proof: { code: { handle, code: 'BCDF-GHJK' } }, newPassword: newPassword() };
    expect((await gateway.client().send(RESET_PASSWORD, { input })).result.__typename).toBe('InvalidCode');
    expect(changing.take('refusesPassword')).toEqual([]);
  });

  // Defence: giveBack in src/flows/reset-password.ts.
  test('one that fails takes no try of a code from anybody', async () => {
    const { person } = await account();
    const { handle, mail } = await askForReset(gateway, person.email);
    const { code } = mail;
    const reset = () =>
      gateway
        .client()
        .send(RESET_PASSWORD, { input: { proof: { code: { handle, code } }, newPassword: newPassword() } });
    changing.now.refusesPassword = () => Promise.reject(new Error('away'));
    for (let tries = 0; tries < 6; tries += 1) expect((await reset()).status).toBe(503);
    changing.now = {};
    expect((await reset()).result.__typename).toBe('PasswordWasReset');
  });
});
