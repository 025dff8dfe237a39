import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Hooks } from '../../src/hooks.ts';
import { type Gateway, newAddress } from '../support/gateway.ts';
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts';
import {
  CHANGE_PENDING_EMAIL,
  CONTINUE_LOGIN,
  CURRENT_USER,
  hold,
  newPerson,
  signUp,
  VERIFY_EMAIL,
} from '../support/people.ts';
import {
  BEGIN_PROVIDER_LOGIN,
  COMPLETE_PROVIDER_LOGIN,
  COMPLETE_PROVIDER_SIGN_UP,
  CONNECTIONS,
  codeOf,
  connectionsOf,
  enterFrom,
  entryOf,
  goAndReturn,
  LOG_IN_WITH_PROVIDER_TOKEN,
  newAccount,
  startSocialGateway,
} from '../support/social.ts';

let provider: HostileProvider;
let gateway: Gateway;
let optional: Gateway;
let byHand: Gateway;
let closed: Gateway;
beforeAll(async () => {
  provider = await startHostileProvider();
  const env = { POSTERN_RATE_LIMITS: 'off', POSTERN_LOGIN_IDENTIFIERS: 'email,username' };
  [gateway, optional, byHand, closed] = await Promise.all([
    startSocialGateway(provider, { env }),
    startSocialGateway(provider, { env: { ...env, POSTERN_EMAIL_VERIFICATION: 'optional' } }),
    startSocialGateway(provider, { env: { ...env, POSTERN_SOCIAL_AUTO_SIGN_UP: 'off' } }),
    startSocialGateway(provider, { env: { ...env, POSTERN_SIGN_UP: 'closed' } }),
  ]);
});
afterAll(async () => {
  await Promise.all([gateway, optional, byHand, closed].map((each) => each.stop()));
  await provider.close();
});
beforeEach(() => {
  provider.bend = {};
});

