import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBrowser, launchBrowser } from '../support/browser.ts';
import { enrollPasskey, totpCode, totpHolder, verifiedPerson } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { REQUEST_LOGIN_CODE } from '../support/people.ts';

/** Where the browser believes to be: an origin that passkeys of the tests belong to. */
const ORIGIN = 'http://localhost:4000';
const executable = findBrowser();

describe.skipIf(!executable)('the page behind the link of a login mail, in a real browser', () => {
  let gateway: Gateway;
  let browser: Browser;
  beforeAll(async () => {
    gateway = await startGateway({ env: { POSTERN_ALLOWED_ORIGINS: ORIGIN } });
    browser = await launchBrowser(executable ?? '', `MAP localhost:4000 127.0.0.1:${new URL(gateway.url).port}`);
  });
  afterAll(async () => {
    await browser.close();
    await gateway.stop();
  });

  /** Opens the link of a login mail. */
  async function open({ email }: { readonly email: string }): Promise<Page> {
    await gateway.client().send(REQUEST_LOGIN_CODE, { input: { email, credential: 'COOKIE' } });
    const mails = await gateway.mails.rest(email);
    const token = mails.findLast((mail) => mail.token)?.token;
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${ORIGIN}/log-in?token=${token}`);
    return page;
  }

  test('takes a passkey', async () => {
    const { client, person } = await verifiedPerson(gateway);
    const { authenticator } = await enrollPasskey(client);
    const page = await open(person);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('WebAuthn.enable');
    const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true },
        ...{ isUserVerified: true, automaticPresenceSimulation: true },
      },
    });
    const base64 = (text: string) => Buffer.from(text, 'base64url').toString('base64');
    for (const { id, rpId, userHandle, counter, keys } of authenticator.credentials) {
      const privateKey = keys.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
      const held = { credentialId: base64(id), userHandle: base64(userHandle), rpId, privateKey, signCount: counter };
      await devtools.send('WebAuthn.addCredential', {
        authenticatorId,
        credential: { ...held, isResidentCredential: true },
      });
    }
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.getByText('You are logged in as').waitFor();
  });

  test('asks for the code of the app, and logs in', async () => {
    const holder = await totpHolder(gateway);
    const page = await open(holder.person);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByLabel('Code from your authenticator app').fill('000000');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('This code is not right.').waitFor();
    await page.getByLabel('Code from your authenticator app').fill(totpCode(holder.secret, gateway.clock()));
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('You are logged in as').waitFor();
    expect(await page.getByLabel('Code from your authenticator app').isVisible()).toBe(false);
  });
});
