import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { providerAccessToken } from '../../src/flows/provider-tokens.ts';
import type { GraphQLClient } from '../support/client.ts';
import { enrollPasskey } from '../support/factors.ts';
import type { Gateway } from '../support/gateway.ts';
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts';
import { REAUTHENTICATE } from '../support/passwords.ts';
import { hold, newPerson, signUp } from '../support/people.ts';
import {
  BEGIN_PROVIDER_CONNECTION,
  beginConnection,
  COMPLETE_PROVIDER_CONNECTION,
  codeOf,
  connectionsOf,
  DISCONNECT_PROVIDER,
  enterFrom,
  goAndReturn,
  newAccount,
  REDIRECT_URL,
  startSocialGateway,
} from '../support/social.ts';

let provider: HostileProvider;
let gateway: Gateway;
beforeAll(async () => {
  provider = await startHostileProvider();
  gateway = await startSocialGateway(provider, { env: { POSTERN_EMAIL_VERIFICATION: 'none' } });
});
afterAll(async () => {
  await gateway.stop();
  await provider.close();
});
beforeEach(() => {
  provider.bend = {};
});

async function connect(client: GraphQLClient, account = newAccount(), of: Gateway = gateway) {
  provider.person = account;
  const begun = await beginConnection(client, 'acme');
  const code = codeOf(await goAndReturn(of, provider, begun));
  return client.send(COMPLETE_PROVIDER_CONNECTION, { input: { flowToken: begun.flowToken, code } });
}

describe('somebody signed in', () => {
  test.each(['COOKIE', 'SESSION_TOKEN'] as const)(
    'connects, sees and disconnects an account, with a %s',
    async (kind) => {
      const person = newPerson();
      const { client, userId } = await signUp(gateway.client(), person, kind);
      const account = newAccount();
      const { result } = await connect(client, account);
      expect(result).toMatchObject({
        __typename: 'ProviderConnected',
        connection: { provider: { id: 'acme', name: 'Acme' }, displayName: 'Grace Hopper', email: account.email },
      });
      const texts = (await gateway.mails.rest(person.email)).map(({ text }) => text);
      expect(texts.join()).toContain('Grace Hopper (Acme)');
      expect(hold(client, await enterFrom(gateway, provider, account)).userId).toBe(userId);
      const [connection] = await connectionsOf(client);
      const ended = await client.send(DISCONNECT_PROVIDER, { input: { id: connection?.id } });
      expect(ended.result).toMatchObject({ __typename: 'ProviderDisconnected', connections: [] });
      const told = (await gateway.mails.rest(person.email)).map(({ subject }) => subject);
      expect(told.at(-1)).toContain('A way to log in was taken');
      const again = await client.send(DISCONNECT_PROVIDER, { input: { id: connection?.id } });
      expect(again.result.__typename).toBe('NotFound');
      const fresh = await enterFrom(gateway, provider, account);
      expect(hold(gateway.client(), fresh).userId).not.toBe(userId);
    },
  );

  test('with a JWT proves anew who they are first', async () => {
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person, 'JWT');
    const input = { provider: 'acme', redirectUrl: REDIRECT_URL };
    const { result } = await client.send(BEGIN_PROVIDER_CONNECTION, { input });
    expect(result).toMatchObject({ __typename: 'ReauthenticationRequired', methods: ['PASSWORD'] });
    gateway.clock.advance(1_000);
    await client.send(REAUTHENTICATE, { input: { password: person.password } });
    expect((await connect(client)).result.__typename).toBe('ProviderConnected');
  });

  test('connects the same account twice without two connections', async () => {
    const { client } = await signUp(gateway.client(), newPerson());
    const account = newAccount();
    await connect(client, account);
    expect((await connect(client, account)).result.__typename).toBe('ProviderConnected');
    expect(await connectionsOf(client)).toHaveLength(1);
  });

  test('hears why nothing came of it', async () => {
    const { client } = await signUp(gateway.client(), newPerson());
    provider.bend.trouble = { token: { status: 500 } };
    expect((await connect(client)).result).toMatchObject({ __typename: 'ProviderFailed', failure: 'UNREACHABLE' });
    const input = { provider: 'nobody', redirectUrl: REDIRECT_URL };
    expect((await client.send(BEGIN_PROVIDER_CONNECTION, { input })).result.__typename).toBe('ProviderNotFound');
  });

  test('is told by a hook whom the operator does not want', async () => {
    const purposes: string[] = [];
    const hooked = await startSocialGateway(provider, {
      env: { POSTERN_EMAIL_VERIFICATION: 'none' },
      hooks: {
        preSocialLogin: ({ purpose }) => {
          purposes.push(purpose);
          return { refuse: true };
        },
      },
    });
    const { client } = await signUp(hooked.client(), newPerson());
    const { result } = await connect(client, newAccount(), hooked);
    expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'DENIED' });
    expect(purposes).toEqual(['CONNECT']);
    await hooked.stop();
  });
});