describe('somebody whom nobody knows', () => {
  test('is asked for an address that the provider did not tell, and verifies it', async () => {
    const client = gateway.client();
    const { result: asked } = await enterFrom(gateway, provider, newAccount({ email: undefined }), client);
    expect(asked).toMatchObject({
      __typename: 'ProviderSignUpRequired',
      provider: { id: 'acme', name: 'Acme' },
      suggested: null,
      name: 'Grace Hopper',
      missing: ['email'],
    });
    const again = await client.send(CONTINUE_LOGIN, { input: { loginToken: asked.loginToken } });
    expect(again.result).toMatchObject({ __typename: 'ProviderSignUpRequired', missing: ['email'] });
    const { email } = newPerson();
    const nothing = await client.send(COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken: asked.loginToken } });
    expect(nothing.result).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ path: ['email'], code: 'REQUIRED' }],
    });
    const input = { loginToken: asked.loginToken, email };
    const { result } = await client.send(COMPLETE_PROVIDER_SIGN_UP, { input });
    expect(result).toMatchObject({ __typename: 'EmailVerificationRequired', email });
    const { code } = await gateway.mails.next(email);
    const proof = { code: { handle: asked.loginToken, code } };
    const held = hold(client, await client.send(VERIFY_EMAIL, { input: { proof } }));
    expect(await connectionsOf(held.client)).toHaveLength(1);
    const repeated = await client.send(COMPLETE_PROVIDER_SIGN_UP, { input });
    expect(repeated.result.__typename).toBe('LoginExpired');
  });

  test('makes no account where theirs at the provider has become somebody’s meanwhile', async () => {
    const account = newAccount({ email: undefined });
    const [first, second] = [optional.client(), optional.client()];
    const tokens = [];
    for (const client of [first, second])
      tokens.push((await enterFrom(optional, provider, account, client)).result.loginToken);
    const complete = (client: typeof first, loginToken: unknown) =>
      client.send(COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken, email: newPerson().email } });
    hold(first, await complete(first, tokens[0]));
    const before = await optional.sql('SELECT count(*) FROM users');
    expect((await complete(second, tokens[1])).result.__typename).toBe('LoginExpired');
    expect(await optional.sql('SELECT count(*) FROM users')).toEqual(before);
  });

  test('verifies an address that the provider has not seen, by a code and not by a link', async () => {
    const account = newAccount({ email_verified: false });
    const client = gateway.client();
    const { result } = await enterFrom(gateway, provider, account, client);
    expect(result).toMatchObject({ __typename: 'EmailVerificationRequired', email: account.email });
    const { code, token } = await gateway.mails.next(account.email);
    expect(token).toBe('');
    const proof = { code: { handle: result.loginToken, code } };
    hold(client, await client.send(VERIFY_EMAIL, { input: { proof } }));
    expect((await enterFrom(gateway, provider, account)).result.__typename).toBe('LoggedIn');
  });

  test('who does not wait for the code is asked for it the next time', async () => {
    const account = newAccount({ email_verified: false });
    await enterFrom(gateway, provider, account);
    const { result } = await enterFrom(gateway, provider, account);
    expect(result).toMatchObject({ __typename: 'EmailVerificationRequired', email: account.email });
  });

  test('corrects an address while it is pending, also where the first one was somebody else’s', async () => {
    const taken = newPerson();
    const holder = gateway.client();
    const signedUp = await holder.send(
      'mutation ($input: SignUpInput!) { signUp(input: $input) { ... on PendingLogin { loginToken } } }',
      { input: taken },
    );
    const { code } = await gateway.mails.next(taken.email);
    const proof = { code: { handle: signedUp.result.loginToken, code } };
    hold(holder, await holder.send(VERIFY_EMAIL, { input: { proof } }));

    const client = gateway.client();
    const account = newAccount({ email: taken.email, email_verified: false });
    const { result } = await enterFrom(gateway, provider, account, client);
    const { email } = newPerson();
    await client.send(CHANGE_PENDING_EMAIL, { input: { loginToken: result.loginToken, email } });
    const mail = await gateway.mails.next(email);
    expect(mail.token, 'only a code: there is an account at a provider').toBe('');
    const answer = { proof: { code: { handle: result.loginToken, code: mail.code } } };
    const held = hold(client, await client.send(VERIFY_EMAIL, { input: answer }));
    expect(await connectionsOf(held.client)).toHaveLength(1);
  });

  test('may be asked to agree first, and chooses a name', async () => {
    const account = newAccount();
    const client = byHand.client();
    const { result: asked } = await enterFrom(byHand, provider, account, client);
    expect(asked).toMatchObject({ __typename: 'ProviderSignUpRequired', suggested: account.email, missing: [] });
    const username = `countess${process.pid}`;
    const input = { loginToken: asked.loginToken, name: 'The Countess', username };
    const held = hold(client, await client.send(COMPLETE_PROVIDER_SIGN_UP, { input }));
    const { result: user } = await held.client.send(CURRENT_USER);
    expect(user).toMatchObject({ name: 'The Countess', username, email: account.email, emailVerified: true });

    const other = byHand.client();
    const { result: later } = await enterFrom(byHand, provider, newAccount(), other);
    const taken = await other.send(COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken: later.loginToken, username } });
    expect(taken.result).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: ['username'], code: 'TAKEN' }] });
    const unfit = { loginToken: later.loginToken, email: 'no address', username: '!', name: 'x'.repeat(1_000) };
    const { result } = await other.send(COMPLETE_PROVIDER_SIGN_UP, { input: unfit });
    expect((result.issues as { path: string[] }[]).map(({ path }) => path[0])).toEqual(['email', 'username', 'name']);
  });

  test('who types another address than the provider told verifies it', async () => {
    const client = byHand.client();
    const { result: asked } = await enterFrom(byHand, provider, newAccount(), client);
    const { email } = newPerson();
    const { result } = await client.send(COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken: asked.loginToken, email } });
    expect(result).toMatchObject({ __typename: 'EmailVerificationRequired', email });
  });

  test('is let in at once where addresses need not be verified, and the link of no mail verifies theirs', async () => {
    const account = newAccount({ email_verified: false });
    const client = optional.client();
    const held = hold(client, await enterFrom(optional, provider, account, client));
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ email: account.email, emailVerified: false });
    await optional.mails.none(account.email);
  });

  test('is asked for another address where theirs is an account’s that cannot be hidden', async () => {
    const person = newPerson();
    await signUp(optional.client(), person);
    for (const email_verified of [true, false]) {
      const client = optional.client();
      const { result: asked } = await enterFrom(
        optional,
        provider,
        newAccount({ email: person.email, email_verified }),
        client,
      );
      expect(asked).toMatchObject({ __typename: 'ProviderSignUpRequired', suggested: null, missing: ['email'] });
      const input = { loginToken: asked.loginToken, email: person.email };
      const { result } = await client.send(COMPLETE_PROVIDER_SIGN_UP, { input });
      expect(result).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: ['email'], code: 'TAKEN' }] });
    }
  });

  test('finds signing up closed, whether or not the address is known and not seen', async () => {
    const { result } = await enterFrom(closed, provider, newAccount());
    expect(result.__typename).toBe('SignUpClosed');
    expect((await enterFrom(closed, provider, newAccount({ email: undefined }))).result.__typename).toBe(
      'SignUpClosed',
    );
    const loginToken = `pl_${'A'.repeat(43)}`;
    const completed = await closed.client().send(COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken } });
    expect(completed.result.__typename).toBe('SignUpClosed');
  });

  test('gets the user name that the provider knows, if it does and is free', async () => {
    const preferred_username = `hopper${process.pid}`;
    const first = hold(gateway.client(), await enterFrom(gateway, provider, newAccount({ preferred_username })));
    const second = hold(gateway.client(), await enterFrom(gateway, provider, newAccount({ preferred_username })));
    const unfit = hold(gateway.client(), await enterFrom(gateway, provider, newAccount({ preferred_username: 'a b' })));
    expect((await first.client.send(CURRENT_USER)).result.username).toBe(preferred_username);
    expect((await second.client.send(CURRENT_USER)).result.username).toBeNull();
    expect((await unfit.client.send(CURRENT_USER)).result.username).toBeNull();
  });

  test('counts as a sign-up', async () => {
    const limited = await startSocialGateway(provider, { env: { POSTERN_RATE_LIMITS: '{"signUpPerAddress":"2/1m"}' } });
    const client = limited.client({ 'x-forwarded-for': newAddress() });
    const known = newAccount();
    const kinds = [];
    for (const account of [known, newAccount(), newAccount(), known])
      kinds.push((await enterFrom(limited, provider, account, client)).result.__typename);
    expect(kinds).toEqual(['LoggedIn', 'LoggedIn', 'RateLimited', 'LoggedIn']);
    await limited.stop();
  });
});

