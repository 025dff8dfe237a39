import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { blockDomains } from '../../src/index.ts';
import { ACCOUNT, ADD_EMAIL, eventsOf, newPhone, UPDATE_PROFILE } from '../support/account.ts';
import type { GraphQLClient } from '../support/client.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { changingHooks } from '../support/hooks.ts';
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts';
import {
  CHANGE_PENDING_EMAIL,
  CURRENT_USER,
  hold,
  LOG_IN,
  newPerson,
  SIGN_UP,
  VERIFY_EMAIL,
} from '../support/people.ts';
import { COMPLETE_PROVIDER_SIGN_UP, enterFrom, newAccount, startSocialGateway } from '../support/social.ts';

const changing = changingHooks();
let provider: HostileProvider;
/** Where addresses are verified before a session; with user names, numbers, and sign-up by passkey. */
let gateway: Gateway;
/** Where nothing is verified. */
let open: Gateway;
beforeAll(async () => {
  provider = await startHostileProvider();
  const env = {
    POSTERN_LOGIN_IDENTIFIERS: 'email,username,phone',
    POSTERN_RATE_LIMITS: 'off',
  };
  gateway = await startSocialGateway(provider, {
    env: { ...env, POSTERN_PASSWORDLESS_SIGN_UP: 'on' },
    hooks: changing.hooks,
    sms: true,
  });
  open = await startGateway({ env, hooks: changing.hooks, sms: true });
});
afterAll(async () => {
  await gateway.stop();
  await open.stop();
  await provider.close();
});
beforeEach(() => {
  changing.now = {};
  changing.asked.length = 0;
});

const accounts = async (of: Gateway) => (await of.sql('SELECT 1 FROM users')).length;
const signUpAs = (input: object, client: GraphQLClient = gateway.client()) => client.send(SIGN_UP, { input });
let names = 0;
const newUsername = () => {
  names += 1;
  return `ada${process.pid}x${names}`;
};

/** Answers the mail of a login. */
async function verify(client: GraphQLClient, loginToken: unknown, email: string, of: Gateway = gateway) {
  const { code } = await of.mails.next(email);
  return client.send(VERIFY_EMAIL, { input: { proof: { code: { handle: loginToken, code } } } });
}

/** Somebody whose address is verified, and who holds a session. */
async function member() {
  const [person, client] = [newPerson(), gateway.client()];
  const { result } = await signUpAs(person, client);
  return { person, ...hold(client, await verify(client, result.loginToken, person.email)) };
}

