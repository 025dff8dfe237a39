import addressparser from 'nodemailer/lib/addressparser';
import { describe, expect, test } from 'vitest';
import { ConfigError, describeSettings, type Environment, loadConfig, unknownSettings } from '../src/config.ts';

const PRODUCTION: Environment = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgresql://postern@db/postern',
  POSTERN_SECRET: 'k3TQ0nYw5m1zVb8uRf2sXc7dJh4gLp9aEi6o',
  POSTERN_PUBLIC_URL: 'https://auth.example.org',
  POSTERN_SMTP_URL: 'smtps://mail.example.org',
};

function problemsOf(environment: Environment): string {
  try {
    loadConfig(environment);
    return '';
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.join('\n');
    throw error;
  }
}

describe('production (D01)', () => {
  test('starts with everything that it needs', () => {
    const config = loadConfig(PRODUCTION);
    expect(config).toMatchObject({ production: true, introspection: false, graphiql: false });
    expect(config.allowedOrigins).toEqual(['https://auth.example.org']);
  });

  test.each([
    ['DATABASE_URL', undefined],
    ['POSTERN_SECRET', undefined],
    ['POSTERN_SECRET', ''],
    ['POSTERN_SECRET', 'too short'],
    ['POSTERN_SECRET', 'a'.repeat(64)],
    ['POSTERN_SECRET', 'change-me-change-me-change-me-change-me'],
    ['POSTERN_SECRET', 'your-secret-your-secret-your-secret-1234'],
    ['POSTERN_SECRET', `${PRODUCTION.POSTERN_SECRET},short`],
    ['POSTERN_PUBLIC_URL', undefined],
    ['POSTERN_PUBLIC_URL', 'http://auth.example.org'],
    ['POSTERN_SMTP_URL', undefined],
    ['POSTERN_RATE_LIMITS', 'off'],
    ['POSTERN_PASSWORD_HASH', 'm=64,t=1,p=1'],
    ['POSTERN_FRONTEND_URL', 'http://app.example.org'],
    ['POSTERN_FRONTEND_URL', 'http://localhost.example.org'],
    ['POSTERN_URL_VERIFY_EMAIL', 'http://app.example.org/v?t={token}'],
    ['POSTERN_URL_RESET_PASSWORD', 'HTTP://app.example.org/v?t={token}'],
    ['POSTERN_URL_LOG_IN', 'http://app.example.org/v?t={token}'],
    ['POSTERN_URL_CONFIRM_EMAIL_CHANGE', 'http://app.example.org/v?t={token}'],
    ['POSTERN_MAIL_LOGO_URL', 'http://app.example.org/logo.png'],
    ['POSTERN_SERVICES', 'orders:change-me-change-me-change-me-change-me'],
  ])('does not start with %s=%s', (name, value) => {
    expect(problemsOf({ ...PRODUCTION, [name]: value })).toContain(name);
  });

  test('may link to a page on the same machine, and to an app', () => {
    const { links } = loadConfig({
      ...PRODUCTION,
      POSTERN_FRONTEND_URL: 'http://localhost:3000',
      POSTERN_URL_LOG_IN: 'myapp://log-in/{token}',
    });
    expect(links.verifyEmail).toBe('http://localhost:3000/verify-email?token={token}');
    expect(links.logIn).toBe('myapp://log-in/{token}');
  });

  test('names several problems at once', () => {
    const problems = problemsOf({ NODE_ENV: 'production' });
    for (const name of ['DATABASE_URL', 'POSTERN_SECRET', 'POSTERN_PUBLIC_URL', 'POSTERN_SMTP_URL'])
      expect(problems).toContain(name);
  });
});