describe('the last way to log in is kept', () => {
  test('where codes do not log in and there is no password', async () => {
    const strict = await startSocialGateway(provider, { env: { POSTERN_LOGIN_CODES: 'off' } });
    const held = hold(strict.client(), await enterFrom(strict, provider, newAccount()));
    const [only] = await connectionsOf(held.client);
    const disconnect = async () =>
      (await held.client.send(DISCONNECT_PROVIDER, { input: { id: only?.id } })).result.__typename;
    expect(await disconnect()).toBe('LastLoginMethod');
    await enrollPasskey(held.client);
    expect(await disconnect()).toBe('ProviderDisconnected');
    await strict.stop();
  });

  test('where the address was never verified', async () => {
    const held = hold(gateway.client(), await enterFrom(gateway, provider, newAccount({ email_verified: false })));
    const [only] = await connectionsOf(held.client);
    const { result } = await held.client.send(DISCONNECT_PROVIDER, { input: { id: only?.id } });
    expect(result.__typename).toBe('LastLoginMethod');
  });

  test('another connection will do, unless its provider was switched off', async () => {
    const strict = await startSocialGateway(provider, { env: { POSTERN_LOGIN_CODES: 'off' } });
    const held = hold(strict.client(), await enterFrom(strict, provider, newAccount()));
    await connect(held.client, newAccount(), strict);
    const [first] = await connectionsOf(held.client);
    await strict.sql(`UPDATE social_connections SET provider = 'gone' WHERE id <> $1`, [first?.id]);
    const disconnect = async () => (await held.client.send(DISCONNECT_PROVIDER, { input: { id: first?.id } })).result;
    expect((await disconnect()).__typename).toBe('LastLoginMethod');
    expect((await connectionsOf(held.client)).map((each) => each.provider)).toContainEqual({
      id: 'gone',
      name: 'gone',
      acceptsTokens: false,
    });
    await strict.sql(`UPDATE social_connections SET provider = 'acme'`);
    expect((await disconnect()).__typename).toBe('ProviderDisconnected');
    await strict.stop();
  });
});

describe('the tokens of a provider', () => {
  test('are kept only where that was asked for, renewed on use, and given to the operator', async () => {
    const keeping = await startSocialGateway(provider, { env: { POSTERN_STORE_PROVIDER_TOKENS: 'on' } });
    const held = hold(keeping.client(), await enterFrom(keeping, provider, newAccount()));
    const of = { userId: held.userId, provider: 'acme' };
    const first = await providerAccessToken(keeping.app, of);
    expect(first).toBeTruthy();
    expect(await providerAccessToken(keeping.app, of)).toBe(first);
    keeping.clock.advance(600_000);
    const renewed = await Promise.all(Array.from({ length: 4 }, () => providerAccessToken(keeping.app, of)));
    expect(new Set(renewed).size).toBe(1);
    expect(renewed[0]).not.toBe(first);
    expect(await providerAccessToken(keeping.app, { ...of, provider: 'other' })).toBeNull();
    expect(await providerAccessToken(keeping.app, { ...of, userId: 'nobody' })).toBeNull();
    await held.client.send(DISCONNECT_PROVIDER, { input: { id: (await connectionsOf(held.client))[0]?.id } });
    expect(await providerAccessToken(keeping.app, of)).toBeNull();

    const notKeeping = hold(gateway.client(), await enterFrom(gateway, provider, newAccount()));
    expect(await providerAccessToken(gateway.app, { userId: notKeeping.userId, provider: 'acme' })).toBeNull();
    await keeping.stop();
  });

  test('that the provider takes no more are none', async () => {
    const keeping = await startSocialGateway(provider, { env: { POSTERN_STORE_PROVIDER_TOKENS: 'on' } });
    const { userId } = hold(keeping.client(), await enterFrom(keeping, provider, newAccount()));
    keeping.clock.advance(600_000);
    provider.bend.trouble = { token: { status: 400 } };
    expect(await providerAccessToken(keeping.app, { userId, provider: 'acme' })).toBeNull();
    await keeping.stop();
  });
});
