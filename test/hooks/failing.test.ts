import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { HOOKS } from '../../src/hooks.ts';
import { UPDATE_PROFILE } from '../support/account.ts';
import type { Answer } from '../support/client.ts';
import { BEGIN_TOTP, CONFIRM_TOTP, totpCode } from '../support/factors.ts';
import type { Gateway } from '../support/gateway.ts';
import { changingHooks, type Decision, faultsIn } from '../support/hooks.ts';
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts';
import { CURRENT_USER, hold, LOG_IN, newPerson, REQUEST_LOGIN_CODE, SIGN_UP, signUp } from '../support/people.ts';
import { BEGIN_PROVIDER_LOGIN, enterFrom, newAccount, REDIRECT_URL, startSocialGateway } from '../support/social.ts';

const changing = changingHooks();
let provider: HostileProvider;
let gateway: Gateway;
beforeAll(async () => {
  provider = await startHostileProvider();
  gateway = await startSocialGateway(provider, {
    env: {
      POSTERN_EMAIL_VERIFICATION: 'optional',
      POSTERN_LOGIN_IDENTIFIERS: 'email,username',
      POSTERN_RATE_LIMITS: 'off',
    },
    hooks: changing.hooks,
  });
});
afterAll(async () => {
  await gateway.stop();
  await provider.close();
});
beforeEach(() => {
  changing.now = {};
});

/** Prepares an operation by which a hook is asked. */
type Prepare = () => Promise<() => Promise<Answer>>;

const signUpAs = (more: object = {}) => gateway.client().send(SIGN_UP, { input: { ...newPerson(), ...more } });
const comeAs = (more: Record<string, unknown> = {}) => enterFrom(gateway, provider, newAccount(more));

const BY: Readonly<Record<Decision, Prepare>> = {
  allowsSignUp: async () => () => signUpAs(),
  cleanEmail: async () => () => signUpAs(),
  async cleanUsername() {
    const { client } = await signUp(gateway.client(), newPerson());
    return () => client.send(UPDATE_PROFILE, { input: { username: 'countess' } });
  },
  refusesPassword: async () => () => signUpAs(),
  newAccount: async () => () => signUpAs(),
  generateUsername: async () => () => comeAs(),
  async requiresMfa() {
    const person = newPerson();
    await signUp(gateway.client(), person);
    return () => gateway.client().send(LOG_IN, { input: person });
  },
  async allowsEnrollment() {
    const { client } = hold(gateway.client(), await comeAs());
    const { result } = await client.send(BEGIN_TOTP, { input: {} });
    const code = totpCode(String(result.secret), gateway.clock());
    return () => client.send(CONFIRM_TOTP, { input: { handle: result.handle, code } });
  },
  preSocialLogin: async () => () => comeAs(),
  async linkingPolicy() {
    const { email } = newAccount();
    await comeAs({ email });
    return () => comeAs({ email });
  },
  populateUser: async () => () => comeAs(),
  async accessTokenClaims() {
    const person = newPerson();
    await signUp(gateway.client(), person);
    return () => gateway.client().send(LOG_IN, { input: { ...person, credential: 'JWT' } });
  },
  async generateCode() {
    const { email } = newPerson();
    return () => gateway.client().send(REQUEST_LOGIN_CODE, { input: { email } });
  },
  isSafeRedirect: async () => () => {
    const input = { provider: 'acme', redirectUrl: REDIRECT_URL, credential: 'COOKIE' };
    return gateway.client().send(BEGIN_PROVIDER_LOGIN, { input });
  },
};

const thrown = () => Object.assign(new Error('the other side is away'), { code: '40001' });
/** What no hook may do. The codes are those of PostgreSQL for what is tried again. */
const FAILING: Readonly<Record<string, () => unknown>> = {
  throws: () => {
    throw thrown();
  },
  rejects: () => Promise.reject(thrown()),
  'throws what is no error': () => Promise.reject('no'),
  'takes too long': () => new Promise(() => undefined),
};

