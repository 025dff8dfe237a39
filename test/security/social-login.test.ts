import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ADD_EMAIL, eventsOf } from '../support/account.ts';
import { enrollTotp } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  type HostileProvider,
  hostileIdTokens,
  startHostileProvider,
  type Trouble,
} from '../support/hostile-provider.ts';
import { askForReset, CHANGE_PASSWORD, newPassword, RESET_PASSWORD } from '../support/passwords.ts';
import {
  CONTINUE_LOGIN,
  CURRENT_USER,
  hold,
  LOG_IN_WITH_CODE,
  logIn,
  newPerson,
  REQUEST_LOGIN_CODE,
  RESEND_CODE,
  SIGN_UP,
  signUp,
  VERIFY_EMAIL,
} from '../support/people.ts';
import {
  APP,
  BEGIN_PROVIDER_LOGIN,
  beginConnection,
  beginLoginAt,
  COMPLETE_PROVIDER_CONNECTION,
  COMPLETE_PROVIDER_LOGIN,
  COMPLETE_PROVIDER_SIGN_UP,
  callbackHere,
  challengeOf,
  codeOf,
  comeBack,
  connectionsOf,
  DISCONNECT_PROVIDER,
  enterFrom,
  entryOf,
  goAndReturn,
  LINK_ACCOUNT,
  LOG_IN_WITH_PROVIDER_TOKEN,
  newAccount,
  REDIRECT_URL,
  startSocialGateway,
} from '../support/social.ts';

let acme: HostileProvider;
let other: HostileProvider;
let gateway: Gateway;
beforeAll(async () => {
  [acme, other] = await Promise.all([startHostileProvider(), startHostileProvider()]);
  gateway = await startSocialGateway(acme, {
    env: {
      POSTERN_PROVIDERS: JSON.stringify([entryOf(acme), entryOf(other, 'other')]),
      POSTERN_RATE_LIMITS: 'off',
    },
  });
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([acme.close(), other.close()]);
});
beforeEach(() => {
  for (const provider of [acme, other]) {
    provider.bend = {};
    provider.requests.length = 0;
  }
});

/** How many people and sessions there are. */
async function census(): Promise<string> {
  const [row] = await gateway.sql<{ census: string }>(
    `SELECT concat_ws(' ', (SELECT count(*) FROM users), (SELECT count(*) FROM sessions),
      (SELECT count(*) FROM social_connections), (SELECT count(*) FROM pending_logins)) AS census`,
  );
  return row?.census ?? '';
}

describe('O01, O03: what is sent to a provider', () => {
  test('has PKCE by S256, a state and a nonce, each new, and both legs fit', async () => {
    const seen = new Set<string>();
    for (let times = 0; times < 20; times += 1) {
      const { url } = await beginLoginAt(gateway.client(), 'acme');
      const asked = new URL(url).searchParams;
      expect(asked.get('code_challenge_method')).toBe('S256');
      expect(asked.get('code_challenge')).toMatch(/^[\w-]{43}$/);
      // 256 bits, of which 128 are asked for.
      expect(asked.get('state')).toMatch(/^pt_[\w-]{43}$/);
      expect(asked.get('nonce')).toMatch(/^[\w-]{43}$/);
      for (const name of ['code_challenge', 'state', 'nonce']) seen.add(asked.get(name) ?? '');
    }
    expect(seen.size).toBe(60);
    expect((await enterFrom(gateway, acme, newAccount())).result.__typename).toBe('LoggedIn');
    const [authorize] = acme.requests.filter(({ path }) => path === '/authorize');
    const [token] = acme.requests.filter(({ path }) => path === '/token');
    const verifier = token?.form.get('code_verifier') ?? '';
    expect(verifier).toMatch(/^[\w-]{43,128}$/);
    expect(authorize?.query.get('code_challenge')).toBe(challengeOf(verifier));
  });

  test('is nothing that a client chose', async () => {
    const query = BEGIN_PROVIDER_LOGIN;
    const input = { provider: 'acme', redirectUrl: `${REDIRECT_URL}?login_hint=eve&prompt=none&scope=admin` };
    const { result } = await gateway.client().send(query, { input });
    const asked = new URL(String(result.url)).searchParams;
    expect([...asked.keys()].sort()).toEqual(
      [
        ...['client_id', 'code_challenge', 'code_challenge_method', 'nonce', 'redirect_uri', 'response_type'],
        ...['scope', 'state'],
      ].sort(),
    );
    expect(asked.get('scope')).toBe('openid email profile');
  });
});

