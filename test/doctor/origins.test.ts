import { expect, test } from 'vitest';
import { check, examined } from '../support/doctor.ts';

check('https', { ok: {}, failed: { env: { POSTERN_FRONTEND_URL: 'http://localhost:3000' } } });
check('origins', {
  ok: { env: { POSTERN_ALLOWED_ORIGINS: 'https://shop.example.com' } },
  warning: { env: { POSTERN_ALLOWED_ORIGINS: 'capacitor://localhost' } },
  failed: { env: { POSTERN_ALLOWED_ORIGINS: 'http://shop.example.com' } },
});
check('redirects', {
  ok: { env: { POSTERN_REDIRECT_URLS: 'https://shop.example.com/welcome,com.example.app:/welcome' } },
  warning: { env: { POSTERN_REDIRECT_URLS: 'https://shop.example.com/*' } },
  failed: { env: { POSTERN_REDIRECT_URLS: 'http://localhost:3000/*' } },
});

test.each([
  ['POSTERN_PUBLIC_URL', 'http://auth.example.com'],
  ['POSTERN_FRONTEND_URL', 'http://app.example.com'],
  ['POSTERN_URL_RESET_PASSWORD', 'http://127.0.0.1/reset?t={token}'],
  ['POSTERN_MAIL_LOGO_URL', 'http://app.example.com/logo.png'],
])('%s=%s is not https', async (name, value) => {
  expect(await examined('https', { env: { [name]: value } })).toMatchObject({
    verdict: 'failed',
    mend: expect.stringContaining(name),
  });
});

test('a link into an app is nobody’s to read', async () => {
  const env = { POSTERN_URL_LOG_IN: 'myapp://log-in/{token}' };
  expect(await examined('https', { env })).toMatchObject({ verdict: 'ok' });
});

test.each(['*', 'https://*.example.com', 'null', 'http://localhost:3000', 'https://127.0.0.1'])(
  'the origin %s lets in more than the app',
  async (origin) => {
    const finding = await examined('origins', { env: { POSTERN_ALLOWED_ORIGINS: origin } });
    expect(finding).toMatchObject({ verdict: 'failed', mend: 'POSTERN_ALLOWED_ORIGINS' });
  },
);

test.each(['http://shop.example.com/welcome', 'https://*/welcome', 'http://127.0.0.1:3000/welcome', '*'])(
  'a login may not come back to %s',
  async (url) => {
    expect(await examined('redirects', { env: { POSTERN_REDIRECT_URLS: url } })).toMatchObject({ verdict: 'failed' });
  },
);