describe('allowsSignUp', () => {
  test('hears who signs up, in canonical form and without the password', async () => {
    const [{ email, password }, phone, username] = [newPerson(), newPhone(), newUsername()];
    await signUpAs({ email: ` ${email.toUpperCase()}`, password, username, name: 'Ada' });
    await signUpAs({ phone, password });
    expect(changing.take('allowsSignUp')).toEqual([
      { email, phone: null, username, name: 'Ada', provider: null, emailVerified: false },
      { email: null, phone, username: null, name: null, provider: null, emailVerified: false },
    ]);
  });

  test('refuses every way to sign up, and nothing is made', async () => {
    changing.now.allowsSignUp = () => false;
    const before = await accounts(gateway);
    const person = newPerson();
    const answers = [
      await signUpAs(person),
      await signUpAs({ email: person.email }),
      await signUpAs({ phone: newPhone(), password: person.password }),
      await enterFrom(gateway, provider, newAccount()),
      await enterFrom(gateway, provider, newAccount({ email_verified: false })),
    ];
    expect(answers.map(({ result }) => result.__typename)).toEqual(answers.map(() => 'SignUpClosed'));
    // One who has to tell an address first is asked about once it is told.
    const client = gateway.client();
    const { result } = await enterFrom(gateway, provider, newAccount({ email: undefined }), client);
    expect(result.__typename).toBe('ProviderSignUpRequired');
    changing.asked.length = 0;
    const input = { loginToken: result.loginToken, email: person.email };
    expect((await client.send(COMPLETE_PROVIDER_SIGN_UP, { input })).result.__typename).toBe('SignUpClosed');
    expect(changing.take('allowsSignUp')).toMatchObject([
      { email: person.email, provider: 'acme', emailVerified: false },
    ]);
    expect(await accounts(gateway)).toBe(before);
  });

  // Defence: decideAnew in src/flows/change-pending-email.ts.
  test('is asked again when a sign-up corrects its address: one address gets nobody in who keeps another', async () => {
    changing.now.allowsSignUp = ({ email }) => email?.endsWith('@corp.example') ?? false;
    const client = gateway.client();
    const { result } = await signUpAs({ ...newPerson(), email: `${newUsername()}@corp.example` }, client);
    const { email } = newPerson();
    const corrected = await client.send(CHANGE_PENDING_EMAIL, { input: { loginToken: result.loginToken, email } });
    expect(corrected.result).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ path: ['email'], code: 'NOT_ALLOWED' }],
    });
    const other = `${newUsername()}@corp.example`;
    const good = await client.send(CHANGE_PENDING_EMAIL, { input: { loginToken: result.loginToken, email: other } });
    expect(good.result.__typename).toBe('EmailVerificationRequired');
    await gateway.mails.none(email);
  });

  // Defence: decideSignUp is asked before makeAccount in src/flows/sign-up.ts.
  test('is asked the same of an address that is taken, and says the same', async () => {
    const { person } = await member();
    const fresh = newPerson();
    changing.take('allowsSignUp');
    for (const allowed of [true, false]) {
      changing.now.allowsSignUp = () => allowed;
      const [ofTaken, ofFree] = [await signUpAs({ ...person, name: 'x' }), await signUpAs({ ...fresh, name: 'x' })];
      expect(ofTaken.result.__typename).toBe(allowed ? 'EmailVerificationRequired' : 'SignUpClosed');
      expect(ofTaken.result.__typename).toBe(ofFree.result.__typename);
      const [first, second] = changing.take('allowsSignUp') as [object, object];
      expect({ ...first, email: '' }).toEqual({ ...second, email: '' });
    }
  });

  test('is not asked of people who have an account, nor where signing up is closed', async () => {
    const account = newAccount();
    await enterFrom(gateway, provider, account);
    changing.take('allowsSignUp');
    changing.now.allowsSignUp = () => false;
    expect((await enterFrom(gateway, provider, account)).result.__typename).toBe('LoggedIn');
    const closed = await startGateway({ env: { POSTERN_SIGN_UP: 'closed' }, hooks: changing.hooks });
    expect((await signUpAs(newPerson(), closed.client())).result.__typename).toBe('SignUpClosed');
    await closed.stop();
    expect(changing.take('allowsSignUp')).toEqual([]);
  });

  // Defence: `start === 'unasked'` in src/flows/shared/social-login.ts, and the limits before the hooks.
  test('is asked within the limits', async () => {
    const limited = await startGateway({
      env: { POSTERN_RATE_LIMITS: '{"signUpPerAddress":"1/1h"}' },
      hooks: changing.hooks,
    });
    const client = limited.client();
    await signUpAs(newPerson(), client);
    expect((await signUpAs(newPerson(), client)).result.__typename).toBe('RateLimited');
    await limited.stop();
    expect(changing.take('allowsSignUp')).toHaveLength(1);
  });
});