describe('O02: what comes back with a browser', () => {
  // Defence: noteReturn takes a state of this provider once; complete takes the flow token with the code that was made then.
  async function callback(parameters: Record<string, string> | string, provider = 'acme'): Promise<Response> {
    const query = new URLSearchParams(parameters).toString();
    return fetch(`${gateway.url}/providers/${provider}/callback?${query}`, { redirect: 'manual' });
  }

  test('is shown to nobody, and sends nobody on, without a state of ours', async () => {
    const foreign = { code: 'x', state: `pt_${'A'.repeat(43)}`, error_description: '<script>alert(1)</script>' };
    for (const parameters of [foreign, { code: 'x' }, { state: '' }, '', { state: 'pt_', code: '<b>' }]) {
      const response = await callback(parameters);
      expect(response.status).toBe(400);
      expect(response.headers.get('location')).toBeNull();
      const page = await response.text();
      expect(page).not.toMatch(/<script|<b>|alert/);
      expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    }
  });

  test('is taken once', async () => {
    acme.person = newAccount();
    const { url } = await beginLoginAt(gateway.client(), 'acme');
    const back = callbackHere(gateway, acme.authorizeAt(url));
    await comeBack(back);
    expect((await fetch(back, { redirect: 'manual' })).status).toBe(400);
  });

  test('is taken once of fifty at once', async () => {
    acme.person = newAccount();
    const { url } = await beginLoginAt(gateway.client(), 'acme');
    const back = callbackHere(gateway, acme.authorizeAt(url));
    const statuses = await Promise.all(
      Array.from({ length: 50 }, async () => (await fetch(back, { redirect: 'manual' })).status),
    );
    expect(statuses.filter((status) => status === 303)).toHaveLength(1);
  });

  test('is not taken from another provider than it was sent to', async () => {
    acme.person = newAccount();
    const { url } = await beginLoginAt(gateway.client(), 'acme');
    const back = callbackHere(gateway, acme.authorizeAt(url));
    const crossed = new URL(back.href.replace('/providers/acme/', '/providers/other/'));
    expect((await fetch(crossed, { redirect: 'manual' })).status).toBe(400);
    expect((await fetch(back, { redirect: 'manual' })).status).toBe(303);
  });

  test('is not taken after ten minutes', async () => {
    acme.person = newAccount();
    const { url } = await beginLoginAt(gateway.client(), 'acme');
    const back = callbackHere(gateway, acme.authorizeAt(url));
    gateway.clock.advance(600_001);
    expect((await fetch(back, { redirect: 'manual' })).status).toBe(400);
  });

  test('lets nobody in who did not begin it: neither the code nor the flow token does alone', async () => {
    acme.person = newAccount();
    const [ours, theirs] = [await beginLoginAt(gateway.client(), 'acme'), await beginLoginAt(gateway.client(), 'acme')];
    const [our, their] = [
      codeOf(await goAndReturn(gateway, acme, ours)),
      codeOf(await goAndReturn(gateway, acme, theirs)),
    ];
    const crossed = [
      { flowToken: ours.flowToken, code: their },
      { flowToken: theirs.flowToken, code: our },
      { flowToken: ours.flowToken, code: '' },
      { flowToken: ours.flowToken, code: ours.flowToken },
      { flowToken: our, code: our },
      { flowToken: '', code: our },
    ];
    for (const input of crossed)
      expect((await gateway.client().send(COMPLETE_PROVIDER_LOGIN, { input })).result.__typename).toBe('LoginExpired');
    const input = { flowToken: ours.flowToken, code: our };
    expect((await gateway.client().send(COMPLETE_PROVIDER_LOGIN, { input })).result.__typename).toBe('LoggedIn');
  });

  test('does not end what was begun to connect somebody, nor the other way round', async () => {
    const { client } = await signUpVerified();
    acme.person = newAccount();
    const [login, connection] = [await beginLoginAt(client, 'acme'), await beginConnection(client, 'acme')];
    const codes = [
      codeOf(await goAndReturn(gateway, acme, login)),
      codeOf(await goAndReturn(gateway, acme, connection)),
    ];
    const asLogin = { flowToken: connection.flowToken, code: codes[1] };
    const asConnection = { flowToken: login.flowToken, code: codes[0] };
    const { result } = await client.send(COMPLETE_PROVIDER_LOGIN, { input: asLogin });
    expect(result.__typename).toBe('LoginExpired');
    const connected = await client.send(COMPLETE_PROVIDER_CONNECTION, { input: asConnection });
    expect(connected.result.__typename).toBe('InvalidToken');
  });

  describe('O12: that is there twice, or too long', () => {
    const bent: readonly (readonly [string, (query: URLSearchParams) => void])[] = [
      ['two states', (query) => query.append('state', query.get('state') ?? '')],
      ['a list of states', (query) => rename(query, 'state', 'state[]')],
      ['two codes', (query) => query.append('code', 'other')],
      ['two issuers', (query) => query.append('iss', acme.issuer)],
      ['two errors beside the code', (query) => void ['a', 'b'].map((error) => query.append('error', error))],
      ['a code of 5 KiB', (query) => query.set('code', 'c'.repeat(5_000))],
      ['an error of a page', (query) => query.set('error', '<h1>'.repeat(100))],
      ['neither code nor error', (query) => query.delete('code')],
    ];
    test.each(bent)('%s: the typed failure, and no fault', async (_name, bend) => {
      acme.person = newAccount();
      acme.bend.redirect = bend;
      const before = await census();
      const client = gateway.client();
      const begun = await beginLoginAt(client, 'acme');
      const response = await fetch(callbackHere(gateway, acme.authorizeAt(begun.url)), { redirect: 'manual' });
      const location = response.headers.get('location');
      expect(response.status).toBe(location ? 303 : 400);
      if (location) expect([...new URL(location).searchParams.keys()]).toEqual(['error']);
      const input = { flowToken: begun.flowToken, code: 'x' };
      const { result } = await client.send(COMPLETE_PROVIDER_LOGIN, { input });
      expect(result.__typename).toBe(location ? 'ProviderFailed' : 'LoginExpired');
      expect(acme.requests.some(({ path }) => path === '/token')).toBe(false);
      expect(await census()).toBe(before);
    });
  });

  test('is left for the browser by whoever only looks', async () => {
    acme.person = newAccount();
    const { url } = await beginLoginAt(gateway.client(), 'acme');
    const back = callbackHere(gateway, acme.authorizeAt(url));
    const looked = await fetch(back, { method: 'HEAD', redirect: 'manual' });
    expect(looked.headers.get('location')).toBeNull();
    expect((await fetch(back, { redirect: 'manual' })).status).toBe(303);
  });

  test('a body that is posted to a provider of redirects is nothing', async () => {
    acme.person = newAccount();
    const { url } = await beginLoginAt(gateway.client(), 'acme');
    const back = callbackHere(gateway, acme.authorizeAt(url));
    const body = new URLSearchParams(back.searchParams);
    back.search = '';
    expect((await fetch(back, { method: 'POST', body, redirect: 'manual' })).status).toBe(400);
    const huge = await fetch(back, { method: 'POST', body: new URLSearchParams({ state: 'x'.repeat(100_000) }) });
    expect(huge.status).toBe(413);
  });

  test('O15: an error is passed on by the name that the standards have for it, and its description is not', async () => {
    const expected = { access_denied: 'CANCELLED', temporarily_unavailable: 'UNREACHABLE', '<b>mine</b>': 'REJECTED' };
    for (const [error, failure] of Object.entries(expected)) {
      acme.bend.redirect = (query) => {
        query.delete('code');
        query.set('error', error);
        query.set('error_description', '<script>alert(1)</script>');
      };
      const client = gateway.client();
      const begun = await beginLoginAt(client, 'acme');
      const returned = await goAndReturn(gateway, acme, begun);
      expect([...returned.searchParams.keys()]).toEqual(['error']);
      expect(returned.href).not.toMatch(/script|mine/);
      const { result } = await client.send(COMPLETE_PROVIDER_LOGIN, {
        input: { flowToken: begun.flowToken, code: '' },
      });
      expect(result).toMatchObject({ __typename: 'ProviderFailed', failure });
    }
    expect(gateway.logs.join()).toContain('"because":["temporarily_unavailable"]');
  });
});

