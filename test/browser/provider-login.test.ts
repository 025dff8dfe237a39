import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBrowser, launchBrowser, type PageServer, servePage } from '../support/browser.ts';
import { GraphQLClient } from '../support/client.ts';
import { enrollTotp, totpCode } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { type OidcProvider, startOidcProvider } from '../support/oidc-provider.ts';
import { connectionsOf } from '../support/social.ts';

const GATEWAY = 'http://localhost:4000';
const executable = findBrowser();

/** What the page shows to the developers of an app. */
const section = readFileSync('docs/providers.md', 'utf8');
const example = /```js\n([\s\S]*?)```/.exec(section)?.[1] ?? '';

/** An app of one page, on an origin of its own. */
const page = `<!doctype html><title>App</title><body><button id="in">Log in</button><button id="connect">Connect</button>
<button id="disconnect">Disconnect</button><button id="factor">Code</button><pre id="out"></pre><script type="module">
${example.replace('https://auth.example.com', GATEWAY)}
const out = document.getElementById('out');
const show = (result) => { out.textContent = JSON.stringify(result); sessionStorage.setItem('last', JSON.stringify(result)); };
document.getElementById('in').onclick = () => logInWith('acme').then((result) => result && show(result));
document.getElementById('connect').onclick = async () => {
  const begun = await send('mutation ($input: BeginProviderConnectionInput!) { beginProviderConnection(input: $input) { __typename ... on ProviderRedirect { flowToken url } } }', { provider: 'acme', redirectUrl: location.origin + '/connected' });
  if (begun.__typename !== 'ProviderRedirect') return show(begun);
  sessionStorage.setItem('flow', begun.flowToken);
  location.assign(begun.url);
};
document.getElementById('disconnect').onclick = async () => {
  const { connections } = await send('query { currentUser { ... on User { connections { id } } } }');
  show(await send('mutation ($input: DisconnectProviderInput!) { disconnectProvider(input: $input) { __typename } }', { id: connections[0].id }));
};
document.getElementById('factor').onclick = async () => {
  const { loginToken } = JSON.parse(sessionStorage.getItem('last'));
  show(await send('mutation ($input: VerifyMfaInput!) { verifyMfa(input: $input) { __typename ... on LoggedIn { user { id } } } }', { loginToken, proof: { totp: window.totp } }));
};
if (location.pathname === '/welcome') show(await welcome());
if (location.pathname === '/connected') show(await send('mutation ($input: CompleteProviderConnectionInput!) { completeProviderConnection(input: $input) { __typename } }', { flowToken: sessionStorage.getItem('flow'), code: new URLSearchParams(location.search).get('code') ?? '' }));
</script>`;

describe.skipIf(!executable)('an app and a certified provider, in a real browser', () => {
  let provider: OidcProvider;
  let app: PageServer;
  let gateway: Gateway;
  let browser: Browser;
  beforeAll(async () => {
    app = await servePage(page);
    provider = await startOidcProvider({ redirectUris: [`${GATEWAY}/providers/acme/callback`] });
    const { issuer, clientId, clientSecret } = provider;
    gateway = await startGateway({
      env: {
        POSTERN_PUBLIC_URL: GATEWAY,
        POSTERN_FRONTEND_URL: app.origin,
        POSTERN_EMAIL_VERIFICATION: 'mandatory',
        POSTERN_PROVIDERS: JSON.stringify([{ id: 'acme', type: 'oidc', issuer, clientId, clientSecret }]),
      },
    });
    browser = await launchBrowser(executable ?? '', `MAP localhost:4000 127.0.0.1:${new URL(gateway.url).port}`);
  });
  afterAll(async () => {
    await browser.close();
    await gateway.stop();
    await provider.close();
    await app.close();
  });

  async function open(): Promise<Page> {
    const opened = await (await browser.newContext()).newPage();
    await opened.goto(app.origin);
    return opened;
  }

  /** Types a login at the provider, and agrees. */
  async function agree(at: Page, login: string): Promise<void> {
    await at.locator('input[name=login]').fill(login);
    await at.locator('input[name=password]').fill('any');
    await at.locator('button[type=submit]').click();
    await at.getByText('Continue', { exact: false }).last().click();
  }

  async function shown(at: Page, what: string): Promise<Record<string, unknown>> {
    await at.locator('#out', { hasText: what }).waitFor();
    return JSON.parse((await at.locator('#out').textContent()) ?? '');
  }

  test('log in, ask for the second factor, connect and disconnect', async () => {
    const email = 'ada@browser.example';
    provider.accounts.set(email, { sub: email, email, email_verified: true, name: 'Ada Lovelace' });
    const first = await open();
    await first.getByText('Log in').click();
    await agree(first, email);
    expect(await shown(first, 'LoggedIn')).toMatchObject({ user: { displayName: 'Ada Lovelace' } });
    const cookies = await first.context().cookies(GATEWAY);
    const cookie = cookies.find(({ name }) => name === 'postern');
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax' });
    const client = new GraphQLClient(gateway.url, { cookie: `postern=${cookie?.value}` });
    const { secret } = await enrollTotp(gateway, client);

    const other = await open();
    await other.getByText('Log in').click();
    await agree(other, email);
    await shown(other, 'loginToken');
    gateway.clock.advance(60_000);
    await other.evaluate(`window.totp = '${totpCode(secret, gateway.clock())}'`);
    await other.getByText('Code').click();
    await shown(other, 'LoggedIn');

    const second = 'ada@second.example';
    provider.accounts.set(second, { sub: second, email: second, email_verified: true, name: 'The Countess' });
    // The provider remembers who is there: its session ends with its cookies.
    await other.context().clearCookies({ domain: '127.0.0.1' });
    await other.getByText('Connect', { exact: true }).click();
    await agree(other, second);
    await shown(other, 'ProviderConnected');
    const held = (await other.context().cookies(GATEWAY)).find(({ name }) => name === 'postern');
    const own = new GraphQLClient(gateway.url, { cookie: `postern=${held?.value}` });
    expect((await connectionsOf(own)).map(({ displayName }) => displayName)).toEqual(['Ada Lovelace', 'The Countess']);
    await other.getByText('Disconnect').click();
    await shown(other, 'ProviderDisconnected');
    expect(await connectionsOf(own)).toHaveLength(1);
  });

  test('a login that is called off says so', async () => {
    const opened = await open();
    await opened.getByText('Log in').click();
    await opened.getByText('Cancel', { exact: false }).click();
    expect(await shown(opened, 'ProviderFailed')).toMatchObject({ reason: 'CANCELLED' });
  });
});
