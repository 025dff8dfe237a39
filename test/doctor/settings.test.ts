import { expect, test } from 'vitest';
import { check, examined } from '../support/doctor.ts';

check('settings', {
  ok: {},
  failed: { env: { PORT: 'http', POSTERN_SESSION_LIFETIME: '1w' } },
  warning: { env: { POSTERN_RATELIMITS: '{}' } },
});
check('operator-config', { ok: {}, failed: { operatorProblem: 'postern.config.js cannot be loaded' } });
check('production', { ok: {}, failed: { env: { NODE_ENV: 'development' } } });
check('verification', {
  ok: {},
  warning: { env: { POSTERN_EMAIL_VERIFICATION: 'optional' } },
  failed: { env: { POSTERN_EMAIL_VERIFICATION: 'none' } },
});
check('limits', {
  ok: { env: { POSTERN_RATE_LIMITS: '{"signUpPerAddress":"600/1m","connectionsPerAccount":"100 at once"}' } },
  warning: { env: { POSTERN_RATE_LIMITS: '{"passwordPerAccount":"101/15m"}' } },
  failed: { env: { POSTERN_RATE_LIMITS: '{"passwordPerAccount":"off"}' } },
});
check('password-length', { ok: {}, warning: { env: { POSTERN_PASSWORD_MIN_LENGTH: '8' } } });
check('sessions', { ok: {}, warning: { env: { POSTERN_SESSION_LIFETIME: '31d' } } });
check('introspection', { ok: {}, warning: { env: { POSTERN_GRAPHIQL: 'on' } } });
check('log-level', { ok: {}, warning: { env: { POSTERN_LOG_LEVEL: 'debug' } } });
check('administrators', {
  ok: {},
  failed: { env: { POSTERN_MFA_REQUIRED: 'role:staff' } },
});

test('people log in by phone only where a hook sends text messages', async () => {
  const env = { POSTERN_LOGIN_IDENTIFIERS: 'phone' };
  expect(await examined('operator-config', { env })).toMatchObject({ verdict: 'failed', mend: 'hooks.sendSms' });
  const hooks = { sendSms: async () => undefined };
  expect(await examined('operator-config', { env, hooks })).toMatchObject({ verdict: 'ok' });
});

test('limits that are off altogether, which no production starts with, are told by their check', async () => {
  const finding = await examined('limits', { env: { POSTERN_RATE_LIMITS: 'off' } });
  expect(finding).toMatchObject({ verdict: 'failed', mend: 'POSTERN_RATE_LIMITS' });
});

test('a short password will do where it is not all that is asked for', async () => {
  const env = { POSTERN_PASSWORD_MIN_LENGTH: '8', POSTERN_MFA_REQUIRED: 'everyone' };
  expect(await examined('password-length', { env })).toMatchObject({ verdict: 'ok' });
});

test('nobody who administers may be left without a second factor, required or not', async () => {
  const without = { administrators: { all: 3, withoutFactor: 1 } };
  const finding = await examined('administrators', { database: without });
  expect(finding).toMatchObject({ verdict: 'failed', reason: expect.stringContaining('1 of 3') });
  for (const POSTERN_MFA_REQUIRED of ['off', 'role:staff'])
    expect(await examined('administrators', { env: { POSTERN_MFA_REQUIRED } })).toMatchObject({
      verdict: 'failed',
      mend: 'POSTERN_MFA_REQUIRED=role:admin, or everyone',
    });
});

test.each([
  [{ POSTERN_SESSION_LIFETIME: '12h', POSTERN_SESSION_IDLE: '30m' }, 'AAL2'],
  [{ POSTERN_SESSION_LIFETIME: '30d', POSTERN_SESSION_IDLE: '7d' }, 'AAL1'],
])('sessions of %j are told to be within %s', async (env, level) => {
  expect((await examined('sessions', { env })).reason).toMatch(new RegExp(`as ${level} has it`));
});