describe('O04: the issuer of a redirect', () => {
  test.each([
    ['is missing, though the provider says that it sends one', (query: URLSearchParams) => query.delete('iss')],
    ['is another one', (query: URLSearchParams) => query.set('iss', 'https://evil.example')],
    ['is one of ours, but not this one', (query: URLSearchParams) => query.set('iss', other.issuer)],
  ])('%s: rejected', async (_name, bend) => {
    const before = await census();
    acme.bend.redirect = bend;
    const { result } = await enterFrom(gateway, acme, newAccount());
    expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'REJECTED' });
    expect(acme.requests.some(({ path }) => path === '/token')).toBe(false);
    expect(await census()).toBe(before);
  });
});

describe('O05: metadata', () => {
  test.each([
    ['of another issuer', (issuer: string) => ({ issuer: 'https://evil.example', was: issuer })],
    ['with a slash more', (issuer: string) => ({ issuer: `${issuer}/` })],
    ['without keys', () => ({ jwks_uri: undefined })],
    ['without an algorithm that can be checked', () => ({ id_token_signing_alg_values_supported: ['HS256', 'none'] })],
  ])('%s are not taken', async (_name, bend) => {
    const provider = await startHostileProvider();
    provider.bend.metadata = (good) => ({ ...good, ...bend(provider.issuer) });
    const fresh = await startSocialGateway(provider);
    const input = { provider: 'acme', redirectUrl: REDIRECT_URL };
    const { result } = await fresh.client().send(BEGIN_PROVIDER_LOGIN, { input });
    expect(result.__typename).toBe('ProviderFailed');
    await fresh.stop();
    await provider.close();
  });

  test('are taken again once the provider is better', async () => {
    const provider = await startHostileProvider();
    provider.bend.trouble = { metadata: { status: 503 } };
    const fresh = await startSocialGateway(provider);
    const input = { provider: 'acme', redirectUrl: REDIRECT_URL };
    const { result } = await fresh.client().send(BEGIN_PROVIDER_LOGIN, { input });
    expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'UNREACHABLE' });
    provider.bend = {};
    expect((await enterFrom(fresh, provider, newAccount())).result.__typename).toBe('LoggedIn');
    await fresh.stop();
    await provider.close();
  });
});

describe('O06: ID tokens that let nobody in', () => {
  // Defence: signatures are checked although TLS brought them; algorithms are pinned; each claim is required and compared.
  test('at the end of a login', async () => {
    const before = await census();
    const tokens = await hostileIdTokens(acme, 'placeholder');
    expect(tokens.length).toBeGreaterThan(30);
    for (const [index, { name }] of tokens.entries()) {
      const victim = newAccount();
      acme.bend.idToken = async (claims) => {
        const hostile = await hostileIdTokens(acme, String(claims.nonce));
        return hostile[index]?.token ?? '';
      };
      const { result, text } = await enterFrom(gateway, acme, victim);
      expect(`${name}: ${result.__typename} ${result.failure}`, text).toBe(`${name}: ProviderFailed REJECTED`);
    }
    expect(await census()).toBe(before);
    expect(acme.bait.calls, 'no call that a token asked for').toBe(0);
  }, 60_000);

  test('O17: shown by an app', async () => {
    const before = await census();
    acme.person = newAccount();
    for (const { name, token } of await hostileIdTokens(acme, 'of the app')) {
      const input = { provider: 'acme', idToken: token, nonce: 'of the app' };
      const { result, text } = await gateway.client().send(LOG_IN_WITH_PROVIDER_TOKEN, { input });
      expect(`${name}: ${result.__typename} ${result.failure}`, text).toBe(`${name}: ProviderFailed REJECTED`);
    }
    expect(await census()).toBe(before);
    expect(acme.bait.calls, 'no call that a token asked for').toBe(0);
  });

  test('O17: made by another provider of ours, or by somebody who calls himself so', async () => {
    acme.person = other.person = newAccount();
    for (const idToken of [await other.mint({ nonce: 'n' }), await other.mint({ nonce: 'n', iss: acme.issuer })]) {
      const input = { provider: 'acme', idToken, nonce: 'n' };
      const { result } = await gateway.client().send(LOG_IN_WITH_PROVIDER_TOKEN, { input });
      expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'REJECTED' });
    }
  });

  test('an access token in the place of one', async () => {
    acme.person = newAccount();
    const idToken = await acme.mint({ nonce: 'n' }, { header: { typ: 'at+jwt' } });
    const { result } = await gateway.client().send(LOG_IN_WITH_PROVIDER_TOKEN, {
      input: { provider: 'acme', idToken, nonce: 'n' },
    });
    expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'REJECTED' });
  });

  test('one that an app has shown before, in any spelling of its signature', async () => {
    acme.person = newAccount();
    const idToken = await acme.mint({ nonce: 'n' });
    const show = (token: string) =>
      gateway.client().send(LOG_IN_WITH_PROVIDER_TOKEN, { input: { provider: 'acme', idToken: token, nonce: 'n' } });
    const answers = await Promise.all(Array.from({ length: 10 }, () => show(idToken)));
    expect(answers.filter(({ result }) => result.__typename === 'LoggedIn')).toHaveLength(1);
    expect((await show(idToken)).result).toMatchObject({ __typename: 'ProviderFailed', failure: 'REJECTED' });
    expect((await show(`${idToken}=`)).result.__typename).toBe('ProviderFailed');
  });

  test('one that lasts for ever', async () => {
    for (const exp of [1e13, 1e17]) {
      const input = { provider: 'acme', idToken: await acme.mint({ nonce: 'n', exp }), nonce: 'n' };
      const { result } = await gateway.client().send(LOG_IN_WITH_PROVIDER_TOKEN, { input });
      expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'REJECTED' });
    }
  });

  test('a nonce belongs to the token, whether there is one or none', async () => {
    acme.person = newAccount();
    const show = async (claims: object, nonce: string | null) => {
      const input = { provider: 'acme', idToken: await acme.mint({ ...claims }), nonce };
      return (await gateway.client().send(LOG_IN_WITH_PROVIDER_TOKEN, { input })).result.__typename;
    };
    expect(await show({ nonce: 'a' }, 'b')).toBe('ProviderFailed');
    expect(await show({ nonce: 'a' }, null)).toBe('ProviderFailed');
    expect(await show({}, 'a')).toBe('ProviderFailed');
    expect(await show({ jti: 'none' }, null)).toBe('LoggedIn');
  });
});