/** What is nonsense for each; `5` is for all of them. */
const NONSENSE: Readonly<Record<Decision, readonly unknown[]>> = {
  allowsSignUp: [5, 'yes', null, undefined, {}],
  cleanEmail: [
    5,
    null,
    undefined,
    true,
    '',
    'no address',
    'a@example.com, b@example.com',
    { refuse: false },
    { refused: true },
  ],
  cleanUsername: [5, null, undefined, '', 'x', 'two words', 'x'.repeat(33), { refuse: 'yes' }],
  refusesPassword: [5, true, '', 'WEAK', ['REFUSED'], { refuse: true }],
  newAccount: [
    5,
    'x',
    [],
    { name: 5 },
    { name: 'x'.repeat(201) },
    { roles: 'admin' },
    { roles: [''] },
    { roles: [5] },
    { role: 'admin' },
  ],
  generateUsername: [5, '', 'x', 'two words', 'x'.repeat(33), {}],
  requiresMfa: [5, 'no', {}],
  allowsEnrollment: [5, 'yes', null, undefined],
  preSocialLogin: [5, 'refuse', {}, { refused: true }, { userId: 5 }, { refuse: true, userId: 'x' }],
  linkingPolicy: [5, 'VERIFIED', 'off', true, {}],
  populateUser: [5, 'Ada', [], { name: 5 }, { username: {} }],
  accessTokenClaims: [5, 'admin', ['admin'], { sub: 'somebody' }, { a: 'x'.repeat(5_000) }],
  generateCode: [5, null, '', '12345', '12-3456', 'x'.repeat(17), '١٢٣٤٥٦'],
  isSafeRedirect: [5, 'yes', {}],
};

/** Everything that an operation could leave behind. */
const traces = async () =>
  (
    await gateway.sql(`SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM sessions) AS sessions,
      (SELECT count(*) FROM pending_logins) AS logins, (SELECT count(*) FROM challenges) AS challenges,
      (SELECT count(*) FROM social_connections) AS connections, (SELECT count(*) FROM authenticators) AS factors,
      (SELECT count(*) FROM provider_flows WHERE completed_at IS NULL) AS flows`)
  )[0];

/** Runs the operation with a hook that fails, and looks at what came of it. */
async function expectRefusal(hook: Decision, operation: () => Promise<Answer>, failing: () => unknown): Promise<void> {
  changing.now = { [hook]: failing };
  const [before, from] = [await traces(), gateway.logs.length];
  changing.take(hook);
  const answer = await operation();
  expect(answer, answer.text).toMatchObject({ status: 503, errors: [{ extensions: { code: 'UNAVAILABLE' } }] });
  expect(answer.text).not.toMatch(new RegExp(`LoggedIn|${hook}|away`));
  expect(await traces()).toEqual(before);
  const [fault, ...more] = faultsIn(gateway, from);
  expect(fault).toMatch(new RegExp(`^the hook ${hook} (?:failed|gave|decided|took longer)`));
  expect(more).toEqual([]);
  // Once: what an operator's code throws is not tried again as a collision in the database is.
  expect(changing.take(hook).length).toBeLessThanOrEqual(hook === 'generateCode' ? 3 : 1);
}

test('there is an operation for every hook that a request waits for', () => {
  const decisions = Object.entries(HOOKS).flatMap(([name, kind]) => (kind === 'decision' ? [name] : []));
  expect(Object.keys(BY).sort()).toEqual(decisions.sort());
});

// Defence: guardHooks in src/hooks/guard.ts, READERS in src/hooks/answers.ts, HookFailed in src/graphql/errors.ts.
describe.each(Object.keys(BY) as Decision[])('%s', (hook) => {
  test.each(Object.entries(FAILING))('one that %s: nothing is done, and the log names it', async (_how, failing) => {
    await expectRefusal(hook, await BY[hook](), failing);
  });

  test('one that gives nonsense: nothing is done, and the log names it', async () => {
    for (const nonsense of NONSENSE[hook]) {
      const operation = await BY[hook]();
      await expectRefusal(hook, operation, () => nonsense);
      changing.now = {};
    }
  });

  test('after a failure the next one goes through', async () => {
    const operation = await BY[hook]();
    expect((await operation()).errors).toEqual([]);
  });
});

test('hooks that are gone wrong keep nobody from what does not ask them', async () => {
  const held = await signUp(gateway.client(), newPerson());
  changing.now = Object.fromEntries(Object.keys(BY).map((hook) => [hook, () => Promise.reject(thrown())]));
  expect((await held.client.send(CURRENT_USER)).result.__typename).toBe('User');
});