describe('an app with an ID token of its own', () => {
  test('logs in, also for another client of the operator', async () => {
    const apps = await startSocialGateway(provider, { entry: { clientIds: ['the-app'] } });
    provider.person = newAccount();
    const client = apps.client();
    const idToken = await provider.mint({ nonce: 'n', aud: 'the-app' });
    const input = { provider: 'acme', idToken, nonce: 'n', credential: 'JWT' };
    const held = hold(client, await client.send(LOG_IN_WITH_PROVIDER_TOKEN, { input }));
    expect(held.refreshToken).toBeTruthy();
    await apps.stop();
  });

  test('is refused where the operator switched that off', async () => {
    const off = await startSocialGateway(provider, { entry: { acceptsTokens: false } });
    provider.person = newAccount();
    const input = { provider: 'acme', idToken: await provider.mint({ nonce: 'n' }), nonce: 'n' };
    const { result } = await off.client().send(LOG_IN_WITH_PROVIDER_TOKEN, { input });
    expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'REJECTED' });
    const { result: config } = await off.client().send('{ authConfig { providers { id name acceptsTokens } } }');
    expect(config.providers).toEqual([{ id: 'acme', name: 'Acme', acceptsTokens: false }]);
    await off.stop();
  });

  test('has what its access token tells, if the two belong together', async () => {
    const account = newAccount();
    provider.person = account;
    // A login of the same person gives an access token that the provider knows.
    await enterFrom(gateway, provider, account);
    const accessToken = provider.requests.findLast(({ path }) => path === '/userinfo')?.headers.authorization?.slice(7);
    const bare = { nonce: 'n', email: undefined, email_verified: undefined, name: undefined };
    const input = { provider: 'acme', idToken: await provider.mint(bare), nonce: 'n', accessToken };
    expect((await gateway.client().send(LOG_IN_WITH_PROVIDER_TOKEN, { input })).result.__typename).toBe('LoggedIn');
    provider.person = newAccount();
    const foreign = { ...input, idToken: await provider.mint({ nonce: 'n' }) };
    const { result } = await gateway.client().send(LOG_IN_WITH_PROVIDER_TOKEN, { input: foreign });
    expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'REJECTED' });
  });
});