describe('second factors and passkeys', () => {
  const problems = (env: Record<string, string>) => {
    try {
      return loadConfig(env) && '';
    } catch (error) {
      return (error as Error).message;
    }
  };

  test('have the defaults of authenticator apps, and the frontend as their party', () => {
    const { mfa, passkeys } = loadConfig({ POSTERN_FRONTEND_URL: 'https://app.acme.example' });
    expect(mfa).toMatchObject({ factors: ['TOTP', 'PASSKEY', 'RECOVERY_CODE'], required: 'off', recoveryCodes: 10 });
    expect(mfa.totp).toEqual({ issuer: 'localhost', period: 30, digits: 6 });
    expect(passkeys).toEqual({ rpId: 'app.acme.example', origins: ['https://app.acme.example'], signUp: false });
  });

  test.each([
    ['POSTERN_PASSWORDLESS_SIGN_UP', { POSTERN_PASSWORDLESS_SIGN_UP: 'on', POSTERN_EMAIL_VERIFICATION: 'none' }],
    [
      'POSTERN_PASSWORDLESS_SIGN_UP',
      { POSTERN_PASSWORDLESS_SIGN_UP: 'on', POSTERN_EMAIL_VERIFICATION: 'mandatory', POSTERN_MFA_FACTORS: 'totp' },
    ],
    ['POSTERN_MFA_REQUIRED', { POSTERN_MFA_REQUIRED: 'everyone', POSTERN_MFA_FACTORS: 'recovery_codes' }],
    ['POSTERN_MFA_REQUIRED', { POSTERN_MFA_REQUIRED: 'admins' }],
    ['POSTERN_TOTP_PERIOD', { POSTERN_TOTP_PERIOD: '5s' }],
    ['POSTERN_TOTP_DIGITS', { POSTERN_TOTP_DIGITS: '5' }],
    ['POSTERN_PASSKEY_ORIGINS', { POSTERN_PASSKEY_ORIGINS: 'http://localhost:3000/app' }],
    ['POSTERN_PASSKEY_ORIGINS', { POSTERN_PASSKEY_ORIGINS: 'https://evil.example' }],
    ['POSTERN_PASSKEY_RP_ID', { POSTERN_PASSKEY_RP_ID: 'example', POSTERN_FRONTEND_URL: 'https://acme.example' }],
  ])('are told where %s cannot work: %j', (name, env) => {
    expect(problems(env)).toContain(name);
  });

  test('take an Android app for an origin, and a parent domain for the party', () => {
    const app = `android:apk-key-hash:${'A'.repeat(43)}`;
    const env = {
      POSTERN_FRONTEND_URL: 'https://app.acme.example',
      POSTERN_PASSKEY_RP_ID: 'acme.example',
      POSTERN_PASSKEY_ORIGINS: `https://app.acme.example,${app}`,
    };
    expect(loadConfig(env).passkeys).toMatchObject({
      rpId: 'acme.example',
      origins: ['https://app.acme.example', app],
    });
  });

  test('need pages over https in production', () => {
    const env = { NODE_ENV: 'production', POSTERN_PASSKEY_ORIGINS: 'http://app.acme.example' };
    expect(problems(env)).toContain('POSTERN_PASSKEY_ORIGINS needs https in production');
  });
});

