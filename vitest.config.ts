import { configDefaults, defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { findRedis } from './test/support/redis.ts';

/** What is said of limits holds wherever they are counted: these run once more, with gateways that count in Redis. */
const ABOUT_LIMITS = [
  'test/flows/identifiers.test.ts',
  'test/flows/profile.test.ts',
  'test/flows/reauthenticate-by-factor.test.ts',
  'test/security/codes.test.ts',
  'test/security/enumeration.test.ts',
  'test/security/exhaustion.test.ts',
  'test/security/known-address.test.ts',
  'test/security/login.test.ts',
  'test/security/mail-flood.test.ts',
  'test/security/password-reset.test.ts',
  'test/security/reauthentication.test.ts',
  'test/security/refresh-tokens.test.ts',
  'test/security/second-factors.test.ts',
  'test/security/takeover.test.ts',
];

/** Some tests, with gateways that count for their limits in one place. */
const over = (counters: 'postgres' | 'redis', test: TestProjectInlineConfiguration['test']) => ({
  // Node loads graphql by its CommonJS entry; the bundler's choice, its module entry, would be a second copy beside it.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    name: counters,
    provide: { counters },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks' as const,
    ...test,
  },
});

const overPostgres = over('postgres', {
  include: ['test/**/*.test.ts'],
  exclude: [...configDefaults.exclude, 'test/redis/**'],
});
const overRedis = over('redis', { include: [...ABOUT_LIMITS, 'test/redis/**/*.test.ts'] });

export default defineConfig({
  test: {
    globalSetup: 'test/support/database.ts',
    maxWorkers: 2,
    projects: findRedis() ? [overPostgres, overRedis] : [overPostgres],
    reporters: process.env.CI ? ['default', 'json'] : ['default'],
    outputFile: { json: 'test-results.json' },
  },
});