describe('O07: who somebody is', () => {
  // Defence: connections are found by provider, issuer and subject, and by nothing else.
  test('does not change with the address, nor does an address make somebody else of them', async () => {
    const victim = hold(gateway.client(), await enterFrom(gateway, acme, newAccount({ email: 'victim@example.com' })));
    const mallory = newAccount();
    const theirs = hold(gateway.client(), await enterFrom(gateway, acme, mallory));
    const answer = await enterFrom(gateway, acme, { ...mallory, email: 'victim@example.com' });
    expect(hold(gateway.client(), answer).userId).toBe(theirs.userId);
    expect(theirs.userId).not.toBe(victim.userId);
    expect(answer.result.user).toMatchObject({ email: mallory.email });
  });

  test('is not what another provider calls the same', async () => {
    const account = newAccount();
    const first = hold(gateway.client(), await enterFrom(gateway, acme, account));
    other.person = { ...account, email: undefined };
    const client = gateway.client();
    const login = await beginLoginAt(client, 'other');
    const code = codeOf(await goAndReturn(gateway, other, login));
    const { result } = await client.send(COMPLETE_PROVIDER_LOGIN, { input: { flowToken: login.flowToken, code } });
    expect(result.__typename).toBe('ProviderSignUpRequired');
    expect(first.userId).toBeTruthy();
  });

  test('is nobody where the provider moved to another server', async () => {
    const account = newAccount();
    hold(gateway.client(), await enterFrom(gateway, acme, account));
    const moved = await gateway.another({ POSTERN_PROVIDERS: JSON.stringify([entryOf(other)]) });
    const { result } = await enterFrom(moved, other, account);
    expect(result.__typename).toBe('AccountLinkRequired');
    await moved.stop();
  });
});

test.each([
  ['half a character', 'ada\ud800'],
  ['a NUL', 'ada\u0000'],
])('a subject with %s is nobody’s (O07)', async (_name, sub) => {
  const { result, status } = await enterFrom(gateway, acme, newAccount({ sub }));
  expect(status).toBe(200);
  expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'REJECTED' });
});

test('words that no database keeps are left out', async () => {
  const odd = { name: 'Ada\u0000', preferred_username: 'a\u0000da', email: 'a\u0000da@example.com' };
  const { result } = await enterFrom(gateway, acme, newAccount(odd));
  expect(result.__typename).toBe('ProviderSignUpRequired');
});

describe('O08: an address makes no link', () => {
  test('to an account that never verified it, whichever side came first (R14)', async () => {
    const victim = newAccount();
    const squatter = { email: victim.email, password: 'a squatter waits for somebody' };
    await gateway.client().send(SIGN_UP, { input: squatter });
    const held = hold(gateway.client(), await enterFrom(gateway, acme, victim));
    const [row] = await gateway.sql<{ user_id: string }>('SELECT user_id FROM emails WHERE address = $1', [
      victim.email,
    ]);
    expect(row?.user_id).toBe(held.userId);
    const { result } = await gateway
      .client()
      .send('mutation ($input: LogInWithPasswordInput!) { logInWithPassword(input: $input) { __typename } }', {
        input: squatter,
      });
    expect(result.__typename, 'the password of the squatter').toBe('InvalidCredentials');
  });

  test.each([
    ['does not say that it is verified', undefined],
    ['says that it is not', false],
    ['says so in writing', 'false'],
    ['says in writing that it is', 'true'],
    ['says one', 1],
  ])('where the provider %s; and nothing tells that there is an account', async (_name, email_verified) => {
    const { person, userId } = await signUpVerified();
    const [taken, free] = [newAccount({ email: person.email, email_verified }), newAccount({ email_verified })];
    const [known, unknown] = [await enterFrom(gateway, acme, taken), await enterFrom(gateway, acme, free)];
    const shape = ({ result }: typeof known) => ({ ...result, loginToken: '', account: '', email: '' });
    expect(shape(known)).toEqual(shape(unknown));
    expect(known.result.__typename).toBe('EmailVerificationRequired');
    expect((await gateway.mails.next(person.email)).subject).toContain('already have an account');
    expect(await gateway.sql('SELECT 1 FROM social_connections WHERE user_id = $1', [userId])).toEqual([]);
  });

  test.each([
    ['a numeral that folds to a letter', (email: string) => email.replace(/^a/, '\u2170')],
    ['the sign of a unit', (email: string) => `\u212A${email}`],
  ])('that only folds to that of an account: %s', async (_name, written) => {
    // Defence: an address counts as verified only as the provider wrote it.
    const { person, userId } = await signUpVerified();
    const linking = await gateway.another({ POSTERN_SOCIAL_LINKING: 'verified' });
    const answer = await enterFrom(linking, acme, newAccount({ email: written(person.email) }));
    await linking.stop();
    expect(answer.text).not.toContain(userId);
    expect(['EmailVerificationRequired', 'ProviderSignUpRequired']).toContain(answer.result.__typename);
  });

  test('and a second login tells no more than the first whether there is an account (R07)', async () => {
    // Defence: an account at a provider that has not seen the mailbox joins with the first session only.
    const { person } = await signUpVerified();
    const seen = async (email: string) => {
      const account = newAccount({ email, email_verified: false });
      const first = await enterFrom(gateway, acme, account);
      const moved = await enterFrom(gateway, acme, { ...account, email: newPerson().email });
      const { client } = await signUpVerified();
      acme.person = account;
      const connection = await beginConnection(client, 'acme');
      const code = codeOf(await goAndReturn(gateway, acme, connection));
      const input = { flowToken: connection.flowToken, code };
      const connected = await client.send(COMPLETE_PROVIDER_CONNECTION, { input });
      const same = (moved.result as { email?: string }).email === email;
      return [first.result.__typename, moved.result.__typename, same, connected.result.__typename];
    };
    const typed = async (email: string) => {
      const account = newAccount({ email: undefined });
      const client = gateway.client();
      const { result } = await enterFrom(gateway, acme, account, client);
      await client.send(COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken: result.loginToken, email } });
      return (await enterFrom(gateway, acme, account)).result.__typename;
    };
    expect(await seen(person.email)).toEqual(await seen(newPerson().email));
    expect(await typed(person.email)).toBe(await typed(newPerson().email));
  });

  test('by one press of a link: who came by an unverified address is let in by a typed code alone', async () => {
    const victim = newAccount({ email_verified: false });
    const { result } = await enterFrom(gateway, acme, victim);
    expect(result.__typename).toBe('EmailVerificationRequired');
    const mail = await gateway.mails.next(victim.email);
    expect(mail.text).not.toMatch(/token=/);
    expect(mail.code).not.toBe('');
    const proof = { code: { handle: result.loginToken, code: mail.code } };
    const client = gateway.client();
    hold(client, await client.send(VERIFY_EMAIL, { input: { proof } }));
  });

  test('by a link that was on its way when the account at the provider joined', async () => {
    const optional = await startSocialGateway(acme, { env: { POSTERN_EMAIL_VERIFICATION: 'optional' } });
    const person = newPerson();
    const { client } = await signUp(optional.client(), person);
    const { token } = await optional.mails.next(person.email);
    acme.person = newAccount();
    const connection = await beginConnection(client, 'acme');
    const code = codeOf(await goAndReturn(optional, acme, connection));
    await client.send(COMPLETE_PROVIDER_CONNECTION, { input: { flowToken: connection.flowToken, code } });
    expect(await connectionsOf(client)).toHaveLength(1);
    const { result } = await optional.client().send(VERIFY_EMAIL, { input: { proof: { token } } });
    expect(result.__typename).toBe('InvalidToken');
    await optional.stop();
  });
});

