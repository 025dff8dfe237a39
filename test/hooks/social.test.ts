import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HookLinking, LinkingPolicy } from '../../src/hooks.ts';
import type { GraphQLClient } from '../support/client.ts';
import { type Gateway, newAddress } from '../support/gateway.ts';
import { changingHooks } from '../support/hooks.ts';
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts';
import { CONTINUE_LOGIN, CURRENT_USER, hold, newPerson, SIGN_UP } from '../support/people.ts';
import {
  BEGIN_PROVIDER_CONNECTION,
  BEGIN_PROVIDER_LOGIN,
  beginLoginAt,
  COMPLETE_PROVIDER_LOGIN,
  COMPLETE_PROVIDER_SIGN_UP,
  codeOf,
  connectionsOf,
  enterFrom,
  goAndReturn,
  newAccount,
  REDIRECT_URL,
  startSocialGateway,
} from '../support/social.ts';

const changing = changingHooks();
let provider: HostileProvider;
let gateway: Gateway;
let verifying: Gateway;
let never: Gateway;
beforeAll(async () => {
  provider = await startHostileProvider();
  const env = { POSTERN_LOGIN_IDENTIFIERS: 'email,username', POSTERN_RATE_LIMITS: 'off' };
  const start = (linking: LinkingPolicy) =>
    startSocialGateway(provider, { env: { ...env, POSTERN_SOCIAL_LINKING: linking }, hooks: changing.hooks });
  gateway = await start('ask');
  verifying = await start('verified');
  never = await start('never');
});
afterAll(async () => {
  for (const each of [gateway, verifying, never]) await each.stop();
  await provider.close();
});
beforeEach(() => {
  changing.now = {};
  changing.asked.length = 0;
});

/** Somebody whose address the provider has seen, and who has an account. */
async function member(of: Gateway, more: Record<string, unknown> = {}) {
  const account = newAccount(more);
  return { account, ...hold(of.client(), await enterFrom(of, provider, account)) };
}

let names = 0;
const newName = () => {
  names += 1;
  return `grace${process.pid}x${names}`;
};

describe('generateUsername', () => {
  const nameOf = async ({ userId }: { readonly userId: string }) =>
    (await gateway.sql<{ username: string }>('SELECT username FROM users WHERE id = $1', [userId]))[0]?.username;

  test('names somebody whom the provider knows by no name that can be had', async () => {
    const name = newName();
    changing.now.generateUsername = ({ claims }) => (claims.nick ? String(claims.nick) : null);
    expect(await nameOf(await member(gateway, { nick: name }))).toBe(name);
    expect(await nameOf(await member(gateway, { nick: newName(), preferred_username: 'grace hopper!' }))).toMatch(
      /x2$/,
    );
    const known = newName();
    expect(await nameOf(await member(gateway, { nick: newName(), preferred_username: known }))).toBe(known);
    expect(await nameOf(await member(gateway, { nick: name.replace(/.$/, 'zz'), preferred_username: known }))).toMatch(
      /zz$/,
    );
    expect(await nameOf(await member(gateway))).toBeNull();
  });

  // Defence: numbered in src/flows/shared/free-username.ts.
  test('puts a number at the end of a name that is taken, within the length that names have', async () => {
    const long = newName().padEnd(32, 'x');
    changing.now.generateUsername = () => long;
    expect(await nameOf(await member(gateway))).toBe(long);
    expect(await nameOf(await member(gateway))).toBe(`${long.slice(0, 31)}2`);
    const others = ['3', '4', '5', '6', '7', '8', '9'].map((number) => `${long.slice(0, 31)}${number}`);
    await gateway.sql(
      `INSERT INTO users (id, created_at, username, username_key) SELECT gen_random_uuid(), now(), name, name FROM unnest($1::text[]) AS name`,
      [others],
    );
    expect(await nameOf(await member(gateway))).toMatch(new RegExp(`^${long.slice(0, 28)}\\d{4}$`));
  });

  // Defence: signUpAs in src/flows/shared/social-login.ts.
  test('gives each of those a name of their own who come at once', async () => {
    const name = newName();
    changing.now.generateUsername = () => name;
    const returned: { readonly client: GraphQLClient; readonly input: object }[] = [];
    for (let nth = 0; nth < 3; nth += 1) {
      const client = gateway.client();
      provider.person = newAccount();
      const login = await beginLoginAt(client, 'acme');
      const code = codeOf(await goAndReturn(gateway, provider, login));
      returned.push({ client, input: { flowToken: login.flowToken, code } });
    }
    const people = await Promise.all(
      returned.map(async ({ client, input }) => hold(client, await client.send(COMPLETE_PROVIDER_LOGIN, { input }))),
    );
    const given = await Promise.all(people.map(nameOf));
    expect(given.sort()).toEqual([name, `${name}2`, `${name}3`]);
  });

  test('a reserved name counts as taken', async () => {
    changing.now.generateUsername = () => 'admin';
    expect(await nameOf(await member(gateway))).toMatch(/^admin\d+$/);
  });

  test('names who has to say something else first, unless they choose a name', async () => {
    for (const chosen of [null, newName()]) {
      const name = newName();
      changing.now.generateUsername = () => name;
      const { result } = await enterFrom(gateway, provider, newAccount({ email: undefined }));
      const input = { loginToken: result.loginToken, email: newPerson().email, username: chosen };
      const completed = await gateway.client().send(COMPLETE_PROVIDER_SIGN_UP, { input });
      expect(completed.result.__typename).toBe('EmailVerificationRequired');
      const taken = await gateway.sql('SELECT 1 FROM users WHERE username = $1', [chosen ?? name]);
      expect(taken).toHaveLength(1);
    }
  });
});

