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
  ])('does not start with %s=%s', (name, value) => {
    expect(problemsOf({ ...PRODUCTION, [name]: value })).toContain(name);
  });

  test('names several problems at once', () => {
    const problems = problemsOf({ NODE_ENV: 'production' });
    for (const name of ['DATABASE_URL', 'POSTERN_SECRET', 'POSTERN_PUBLIC_URL', 'POSTERN_SMTP_URL'])
      expect(problems).toContain(name);
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
    ['DATABASE_URL', 'mysql://x'],
  ])('refuse %s=%s by name', (name, value) => {
    const problems = problemsOf({ [name]: value });
    expect(problems).toContain(name);
  });

  test('never quote a secret in a problem', () => {
    expect(problemsOf({ POSTERN_SECRET: 'canary', DATABASE_URL: 'canary', POSTERN_SMTP_URL: 'canary' })).not.toContain(
      'canary',
    );
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