describe('R14: what was set up before the owner of an address came', () => {
  // Defence: startOver takes the connections; setPassword voids what is on its way to link an account.
  test('goes with the proof of the mailbox, the account at the provider too', async () => {
    const squatter = newAccount({ email_verified: false });
    await enterFrom(gateway, acme, squatter);
    await gateway.mails.rest(squatter.email);
    const victim = gateway.client();
    const { result } = await victim.send(REQUEST_LOGIN_CODE, { input: { email: squatter.email } });
    const { code } = await gateway.mails.next(squatter.email);
    const proof = { code: { handle: result.loginToken, code } };
    const held = hold(victim, await victim.send(LOG_IN_WITH_CODE, { input: { proof } }));
    expect(await connectionsOf(held.client)).toEqual([]);
    const again = await enterFrom(gateway, acme, squatter);
    expect(again.result.__typename).toBe('EmailVerificationRequired');
    const told = (await gateway.mails.rest(squatter.email)).map(({ subject }) => subject);
    expect(told.join()).toContain('already have an account');
  });

  test('goes with a reset, though the owner pressed a link of whoever was first', async () => {
    // Defence: resetPassword disconnects.
    const person = newPerson();
    const squatter = gateway.client();
    const { result: signedUp } = await squatter.send(SIGN_UP, { input: person });
    const { token } = await gateway.mails.next(person.email);
    await gateway.client().send(VERIFY_EMAIL, { input: { proof: { token } } });
    const input = { loginToken: signedUp.loginToken };
    const held = hold(squatter, await squatter.send(CONTINUE_LOGIN, { input }));
    const theirs = newAccount();
    acme.person = theirs;
    const connection = await beginConnection(held.client, 'acme');
    const code = codeOf(await goAndReturn(gateway, acme, connection));
    await held.client.send(COMPLETE_PROVIDER_CONNECTION, { input: { flowToken: connection.flowToken, code } });
    const { handle, mail } = await askForReset(gateway, person.email);
    const proof = { code: { handle, code: mail.code } };
    const reset = await gateway.client().send(RESET_PASSWORD, { input: { proof, newPassword: newPassword() } });
    expect(reset.result.__typename).toBe('PasswordWasReset');
    expect(hold(gateway.client(), await enterFrom(gateway, acme, theirs)).userId).not.toBe(held.userId);
  });

  test('cannot be added to by one press of a link: an address joins by a typed code where there is a connection', async () => {
    // Defence: waysOf and joinIdentity see to CONFIRM_EMAIL as well.
    const optional = await startSocialGateway(acme, { env: { POSTERN_EMAIL_VERIFICATION: 'optional' } });
    const held = hold(optional.client(), await enterFrom(optional, acme, newAccount({ email_verified: false })));
    const victim = newPerson().email;
    const sent = await held.client.send(ADD_EMAIL, { input: { email: victim } });
    expect(sent.result.__typename).toBe('CodeSent');
    const mail = await optional.mails.next(victim);
    expect(mail.token).toBe('');
    expect(mail.code).not.toBe('');

    const { client } = await signUp(optional.client(), newPerson());
    const other = newPerson().email;
    await client.send(ADD_EMAIL, { input: { email: other } });
    const { token } = await optional.mails.next(other);
    acme.person = newAccount();
    const connection = await beginConnection(client, 'acme');
    const code = codeOf(await goAndReturn(optional, acme, connection));
    await client.send(COMPLETE_PROVIDER_CONNECTION, { input: { flowToken: connection.flowToken, code } });
    const { result } = await optional.client().send(VERIFY_EMAIL, { input: { proof: { token } } });
    expect(result.__typename).toBe('InvalidToken');
    await optional.stop();
  });

  test('a code that was mailed to link an account does not outlive its password', async () => {
    const { person, client: own } = await signUpVerified();
    const client = gateway.client();
    const { result: asked } = await enterFrom(gateway, acme, newAccount({ email: person.email }), client);
    await client.send(RESEND_CODE, { input: { handle: asked.loginToken } });
    const { code } = await gateway.mails.next(person.email);
    const passwords = { currentPassword: person.password, newPassword: 'a password of the owner alone' };
    const changed = await own.send(CHANGE_PASSWORD, { input: passwords });
    expect(changed.result.__typename).toBe('PasswordChanged');
    const input = { loginToken: asked.loginToken, proof: { emailCode: code } };
    expect((await client.send(LINK_ACCOUNT, { input })).result.__typename).toBe('LoginExpired');
  });
});