describe('linkingPolicy', () => {
  /** Somebody else's account at the provider comes with the address of a member. */
  async function comeAs(of: Gateway, email: string, more: Record<string, unknown> = {}) {
    const client = of.client();
    return { client, answer: await enterFrom(of, provider, newAccount({ email, ...more }), client) };
  }

  test('hears who comes and whose address it is', async () => {
    const { account, userId } = await member(gateway);
    changing.take('linkingPolicy');
    await comeAs(gateway, account.email);
    expect(changing.take('linkingPolicy')).toMatchObject([
      {
        provider: 'acme',
        email: account.email,
        emailVerified: true,
        person: { userId, email: account.email, roles: [], fields: {} },
      } satisfies Partial<HookLinking>,
    ]);
  });

  test.each(['ask', 'verified'] as const)(
    'decides in the place of the setting %s, and null leaves it',
    async (setting) => {
      const of = setting === 'ask' ? gateway : verifying;
      const { account, userId } = await member(of);
      const outcomes: Record<string, unknown> = {};
      for (const policy of ['never', 'ask', 'verified', null] as const) {
        changing.now.linkingPolicy = () => policy;
        const { client, answer } = await comeAs(of, account.email);
        outcomes[String(policy)] = answer.result.__typename;
        if (answer.result.__typename === 'LoggedIn') expect(hold(client, answer).userId).toBe(userId);
        // A login that waits is looked at by the same word.
        else
          expect(
            (await client.send(CONTINUE_LOGIN, { input: { loginToken: answer.result.loginToken } })).result,
          ).toMatchObject({
            __typename: answer.result.__typename,
          });
      }
      expect(outcomes).toEqual({
        never: 'ProviderSignUpRequired',
        ask: 'AccountLinkRequired',
        verified: 'LoggedIn',
        null: setting === 'ask' ? 'AccountLinkRequired' : 'LoggedIn',
      });
    },
  );

  // Defence: addressUse before the hook is asked, in src/flows/shared/social-decisions.ts.
  test('does not allow what the setting forbids, nor link what a side has not verified', async () => {
    changing.now.linkingPolicy = () => 'verified';
    const { account } = await member(never);
    changing.take('linkingPolicy');
    expect((await comeAs(never, account.email)).answer.result.__typename).toBe('ProviderSignUpRequired');
    const proven = await member(gateway);
    const unseen = await comeAs(gateway, proven.account.email, { email_verified: false });
    expect(unseen.answer.result.__typename).toBe('EmailVerificationRequired');
    const unproven = newPerson();
    await gateway.client().send(SIGN_UP, { input: unproven });
    const { client, answer } = await comeAs(gateway, unproven.email);
    expect((await connectionsOf(hold(client, answer).client)).map(({ email }) => email)).toEqual([unproven.email]);
    expect((await hold(client, answer).client.send(CURRENT_USER)).result.hasPassword).toBe(false);
    expect(changing.take('linkingPolicy')).toEqual([]);
  });

  // Defence: the setting first in linkingPolicy of src/login/identity.ts.
  test('allows nothing once the setting forbids it, also in a login that began before', async () => {
    changing.now.linkingPolicy = () => 'ask';
    const { account } = await member(gateway);
    const { answer } = await comeAs(gateway, account.email);
    expect(answer.result.__typename).toBe('AccountLinkRequired');
    const stricter = await gateway.another({ POSTERN_SOCIAL_LINKING: 'never' });
    const input = { loginToken: answer.result.loginToken };
    expect((await stricter.client().send(CONTINUE_LOGIN, { input })).result.__typename).toBe('ProviderSignUpRequired');
    await stricter.stop();
  });

  // Defence: the comparison with the holder in linkingPolicy of src/login/identity.ts.
  test('decides of the account that it was asked about, and of no other that has the address by then', async () => {
    const [first, second] = [await member(gateway), await member(gateway)];
    changing.now.linkingPolicy = () => 'ask';
    const { client, answer } = await comeAs(gateway, first.account.email);
    expect(answer.result.__typename).toBe('AccountLinkRequired');
    await gateway.sql(`DELETE FROM emails WHERE user_id = $1`, [first.userId]);
    await gateway.sql(`UPDATE emails SET address = $2 WHERE user_id = $1`, [second.userId, first.account.email]);
    const { result } = await client.send(CONTINUE_LOGIN, { input: { loginToken: answer.result.loginToken } });
    expect(result.__typename).toBe('ProviderSignUpRequired');
  });
});

