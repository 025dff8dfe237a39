import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBrowser, launchBrowser } from '../support/browser.ts';
import { type TotpHolder, totpCode, totpHolder } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { REQUEST_LOGIN_CODE } from '../support/people.ts';

const executable = findBrowser();

describe.skipIf(!executable)('the page behind the link of a login mail, in a real browser', () => {
  let gateway: Gateway;
  let browser: Browser;
  let page: Page;
  let holder: TotpHolder;
  beforeAll(async () => {
    gateway = await startGateway();
    browser = await launchBrowser(executable ?? '');
    holder = await totpHolder(gateway);
  });
  afterAll(async () => {
    await browser.close();
    await gateway.stop();
  });

  test('asks for the code of the app, and logs in', async () => {
    await gateway.client().send(REQUEST_LOGIN_CODE, { input: { email: holder.person.email, credential: 'COOKIE' } });
    const mails = await gateway.mails.rest(holder.person.email);
    const token = mails.findLast((mail) => mail.token)?.token;
    page = await (await browser.newContext()).newPage();
    await page.goto(`${gateway.app.config.publicUrl}/log-in?token=${token}`);
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