describe('O09: connections', () => {
  test('are begun with a fresh proof only, and ended too', async () => {
    const { client } = await signUpVerified();
    acme.person = newAccount();
    const connection = await beginConnection(client, 'acme');
    const code = codeOf(await goAndReturn(gateway, acme, connection));
    await client.send(COMPLETE_PROVIDER_CONNECTION, { input: { flowToken: connection.flowToken, code } });
    const [held] = await connectionsOf(client);
    gateway.clock.advance(16 * 60_000);
    const begin =
      'mutation ($input: BeginProviderConnectionInput!) { beginProviderConnection(input: $input) { __typename } }';
    const begun = await client.send(begin, { input: { provider: 'acme', redirectUrl: REDIRECT_URL } });
    expect(begun.result.__typename).toBe('ReauthenticationRequired');
    const ended = await client.send(DISCONNECT_PROVIDER, { input: { id: held?.id } });
    expect(ended.result.__typename).toBe('ReauthenticationRequired');
  });

  test('belong to the session that began them, and to no other, be it of the same person', async () => {
    const { person, client } = await signUpVerified();
    const elsewhere = await logIn(gateway.client(), person);
    const stranger = await signUpVerified();
    acme.person = newAccount();
    const connection = await beginConnection(client, 'acme');
    const input = { flowToken: connection.flowToken, code: codeOf(await goAndReturn(gateway, acme, connection)) };
    for (const wrong of [stranger.client, elsewhere.client, gateway.client()]) {
      const { result } = await wrong.send(COMPLETE_PROVIDER_CONNECTION, { input });
      expect(['InvalidToken', 'Unauthenticated']).toContain(result.__typename);
    }
    const { result } = await client.send(COMPLETE_PROVIDER_CONNECTION, { input });
    expect(result.__typename).toBe('ProviderConnected');
    expect(await connectionsOf(stranger.client)).toEqual([]);
  });

  test('are not for somebody whose session ended meanwhile', async () => {
    const { client } = await signUpVerified();
    acme.person = newAccount();
    const connection = await beginConnection(client, 'acme');
    const input = { flowToken: connection.flowToken, code: codeOf(await goAndReturn(gateway, acme, connection)) };
    await client.send('mutation { logOut { __typename } }');
    const { result } = await client.send(COMPLETE_PROVIDER_CONNECTION, { input });
    expect(result.__typename).toBe('Unauthenticated');
  });

  test('are not for somebody whose session ends while the provider is asked', async () => {
    const { client, userId } = await signUpVerified();
    acme.person = newAccount();
    const connection = await beginConnection(client, 'acme');
    const input = { flowToken: connection.flowToken, code: codeOf(await goAndReturn(gateway, acme, connection)) };
    acme.bend.trouble = { token: { slow: 1_000 } };
    const completing = client.send(COMPLETE_PROVIDER_CONNECTION, { input });
    while (!acme.requests.some(({ path }) => path === '/token')) await pause(10);
    await client.send('mutation { logOut { __typename } }');
    expect((await completing).result.__typename).toBe('Unauthenticated');
    expect(await gateway.sql('SELECT 1 FROM social_connections WHERE user_id = $1', [userId])).toEqual([]);
  });

  test('take nobody what is theirs', async () => {
    const account = newAccount();
    const owner = hold(gateway.client(), await enterFrom(gateway, acme, account));
    const { client } = await signUpVerified();
    acme.person = account;
    const connection = await beginConnection(client, 'acme');
    const input = { flowToken: connection.flowToken, code: codeOf(await goAndReturn(gateway, acme, connection)) };
    const { result } = await client.send(COMPLETE_PROVIDER_CONNECTION, { input });
    expect(result.__typename).toBe('ConnectionTaken');
    expect(await connectionsOf(owner.client)).toHaveLength(1);
    const [theirs] = await connectionsOf(owner.client);
    const taken = await client.send(DISCONNECT_PROVIDER, { input: { id: theirs?.id } });
    expect(taken.result.__typename).toBe('NotFound');
  });

  test('M10: somebody else at the provider does not freshen a session', async () => {
    const { client, sessionId } = await signUpVerified();
    gateway.clock.advance(16 * 60_000);
    const before = await gateway.sql('SELECT methods FROM sessions WHERE id = $1', [sessionId]);
    await enterFrom(gateway, acme, newAccount(), client);
    const [after] = await gateway.sql<{ methods: unknown; ended_at: Date | null }>(
      'SELECT methods, ended_at FROM sessions WHERE id = $1',
      [sessionId],
    );
    // The login has taken its place; it was not made fresh.
    expect(after?.methods).toEqual((before[0] as { methods: unknown }).methods);
    expect(after?.ended_at).not.toBeNull();
  });

  test('that are gone end what they opened elsewhere', async () => {
    const { client } = await signUpVerified();
    const account = newAccount();
    acme.person = account;
    const connection = await beginConnection(client, 'acme');
    const code = codeOf(await goAndReturn(gateway, acme, connection));
    await client.send(COMPLETE_PROVIDER_CONNECTION, { input: { flowToken: connection.flowToken, code } });
    const thief = hold(gateway.client(), await enterFrom(gateway, acme, account));
    const [held] = await connectionsOf(client);
    await client.send(DISCONNECT_PROVIDER, { input: { id: held?.id } });
    expect((await thief.client.send(CURRENT_USER)).result.__typename).toBe('Unauthenticated');
    expect((await client.send(CURRENT_USER)).result.__typename).toBe('User');
  });

  test('that are gone let nobody in who had just come from there', async () => {
    const { client, userId, person } = await signUpVerified();
    acme.person = newAccount();
    const connection = await beginConnection(client, 'acme');
    const code = codeOf(await goAndReturn(gateway, acme, connection));
    await client.send(COMPLETE_PROVIDER_CONNECTION, { input: { flowToken: connection.flowToken, code } });
    await enrollTotp(gateway, client);
    const thief = await enterFrom(gateway, acme, acme.person);
    expect(thief.result.__typename).toBe('MfaRequired');
    const [held] = await connectionsOf(client);
    await client.send(DISCONNECT_PROVIDER, { input: { id: held?.id } });
    const { result } = await gateway
      .client()
      .send('mutation ($input: ContinueLoginInput!) { continueLogin(input: $input) { __typename } }', {
        input: { loginToken: thief.result.loginToken },
      });
    expect(result.__typename).toBe('LoginExpired');
    expect(person.email && userId).toBeTruthy();
  });
});

