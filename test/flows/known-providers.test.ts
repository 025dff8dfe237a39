import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GraphQLClient } from '../support/client.ts';
import { type FakeProvider, type GitHubUser, startApple, startGitHub, submitForm } from '../support/fake-providers.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { startHostileProvider } from '../support/hostile-provider.ts';
import { CURRENT_USER, hold } from '../support/people.ts';
import {
  APP,
  beginLoginAt,
  COMPLETE_PROVIDER_LOGIN,
  callbackHere,
  codeOf,
  comeBack,
  connectionsOf,
} from '../support/social.ts';

// The wire formats that these document, where they differ from the standards.

const apple = {
  clientId: 'example.postern.web',
  teamId: 'DEF123GHIJ',
  keyId: 'ABC123DEFG',
  privateKey: generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString(),
};
const octocat: GitHubUser = {
  id: 583231,
  login: 'ada',
  name: 'Ada Lovelace',
  email: null,
  emails: [{ email: 'ada@code.example', primary: true, verified: true }],
};
let gitHubUser = octocat;
const appleUser = { sub: '001234.0a1b2c.1234', email: 'ada@apple.example', firstName: 'Ada', lastName: 'Lovelace' };
let gitHub: FakeProvider;
let appleId: FakeProvider;
let gateway: Gateway;
beforeAll(async () => {
  [gitHub, appleId] = await Promise.all([startGitHub(() => gitHubUser), startApple(() => appleUser, apple)]);
  const providers = [
    {
      id: 'github',
      clientId: 'hub',
      clientSecret: 'hub-secret',
      authorizationEndpoint: `${gitHub.url}/login/oauth/authorize`,
      tokenEndpoint: `${gitHub.url}/login/oauth/access_token`,
      userInfoEndpoint: `${gitHub.url}/user`,
    },
    { id: 'apple', issuer: appleId.url, ...apple },
  ];
  gateway = await startGateway({
    env: {
      POSTERN_EMAIL_VERIFICATION: 'mandatory',
      POSTERN_REDIRECT_URLS: `${APP}/*`,
      POSTERN_PROVIDERS: JSON.stringify(providers),
    },
  });
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([gitHub.close(), appleId.close()]);
});

async function byGitHub(client: GraphQLClient) {
  const begun = await beginLoginAt(client, 'github');
  const response = await fetch(begun.url, { redirect: 'manual' });
  const returned = await comeBack(callbackHere(gateway, new URL(response.headers.get('location') ?? '')));
  return client.send(COMPLETE_PROVIDER_LOGIN, { input: { flowToken: begun.flowToken, code: codeOf(returned) } });
}

async function byApple(client: GraphQLClient) {
  const begun = await beginLoginAt(client, 'apple', 'COOKIE');
  const { action, body } = submitForm(await (await fetch(begun.url)).text());
  const url = callbackHere(gateway, new URL(action));
  // From another site a browser sends no cookie of ours along, and does not need to.
  const response = await fetch(url, { method: 'POST', body, redirect: 'manual', headers: { origin: appleId.url } });
  expect(response.status).toBe(303);
  const code = codeOf(new URL(response.headers.get('location') ?? ''));
  return client.send(COMPLETE_PROVIDER_LOGIN, { input: { flowToken: begun.flowToken, code } });
}

describe('GitHub', () => {
  test('is read from its user and its addresses', async () => {
    const client = gateway.client();
    const held = hold(client, await byGitHub(client));
    const { result } = await held.client.send(CURRENT_USER);
    expect(result).toMatchObject({ name: 'Ada Lovelace', email: 'ada@code.example', emailVerified: true });
    gitHubUser = { ...octocat, login: 'countess', name: 'Countess' };
    expect(hold(client, await byGitHub(client)).userId).toBe(held.userId);
    expect(await connectionsOf(held.client)).toMatchObject([{ displayName: 'Countess', provider: { name: 'GitHub' } }]);
  });

  test('somebody else may take the name that was given up', async () => {
    const client = gateway.client();
    gitHubUser = {
      ...octocat,
      id: 7,
      name: null,
      emails: [{ email: 'eve@code.example', primary: true, verified: false }],
    };
    const { result } = await byGitHub(client);
    expect(result).toMatchObject({ __typename: 'EmailVerificationRequired', email: 'eve@code.example' });
  });

  test('errors that come with the status 200 are errors', async () => {
    const client = gateway.client();
    const begun = await beginLoginAt(client, 'github');
    const back = new URL(`${gateway.url}/providers/github/callback?code=made-up`);
    back.searchParams.set('state', new URL(begun.url).searchParams.get('state') ?? '');
    const code = codeOf(await comeBack(back));
    const { result } = await client.send(COMPLETE_PROVIDER_LOGIN, { input: { flowToken: begun.flowToken, code } });
    expect(result).toMatchObject({ __typename: 'ProviderFailed', failure: 'REJECTED' });
  });
});

describe('Apple', () => {
  test('posts a form back, tells the name once, and gets a secret that is signed for it', async () => {
    const client = gateway.client();
    const held = hold(client, await byApple(client));
    const { result } = await held.client.send(CURRENT_USER);
    expect(result).toMatchObject({ name: 'Ada Lovelace', email: appleUser.email, emailVerified: true });
    const again = gateway.client();
    expect(hold(again, await byApple(again)).userId).toBe(held.userId);
  });

  test('a form that lies about who it is changes nothing but a name', async () => {
    const client = gateway.client();
    const begun = await beginLoginAt(client, 'apple');
    const { action, body } = submitForm(await (await fetch(begun.url)).text());
    body.set('user', JSON.stringify({ email: 'victim@example.com', sub: 'victim', name: { firstName: 'Eve' } }));
    const response = await fetch(callbackHere(gateway, new URL(action)), { method: 'POST', body, redirect: 'manual' });
    const code = codeOf(new URL(response.headers.get('location') ?? ''));
    const held = hold(
      client,
      await client.send(COMPLETE_PROVIDER_LOGIN, { input: { flowToken: begun.flowToken, code } }),
    );
    expect((await held.client.send(CURRENT_USER)).result.email).toBe(appleUser.email);
  });
});

test('plain OAuth 2.0 by endpoints reads what its UserInfo says, and no ID token that comes along', async () => {
  const provider = await startHostileProvider();
  const entry = {
    ...{ id: 'plain', type: 'oauth2', clientId: provider.clientId, clientSecret: provider.clientSecret },
    authorizationEndpoint: `${provider.issuer}/authorize`,
    tokenEndpoint: `${provider.issuer}/token`,
    userInfoEndpoint: `${provider.issuer}/userinfo`,
  };
  const plain = await startGateway({
    env: { POSTERN_REDIRECT_URLS: `${APP}/*`, POSTERN_PROVIDERS: JSON.stringify([entry]) },
  });
  provider.person = { sub: 'plain-ada', email: 'ada@plain.example', email_verified: true, name: 'Ada' };
  provider.bend.idToken = () => 'nobody.looks.here';
  provider.bend.token = ({ token_type: _, ...response }) => ({ ...response, scope: ['email', 'profile'] });
  const client = plain.client();
  const begun = await beginLoginAt(client, 'plain');
  const returned = await comeBack(callbackHere(plain, provider.authorizeAt(begun.url)));
  const input = { flowToken: begun.flowToken, code: codeOf(returned) };
  const held = hold(client, await client.send(COMPLETE_PROVIDER_LOGIN, { input }));
  expect((await held.client.send(CURRENT_USER)).result).toMatchObject({
    email: 'ada@plain.example',
    emailVerified: true,
  });
  await plain.stop();
  await provider.close();
});