describe('the hooks of an operator', () => {
  async function withHooks<R>(hooks: Hooks, work: (hooked: Gateway) => Promise<R>): Promise<R> {
    const hooked = await startSocialGateway(provider, { hooks });
    try {
      return await work(hooked);
    } finally {
      await hooked.stop();
    }
  }

  test('preSocialLogin hears who comes, and refuses', async () => {
    const heard: unknown[] = [];
    const hooks: Hooks = {
      preSocialLogin: (login) => {
        heard.push(login);
        return login.claims.department === 'engines' ? null : { refuse: true };
      },
    };
    await withHooks(hooks, async (hooked) => {
      const account = newAccount();
      const { result } = await enterFrom(hooked, provider, account);
      expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'DENIED' });
      expect(await hooked.sql('SELECT 1 FROM users')).toEqual([]);
      expect(heard[0]).toMatchObject({
        purpose: 'LOG_IN',
        provider: 'acme',
        issuer: provider.issuer,
        subject: account.sub,
        email: account.email,
        emailVerified: true,
        person: null,
        accessToken: expect.any(String),
      });
      const welcome = { ...account, department: 'engines' };
      const { userId } = hold(hooked.client(), await enterFrom(hooked, provider, welcome));
      await enterFrom(hooked, provider, welcome);
      expect(heard.at(-1)).toMatchObject({ person: { userId, email: account.email } });
      expect((await enterFrom(hooked, provider, account)).result.__typename, 'known people too').toBe('ProviderFailed');
    });
  });

  test('preSocialLogin points to an account, which joins with the session', async () => {
    let userId = '';
    await withHooks({ preSocialLogin: () => (userId ? { userId } : null) }, async (hooked) => {
      const owner = hold(hooked.client(), await enterFrom(hooked, provider, newAccount()));
      userId = owner.userId;
      const joined = hold(hooked.client(), await enterFrom(hooked, provider, newAccount({ email: undefined })));
      expect(joined.userId).toBe(owner.userId);
      expect(await connectionsOf(joined.client)).toHaveLength(2);
      userId = '00000000-0000-4000-8000-000000000000';
      const { result } = await enterFrom(hooked, provider, newAccount());
      expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'DENIED' });
    });
  });

  test('one that fails, or never decides, lets nobody in', async () => {
    const fails = () => Promise.reject(new Error('no'));
    const hangs = () => new Promise<never>(() => undefined);
    for (const preSocialLogin of [fails, hangs]) {
      await withHooks({ preSocialLogin }, async (hooked) => {
        const { errors } = await enterFrom(hooked, provider, newAccount());
        expect(errors).toHaveLength(1);
        expect(await hooked.sql('SELECT 1 FROM users')).toEqual([]);
      });
    }
  });

  test.each([
    ['{ refused: true }', { refused: true }],
    ['{}', {}],
    ['a text', 'yes'],
    ['both', { refuse: false, userId: '00000000-0000-4000-8000-000000000000' }],
    ['an id that is a number', { userId: 7 }],
  ])('a decision that is none lets nobody in: %s', async (_name, decision) => {
    await withHooks({ preSocialLogin: () => decision as never }, async (hooked) => {
      const { errors } = await enterFrom(hooked, provider, newAccount());
      expect(errors).toHaveLength(1);
      expect(hooked.logs.join()).toContain('the hook preSocialLogin decided neither');
      expect(await hooked.sql('SELECT 1 FROM users')).toEqual([]);
    });
  });

  test('{ refuse: false } is no refusal, and the id of nobody lets nobody in', async () => {
    await withHooks({ preSocialLogin: () => ({ refuse: false }) as never }, async (hooked) => {
      expect((await enterFrom(hooked, provider, newAccount())).result.__typename).toBe('LoggedIn');
    });
    await withHooks({ preSocialLogin: () => ({ userId: 'no-such' }) }, async (hooked) => {
      const { result } = await enterFrom(hooked, provider, newAccount());
      expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'DENIED' });
    });
  });

  test('populateUser that gives something else is a fault of its own, and nobody is made', async () => {
    await withHooks({ populateUser: () => ({ name: 5 }) as never }, async (hooked) => {
      const { errors } = await enterFrom(hooked, provider, newAccount());
      expect(errors).toHaveLength(1);
      expect(hooked.logs.join()).toContain('the hook populateUser gave no');
      expect(await hooked.sql('SELECT 1 FROM users')).toEqual([]);
    });
  });

  test('populateUser names the person', async () => {
    const populateUser: Hooks['populateUser'] = ({ claims }) => ({ name: `Admiral ${claims.name}` });
    await withHooks({ populateUser }, async (hooked) => {
      const held = hold(hooked.client(), await enterFrom(hooked, provider, newAccount()));
      const { result } = await held.client.send(CONNECTIONS);
      expect(result.name).toBe('Admiral Grace Hopper');
      expect(await connectionsOf(held.client)).toMatchObject([{ displayName: 'Grace Hopper' }]);
    });
  });
});