describe('O10: where a browser is sent', () => {
  // Defence: allowedRedirect compares what a browser's own parser read, whole.
  test.each([
    ['another host', 'https://evil.example/welcome'],
    ['no scheme', '//evil.example'],
    ['a backslash', 'https:\\\\app.test/welcome'],
    ['a backslash in the host', 'https://evil.example\\@app.test/'],
    ['a name before the host', 'https://app.test@evil.example/welcome'],
    ['a name before our host', 'https://evil@app.test/welcome'],
    ['a script', 'javascript:alert(1)//https://app.test/welcome'],
    ['data', 'data:text/html,https://app.test/'],
    ['a host that only begins so', 'https://app.test.evil.example/welcome'],
    ['a host that a dot could mean', 'https://appxtest/welcome'],
    ['another port', 'https://app.test:8443/welcome'],
    ['plain http', 'http://app.test/welcome'],
    ['a fragment', 'https://app.test/welcome#x'],
    ['an encoded host', 'https://app%2etest.evil.example/'],
    ['a blank', ' https://app.test/welcome'],
    ['a line break', 'https://app.test/\r\nSet-Cookie: a=b'],
    ['a tab', 'https://ap\tp.test/welcome'],
    ['three slashes', 'https:///app.test/welcome'],
    ['one slash', 'https:/app.test/welcome'],
    ['nothing', ''],
    ['too much', `https://app.test/${'a'.repeat(3_000)}`],
  ])('%s is not taken', async (_name, redirectUrl) => {
    const input = { provider: 'acme', redirectUrl };
    const { result } = await gateway.client().send(BEGIN_PROVIDER_LOGIN, { input });
    expect(result).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: ['redirectUrl'] }] });
  });

  test('a page of ours keeps its own query, but not a code of somebody else’s', async () => {
    acme.person = newAccount();
    const input = { provider: 'acme', redirectUrl: `${APP}/a/b?next=%2Fhome&code=mine&error=mine` };
    const { result } = await gateway.client().send(BEGIN_PROVIDER_LOGIN, { input });
    const returned = await comeBack(callbackHere(gateway, acme.authorizeAt(String(result.url))));
    expect(returned.searchParams.getAll('code')).toEqual([expect.stringMatching(/^pc_/)]);
    expect(returned.searchParams.get('next')).toBe('/home');
  });
});

test('O11: of ten that complete one login at once, one does, and the provider is asked once', async () => {
  acme.person = newAccount();
  const login = await beginLoginAt(gateway.client(), 'acme');
  const input = { flowToken: login.flowToken, code: codeOf(await goAndReturn(gateway, acme, login)) };
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => gateway.client().send(COMPLETE_PROVIDER_LOGIN, { input })),
  );
  const kinds = answers.map(({ result }) => result.__typename).sort();
  expect(kinds).toEqual(['LoggedIn', ...Array.from({ length: 9 }, () => 'LoginExpired')]);
  expect(acme.requests.filter(({ path }) => path === '/token')).toHaveLength(1);
});

test('of ten first logins of one account at once, one person is made', async () => {
  const account = newAccount();
  const answers = await Promise.all(Array.from({ length: 10 }, () => enterFrom(gateway, acme, account)));
  const people = new Set(answers.map((answer) => hold(gateway.client(), answer).userId));
  expect(people.size).toBe(1);
});

describe('O13, O14: a provider that does not answer as one does', () => {
  test('another subject at UserInfo is rejected', async () => {
    const before = await census();
    acme.bend.userInfo = (claims) => ({ ...claims, sub: 'somebody else' });
    const { result } = await enterFrom(gateway, acme, newAccount());
    expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'REJECTED' });
    expect(await census()).toBe(before);
  });

  const troubles: readonly (readonly [string, Trouble, string])[] = [
    ['500', { status: 500 }, 'UNREACHABLE'],
    ['502', { status: 502 }, 'UNREACHABLE'],
    ['a redirect', { redirectTo: '/bait' }, 'UNREACHABLE'],
    ['two mebibytes', { huge: 2 ** 21 }, 'UNREACHABLE'],
    ['no JSON', { body: '<html>' }, 'REJECTED'],
    ['400', { status: 400 }, 'REJECTED'],
    ['an empty answer', { body: '' }, 'REJECTED'],
    ['a list', { body: '[]' }, 'REJECTED'],
  ];
  describe.each(['token', 'userinfo'] as const)('at its %s endpoint', (endpoint) => {
    test.each(troubles)('%s: the typed failure, nobody in, nobody half made', async (_name, trouble, failure) => {
      const before = await census();
      acme.bend.trouble = { [endpoint]: trouble };
      const { result } = await enterFrom(gateway, acme, newAccount());
      expect(result).toMatchObject({ __typename: 'ProviderFailed', failure });
      expect(await census()).toBe(before);
      expect(acme.bait.calls).toBe(0);
    });
  });

  test('one that takes its time is given up within the ten seconds of a request', async () => {
    const before = await census();
    acme.bend.trouble = { token: { slow: 20_000 } };
    const { result, status } = await enterFrom(gateway, acme, newAccount());
    expect(status).toBe(200);
    expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'UNREACHABLE' });
    expect(await census()).toBe(before);
  }, 20_000);

  test('one that is slow at each step has no more time than one that is slow at one', async () => {
    acme.bend.trouble = { token: { slow: 5_000 }, userinfo: { slow: 5_000 } };
    const { result, status } = await enterFrom(gateway, acme, newAccount());
    expect(status).toBe(200);
    expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'UNREACHABLE' });
  }, 20_000);

  test('one that changes its keys is understood', async () => {
    await enterFrom(gateway, acme, newAccount());
    const fresh = await startHostileProvider();
    const apart = await startSocialGateway(fresh);
    await fresh.rotateKey();
    expect((await enterFrom(apart, fresh, newAccount())).result.__typename).toBe('LoggedIn');
    await apart.stop();
    await fresh.close();
  });
});

