import { describe, expect, test } from 'vitest';
import { type Preset, presets } from '../../src/providers/presets.ts';
import type { ProviderAnswer, ProviderProfile } from '../../src/providers/provider.ts';

type Name = keyof typeof presets;

/** What a provider says of Ada, in the shape of its documentation, and what is to be read of it. */
interface Recorded {
  readonly answer: ProviderAnswer;
  readonly read: ProviderProfile;
  /** Puts another subject in the place of hers. */
  readonly withSubject: (subject: unknown) => ProviderAnswer;
  /** The same person, who calls herself otherwise. */
  readonly renamed: ProviderAnswer;
}

const oidcToken = (claims: object) => ({
  iss: 'https://provider.example',
  aud: 'client',
  iat: 1_700_000_000,
  exp: 1_700_000_300,
  ...claims,
});

function byIdToken(claims: Record<string, unknown>, read: Omit<ProviderProfile, 'subject'>, more = {}): Recorded {
  const of = (token: object): ProviderAnswer => ({ idToken: oidcToken(token), resources: {}, redirect: null, ...more });
  return {
    answer: of(claims),
    read: { subject: String(claims.sub), ...read },
    withSubject: (sub) => of({ ...claims, sub }),
    renamed: of({ ...claims, email: 'countess@example.com', name: 'Countess', preferred_username: 'countess' }),
  };
}

function byResource(
  userInfo: Record<string, unknown>,
  subject: readonly [string, ...string[]],
  read: ProviderProfile,
  names: object,
  others: Record<string, unknown> = {},
): Recorded {
  const of = (info: object): ProviderAnswer => ({
    idToken: null,
    resources: { userInfo: info, ...others },
    redirect: null,
  });
  const put = (path: readonly string[], value: unknown, holder: Record<string, unknown>): Record<string, unknown> => {
    const [key = '', ...rest] = path;
    const inner = holder[key] as Record<string, unknown>;
    return { ...holder, [key]: rest.length > 0 ? put(rest, value, inner) : value };
  };
  return {
    answer: of(userInfo),
    read,
    withSubject: (value) => of(put(subject, value, userInfo)),
    renamed: of({ ...userInfo, ...names }),
  };
}

const ADA = { email: 'ada@example.com', emailVerified: true, name: 'Ada Lovelace', username: null };
const standard = { email: 'ada@example.com', email_verified: true, name: 'Ada Lovelace' };

const RECORDED: Readonly<Record<Name, Recorded>> = {
  google: byIdToken(
    {
      sub: '110169484474386276334',
      ...standard,
      given_name: 'Ada',
      family_name: 'Lovelace',
      picture: 'https://lh3.example/a',
      hd: 'example.com',
    },
    ADA,
  ),
  microsoft: byIdToken(
    {
      sub: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ',
      oid: '00000000-0000-0000-66f3-3332eca7ea81',
      tid: '9122040d-6c67-4c5b-b112-36a304b66dad',
      email: 'ada@example.com',
      name: 'Ada Lovelace',
      preferred_username: 'ada@example.com',
      xms_edov: true,
    },
    { ...ADA, username: 'ada@example.com' },
  ),
  apple: byIdToken(
    {
      sub: '001234.0a1b2c3d4e5f.1234',
      email: 'ada@example.com',
      email_verified: 'true',
      is_private_email: 'false',
      nonce_supported: true,
    },
    ADA,
    { redirect: { name: { firstName: 'Ada', lastName: 'Lovelace' }, email: 'ada@example.com' } },
  ),
  github: byResource(
    {
      login: 'ada',
      id: 583231,
      node_id: 'MDQ6VXNlcjU4MzIzMQ==',
      name: 'Ada Lovelace',
      email: 'shown@example.com',
      type: 'User',
    },
    ['id'],
    { subject: '583231', ...ADA, username: 'ada' },
    { login: 'countess', name: 'Countess' },
    {
      emails: [
        { email: 'ada@users.noreply.github.com', primary: false, verified: true, visibility: null },
        { email: 'ada@example.com', primary: true, verified: true, visibility: 'private' },
      ],
    },
  ),
  gitlab: byIdToken(
    { sub: '1234', ...standard, nickname: 'ada', profile: 'https://gitlab.com/ada' },
    { ...ADA, username: 'ada' },
  ),
  facebook: byResource(
    { id: '10150000000000000', name: 'Ada Lovelace', email: 'ada@example.com' },
    ['id'],
    { subject: '10150000000000000', ...ADA, emailVerified: false },
    { name: 'Countess', email: 'countess@example.com' },
  ),
  linkedin: byResource(
    {
      sub: '782bbtaQ',
      ...standard,
      given_name: 'Ada',
      family_name: 'Lovelace',
      locale: { country: 'GB', language: 'en' },
    },
    ['sub'],
    { subject: '782bbtaQ', ...ADA },
    { name: 'Countess', email: 'countess@example.com' },
  ),
  discord: byResource(
    {
      id: '80351110224678912',
      username: 'ada',
      global_name: 'Ada Lovelace',
      discriminator: '0',
      email: 'ada@example.com',
      verified: true,
    },
    ['id'],
    { subject: '80351110224678912', ...ADA, username: 'ada' },
    { username: 'countess', global_name: 'Countess' },
  ),
  slack: byIdToken(
    { sub: 'U0R7JM', 'https://slack.com/user_id': 'U0R7JM', 'https://slack.com/team_id': 'T0R7GR', ...standard },
    ADA,
  ),
  x: byResource(
    { data: { id: '2244994945', name: 'Ada Lovelace', username: 'ada', confirmed_email: 'ada@example.com' } },
    ['data', 'id'],
    { subject: '2244994945', ...ADA, username: 'ada' },
    { data: { id: '2244994945', name: 'Countess', username: 'countess' } },
  ),
  twitch: byIdToken(
    { sub: '713936733', email: 'ada@example.com', email_verified: true, preferred_username: 'Ada' },
    { ...ADA, name: null, username: 'Ada' },
  ),
  spotify: byResource(
    {
      id: 'smedjan',
      display_name: 'Ada Lovelace',
      email: 'ada@example.com',
      type: 'user',
      uri: 'spotify:user:smedjan',
    },
    ['id'],
    { subject: 'smedjan', ...ADA, emailVerified: false },
    { display_name: 'Countess', email: 'countess@example.com' },
  ),
  okta: byIdToken({ sub: '00uid4BxXw6I6TV4m0g3', ...standard, preferred_username: 'ada' }, { ...ADA, username: 'ada' }),
  auth0: byIdToken(
    { sub: 'auth0|5f7c8ec7c33c6c004bbafe82', ...standard, nickname: 'ada' },
    { ...ADA, username: 'ada' },
  ),
  keycloak: byIdToken(
    { sub: 'f1d0b6a2-3a0a-4a5e-9a6c-0d7b3b1c9e11', ...standard, preferred_username: 'ada', typ: 'ID' },
    { ...ADA, username: 'ada' },
  ),
  cognito: byIdToken(
    {
      sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      ...standard,
      email_verified: 'true',
      'cognito:username': 'ada',
      token_use: 'id',
    },
    { ...ADA, username: 'ada' },
  ),
};