describe('settings', () => {
  test('have defaults that fit, and an empty variable is one that is not set', () => {
    expect(loadConfig({})).toEqual(loadConfig({ PORT: '', POSTERN_SECRET: '', DATABASE_URL: '' }));
    expect(loadConfig({}).session).toEqual({ lifetime: 30 * 86_400_000, idle: 7 * 86_400_000 });
  });

  test.each([
    ['PORT', 'http'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '1e3'],
    ['POSTERN_SESSION_IDLE', '7'],
    ['POSTERN_SESSION_IDLE', '0'],
    ['POSTERN_SESSION_IDLE', '1w'],
    ['POSTERN_ACCESS_TOKEN_LIFETIME', '1h'],
    ['POSTERN_SERVICES', 'orders:short'],
    ['POSTERN_SERVICES', `${'x'.repeat(40)}`],
    ['POSTERN_SERVICES', ['1', '2', '3'].map((end) => `orders:${'x'.repeat(40)}${end}`).join(',')],
    ['POSTERN_ACCESS_TOKEN_ALG', 'HS256'],
    ['POSTERN_ACCESS_TOKEN_ALG', 'none'],
    ['POSTERN_PASSWORD_MIN_LENGTH', '7'],
    ['POSTERN_PASSWORD_HASH', 'm=47104,t=1,p=4'],
    ['POSTERN_PASSWORD_HASH', 'm=0,t=1,p=1'],
    ['POSTERN_PASSWORD_HASH', 'bcrypt'],
    ['POSTERN_PUBLIC_URL', 'localhost'],
    ['POSTERN_PUBLIC_URL', 'javascript:alert(1)'],
    ['POSTERN_ALLOWED_ORIGINS', '*'],
    ['POSTERN_ALLOWED_ORIGINS', 'https://a.example,null'],
    ['POSTERN_RATE_LIMITS', '{"noSuchLimit":"1/1m"}'],
    ['POSTERN_RATE_LIMITS', '{"passwordPerAccount":"many"}'],
    ['POSTERN_RATE_LIMITS', '[]'],
    ['POSTERN_RATE_LIMITS', '{"passwordPerAccount":"10 at once"}'],
    ['POSTERN_RATE_LIMITS', '{"connectionsPerAccount":"10/1m"}'],
    ['POSTERN_RATE_LIMITS', '{"connectionsPerAccount":"0 at once"}'],
    ['POSTERN_RATE_LIMITS', '{"mailPerRecipient":null}'],
    ['POSTERN_RATE_LIMITS', '{"toString":"1/1m"}'],
    ['DATABASE_URL', 'mysql://x'],
    ['POSTERN_FRONTEND_URL', 'https://app.example/"x'],
    ['POSTERN_FRONTEND_URL', 'https://app.example/{token}'],
    ['POSTERN_EMAIL_VERIFICATION', 'MANDATORY'],
    ['POSTERN_EMAIL_VERIFICATION', 'off'],
    ['POSTERN_LOGIN_IDENTIFIERS', ','],
    ['POSTERN_LOGIN_IDENTIFIERS', 'username'],
    ['POSTERN_LOGIN_IDENTIFIERS', 'email,passport'],
    ['POSTERN_LOGIN_CODES', 'yes'],
    ['POSTERN_REDIS_URL', 'redis:6379'],
    ['POSTERN_REDIS_URL', 'http://redis.example.org'],
    ['POSTERN_REDIS_URL', 'REDISS://redis.example.org'],
    ['POSTERN_REDIS_URL', 'redis:///1'],
    ['POSTERN_REDIS_URL', 'redis://redis.example.org/one'],
    ['POSTERN_REDIS_URL', 'redis://redis.example.org?enableOfflineQueue=true'],
    ['POSTERN_REDIS_URL', 'redis://:100%@redis.example.org'],
    ['POSTERN_SMTP_URL', 'smtp://'],
    ['POSTERN_SMTP_URL', 'smtp:///x'],
    ['POSTERN_SMTP_URL', 'https://mail.example.org'],
    ['POSTERN_PRODUCT_NAME', 'Acme\r\nBcc: eve@example.org'],
    ['POSTERN_PRODUCT_NAME', 'Acme \u202egro.live'],
    ['POSTERN_PRODUCT_NAME', ' '],
    ['POSTERN_PRODUCT_NAME', 'a'.repeat(101)],
    ['POSTERN_MAIL_COLOR', 'blue'],
    ['POSTERN_MAIL_COLOR', '#fff'],
    ['POSTERN_MAIL_COLOR', '#1d4ed8;background:url(x)'],
    ['POSTERN_MAIL_LOGO_URL', 'data:image/png;base64,AAAA'],
    ['POSTERN_MAIL_LOGO_URL', '/logo.png'],
  ])('refuse %s=%s by name', (name, value) => {
    const problems = problemsOf({ [name]: value });
    expect(problems).toContain(name);
  });

  test('never quote a secret in a problem', () => {
    expect(problemsOf({ POSTERN_SECRET: 'canary', DATABASE_URL: 'canary', POSTERN_SMTP_URL: 'canary' })).not.toContain(
      'canary',
    );
    expect(problemsOf({ POSTERN_REDIS_URL: 'redis://:canary%@redis.example.org' })).not.toContain('canary');
  });

  test.each([
    'redis://redis',
    'redis://10.0.0.1:6379/',
    'rediss://[::1]:6380/15',
    'rediss://postern:p%40ss%2Fword@redis.example.org',
  ])('take %s for a Redis', (url) => {
    expect(loadConfig({ POSTERN_REDIS_URL: url }).redisUrl).toBe(url);
  });

  test('notice names that are nearly ours', () => {
    expect(unknownSettings({ POSTERN_SECRETS: 'x', POSTERN_SECRET: 'x', PATH: 'x' })).toEqual(['POSTERN_SECRETS']);
  });

  test('are all described', () => {
    for (const { name, meaning } of describeSettings()) expect([name, meaning.length > 10]).toEqual([name, true]);
  });

  test('add the two names of the own machine to the origins, and no more, while nothing is configured', () => {
    expect(loadConfig({ PORT: '4567' }).allowedOrigins).toEqual(['http://localhost:4567', 'http://127.0.0.1:4567']);
    expect(loadConfig({ POSTERN_FRONTEND_URL: 'https://app.example.org/start' }).allowedOrigins).toContain(
      'https://app.example.org',
    );
  });
});