describe('O15: what is secret', () => {
  test('stands neither in the log nor in the database nor in an answer', async () => {
    const keeping = await startSocialGateway(acme, {
      env: { POSTERN_STORE_PROVIDER_TOKENS: 'on', POSTERN_LOG_LEVEL: 'trace' },
    });
    const answer = await enterFrom(keeping, acme, newAccount());
    acme.bend.trouble = { token: { body: '{"t":half-a-token}' } };
    await enterFrom(keeping, acme, newAccount());
    const tables = await keeping.sql<{ row: string }>(
      `SELECT t::text AS row FROM social_connections t UNION ALL SELECT t::text FROM provider_flows t
       UNION ALL SELECT t::text FROM events t UNION ALL SELECT t::text FROM pending_logins t`,
    );
    const authorized = acme.requests.findLast(({ path }) => path === '/userinfo')?.headers.authorization ?? '';
    const accessToken = authorized.replace('Bearer ', '');
    expect(accessToken).not.toBe('');
    const verifiers = acme.requests.map(({ form }) => form.get('code_verifier')).filter((text) => text !== null);
    for (const secret of [accessToken, acme.clientSecret, 'half-a-token', ...verifiers]) {
      expect(answer.text).not.toContain(secret);
      expect(tables.map(({ row }) => row).join()).not.toContain(secret);
      expect(keeping.logs.join()).not.toContain(secret);
    }
    await keeping.stop();
  });
});

describe('O16: a provider opens no door that is closed', () => {
  test('to somebody who was disabled', async () => {
    const account = newAccount();
    const { userId } = hold(gateway.client(), await enterFrom(gateway, acme, account));
    await gateway.sql('UPDATE users SET disabled_at = now() WHERE id = $1', [userId]);
    const { result } = await enterFrom(gateway, acme, account);
    expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'DENIED' });
  });

  test('through a provider that was switched off before the account was linked', async () => {
    const { person } = await signUpVerified();
    const { result } = await enterFrom(gateway, acme, newAccount({ email: person.email }));
    const without = await gateway.another({ POSTERN_PROVIDERS: '[]' });
    const input = { loginToken: result.loginToken, proof: { password: person.password } };
    const linked = await without.client().send(LINK_ACCOUNT, { input });
    await without.stop();
    expect(linked.result.__typename).toBe('LoginExpired');
  });

  test('through a provider that was switched off, in the middle of a login too', async () => {
    acme.person = newAccount();
    const login = await beginLoginAt(gateway.client(), 'acme');
    const input = { flowToken: login.flowToken, code: codeOf(await goAndReturn(gateway, acme, login)) };
    const without = await gateway.another({ POSTERN_PROVIDERS: JSON.stringify([entryOf(other, 'other')]) });
    const { result } = await without.client().send(COMPLETE_PROVIDER_LOGIN, { input });
    expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'DENIED' });
    const again = await beginLoginAt(gateway.client(), 'acme');
    const back = acme.authorizeAt(again.url).href.replace(gateway.app.config.publicUrl, without.url);
    expect((await fetch(back, { redirect: 'manual' })).status).toBe(400);
    await without.stop();
  });

  test('to a password that was left out', async () => {
    const account = newAccount();
    await enterFrom(gateway, acme, account);
    for (const password of ['', ' ', 'null', 'undefined']) {
      const { result } = await gateway
        .client()
        .send('mutation ($input: LogInWithPasswordInput!) { logInWithPassword(input: $input) { __typename } }', {
          input: { email: account.email, password },
        });
      expect(['InvalidInput', 'InvalidCredentials']).toContain(result.__typename);
    }
  });
});

test('limits count before a provider is asked', async () => {
  const limited = await startSocialGateway(acme, { env: { POSTERN_RATE_LIMITS: '{"providerPerAddress":"3/1m"}' } });
  const client = limited.client();
  const idToken = await acme.mint({ nonce: 'n' });
  const input = { provider: 'acme', idToken, nonce: 'wrong' };
  const kinds = [];
  for (let times = 0; times < 5; times += 1)
    kinds.push((await client.send(LOG_IN_WITH_PROVIDER_TOKEN, { input })).result.__typename);
  expect(kinds).toEqual([...Array(3).fill('ProviderFailed'), ...Array(2).fill('RateLimited')]);
  await limited.stop();
});

test('the callback answers the methods that it says, and garbage without a fault', async () => {
  const url = new URL(`${gateway.url}/providers/acme/callback`);
  for (const method of ['PUT', 'DELETE', 'OPTIONS']) {
    const response = await fetch(url, { method });
    expect([405, 204]).toContain(response.status);
    if (response.status === 405) expect(response.headers.get('allow')).toBe('GET, HEAD, POST');
  }
  for (const path of [
    '/providers/../callback',
    '/providers/%00/callback',
    '/providers//callback',
    `/providers/${'a'.repeat(5_000)}/callback`,
  ]) {
    const status = await raw(`GET ${path}?state=%ff%fe&code=%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
  }
});

function rename(query: URLSearchParams, from: string, to: string): void {
  query.set(to, query.get(from) ?? '');
  query.delete(from);
}

function raw(request: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1', () => socket.write(request));
    socket.once('data', (data) => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(String(data))?.[1])));
    socket.once('error', reject);
  });
}

async function signUpVerified() {
  const person = newPerson();
  const client = gateway.client();
  const { result } = await client.send(SIGN_UP, { input: person });
  const { code } = await gateway.mails.next(person.email);
  const proof = { code: { handle: result.loginToken, code } };
  return { person, ...hold(client, await client.send(VERIFY_EMAIL, { input: { proof } })) };
}

test('each outcome that failed is an event, of whoever it was', async () => {
  const account = newAccount();
  const { userId } = hold(gateway.client(), await enterFrom(gateway, acme, account));
  acme.bend.trouble = { token: { status: 500 } };
  await enterFrom(gateway, acme, account);
  const failed = await gateway.sql(
    `SELECT 1 FROM events WHERE kind = 'LoginFailed' AND data ->> 'method' = 'PROVIDER'`,
  );
  expect(failed.length).toBeGreaterThan(0);
  expect((await eventsOf(gateway, userId)).map(({ kind }) => kind)).toContain('ProviderConnected');
});

test('where no provider is configured there is none', async () => {
  const plain = await startGateway();
  const input = { provider: 'google', redirectUrl: plain.url };
  const { result } = await plain.client().send(BEGIN_PROVIDER_LOGIN, { input });
  expect(result.__typename).toBe('ProviderNotFound');
  await plain.stop();
});