describe('cleanEmail', () => {
  const REFUSED = { __typename: 'InvalidInput', issues: [{ path: ['email'], code: 'NOT_ALLOWED' }] };

  test('refuses an address on every way by which one comes in', async () => {
    changing.now.cleanEmail = blockDomains('blocked.example');
    const blocked = () => `${newUsername()}@Mail.Blocked.example`;
    expect((await signUpAs({ ...newPerson(), email: blocked() })).result).toMatchObject(REFUSED);

    const client = gateway.client();
    const { result: waiting } = await signUpAs(newPerson(), client);
    const correction = { loginToken: waiting.loginToken, email: blocked() };
    expect((await client.send(CHANGE_PENDING_EMAIL, { input: correction })).result).toMatchObject(REFUSED);

    const held = await member();
    expect((await held.client.send(ADD_EMAIL, { input: { email: blocked() } })).result).toMatchObject(REFUSED);
    expect((await held.client.send(ACCOUNT)).result.emails).toHaveLength(1);

    // What a provider tells counts as not told: another address is asked for, and looked at like any.
    const from = gateway.client();
    const { result } = await enterFrom(gateway, provider, newAccount({ email: blocked() }), from);
    expect(result).toMatchObject({ __typename: 'ProviderSignUpRequired', suggested: null, missing: ['email'] });
    const complete = (email: string) =>
      from.send(COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken: result.loginToken, email } });
    expect((await complete(blocked())).result).toMatchObject(REFUSED);
    expect((await complete(newPerson().email)).result.__typename).toBe('EmailVerificationRequired');
  });

  test('puts another address in the place of the one that was typed', async () => {
    changing.now.cleanEmail = (email) => email.replace(/\+[^@]*@/, '@');
    const [client, { email, password }] = [gateway.client(), newPerson()];
    const { result } = await signUpAs({ email: email.replace('@', '+shop@'), password }, client);
    expect(result).toMatchObject({ __typename: 'EmailVerificationRequired', email });
    hold(client, await verify(client, result.loginToken, email));
  });

  // Defence: emailVerified in clean of src/flows/shared/social-decisions.ts.
  test('does not make an address verified that the provider has not seen', async () => {
    const victim = await member();
    changing.now.cleanEmail = () => victim.person.email;
    const account = newAccount();
    const { result } = await enterFrom(gateway, provider, account);
    expect(result).toMatchObject({ __typename: 'EmailVerificationRequired', email: victim.person.email });
    expect((await eventsOf(gateway, victim.userId)).map(({ kind }) => kind)).not.toContain('ProviderConnected');
  });

  test('is not asked of logins', async () => {
    const { person } = await member();
    changing.take('cleanEmail');
    expect((await gateway.client().send(LOG_IN, { input: person })).result.__typename).toBe('LoggedIn');
    expect(changing.take('cleanEmail')).toEqual([]);
  });
});

describe('blockDomains', () => {
  const blocks = blockDomains('Blocked.Example', 'bücher.example', 'test');

  test.each([
    'a@blocked.example',
    'a@x.y.blocked.example',
    'a@xn--bcher-kva.example',
    'a@m.xn--bcher-kva.example',
    'a@any.test',
  ])('refuses %s', (email) => expect(blocks(email)).toEqual({ refuse: true }));
  test.each([
    'a@example.com',
    'a@notblocked.example',
    'a@blocked.example.com',
    'a@bucher.example',
    'blocked.example@a.org',
  ])('takes %s', (email) => expect(blocks(email)).toBe(email));
  test.each(['', ' ', '@example.com', 'exa mple.com', '.example.com', 'example.com.', 'https://example.com'])(
    'does not take %j for a domain',
    (domain) => expect(() => blockDomains(domain)).toThrow('is no domain'),
  );
});

describe('cleanUsername', () => {
  const REFUSED = { __typename: 'InvalidInput', issues: [{ path: ['username'], code: 'NOT_ALLOWED' }] };

  test('refuses a name on every way by which one comes in, and no other name goes by it', async () => {
    changing.now.cleanUsername = (username) => (/rude/i.test(username) ? { refuse: true } : username);
    const rude = () => `Rude${newUsername()}`;
    expect((await signUpAs({ ...newPerson(), username: rude() })).result).toMatchObject(REFUSED);
    const held = await member();
    const kept = newUsername();
    await held.client.send(UPDATE_PROFILE, { input: { username: kept } });
    expect((await held.client.send(UPDATE_PROFILE, { input: { username: rude() } })).result).toMatchObject(REFUSED);
    expect((await held.client.send(CURRENT_USER)).result.username).toBe(kept);

    const client = gateway.client();
    const { result } = await enterFrom(gateway, provider, newAccount({ email: undefined }), client);
    const input = { loginToken: result.loginToken, email: newPerson().email, username: rude() };
    expect((await client.send(COMPLETE_PROVIDER_SIGN_UP, { input })).result).toMatchObject(REFUSED);

    const from = newAccount({ preferred_username: rude() });
    const signedUp = hold(gateway.client(), await enterFrom(gateway, provider, from));
    expect((await gateway.sql('SELECT username FROM users WHERE id = $1', [signedUp.userId]))[0]).toEqual({
      username: null,
    });
  });

  test('puts another name in the place of the one that was typed', async () => {
    changing.now.cleanUsername = (username) => username.toLowerCase();
    const username = newUsername();
    const held = hold(
      open.client(),
      await signUpAs({ ...newPerson(), username: username.toUpperCase() }, open.client()),
    );
    expect((await open.client().bearing(held.token).send(CURRENT_USER)).result.username).toBe(username);
  });
});