test('an app on a phone is come back to by a scheme of its own', async () => {
  const phone = await startSocialGateway(provider, { env: { POSTERN_REDIRECT_URLS: 'com.example.app:/welcome' } });
  provider.person = newAccount();
  const client = phone.client();
  const begin = { provider: 'acme', redirectUrl: 'com.example.app:/welcome', credential: 'JWT' };
  const { result } = await client.send(BEGIN_PROVIDER_LOGIN, { input: begin });
  const login = { flowToken: String(result.flowToken), url: String(result.url) };
  const returned = await goAndReturn(phone, provider, login);
  expect(returned.href).toMatch(/^com\.example\.app:\/welcome\?code=pc_[\w-]{43}$/);
  const input = { flowToken: login.flowToken, code: codeOf(returned) };
  hold(client, await client.send(COMPLETE_PROVIDER_LOGIN, { input }));
  const other = { ...begin, redirectUrl: 'com.example.app:/other' };
  expect((await client.send(BEGIN_PROVIDER_LOGIN, { input: other })).result.__typename).toBe('InvalidInput');
  await phone.stop();
});

test('providers may be set up in code', async () => {
  const coded = await startSocialGateway(provider, {
    env: { POSTERN_PROVIDERS: '[]' },
    providers: [entryOf(provider)],
  });
  expect((await enterFrom(coded, provider, newAccount())).result.__typename).toBe('LoggedIn');
  await coded.stop();
});
