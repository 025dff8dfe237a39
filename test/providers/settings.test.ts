import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../src/config.ts';
import { describePresets, readProviders } from '../../src/providers/settings.ts';

const google = { id: 'google', clientId: 'client', clientSecret: 'hush-hush' };
const acme = {
  id: 'acme',
  type: 'oidc',
  issuer: 'https://id.acme.example',
  clientId: 'client',
  clientSecret: 'hush-hush',
};
const plain = {
  id: 'plain',
  type: 'oauth2',
  clientId: 'client',
  clientSecret: 'hush-hush',
  authorizationEndpoint: 'https://plain.example/authorize',
  tokenEndpoint: 'https://plain.example/token',
  userInfoEndpoint: 'https://plain.example/me',
};
const pem = (namedCurve: string) =>
  generateKeyPairSync('ec', { namedCurve }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

const problemsOf = (...entries: unknown[]) => readProviders(entries).problems;
const only = (entry: unknown) => {
  const { providers, problems } = readProviders([entry]);
  expect(problems).toEqual([]);
  const [provider] = providers;
  if (!provider) throw new Error('there is no provider');
  return provider;
};

describe('an entry', () => {
  test('of a known provider takes an id and a secret', () => {
    expect(only(google)).toMatchObject({
      id: 'google',
      name: 'Google',
      protocol: { kind: 'oidc', issuer: 'https://accounts.google.com' },
      scope: 'openid email profile',
      acceptsTokens: true,
    });
  });

  test('may be called otherwise than its kind, and be there twice under two ids', () => {
    const { providers, problems } = readProviders([
      google,
      { ...google, id: 'google-work', type: 'google', name: 'Work' },
    ]);
    expect(problems).toEqual([]);
    expect(providers.map(({ id, name }) => `${id} ${name}`)).toEqual(['google Google', 'google-work Work']);
  });

  test('of any OpenID Connect provider takes its issuer, as it is written', () => {
    expect(only({ ...acme, issuer: 'https://id.acme.example/' }).protocol).toMatchObject({
      issuer: 'https://id.acme.example/',
    });
    expect(only({ ...acme, idTokenAlgorithm: 'ES256', userInfo: false }).protocol).toMatchObject({
      idTokenAlgorithm: 'ES256',
      userInfo: false,
    });
  });

  test('of any OAuth 2.0 provider takes its endpoints, and says where in the answer things stand', () => {
    const answer = { idToken: null, redirect: null };
    const found = only(plain).profile({
      ...answer,
      resources: { userInfo: { id: 7, email: 'a@b.example', name: 'Ada' } },
    });
    expect(found).toEqual({ subject: '7', email: 'a@b.example', emailVerified: false, name: 'Ada', username: null });
    const claims = { subject: 'user.key', email: 'user.mail', emailVerified: 'user.seen' };
    const userInfo = { id: 'not this', user: { key: 'ada', mail: 'ada@example.com', seen: true } };
    const placed = only({ ...plain, claims }).profile({ ...answer, resources: { userInfo } });
    expect(placed).toMatchObject({ subject: 'ada', email: 'ada@example.com', emailVerified: true });
    expect(only(plain).acceptsTokens).toBe(false);
    const elsewhere = only({ ...plain, claims: { email: 'other.mail' } }).profile({
      ...answer,
      resources: { userInfo: { id: 7, email_verified: true, other: { mail: 'victim@example.com' } } },
    });
    expect(elsewhere).toMatchObject({ email: 'victim@example.com', emailVerified: false });
  });

  test('takes the place of what is known', () => {
    const provider = only({
      ...google,
      name: 'Mine',
      issuer: 'http://127.0.0.1:1234',
      scope: ['openid', 'email'],
      clientIds: ['app'],
      authorizationParameters: { prompt: 'select_account' },
      clientAuthentication: 'client_secret_post',
      acceptsTokens: false,
    });
    expect(provider).toMatchObject({
      name: 'Mine',
      protocol: { issuer: 'http://127.0.0.1:1234' },
      scope: 'openid email',
      clientIds: ['app'],
      authorizationParameters: { prompt: 'select_account' },
      clientAuthentication: { method: 'client_secret_post' },
      acceptsTokens: false,
    });
    const github = only({
      id: 'github',
      clientId: 'c',
      clientSecret: 's',
      userInfoEndpoint: 'http://127.0.0.1:1/user',
    });
    expect(github.protocol).toMatchObject({
      resources: { userInfo: 'http://127.0.0.1:1/user', emails: 'http://127.0.0.1:1/user/emails' },
    });
    expect(
      only({ id: 'github', url: 'https://code.example', clientId: 'c', clientSecret: 's' }).protocol,
    ).toMatchObject({
      authorizationEndpoint: 'https://code.example/login/oauth/authorize',
      resources: { userInfo: 'https://code.example/api/v3/user' },
    });
  });

  test('decides whether addresses count as verified', () => {
    const answer = { idToken: { sub: 'ada', email: 'ada@example.com' }, resources: {}, redirect: null };
    expect(only(acme).profile(answer)?.emailVerified).toBe(false);
    expect(only({ ...acme, verifiedEmail: true }).profile(answer)?.emailVerified).toBe(true);
    const seen = { ...answer, idToken: { ...answer.idToken, email_verified: true } };
    expect(only({ ...acme, verifiedEmail: false }).profile(seen)?.emailVerified).toBe(false);
    expect(only({ ...acme, verifiedEmail: true }).profile({ ...answer, idToken: { sub: 'ada' } })?.emailVerified).toBe(
      false,
    );
  });

  test('of Apple takes a key in the place of a secret', () => {
    const apple = { id: 'apple', clientId: 'example.app', teamId: 'TEAM', keyId: 'KEY', privateKey: pem('P-256') };
    expect(only(apple)).toMatchObject({ formPost: true, clientAuthentication: { method: 'apple', keyId: 'KEY' } });
    for (const privateKey of ['hush-hush', pem('P-384')])
      expect(problemsOf({ ...apple, privateKey })).toEqual(['apple: privateKey is not a private key for ES256 in PEM']);
  });

  test('of a public client has no secret', () => {
    const { clientSecret: _, ...open } = acme;
    expect(problemsOf(open)).toEqual(['acme: clientSecret is needed']);
    expect(only({ ...open, clientAuthentication: 'none' }).clientAuthentication).toEqual({ method: 'none' });
  });
});

describe('what is wrong', () => {
  test.each([
    [5, 'entry 1: is not an object'],
    [null, 'entry 1: is not an object'],
    [{ ...google, id: 'Google' }, 'entry 1: id is not made of lower-case letters, digits and hyphens'],
    [{ ...google, id: '../evil' }, 'entry 1: id is not made of lower-case letters, digits and hyphens'],
    [{ ...google, secret: 'hush-hush' }, 'google: secret is not known here'],
    [{ ...google, tenant: 'common' }, 'google: tenant is not known here'],
    [{ ...google, clientId: undefined }, 'google: clientId is needed'],
    [{ ...google, clientSecret: 'hush hush' }, 'google: clientSecret is not a text without blanks'],
    [{ ...google, clientSecret: 7 }, 'google: clientSecret is not a string'],
    [{ ...acme, issuer: 'http://id.acme.example' }, 'acme: issuer is not an https URL'],
    [{ ...acme, issuer: 'https://id.acme.example?x=1' }, 'acme: issuer has a query'],
    [{ ...acme, issuer: 'https://me:hush-hush@id.acme.example' }, 'acme: issuer has a fragment, a blank or a password'],
    [{ ...acme, issuer: undefined }, 'acme: issuer is needed'],
    [{ ...acme, idTokenAlgorithm: 'HS256' }, 'acme: idTokenAlgorithm is not an algorithm such as RS256 or ES256'],
    [{ ...acme, idTokenAlgorithm: 'none' }, 'acme: idTokenAlgorithm is not an algorithm such as RS256 or ES256'],
    [
      { ...acme, authorizationParameters: { state: 'mine' } },
      'acme: authorizationParameters.state belongs to the protocol',
    ],
    [
      { ...google, authorizationParameters: { claims: '{}' } },
      'google: authorizationParameters.claims belongs to the protocol',
    ],
    [{ ...plain, tokenEndpoint: 'https:me:hush-hush@plain.example' }, 'plain: tokenEndpoint is not an https URL'],
    [{ ...acme, type: 'saml' }, /^acme: type is not one of oidc, oauth2, google/],
    [{ id: 'acme', clientId: 'c', clientSecret: 's' }, /^acme: type is needed/],
    [{ ...plain, userInfoEndpoint: undefined }, 'plain: userInfoEndpoint is needed'],
    [{ id: 'okta', clientId: 'c', clientSecret: 's' }, 'okta: domain is needed'],
    [
      { id: 'okta', clientId: 'c', clientSecret: 's', domain: 'evil.example/path' },
      'okta: domain is not a host such as acme.example.com',
    ],
    [
      { id: 'keycloak', clientId: 'c', clientSecret: 's', url: 'http://id.example', realm: 'r' },
      'keycloak: url is not an https URL',
    ],
    [{ id: 'github', clientId: 'c', clientSecret: 's', url: 'https://[x' }, 'github: url is not a URL'],
    [{ id: 'microsoft', clientId: 'c', clientSecret: 's', tenant: '../x' }, 'microsoft: tenant is not a name'],
  ])('in %j is named', (entry, problem) => {
    const [first, ...more] = problemsOf(entry);
    if (problem instanceof RegExp) expect(first).toMatch(problem);
    else expect(first).toBe(problem);
    expect(more).toEqual([]);
  });

  test('is all named at once within one entry', () => {
    const { clientSecret: _, ...open } = plain;
    const entry = { ...open, bogus: 1, tokenEndpoint: undefined, authorizationParameters: { state: 'mine' } };
    expect([...problemsOf(entry)].sort()).toEqual([
      'plain: authorizationParameters.state belongs to the protocol',
      'plain: bogus is not known here',
      'plain: clientSecret is needed',
      'plain: tokenEndpoint is needed',
    ]);
  });

  test('is all named at once, with the other settings, and nothing secret is quoted', () => {
    const entries = [{ ...google, id: 'X' }, { ...acme, issuer: 'nowhere' }, google, google];
    const environment = { POSTERN_PROVIDERS: JSON.stringify(entries), POSTERN_REDIRECT_URLS: 'nowhere', PORT: 'x' };
    const problems = (() => {
      try {
        loadConfig(environment);
      } catch (error) {
        return (error as ConfigError).problems;
      }
      return [];
    })();
    expect(problems).toEqual([
      'PORT is not a whole number from 0 to 65535',
      'POSTERN_PROVIDERS entry 1: id is not made of lower-case letters, digits and hyphens',
      'POSTERN_PROVIDERS acme: issuer is not an https URL',
      'POSTERN_PROVIDERS google: id is there twice',
      'POSTERN_REDIRECT_URLS has an entry that is neither a URL nor an origin followed by /*',
    ]);
    expect(problems.join()).not.toContain('hush');
    expect(() => loadConfig({ POSTERN_PROVIDERS: '[{"clientSecret":"hush-hush",}]' })).toThrow(ConfigError);
    expect(() => loadConfig({ POSTERN_PROVIDERS: '{"id":"google"}' })).toThrow(/POSTERN_PROVIDERS is not a JSON list/);
  });
});

describe('where a browser may come back to', () => {
  const redirects = (text: string) => loadConfig({ POSTERN_REDIRECT_URLS: text }).social.redirects;

  test('is the frontend, or what the operator writes', () => {
    expect(
      loadConfig({ POSTERN_PUBLIC_URL: 'https://auth.example', POSTERN_FRONTEND_URL: 'https://app.example/start' })
        .social.redirects,
    ).toEqual([{ kind: 'origin', origin: 'https://app.example' }]);
    expect(
      redirects('https://app.example/welcome, com.example.app:/done,myapp://callback,capacitor://localhost/*'),
    ).toEqual([
      { kind: 'exact', url: 'https://app.example/welcome' },
      { kind: 'exact', url: 'com.example.app:/done' },
      { kind: 'exact', url: 'myapp://callback' },
      { kind: 'origin', origin: 'capacitor://localhost' },
    ]);
  });

  test.each([
    '*',
    'https://*.example/*',
    'https://app.example/*/x*',
    'javascript:alert(1)',
    'data:text/html,x',
    'https://a@b.example/*',
    'https:/*',
    'app.example/*',
  ])('is not %s', (text) => {
    expect(() => redirects(text)).toThrow(ConfigError);
  });
});

test('the table of the known providers names each, and what it needs', () => {
  const rows = describePresets();
  expect(rows.find(({ id }) => id === 'apple')?.needs).toBe('`teamId`, `keyId`, `privateKey`');
  expect(rows.find(({ id }) => id === 'microsoft')?.needs).toBe('`clientSecret`, `tenant` (`common`)');
  expect(rows).toHaveLength(18);
});
