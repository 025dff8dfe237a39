import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HookSocialLogin, Hooks } from '../../src/hooks.ts';
import type { Gateway } from '../support/gateway.ts';
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts';
import { hold, VERIFY_EMAIL } from '../support/people.ts';
import { COMPLETE_PROVIDER_SIGN_UP, enterFrom, newAccount, startSocialGateway } from '../support/social.ts';
import { OWN_FIELDS, USER_FIELDS } from '../support/user-fields.ts';

type Populate = NonNullable<Hooks['populateUser']>;
const POPULATE: Populate = () => ({ fields: { organization: 'Acme', plan: 'PRO', phoneNumber: '+1 202 555 0123' } });

let provider: HostileProvider;
let gateway: Gateway;
let byHand: Gateway;
let populate: Populate = POPULATE;
let asked: HookSocialLogin[] = [];
beforeAll(async () => {
  provider = await startHostileProvider();
  const hooks: Hooks = {
    populateUser: (word) => populate(word),
    preSocialLogin: (login) => {
      asked.push(login);
      return null;
    },
  };
  const needed = { ...USER_FIELDS, department: { type: 'String', write: 'OWNER', onSignUp: 'REQUIRED' } } as const;
  [gateway, byHand] = await Promise.all([
    startSocialGateway(provider, { userFields: USER_FIELDS, hooks, env: { POSTERN_RATE_LIMITS: 'off' } }),
    startSocialGateway(provider, { userFields: needed, hooks, env: { POSTERN_RATE_LIMITS: 'off' } }),
  ]);
});
afterAll(async () => {
  await Promise.all([gateway.stop(), byHand.stop()]);
  await provider.close();
});
beforeEach(() => {
  provider.bend = {};
  [populate, asked] = [POPULATE, []];
});

const POPULATED = { organization: 'Acme', plan: 'PRO', phoneNumber: '+12025550123', onboarded: false };

describe('populateUser', () => {
  test('fills any field of a new account, and none of one that there is', async () => {
    const account = newAccount();
    const client = gateway.client();
    const held = hold(client, await enterFrom(gateway, provider, account, client));
    expect((await held.client.send(OWN_FIELDS)).result).toMatchObject(POPULATED);
    populate = () => ({ fields: { organization: 'Other' } });
    const again = gateway.client();
    const later = hold(again, await enterFrom(gateway, provider, account, again));
    expect((await later.client.send(OWN_FIELDS)).result).toMatchObject(POPULATED);
    expect(asked.map(({ person }) => person?.fields ?? null)).toEqual([null, { ...POPULATED, memberNumber: null }]);
  });

  test('fills them also where the address has to be verified first', async () => {
    const account = newAccount({ email_verified: false });
    const client = gateway.client();
    const { result } = await enterFrom(gateway, provider, account, client);
    const { code } = await gateway.mails.next(account.email);
    const proof = { code: { handle: result.loginToken, code } };
    const held = hold(client, await client.send(VERIFY_EMAIL, { input: { proof } }));
    expect((await held.client.send(OWN_FIELDS)).result).toMatchObject(POPULATED);
  });

  test('is the provider’s word: what does not do is left out', async () => {
    populate = () => ({ fields: { organization: 'x'.repeat(1000), phoneNumber: 'none', plan: null, onboarded: true } });
    const client = gateway.client();
    const held = hold(client, await enterFrom(gateway, provider, newAccount(), client));
    expect((await held.client.send(OWN_FIELDS)).result).toMatchObject({
      organization: null,
      phoneNumber: null,
      plan: null,
      onboarded: true,
    });
  });

  test.each([
    ['a field that there is not', { organisation: 'Acme' }],
    ['a field that is unique', { memberNumber: '1' }],
  ])('cannot fill %s: nobody gets in, and the log has the reason', async (_title, fields) => {
    populate = () => ({ fields });
    const { errors } = await enterFrom(gateway, provider, newAccount());
    expect(errors[0]?.extensions?.code).toBe('UNAVAILABLE');
    const [name = ''] = Object.keys(fields);
    expect(gateway.logs.some((line) => line.includes(`populateUser gave ${name}`))).toBe(true);
  });
});

describe('completeProviderSignUp', () => {
  test('asks for a field that a sign-up must have, and puts what is typed over what the hook said', async () => {
    const client = byHand.client();
    const { result } = await enterFrom(byHand, provider, newAccount(), client);
    expect(result).toMatchObject({ __typename: 'ProviderSignUpRequired', missing: ['department'] });
    const { loginToken } = result;
    const complete = (input: object) => client.send(COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken, ...input } });
    const missing = { __typename: 'InvalidInput', issues: [{ path: ['department'], code: 'REQUIRED' }] };
    expect((await complete({})).result).toMatchObject(missing);
    expect((await complete({ department: '' })).result).toMatchObject(missing);
    expect((await complete({ department: 'x'.repeat(201) })).result).toMatchObject({
      issues: [{ path: ['department'], code: 'TOO_LONG' }],
    });
    const held = hold(client, await complete({ department: 'Engines', phoneNumber: null, onboarded: true }));
    const { result: own } = await held.client.send(OWN_FIELDS.replace('onboarded', 'onboarded department'));
    expect(own).toMatchObject({
      organization: 'Acme',
      plan: 'PRO',
      phoneNumber: null,
      onboarded: true,
      department: 'Engines',
    });
  });

  test('asks nothing where the hook said it', async () => {
    populate = () => ({ fields: { department: 'Engines' } });
    expect((await enterFrom(byHand, provider, newAccount())).result.__typename).toBe('LoggedIn');
  });
});
