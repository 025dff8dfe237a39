import type { RedirectRule } from '../../lib/redirect-url.ts';
import { appOriginOf, originOf } from '../../lib/setting.ts';
import { type Check, failed, ok, type Result, warning, worst } from '../check.ts';

export const https: Check = {
  title: 'everything that people are sent to is https',
  settings: [
    'POSTERN_PUBLIC_URL',
    'POSTERN_FRONTEND_URL',
    'POSTERN_URL_VERIFY_EMAIL',
    'POSTERN_URL_RESET_PASSWORD',
    'POSTERN_URL_LOG_IN',
    'POSTERN_URL_CONFIRM_EMAIL_CHANGE',
    'POSTERN_MAIL_LOGO_URL',
    'POSTERN_PASSKEY_ORIGINS',
  ],
  run({ config: { publicUrl, frontendUrl, links, mail, passkeys } }) {
    const urls: readonly (readonly [name: string, url: string])[] = [
      ['POSTERN_PUBLIC_URL', publicUrl],
      ['POSTERN_FRONTEND_URL', frontendUrl],
      ['POSTERN_URL_VERIFY_EMAIL', links.verifyEmail],
      ['POSTERN_URL_RESET_PASSWORD', links.resetPassword],
      ['POSTERN_URL_LOG_IN', links.logIn],
      ['POSTERN_URL_CONFIRM_EMAIL_CHANGE', links.confirmEmailChange],
      ['POSTERN_MAIL_LOGO_URL', mail.logoUrl ?? ''],
      ...passkeys.origins.map((origin) => ['POSTERN_PASSKEY_ORIGINS', origin] as const),
    ];
    const plain = urls.filter(([, url]) => /^http:/i.test(url));
    return plain.length > 0
      ? worst(plain.map(([name]) => failed(`${name} is not https`, name)))
      : ok('the public URL, the frontend, the links of mails and the pages of passkeys are');
  },
};

export const origins: Check = {
  title: 'only pages of the app may call with the cookies of people (CSRF)',
  settings: ['POSTERN_ALLOWED_ORIGINS'],
  run({ config: { allowedOrigins } }) {
    return worst(allowedOrigins.map(judgeOrigin));
  },
};

function judgeOrigin(origin: string): Result {
  const mend = 'POSTERN_ALLOWED_ORIGINS';
  if (origin.includes('*')) return failed(`${origin} means nobody: origins are compared as they are`, mend);
  if (isOwnMachine(origin))
    return failed(`${origin} is whatever runs on the machine of whoever calls, not a page of yours`, mend);
  if (originOf(origin)?.startsWith('http:'))
    return failed(`pages of ${origin} can be written by anybody on the way`, mend);
  if (appOriginOf(origin) && !originOf(origin))
    return warning(`${origin} is an app: any app or extension may call itself that`, mend);
  return ok('the origins that may call are exact, and https');
}

export const redirects: Check = {
  title: 'a login at a provider comes back to exact pages, over https',
  settings: ['POSTERN_REDIRECT_URLS'],
  run({ config: { social, frontendUrl } }) {
    if (social.redirects.length === 0) return ok('there is nowhere to come back to');
    return worst(social.redirects.map((rule) => judgeRedirect(rule, new URL(frontendUrl).origin)));
  },
};

function judgeRedirect(rule: RedirectRule, frontend: string): Result {
  const mend = 'POSTERN_REDIRECT_URLS';
  const url = rule.kind === 'exact' ? rule.url : rule.origin;
  if (isOwnMachine(url)) return failed(`${url} is on the machine of whoever logs in`, mend);
  if (/^http:/i.test(url)) return failed(`what comes back to ${url} can be read on the way`, mend);
  if (rule.kind === 'origin' && rule.origin !== frontend)
    return warning(`every page of ${url} may be come back to: one that sends on is enough to lose a login`, mend);
  return ok('they are pages of the frontend, or exact');
}

/** Of the web: an app in a web view may well call itself `localhost`. */
function isOwnMachine(url: string): boolean {
  return /^https?:\/\/(?:localhost|[^/:]+\.localhost|127(?:\.\d+){3}|\[::1\])(?:[:/?#]|$)/i.test(url);
}