describe('logging in', () => {
  test('is by address alone, which is verified first, if nothing else is set', () => {
    expect(loadConfig({})).toMatchObject({
      loginIdentifiers: ['EMAIL'],
      emailVerification: 'MANDATORY',
      loginCodes: true,
      loginCodeRequired: false,
      logInAfterPasswordReset: false,
      mailUnknownAccounts: true,
    });
  });

  test('may be by several identifiers, each named once', () => {
    const given = { POSTERN_LOGIN_IDENTIFIERS: 'phone, username,email,phone' };
    expect(loadConfig(given).loginIdentifiers).toEqual(['EMAIL', 'USERNAME', 'PHONE']);
  });

  test('cannot ask for codes where there are none', () => {
    expect(loadConfig({ POSTERN_LOGIN_CODE_REQUIRED: 'on' }).loginCodeRequired).toBe(true);
    expect(problemsOf({ POSTERN_LOGIN_CODE_REQUIRED: 'on', POSTERN_LOGIN_CODES: 'off' })).toContain(
      'POSTERN_LOGIN_CODE_REQUIRED',
    );
  });
});

describe('mail', () => {
  test('goes to the outbox until there is a server', () => {
    expect(loadConfig({}).mail).toEqual({
      smtpUrl: null,
      from: 'Postern <no-reply@localhost>',
      product: 'Postern',
      color: '#1d4ed8',
      logoUrl: null,
    });
    expect(loadConfig(PRODUCTION).mail.smtpUrl).toBe(PRODUCTION.POSTERN_SMTP_URL);
  });

  test.each([
    ['Acme', 'https://auth.example.org/gate', 'Acme', 'no-reply@auth.example.org'],
    ['Ben & "Jerry\\s", Inc. <eve@example.org>', 'http://localhost:4000', undefined, 'no-reply@localhost'],
    ['Łódź', 'http://127.0.0.1:4000', 'Łódź', 'no-reply@localhost'],
    ['Acme', 'http://[::1]:4000', 'Acme', 'no-reply@localhost'],
  ])('has one sender for the product %s at %s', (product, url, name, address) => {
    const { from } = loadConfig({ POSTERN_PRODUCT_NAME: product, POSTERN_PUBLIC_URL: url }).mail;
    expect(addressparser(from)).toEqual([{ name: name ?? product, address }]);
    expect(loadConfig({ POSTERN_MAIL_FROM: from }).mail.from).toBe(from);
  });

  test.each(['hello@acme.example', 'Acme Inc. <hello@acme.example>', '"Acme, Inc." <Hello@acme.example>'])(
    'may come from %s',
    (from) => {
      expect(loadConfig({ POSTERN_MAIL_FROM: from }).mail.from).toBe(from);
      expect(addressparser(from)).toHaveLength(1);
    },
  );

  test.each([
    'Acme',
    'Acme <>',
    'Acme <hello>',
    'a@acme.example, b@acme.example',
    'Acme <a@acme.example>, b@acme.example',
    'Acme, Inc. <a@acme.example>',
    'Acme <a@acme.example> <b@acme.example>',
    '"Acme" eve@example.org <a@acme.example>',
    'team: a@acme.example;',
    'Acme <a@acme.example>\r\nBcc: eve@example.org',
    'Acme\r\nBcc: eve@example.org <a@acme.example>',
    '"Acme\n" <a@acme.example>',
    'Acme <a@@acme.example>',
    '"a b"@acme.example',
  ])('does not come from %j', (from) => {
    expect(problemsOf({ POSTERN_MAIL_FROM: from })).toContain('POSTERN_MAIL_FROM');
  });

  test('shows a logo under its one spelling', () => {
    const config = loadConfig({ POSTERN_MAIL_LOGO_URL: 'https://acme.example/a"onload=x <b>.png' });
    expect(config.mail.logoUrl).toBe('https://acme.example/a%22onload=x%20%3Cb%3E.png');
  });
});

