import { beforeEach, describe, expect, test } from 'vitest';
import { type KeptMails, outboxRoutes } from '../../src/http/outbox.ts';

type Mail = Awaited<ReturnType<KeptMails['list']>>[number];

const mail: Mail = {
  id: 'job-17',
  to: 'ada@example.com',
  subject: 'Confirm your address',
  text: 'Hello Ada,\n\n    BCDF-GHJK\n\nor open http://localhost:4000/verify-email?token=abc&x=1\n',
  html: '<!doctype html><html><head><title>x</title></head><body><a href="http://localhost:4000/">go</a></body></html>',
  sentAt: '2026-11-23T12:34:56.789Z',
};

let mails: Mail[];
beforeEach(() => {
  mails = [mail];
});
const routes = outboxRoutes(
  {
    list: async () => mails,
    get: async (id) => mails.find((each) => each.id === id) ?? null,
  },
  'http://localhost:4000',
);
const get = async (path: string) => {
  const response = await routes.request(path);
  return { status: response.status, headers: response.headers, text: await response.text() };
};

const HOSTILE = `"><script>alert(1)</script><img src=x onerror='alert(1)'>&amp;`;

describe('the outbox page', () => {
  test('lists the mails in their order, each with recipient, subject and time', async () => {
    mails = [{ ...mail, id: 'newer', subject: 'Newer', to: 'bob@example.com' }, mail];
    const { status, headers, text } = await get('/outbox');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^text\/html; charset=utf-8$/i);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(text).toMatch(/bob@example\.com.*Newer[\s\S]*ada@example\.com.*Confirm your address/);
    expect(text).toContain('<time datetime="2026-11-23T12:34:56.789Z">2026-11-23 12:34:56 UTC</time>');
    expect(text).toContain('href="outbox/job-17"');
    expect(text).toMatch(/<html lang="en">[\s\S]*<title>Outbox<\/title>[\s\S]*<h1>Outbox<\/h1>/);
  });

  test('says so when there are none', async () => {
    mails = [];
    expect((await get('/outbox')).text).toContain('There are no mails yet.');
  });

  test('shows a mail: its code, its link in a new tab, its text, and its HTML in a frame of its own', async () => {
    const { status, text } = await get('/outbox/job-17');
    expect(status).toBe(200);
    expect(text).toContain('<span class="code">BCDF-GHJK</span>');
    expect(text).toContain(
      '<a href="http://localhost:4000/verify-email?token=abc&amp;x=1" target="_blank" rel="noopener noreferrer">',
    );
    expect(text).toContain('<pre tabindex="0">Hello Ada,\n');
    expect(text).toContain('&lt;head&gt;&lt;base target=&quot;_blank&quot;&gt;&lt;title&gt;');
    expect(text).toMatch(
      /<iframe title="[^"]+" sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="&lt;!doc/,
    );
  });

  test('a mail that is not there is not found', async () => {
    expect((await get('/outbox/other')).status).toBe(404);
  });
});

describe('a hostile mail', () => {
  test('is text wherever it is shown [html`` escapes]', async () => {
    mails = [
      { ...mail, to: HOSTILE, subject: HOSTILE, text: `${HOSTILE}\nhttps://e.example/"onclick='x'`, html: HOSTILE },
    ];
    for (const path of ['/outbox', '/outbox/job-17']) {
      const { text } = await get(path);
      expect(text).not.toContain('<script');
      expect(text).not.toContain('<img');
      expect(text.replace(/"[^"]*"/g, '')).not.toMatch(/<[^>]*\son\w+=/);
      expect(text).toContain('&lt;script&gt;');
    }
  });

  test('runs nothing and sends nothing [sandbox without allow-scripts; default-src none]', async () => {
    const { headers, text } = await get('/outbox/job-17');
    const [, sandbox = ''] = /sandbox="([^"]*)"/.exec(text) ?? [];
    expect(sandbox.split(' ').sort()).toEqual(['allow-popups', 'allow-popups-to-escape-sandbox']);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("form-action 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/script-src|connect-src|\*/);
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });

  test('has links of the web only [LINK knows http and https]', async () => {
    mails = [{ ...mail, text: 'javascript:alert(1) data:text/html,x http://a.example/' }];
    const { text } = await get('/outbox/job-17');
    expect([...text.matchAll(/href="([^"]+)"/g)].map(([, href]) => href)).toEqual(['../outbox', 'http://a.example/']);
  });
});

describe('a gateway that was deployed without a mail server', () => {
  const deployed = outboxRoutes({ list: async () => [mail], get: async () => mail }, 'https://auth.example');
  const ask = async (url: string, headers: Record<string, string> = {}) =>
    (await deployed.request(url, { headers })).status;

  test('shows its mails to who is on the machine, and to nobody else [isDeployed]', async () => {
    for (const path of ['/outbox', '/outbox/job-17']) {
      expect(await ask(`http://localhost:4000${path}`)).toBe(200);
      expect(await ask(`https://auth.example${path}`)).toBe(421);
      for (const header of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-forwarded-host'])
        expect(await ask(`http://127.0.0.1:4000${path}`, { [header]: '203.0.113.7' })).toBe(421);
    }
  });
});