describe('newAccount', () => {
  const START = { name: 'Countess', roles: ['member', 'beta'] };
  const started = async (of: Gateway, userId: string) =>
    (await of.sql('SELECT name, roles FROM users WHERE id = $1', [userId]))[0];

  test('says what an account starts with, in whatever way it is made', async () => {
    changing.now.newAccount = () => START;
    expect(await started(gateway, (await member()).userId)).toEqual(START);
    const signedUp = hold(open.client(), await signUpAs(newPerson(), open.client()));
    expect(await started(open, signedUp.userId)).toEqual(START);
    const seen = hold(gateway.client(), await enterFrom(gateway, provider, newAccount()));
    expect(await started(gateway, seen.userId)).toEqual(START);

    const client = gateway.client();
    const { result } = await enterFrom(gateway, provider, newAccount({ email: undefined }), client);
    const { email } = newPerson();
    await client.send(COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken: result.loginToken, email } });
    const completed = hold(client, await verify(client, result.loginToken, email));
    expect(await started(gateway, completed.userId)).toEqual(START);

    const taken = await member();
    const corrects = gateway.client();
    const { result: waiting } = await signUpAs(taken.person, corrects);
    const fresh = newPerson();
    await corrects.send(CHANGE_PENDING_EMAIL, { input: { loginToken: waiting.loginToken, email: fresh.email } });
    const made = hold(corrects, await verify(corrects, waiting.loginToken, fresh.email));
    expect(await started(gateway, made.userId)).toEqual(START);
    expect(made.userId).not.toBe(taken.userId);
  });

  test('leaves the rest as it came, and hears what is proven', async () => {
    changing.now.newAccount = ({ emailVerified }) => (emailVerified ? { roles: ['proven', 'proven'] } : undefined);
    const seen = hold(gateway.client(), await enterFrom(gateway, provider, newAccount()));
    expect(await started(gateway, seen.userId)).toEqual({ name: 'Grace Hopper', roles: ['proven'] });
    const typed = hold(open.client(), await signUpAs({ ...newPerson(), name: 'Ada' }, open.client()));
    expect(await started(open, typed.userId)).toEqual({ name: 'Ada', roles: [] });
  });

  // Defence: `roles: []` in decideAnew and setUnprovenRoles in src/flows/change-pending-email.ts.
  test('takes roles back that an address brought, when the sign-up corrects it', async () => {
    changing.now.newAccount = ({ email }) => (email?.endsWith('@corp.example') ? { roles: ['staff'] } : null);
    for (const comesBack of [false, true]) {
      const client = gateway.client();
      const boss = { ...newPerson(), email: `${newUsername()}@corp.example` };
      const { result } = await signUpAs(boss, client);
      const loginToken = comesBack ? (await client.send(LOG_IN, { input: boss })).result.loginToken : result.loginToken;
      const { email } = newPerson();
      const changed = await client.send(CHANGE_PENDING_EMAIL, { input: { loginToken, email } });
      expect(changed.result.__typename).toBe('EmailVerificationRequired');
      const { userId } = hold(client, await verify(client, loginToken, email));
      expect(await started(gateway, userId)).toMatchObject({ roles: [] });
    }
    const kept = gateway.client();
    const { result } = await signUpAs({ ...newPerson(), email: `${newUsername()}@corp.example` }, kept);
    const email = `${newUsername()}@corp.example`;
    await kept.send(CHANGE_PENDING_EMAIL, { input: { loginToken: result.loginToken, email } });
    const { userId } = hold(kept, await verify(kept, result.loginToken, email));
    expect(await started(gateway, userId)).toMatchObject({ roles: ['staff'] });
  });
});