describe('isSafeRedirect', () => {
  const begin = async (redirectUrl: string) => {
    const input = { provider: 'acme', redirectUrl, credential: 'COOKIE' };
    return (await gateway.client().send(BEGIN_PROVIDER_LOGIN, { input })).result;
  };
  const REFUSED = { __typename: 'InvalidInput', issues: [{ path: ['redirectUrl'], code: 'NOT_ALLOWED' }] };

  test('hears the URL as it will be used, and whether it is listed', async () => {
    await begin(REDIRECT_URL);
    await begin('HTTPS://Other.Example:443/a/../b?c');
    expect(changing.take('isSafeRedirect')).toEqual([
      { url: REDIRECT_URL, listed: true },
      { url: 'https://other.example/b?c', listed: false },
    ]);
  });

  test('narrows and widens where a login may come back to; null leaves it', async () => {
    for (const [decision, listed, other] of [
      [true, 'ProviderRedirect', 'ProviderRedirect'],
      [false, 'InvalidInput', 'InvalidInput'],
      [null, 'ProviderRedirect', 'InvalidInput'],
    ] as const) {
      changing.now.isSafeRedirect = () => decision;
      expect((await begin(REDIRECT_URL)).__typename).toBe(listed);
      expect((await begin('https://preview-7.example/welcome')).__typename).toBe(other);
    }
  });

  // Defence: conceivableRedirect in src/lib/redirect-url.ts.
  test.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'blob:https://app.test/1',
    'file:///etc/passwd',
    'vbscript:x',
    'ftp://app.test/',
    'ws://app.test/',
    'mailto:a@example.com',
    'tel:1',
    'intent:x',
    'http://evil.example/',
    'https://a:b@evil.example/',
    'https://evil.example/#x',
    'https:evil.example',
    ' https://evil.example/',
    '//evil.example',
    'not a url',
  ])('does not allow %s, whatever it decides', async (url) => {
    changing.now.isSafeRedirect = () => true;
    changing.take('isSafeRedirect');
    expect(await begin(url)).toMatchObject(REFUSED);
    expect(changing.take('isSafeRedirect')).toEqual([]);
  });

  test.each(['com.example.app:/done', 'http://127.0.0.1:5173/x', 'http://[::1]/', 'http://localhost:3000/'])(
    'may allow %s',
    async (url) => {
      expect(await begin(url)).toMatchObject(REFUSED);
      changing.now.isSafeRedirect = ({ url: asked }) => asked === url;
      expect((await begin(url)).__typename).toBe('ProviderRedirect');
    },
  );

  test('is asked of those who connect as well', async () => {
    const { client } = await member(gateway);
    changing.now.isSafeRedirect = () => false;
    const { result } = await client.send(BEGIN_PROVIDER_CONNECTION, {
      input: { provider: 'acme', redirectUrl: REDIRECT_URL },
    });
    expect(result).toMatchObject(REFUSED);
  });
});

describe('preSocialLogin', () => {
  test('is asked of everybody who comes, before anything else is, and refuses them', async () => {
    const { account, userId } = await member(gateway);
    changing.asked.length = 0;
    changing.now.preSocialLogin = () => ({ refuse: true });
    for (const who of [account, newAccount()]) {
      const { result } = await enterFrom(gateway, provider, who, gateway.client({ 'x-forwarded-for': newAddress() }));
      expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'DENIED' });
    }
    expect(changing.asked.filter(({ hook }) => hook !== 'isSafeRedirect')).toMatchObject([
      { hook: 'preSocialLogin', asked: { purpose: 'LOG_IN', person: { userId } } },
      { hook: 'preSocialLogin', asked: { purpose: 'LOG_IN', person: null } },
    ]);
  });
});

describe('populateUser', () => {
  test('is asked of newcomers only, and its words are read like any', async () => {
    const name = newName();
    changing.now.populateUser = () => ({ name: '  Admiral  ', username: name });
    const { account, client } = await member(gateway);
    expect((await client.send(CURRENT_USER)).result).toMatchObject({ name: 'Admiral', username: name });
    changing.take('populateUser');
    await enterFrom(gateway, provider, account);
    expect(changing.take('populateUser')).toEqual([]);
  });
});