/** Who writes verified addresses otherwise than as the boolean, and how. */
const DOCUMENTED: Partial<Record<Name, readonly unknown[]>> = {
  apple: ['true'],
  cognito: ['true'],
  microsoft: [1, '1', 'true'],
};

const NAMES = Object.keys(presets) as Name[];
const presetOf = (name: Name): Preset => presets[name];

describe.each(NAMES)('%s', (name) => {
  const { answer, read, withSubject, renamed } = RECORDED[name];

  test('is read as it documents its answers', () => {
    expect(presetOf(name).profile(answer)).toEqual(read);
  });

  test('names the same person whatever she calls herself', () => {
    expect(presetOf(name).profile(renamed)?.subject).toBe(read.subject);
  });

  test.each([undefined, null, '', ' ', [], {}, true, 1.5, Number.NaN, 2 ** 53, 'a'.repeat(256)])(
    'names nobody by the subject %j',
    (subject) => {
      expect(presetOf(name).profile(withSubject(subject))).toBeNull();
    },
  );

  test('says that an address is verified by nothing that only looks like it', () => {
    for (const looks of [1, '1', 'true', 'false', 'yes', 'TRUE', {}, [true], null, undefined, false]) {
      const bent = JSON.parse(JSON.stringify(answer), (key, value) =>
        ['email_verified', 'verified', 'xms_edov'].includes(key) ? (looks ?? null) : value,
      ) as ProviderAnswer;
      if (DOCUMENTED[name]?.includes(looks)) continue;
      const profile = presetOf(name).profile(bent);
      // X tells confirmed addresses only, under a name of their own.
      if (name !== 'x') expect(profile?.emailVerified, `${looks}`).toBe(false);
    }
  });

  test('is asked for by its own scope and endpoints, over https', () => {
    const given = {
      tenant: 'common',
      url: 'https://code.example',
      domain: 'acme.okta.com',
      realm: 'main',
      region: 'eu-west-1',
      userPoolId: 'eu_1',
    };
    const protocol = presetOf(name).protocol(given);
    expect(presetOf(name).scope).not.toBe('');
    const urls =
      protocol.kind === 'oidc'
        ? [protocol.issuer]
        : [protocol.authorizationEndpoint, protocol.tokenEndpoint, ...Object.values(protocol.resources)];
    for (const url of urls) expect(url).toMatch(/^https:\/\//);
  });
});

describe('what is particular', () => {
  test('Apple tells the name once, and not where it should not', () => {
    const { answer } = RECORDED.apple;
    expect(presets.apple.profile({ ...answer, redirect: null })?.name).toBeNull();
    expect(presets.apple.profile({ ...answer, redirect: { name: 'Ada' } })?.name).toBeNull();
    expect(presets.apple.profile({ ...answer, redirect: { name: { firstName: 'Ada' } } })?.name).toBe('Ada');
  });

  test('an address in Apple’s form is not the verified one', () => {
    const { answer } = RECORDED.apple;
    const forged = { ...answer, redirect: { email: 'victim@example.com', email_verified: true } };
    expect(presets.apple.profile(forged)?.email).toBe('ada@example.com');
  });

  test('GitHub’s own address of a profile is never verified', () => {
    const { answer } = RECORDED.github;
    const { userInfo } = answer.resources;
    const closed = presets.github.profile({ ...answer, resources: { userInfo } });
    expect(closed).toMatchObject({ email: 'shown@example.com', emailVerified: false });
    const none = presets.github.profile({ ...answer, resources: { userInfo, emails: [] } });
    expect(none).toMatchObject({ email: null, emailVerified: false });
    const emails = [{ email: 'ada@example.com', primary: true, verified: false }];
    expect(presets.github.profile({ ...answer, resources: { userInfo, emails } })?.emailVerified).toBe(false);
  });

  test('Microsoft’s address without xms_edov is anybody’s', () => {
    const { answer } = RECORDED.microsoft;
    const { xms_edov: _, ...claims } = answer.idToken as Record<string, unknown>;
    expect(presets.microsoft.profile({ ...answer, idToken: { ...claims, email_verified: true } })?.emailVerified).toBe(
      false,
    );
  });

  test('Auth0’s issuer ends with a slash, those of Okta’s and Keycloak’s servers are below them', () => {
    const issuer = (name: Name, given: Record<string, string>) => {
      const protocol = presetOf(name).protocol(given);
      return protocol.kind === 'oidc' ? protocol.issuer : null;
    };
    expect(issuer('auth0', { domain: 'acme.eu.auth0.com' })).toBe('https://acme.eu.auth0.com/');
    expect(issuer('okta', { domain: 'acme.okta.com' })).toBe('https://acme.okta.com');
    expect(issuer('okta', { domain: 'acme.okta.com', authorizationServer: 'default' })).toBe(
      'https://acme.okta.com/oauth2/default',
    );
    expect(issuer('keycloak', { url: 'https://id.example/', realm: 'main' })).toBe('https://id.example/realms/main');
    expect(issuer('cognito', { region: 'eu-west-1', userPoolId: 'eu-west-1_abc' })).toBe(
      'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc',
    );
    expect(issuer('microsoft', { tenant: 'common' })).toBe('https://login.microsoftonline.com/common/v2.0');
  });

  test('UserInfo’s word on an address is not put beside another address', () => {
    const answer: ProviderAnswer = {
      idToken: oidcToken({ sub: 'ada', email: 'victim@example.com' }),
      resources: { userInfo: { sub: 'ada', email: 'ada@example.com', email_verified: true } },
      redirect: null,
    };
    expect(presets.keycloak.profile(answer)).toMatchObject({ email: 'victim@example.com', emailVerified: false });
  });

  test.each(['keycloak', 'cognito'] as const)(
    '%s’s word without an address is not put beside that of UserInfo',
    (name) => {
      for (const verified of [true, 'true']) {
        const answer: ProviderAnswer = {
          idToken: oidcToken({ sub: 'ada', email_verified: verified }),
          resources: { userInfo: { sub: 'ada', email: 'victim@example.com', email_verified: false } },
          redirect: null,
        };
        expect(presets[name].profile(answer)).toMatchObject({ email: 'victim@example.com', emailVerified: false });
      }
    },
  );

  test('xms_edov does not speak of an address of UserInfo', () => {
    const answer: ProviderAnswer = {
      idToken: oidcToken({ sub: 'ada', xms_edov: true }),
      resources: { userInfo: { sub: 'ada', email: 'victim@example.com' } },
      redirect: null,
    };
    expect(presets.microsoft.profile(answer)).toMatchObject({ email: 'victim@example.com', emailVerified: false });
  });

  test.each([
    ['https://github.com', 'https://github.com', 'https://api.github.com'],
    ['https://GitHub.com/', 'https://github.com', 'https://api.github.com'],
    ['https://acme.ghe.com', 'https://acme.ghe.com', 'https://api.acme.ghe.com'],
    ['https://code.example/', 'https://code.example', 'https://code.example/api/v3'],
  ])('GitHub at %s has its own API', (url, base, api) => {
    expect(presets.github.protocol({ url })).toMatchObject({
      tokenEndpoint: `${base}/login/oauth/access_token`,
      resources: { userInfo: `${api}/user`, emails: `${api}/user/emails` },
    });
  });
});
