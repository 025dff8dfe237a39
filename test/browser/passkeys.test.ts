import type { Browser, CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findBrowser, launchBrowser, type PageServer, servePage } from '../support/browser.ts';
import { AUTHENTICATORS } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { CURRENT_USER, newPerson, type Person } from '../support/people.ts';

// A page of an app, on an origin of its own, with the browser's own WebAuthn and cookies, and a virtual authenticator.

const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>App</title></head><body>
<script>
async function ask(query, input) {
  const response = await fetch(gateway + '/graphql', {
    method: 'POST',
    credentials: 'include',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: input ? { input } : {} }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(errors[0].message);
  return Object.values(data)[0];
}

async function createPasskey(name) {
  const begun = await ask('mutation { beginPasskey(input: {}) { __typename ... on PasskeyStarted { handle options } } }');
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(begun.options);
  const response = (await navigator.credentials.create({ publicKey })).toJSON();
  return ask('mutation ($input: ConfirmPasskeyInput!) { confirmPasskey(input: $input) { __typename ... on PasskeyAdded { authenticator { name passwordless } recoveryCodes } } }', { handle: begun.handle, response, name });
}

async function sign(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return (await navigator.credentials.get({ publicKey })).toJSON();
}

async function logInWithPasskey() {
  const begun = await ask('mutation { beginPasskeyLogin(input: { credential: COOKIE }) { ... on PasskeyLoginStarted { loginToken options } } }');
  const response = await sign(begun.options);
  return ask('mutation ($input: LogInWithPasskeyInput!) { logInWithPasskey(input: $input) { __typename ... on LoggedIn { user { id } } ... on MfaRequired { factors } } }', { loginToken: begun.loginToken, response });
}

async function logInWithPassword(person) {
  const begun = await ask('mutation ($input: LogInWithPasswordInput!) { logInWithPassword(input: $input) { __typename ... on MfaRequired { loginToken factors passkeyOptions } } }', { ...person, credential: 'COOKIE' });
  if (begun.__typename !== 'MfaRequired') return begun;
  const passkey = await sign(begun.passkeyOptions);
  return ask('mutation ($input: VerifyMfaInput!) { verifyMfa(input: $input) { __typename ... on LoggedIn { user { id } } } }', { loginToken: begun.loginToken, proof: { passkey }, trustDevice: true });
}
</script></body></html>`;

const SIGN_UP = `mutation ($input: SignUpInput!) { signUp(input: $input) { __typename ... on LoggedIn { user { id } } } }`;
const LOG_OUT = 'mutation { logOut { __typename } }';

const executable = findBrowser();

describe.skipIf(!executable)('in a real browser, a passkey', () => {
  let gateway: Gateway;
  let app: PageServer;
  let browser: Browser;
  let page: Page;
  let devtools: CDPSession;
  beforeAll(async () => {
    app = await servePage(PAGE);
    gateway = await startGateway({ env: { POSTERN_FRONTEND_URL: app.origin, POSTERN_RATE_LIMITS: 'off' } });
    browser = await launchBrowser(executable ?? '');
  });
  afterAll(async () => {
    await browser.close();
    await gateway.stop();
    await app.close();
  });

  /** A new profile with a virtual authenticator in it. */
  beforeEach(async () => {
    page = await (await browser.newContext()).newPage();
    await page.addInitScript(`globalThis.gateway = ${JSON.stringify(gateway.app.config.publicUrl)}`);
    await page.goto(app.origin);
    devtools = await page.context().newCDPSession(page);
    await devtools.send('WebAuthn.enable');
  });

  const addAuthenticator = (verifiesUser: boolean) =>
    devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: verifiesUser ? 'internal' : 'usb',
        hasResidentKey: verifiesUser,
        hasUserVerification: verifiesUser,
        isUserVerified: verifiesUser,
        automaticPresenceSimulation: true,
      },
    });
  const call = <R>(name: string, ...args: unknown[]) =>
    page.evaluate(`${name}(...${JSON.stringify(args)})`) as Promise<R & { readonly __typename: string }>;

  async function signUp(): Promise<Person & { readonly id: string }> {
    const person = newPerson();
    const { user } = await call<{ user: { id: string } }>('ask', SIGN_UP, { ...person, credential: 'COOKIE' });
    await gateway.sql('UPDATE emails SET verified_at = now() WHERE user_id = $1', [user.id]);
    await expect.poll(() => call<object>('ask', CURRENT_USER)).toMatchObject({ emailVerified: true });
    return { ...person, id: user.id };
  }

  test('is made on the page of an app, and logs in by itself', async () => {
    await addAuthenticator(true);
    const person = await signUp();
    const added = await call<{ recoveryCodes: string[] }>('createPasskey', 'This laptop');
    expect(added).toMatchObject({ authenticator: { name: 'This laptop', passwordless: true } });
    expect(added.recoveryCodes).toHaveLength(10);
    await call('ask', LOG_OUT);
    expect(await call('ask', CURRENT_USER)).toMatchObject({ __typename: 'Unauthenticated' });

    expect(await call('logInWithPasskey')).toEqual({ __typename: 'LoggedIn', user: { id: person.id } });
    expect(await call('ask', CURRENT_USER)).toMatchObject({ id: person.id, hasMfa: true });
    const { authenticators } = await call<{ authenticators: { __typename: string }[] }>('ask', AUTHENTICATORS);
    expect(authenticators).toContainEqual(expect.objectContaining({ __typename: 'Passkey', name: 'This laptop' }));
  });

  test('is the second factor after a password, and the browser is trusted from then on', async () => {
    await addAuthenticator(true);
    const { id, ...person } = await signUp();
    await call('createPasskey', 'This laptop');
    await call('ask', LOG_OUT);
    expect(await call('logInWithPassword', person)).toEqual({ __typename: 'LoggedIn', user: { id } });
    await call('ask', LOG_OUT);
    expect(await call('logInWithPassword', person)).toEqual({ __typename: 'LoggedIn' });
  });

  test('of a key that verifies nobody is a factor beside a password', async () => {
    await addAuthenticator(false);
    const { id, ...person } = await signUp();
    expect(await call('createPasskey', 'A key on the ring')).toMatchObject({ authenticator: { passwordless: false } });
    await call('ask', LOG_OUT);
    expect(await call('logInWithPassword', person)).toEqual({ __typename: 'LoggedIn', user: { id } });
  });
});
