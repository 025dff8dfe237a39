import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createContext, runInContext } from 'node:vm';
import { getRequestListener } from '@hono/node-server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { linkPages } from '../../src/http/pages.ts';

const PATHS = ['/', '/verify-email', '/confirm-email', '/reset-password', '/accept-invitation', '/log-in'];
const TOKEN = 'SENTINEL-TOKEN';

let server: Server;
let origin: string;
beforeAll(async () => {
  const listener = getRequestListener(linkPages({ product: 'Acme', color: '#1d4ed8' }).fetch);
  server = createServer((request, response) => {
    // As every answer of the gateway begins.
    response.setHeader('Content-Security-Policy', "default-src 'none'");
    response.setHeader('Referrer-Policy', 'no-referrer');
    void listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const get = async (path: string) => {
  const response = await fetch(origin + path);
  return { status: response.status, headers: response.headers, text: await response.text() };
};

interface Sent {
  readonly url: string;
  readonly init: { readonly method: string; readonly headers: Record<string, string>; readonly body: string };
}

/** A page, opened: its script runs on as much of a browser as it knows. */
async function open(path: string, answer: unknown, search = `?token=${TOKEN}`) {
  const { text } = await get(path + search);
  const [, script = ''] = /<script>([\s\S]*)<\/script>/.exec(text) ?? [];
  const [, page = ''] = /data-page="([^"]*)"/.exec(text) ?? [];
  const listeners: ((event: object) => Promise<void>)[] = [];
  const element = () => ({
    textContent: '',
    hidden: false,
    disabled: false,
    value: '',
    focus: () => undefined,
    setAttribute: () => undefined,
    addEventListener: (): void => undefined,
  });
  const elements: Record<string, ReturnType<typeof element> | null> = {
    button: element(),
    outcome: element(),
    help: { ...element(), hidden: true },
    'new-password': text.includes('id="new-password"') ? element() : null,
    'second-factor': text.includes('id="second-factor"') ? { ...element(), hidden: true } : null,
    code: text.includes('id="code"') ? element() : null,
    passkey: text.includes('id="passkey"') ? { ...element(), hidden: true } : null,
  };
  const form = { ...element(), addEventListener: (_: string, heard: (typeof listeners)[0]) => listeners.push(heard) };
  const history: unknown[][] = [];
  const sent: Sent[] = [];
  runInContext(
    script,
    createContext({
      document: {
        querySelector: () => ({ dataset: { page } }),
        getElementById: (id: string) => (id === 'form' ? form : elements[id]),
      },
      location: { search, pathname: path },
      history: { replaceState: (...given: unknown[]) => history.push(given) },
      URLSearchParams,
      fetch: async (url: string, init: Sent['init']) => {
        sent.push({ url, init });
        if (answer instanceof Error) throw answer;
        return { json: async () => (Array.isArray(answer) ? answer[sent.length - 1] : answer) };
      },
    }),
  );
  return {
    sent,
    history,
    form,
    button: elements.button,
    help: elements.help,
    password: elements['new-password'],
    secondFactor: elements['second-factor'],
    code: elements.code,
    passkey: elements.passkey,
    says: () => elements.outcome?.textContent ?? '',
    press: () => listeners[0]?.({ preventDefault: () => undefined }),
  };
}
const result = (value: object) => ({ data: { result: value } });

describe.each(PATHS)('%s', (path) => {
  test('is a page with a title, a heading and one button', async () => {
    const { status, headers, text } = await get(`${path}?token=${TOKEN}`);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^text\/html; charset=utf-8$/i);
    expect(text).toContain('<html lang="en">');
    const [, title] = /<title>(.+) – Acme<\/title>/.exec(text) ?? [];
    expect(text).toContain(`<p class="product">Acme</p>\n<h1>${title}</h1>`);
    expect(text.match(/<button(?![^>]*hidden)/g)).toHaveLength(1);
    for (const [, id] of text.matchAll(/<input id="([^"]+)"/g)) expect(text).toContain(`<label for="${id}">`);
  });

  test('does nothing by being opened [only a press sends the mutation]', async () => {
    const { sent, press } = await open(path, result({ __typename: 'InvalidToken', message: 'Too old.' }));
    expect(sent).toEqual([]);
    await press();
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ url: 'graphql', init: { method: 'POST' } });
    expect(sent[0]?.init.headers['content-type']).toBe('application/json');
    expect(JSON.parse(sent[0]?.init.body ?? '').variables.token).toBe(TOKEN);
  });

  test('holds no token, and the address bar neither [the script reads it; history.replaceState]', async () => {
    const hostile = encodeURIComponent('</script><script>alert(1)</script>');
    const { text } = await get(`${path}?token=${TOKEN}${hostile}`);
    expect(text).not.toContain('SENTINEL');
    expect(text).toBe((await get(path)).text);
    const { history } = await open(path, result({}));
    expect(history).toEqual([[null, '', path]]);
  });

  test('may run its own script and style, and ask its own origin, only [Content-Security-Policy]', async () => {
    const { headers, text } = await get(`${path}?token=${TOKEN}`);
    const digest = (tag: string) => {
      const [, body = ''] = new RegExp(`<${tag}>([\\s\\S]*)</${tag}>`).exec(text) ?? [];
      return `'sha256-${createHash('sha256').update(body).digest('base64')}'`;
    };
    expect(headers.get('content-security-policy')).toBe(
      `default-src 'none'; script-src ${digest('script')}; style-src ${digest('style')}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    expect(text).not.toMatch(/\son\w+="|style="|javascript:|https?:\/\//);
    expect(headers.get('referrer-policy')).toBe('same-origin');
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('asks for the whole link when the token is missing', async () => {
    const { says, form } = await open(path, result({}), '');
    expect(says()).toContain('Open that link once more');
    expect(form.hidden).toBe(true);
  });

  test('says what stands in the way, and can be tried again', async () => {
    const problem = await open(path, result({ __typename: 'RateLimited', message: 'Too many tries.' }));
    await problem.press();
    expect(problem.says()).toBe('Too many tries.');
    expect(problem.form.hidden).toBe(false);
    expect(problem.button?.disabled).toBe(false);
    const faulty = await open(path, { errors: [{ message: 'Something went wrong on our side.' }] });
    await faulty.press();
    expect(faulty.says()).toBe('Something went wrong on our side.');
    const offline = await open(path, new TypeError('failed to fetch'));
    await offline.press();
    expect(offline.says()).toContain('could not be sent');
  });
});

describe('the outcome', () => {
  test.each(['/verify-email', '/confirm-email'])('of %s names the address', async (path) => {
    const { sent, press, says, form } = await open(
      path,
      result({ __typename: 'EmailVerified', email: 'ada@example.com' }),
    );
    await press();
    expect(says()).toContain('ada@example.com is verified');
    expect(form.hidden).toBe(true);
    expect(JSON.parse(sent[0]?.init.body ?? '')).toEqual({
      query: expect.stringContaining('verifyEmail(input: { proof: { token: $token } })'),
      variables: { token: TOKEN },
    });
  });

  test.each(['/verify-email', '/confirm-email', '/reset-password', '/log-in'])(
    'of %s with a link that is too old says what to do',
    async (path) => {
      const { press, says, form, help } = await open(path, result({ __typename: 'InvalidToken', message: 'Too old.' }));
      expect(help?.hidden).toBe(true);
      await press();
      expect([says(), form.hidden, help?.hidden]).toEqual(['Too old.', true, false]);
      expect((await get(path)).text).toMatch(/<p id="help" hidden>.+<\/p>/);
    },
  );

  test('of /reset-password tells that sessions ended, and why a password was refused', async () => {
    const refused = await open(
      '/reset-password',
      result({
        __typename: 'PasswordRejected',
        message: 'Please choose another password.',
        reasons: ['TOO_SHORT', 'OF_THE_FUTURE'],
      }),
    );
    if (refused.password) refused.password.value = 'new password';
    await refused.press();
    expect(refused.says()).toContain('Please choose another password. It is too short.');
    expect(refused.form.hidden).toBe(false);
    expect(JSON.parse(refused.sent[0]?.init.body ?? '').variables).toEqual({
      token: TOKEN,
      newPassword: 'new password',
    });
    for (const [sessionsEnded, words] of [
      [0, 'Your password is changed. '],
      [1, 'in one place'],
      [3, 'in 3 places'],
    ] as const) {
      const done = await open('/reset-password', result({ __typename: 'PasswordWasReset', sessionsEnded }));
      await done.press();
      expect(done.says()).toContain(words);
    }
    // Where the gateway logs in after a reset.
    const more = await open('/reset-password', result({ __typename: 'LoggedIn' }));
    await more.press();
    expect(more.says()).toContain('Your password is changed.');
  });

  test('of /accept-invitation greets, or says that there is an account', async () => {
    const done = await open('/accept-invitation', result({ __typename: 'LoggedIn', user: { displayName: 'Ada' } }));
    if (done.password) done.password.value = 'new password';
    await done.press();
    expect(JSON.parse(done.sent[0]?.init.body ?? '').variables).toEqual({ token: TOKEN, newPassword: 'new password' });
    expect(done.says()).toContain('Your account is made, and you are logged in as Ada.');
    const asked = await open('/accept-invitation', result({ __typename: 'MfaEnrollmentRequired', loginToken: 'x' }));
    await asked.press();
    expect(asked.says()).toContain('Your account is made.');
  });

  test('of /log-in greets, or points to where the login goes on', async () => {
    const done = await open('/log-in', result({ __typename: 'LoggedIn', user: { displayName: '<b>Ada</b>' } }));
    await done.press();
    expect(done.says()).toBe('You are logged in as <b>Ada</b>.');
    const pending = await open('/log-in', result({ __typename: 'PasswordChangeRequired', loginToken: 'x' }));
    await pending.press();
    expect(pending.says()).toContain('one more step');
  });

  test.each([
    ['123 456', { totp: '123 456' }],
    ['ABCD-EFGH-JKMN-PQRS', { recoveryCode: 'ABCD-EFGH-JKMN-PQRS' }],
  ])('of /log-in asks for a second factor where there is one, such as %s', async (typed, proof) => {
    const page = await open('/log-in', [
      result({ __typename: 'MfaRequired', loginToken: 'pl_x', factors: ['TOTP', 'RECOVERY_CODE'] }),
      result({ __typename: 'InvalidCode', message: 'This code is not right.' }),
      result({ __typename: 'LoggedIn', user: { displayName: 'Ada' } }),
    ]);
    expect(page.secondFactor?.hidden).toBe(true);
    await page.press();
    expect([page.secondFactor?.hidden, page.passkey?.hidden, page.form.hidden]).toEqual([false, true, false]);
    if (page.code) page.code.value = typed;
    await page.press();
    expect(page.says()).toBe('This code is not right.');
    await page.press();
    expect(page.says()).toBe('You are logged in as Ada.');
    const [, , last] = page.sent.map(({ init }) => JSON.parse(init.body));
    expect(last.variables).toEqual({ loginToken: 'pl_x', proof });
  });
});