describe('links', () => {
  test('lead to the frontend, wherever that is', () => {
    expect(loadConfig({ POSTERN_FRONTEND_URL: 'https://app.example/start/' }).links).toEqual({
      verifyEmail: 'https://app.example/start/verify-email?token={token}',
      resetPassword: 'https://app.example/start/reset-password?token={token}',
      logIn: 'https://app.example/start/log-in?token={token}',
      confirmEmailChange: 'https://app.example/start/confirm-email?token={token}',
      acceptInvitation: 'https://app.example/start/accept-invitation?token={token}',
    });
    const own = { POSTERN_FRONTEND_URL: 'https://app.example', POSTERN_URL_LOG_IN: '{frontend}/#/in/{token}' };
    expect(loadConfig(own).links.logIn).toBe('https://app.example/#/in/{token}');
  });

  test('the roles of administrators are names, or off', () => {
    const rolesOf = (text?: string) => loadConfig({ POSTERN_ADMIN_ROLES: text }).adminRoles;
    expect([rolesOf(), rolesOf('admin, support'), rolesOf('off')]).toEqual([['admin'], ['admin', 'support'], []]);
    for (const text of [',', 'a b', 'admin,?']) expect(() => rolesOf(text)).toThrow('POSTERN_ADMIN_ROLES');
  });

  test.each([
    '/verify?token={token}',
    '{frontend}/verify',
    'https://app.example/{token}/{token}',
    'https://app.example/{frontend}/{token}',
    'https://app.example/{user}/{token}',
    'https://{token}.app.example/',
    'https://{token}@app.example/x',
    'https://eve@app.example/{token}',
    '{frontend}.eve.example/{token}',
    'https:///{token}',
    'ftp://app.example/{token}',
    'https:app.example/{token}',
    'javascript://app.example/%0aalert(1)//{token}',
    'javascript:alert("{token}")',
    'data://text/html,{token}',
    'vbscript://x/{token}',
    'file:///etc/{token}',
    'https://app.example/"><script>{token}',
    'https://app.example/\r\nBcc:{token}',
    ' https://app.example/{token}',
  ])('do not lead to %j', (template) => {
    expect(problemsOf({ POSTERN_URL_VERIFY_EMAIL: template })).toContain('POSTERN_URL_VERIFY_EMAIL');
  });
});

describe('rate limits', () => {
  test('are the defaults with what is overridden by name', () => {
    const { rateLimits } = loadConfig({ POSTERN_RATE_LIMITS: '{"mailPerRecipient":"1/1d","codePerAddress":"off"}' });
    expect(rateLimits).toMatchObject({
      mailPerRecipient: { points: 1, windowMs: 86_400_000 },
      codePerAddress: null,
      codePerAccount: { points: 10, windowMs: 900_000 },
      mailPerAddress: { points: 10, windowMs: 3_600_000 },
    });
  });

  test('may all be off outside production', () => {
    expect(loadConfig({ POSTERN_RATE_LIMITS: '{"connectionsPerAccount":"7 at once"}' }).rateLimits).toMatchObject({
      connectionsPerAccount: { points: 7, windowMs: Number.POSITIVE_INFINITY },
    });
    expect(new Set(Object.values(loadConfig({ POSTERN_RATE_LIMITS: 'off' }).rateLimits))).toEqual(new Set([null]));
  });
});
