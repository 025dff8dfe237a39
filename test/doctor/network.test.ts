import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Finding } from '../../src/doctor/examine.ts';
import { check, examined } from '../support/doctor.ts';
import { openSurgery, type Surgery, startPlainRedis, startTlsFront, type TlsFront } from '../support/doctor-stand.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { type MailServer, startMailServer } from '../support/smtp.ts';

let gateway: Gateway;
let mailServer: MailServer;
let front: TlsFront;
let surgery: Surgery;

beforeAll(async () => {
  front = await startTlsFront();
  gateway = await startGateway({ clock: 'real' });
  front.hands(gateway.url);
  mailServer = await startMailServer();
  surgery = await openSurgery();
});
afterAll(async () => {
  await gateway.stop();
  await front.close();
  await mailServer.stop();
  await surgery.remove();
});

const NOWHERE = 'https://127.0.0.1:1';
const publicUrl = () => ({ POSTERN_PUBLIC_URL: gateway.app.config.publicUrl });
const provider = (more: object = {}) =>
  JSON.stringify([
    { id: 'acme', type: 'oidc', clientId: 'postern', clientSecret: 'x7', issuer: front.issuer, ...more },
  ]);
const behindTls = () => ({ POSTERN_PUBLIC_URL: front.url, POSTERN_PROVIDERS: provider() });
const mails = (url: string) => ({ POSTERN_SMTP_URL: url });

check('public-url', {
  ok: () => examined('public-url', { env: publicUrl() }),
  failed: { env: { POSTERN_PUBLIC_URL: NOWHERE } },
});
check('provider-redirects', {
  ok: () => foundBehindTls('provider-redirects'),
  failed: () => examined('provider-redirects', { env: { POSTERN_PUBLIC_URL: NOWHERE, POSTERN_PROVIDERS: provider() } }),
  skipped: {},
});
check('provider-discovery', {
  ok: () => foundBehindTls('provider-discovery'),
  failed: () => examined('provider-discovery', { env: { POSTERN_PROVIDERS: provider({ issuer: NOWHERE }) } }),
  skipped: {},
});
check('provider-tokens', {
  ok: {},
  warning: { env: { POSTERN_STORE_PROVIDER_TOKENS: 'on' } },
});
check('mail', {
  ok: () => examined('mail', { env: mails(mailServer.url) }),
  // This machine by a name that is not its own: what goes there might go anywhere.
  warning: () => examined('mail', { env: mails(mailServer.url.replace('127.0.0.1', '[::ffff:127.0.0.1]')) }),
  failed: { env: mails('smtp://127.0.0.1:1') },
});
check('test-mail', {
  ok: () => examined('test-mail', { env: mails(mailServer.url), testMailTo: 'ada@example.com' }),
  failed: { env: mails('smtp://127.0.0.1:1'), testMailTo: 'ada@example.com' },
  skipped: {},
});
check('proxies', { ok: {}, warning: { env: { POSTERN_TRUSTED_PROXIES: '0' } } });
check('clock', {
  ok: () => examined('clock', { env: publicUrl() }),
  failed: { env: { POSTERN_PUBLIC_URL: NOWHERE }, database: { aheadMs: 31_000 } },
});
check('redis', {
  ok: () => withRedis('noeviction'),
  warning: () => withRedis('allkeys-lru'),
  failed: { env: { POSTERN_REDIS_URL: 'redis://127.0.0.1:1' } },
  skipped: {},
});

let behind: ReturnType<Surgery['find']> | undefined;

/** By a process that believes the certificate of the front. */
async function foundBehindTls(name: 'provider-redirects' | 'provider-discovery'): Promise<Finding> {
  behind ??= surgery.find(behindTls(), 'provider-redirects', 'provider-discovery');
  const finding = (await behind)[name];
  if (!finding) throw new Error(`nothing was found of ${name}`);
  return finding;
}

async function withRedis(policy: string) {
  const redis = await startPlainRedis(policy);
  try {
    return await examined('redis', { env: { POSTERN_REDIS_URL: redis.url } });
  } finally {
    await redis.close();
  }
}

test('a public URL where another Postern answers is none', async () => {
  const env = { POSTERN_PUBLIC_URL: gateway.url };
  // It is reached, but its tokens come from elsewhere.
  expect(await examined('public-url', { env })).toMatchObject({
    verdict: 'failed',
    reason: expect.stringContaining('another issuer'),
  });
});

test('neither a proxy that keeps callbacks to itself nor a provider that calls itself otherwise will do', async () => {
  const other = await startTlsFront();
  const env = { POSTERN_PUBLIC_URL: other.url, POSTERN_PROVIDERS: provider({ issuer: `${front.issuer}/` }) };
  const found = await surgery.find(env, 'provider-redirects', 'provider-discovery');
  await other.close();
  expect(found).toMatchObject({
    'provider-redirects': { verdict: 'failed', reason: expect.stringContaining('404') },
    'provider-discovery': { verdict: 'failed', reason: expect.stringContaining('issuer') },
  });
});

test('redirect URIs are https, whoever answers', async () => {
  const env = { ...publicUrl(), POSTERN_PROVIDERS: provider() };
  expect(await examined('provider-redirects', { env })).toMatchObject({
    verdict: 'failed',
    reason: expect.stringContaining('not https'),
  });
});

test('tokens that were kept before are told of, though none are kept now', async () => {
  const finding = await examined('provider-tokens', { database: { keptTokens: 3 } });
  expect(finding).toMatchObject({ verdict: 'warning', reason: expect.stringContaining('3 connections') });
});

test('the clock of the gateway counts as well as that of the database', async () => {
  const clock = () => new Date(Date.now() - 60_000);
  expect(await examined('clock', { env: publicUrl(), clock })).toMatchObject({
    verdict: 'failed',
    reason: expect.stringContaining('60 s ahead'),
  });
});

test('nobody takes mails from a sender without a domain', async () => {
  const env = { ...mails(mailServer.url), POSTERN_MAIL_FROM: 'Postern <no-reply@localhost>' };
  expect(await examined('mail', { env })).toMatchObject({ verdict: 'failed', mend: 'POSTERN_MAIL_FROM' });
});

test('the test mail comes', async () => {
  const address = 'bea@example.com';
  await examined('test-mail', { env: mails(mailServer.url), testMailTo: address });
  expect((await mailServer.next(address)).text).toContain('https://auth.example.com');
});

test('what is asked never waits for somebody who says nothing', async () => {
  const silent = createServer(() => undefined);
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  const env = { POSTERN_PUBLIC_URL: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` };
  expect(await examined('public-url', { env })).toMatchObject({ verdict: 'failed' });
  silent.close();
});

test('a mail server that repeats the password it refuses is not quoted [without the redactor it is]', async () => {
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth: ({ password }, _session, done) => done(new Error(`${password} is wrong`)),
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.server.address() as AddressInfo;
  const { verdict, reason } = await examined('mail', {
    env: mails(`smtp://ada:canary%2Fpassword@127.0.0.1:${port}?ignoreTLS=true`),
  });
  await new Promise<void>((resolve) => server.close(() => resolve()));
  expect([verdict, reason]).toEqual(['failed', expect.stringContaining('[secret] is wrong')]);
});
