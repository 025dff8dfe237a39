import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { ConfigError, type Environment, loadConfig } from '../../src/config.ts';
import { EVENT_KINDS } from '../../src/events.ts';
import { problemsOfOperatorConfig } from '../../src/operator-config.ts';

const secret = `whsec_${randomBytes(32).toString('base64')}`;
const crm = { id: 'crm', url: 'https://crm.example.com/hook', secret, events: ['SignedUp', 'AccountDeleted'] };
const written = (...webhooks: unknown[]): Environment => ({ POSTERN_WEBHOOKS: JSON.stringify(webhooks) });
const PRODUCTION = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgresql://db.example.com/postern',
  POSTERN_SECRET: randomBytes(32).toString('base64'),
  POSTERN_PUBLIC_URL: 'https://auth.example.com',
  POSTERN_SMTP_URL: 'smtps://mail.example.com',
};

function problemsOf(environment: Environment): readonly string[] {
  try {
    loadConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test('webhooks come from the environment and from code, each with the events that it wants', () => {
  const siem = { id: 'siem', url: 'http://127.0.0.1:9/x?y=z', secret: [secret, secret], events: 'all' } as const;
  const { webhooks } = loadConfig(written(crm), { webhooks: [siem] });
  expect(webhooks.map(({ id, kinds, secrets }) => [id, kinds, secrets.length])).toEqual([
    ['crm', ['SignedUp', 'AccountDeleted'], 1],
    ['siem', EVENT_KINDS, 2],
  ]);
  expect(loadConfig({}).webhooks).toEqual([]);
  expect(problemsOf({ ...PRODUCTION, ...written(crm) })).toEqual([]);
});

test.each([
  ['no list', { POSTERN_WEBHOOKS: '{}' }, 'POSTERN_WEBHOOKS is not a JSON list'],
  ['no object', written(7), 'POSTERN_WEBHOOKS entry 1: '],
  ['an id with capitals', written({ ...crm, id: 'CRM' }), 'CRM: id is not made of lower-case letters'],
  ['the id of the listeners', written({ ...crm, id: 'listeners' }), 'listeners: id is the name of the listeners'],
  ['one id twice', written(crm, crm), 'crm is there twice'],
  ['http elsewhere', written({ ...crm, url: 'http://crm.example.com' }), 'crm: url needs https'],
  ['another scheme', written({ ...crm, url: 'file:///etc/passwd' }), 'crm: url is not an https URL'],
  ['a password in the URL', written({ ...crm, url: 'https://me:it@crm.example.com' }), 'crm: url has a fragment'],
  ['a short secret', written({ ...crm, secret: 'whsec_c2hvcnQ=' }), 'crm: secret'],
  ['no secret', written({ ...crm, secret: [] }), 'crm: secret'],
  ['a kind that there is not', written({ ...crm, events: ['SignUp'] }), 'crm: events'],
  ['no events', written({ ...crm, events: [] }), 'crm: events'],
  ['a name with a typing error', written({ ...crm, evnets: 'all' }), 'crm: Unrecognized key: "evnets"'],
  [
    'http on this machine in production',
    { ...PRODUCTION, ...written({ ...crm, url: 'http://localhost:9' }) },
    'crm: url needs https',
  ],
  [
    'a secret that anybody would guess in production',
    { ...PRODUCTION, ...written({ ...crm, secret: `whsec_${Buffer.alloc(32, 7).toString('base64')}` }) },
    'POSTERN_WEBHOOKS has a secret that anybody would guess',
  ],
])('%s does not fit, and is told without the values', (_what, environment, problem) => {
  const problems = problemsOf(environment);
  expect(problems.join('\n')).toContain(problem);
  expect(problems.join('\n')).not.toMatch(/whsec_[A-Za-z0-9]|example\.com/);
});

test.each([
  [{ listeners: { SignUp() {} } }, 'listeners.SignUp is not known'],
  [{ listeners: { SignedUp: 'yes' } }, 'listeners.SignedUp is not a function'],
  [{ listeners: [] }, null],
  [{ listeners: null }, 'listeners is not an object'],
  [{ listeners: { SignedUp() {}, all: () => undefined } }, null],
  [{ webhooks: {} }, 'webhooks is not a list'],
])('a config file with %j', (config, problem) => {
  const problems = problemsOfOperatorConfig(config);
  if (problem === null) expect(problems).toEqual([]);
  else expect(problems.join()).toContain(problem);
});
