import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventsOf } from '../support/account.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { type OidcProvider, startOidcProvider } from '../support/oidc-provider.ts';
import { CURRENT_SESSION, CURRENT_USER, hold } from '../support/people.ts';
import {
  beginLoginAt,
  COMPLETE_PROVIDER_LOGIN,
  codeOf,
  comeBack,
  connectionsOf,
  REDIRECT_URL,
} from '../support/social.ts';

// With a certified provider, through its own pages.

let provider: OidcProvider;
let gateway: Gateway;
const PUBLIC_URL = 'http://localhost:4999';
beforeAll(async () => {
  provider = await startOidcProvider({ redirectUris: [`${PUBLIC_URL}/providers/acme/callback`] });
  gateway = await startGateway({
    env: {
      POSTERN_EMAIL_VERIFICATION: 'mandatory',
      POSTERN_PUBLIC_URL: PUBLIC_URL,
      POSTERN_REDIRECT_URLS: REDIRECT_URL,
      POSTERN_PROVIDERS: JSON.stringify([
        {
          id: 'acme',
          type: 'oidc',
          name: 'Acme',
          issuer: provider.issuer,
          clientId: provider.clientId,
          clientSecret: provider.clientSecret,
        },
      ]),
    },
  });
});
afterAll(async () => {
  await gateway.stop();
  await provider.close();
});

/** The gateway is not where its public URL says. */
function here(url: URL): URL {
  return new URL(url.href.replace(PUBLIC_URL, gateway.url));
}

describe('a login at a provider', () => {
  test.each(['COOKIE', 'SESSION_TOKEN', 'JWT'] as const)(
    'goes through its pages and ends in a %s',
    async (credential) => {
      const email = `ada.${credential.toLowerCase()}@example.com`;
      provider.accounts.set(email, { sub: email, email, email_verified: true, name: 'Ada Lovelace' });
      const client = gateway.client();
      const begun = await beginLoginAt(client, 'acme', credential);
      const returned = await comeBack(here(await provider.visit(begun.url, email)));
      expect(`${returned.origin}${returned.pathname}`).toBe(REDIRECT_URL);
      const input = { flowToken: begun.flowToken, code: codeOf(returned) };
      const held = hold(client, await client.send(COMPLETE_PROVIDER_LOGIN, { input }));
      const { result: user } = await held.client.send(CURRENT_USER);
      expect(user).toMatchObject({
        id: held.userId,
        email,
        emailVerified: true,
        name: 'Ada Lovelace',
        hasPassword: false,
      });
      const { result: session } = await held.client.send(CURRENT_SESSION);
      expect(session).toMatchObject({ credential, methods: [{ method: 'PROVIDER', provider: 'acme' }] });
      expect(await connectionsOf(held.client)).toMatchObject([
        { provider: { id: 'acme', name: 'Acme', acceptsTokens: true }, displayName: 'Ada Lovelace', email },
      ]);
      const kinds = (await eventsOf(gateway, held.userId)).map(({ kind }) => kind);
      expect(kinds).toEqual(['SignedUp', 'EmailVerified', 'ProviderConnected', 'LoggedIn']);
      await gateway.mails.none(email);
    },
  );

  test('finds the same person again', async () => {
    const email = 'again@example.com';
    provider.accounts.set(email, { sub: email, email, email_verified: true });
    const users = [];
    for (let times = 0; times < 2; times += 1) {
      const client = gateway.client();
      const begun = await beginLoginAt(client, 'acme');
      const returned = await comeBack(here(await provider.visit(begun.url, email)));
      const input = { flowToken: begun.flowToken, code: codeOf(returned) };
      users.push(hold(client, await client.send(COMPLETE_PROVIDER_LOGIN, { input })).userId);
    }
    expect(users[1]).toBe(users[0]);
  });

  test('that somebody calls off comes back with an error, and says so', async () => {
    const client = gateway.client();
    const begun = await beginLoginAt(client, 'acme');
    const returned = await comeBack(here(await provider.visit(begun.url, null)));
    expect(Object.fromEntries(returned.searchParams)).toEqual({ error: 'access_denied' });
    const input = { flowToken: begun.flowToken, code: 'access_denied' };
    const { result } = await client.send(COMPLETE_PROVIDER_LOGIN, { input });
    expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'CANCELLED' });
    expect((await client.send(COMPLETE_PROVIDER_LOGIN, { input })).result.__typename).toBe('LoginExpired');
  });
});
