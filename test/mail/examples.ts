import fc from 'fast-check';
import type { Brand, MailData, Notice, SmsData } from '../../src/mail/message.ts';

const MINUTE = 60_000;

export const ACME: Brand = { name: 'Acme', color: '#0a7', logoUrl: null, url: 'https://app.acme.example' };

export const LINK = 'https://app.acme.example/verify-email?token=pv_Abc-123_x&from=mail';

const delivered = { code: 'BCDF-GHJK', codeLifetime: 10 * MINUTE, link: LINK, linkLifetime: 24 * 60 * MINUTE };
const typed = { code: 'BCDF-GHJK', codeLifetime: 10 * MINUTE };
const digits = { code: '123456', codeLifetime: 10 * MINUTE };

export const NOTICE: Notice = {
  change: 'EMAIL_ADDED',
  at: '2026-10-14T09:05:59.000Z',
  ipAddress: '203.0.113.7',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0',
  subject: 'ada@analytical.example',
};

/** What each mail may be about. */
export const MAILS: { readonly [K in keyof MailData]: MailData[K] } = {
  VerifyEmail: delivered,
  ConfirmEmail: delivered,
  AccountExists: {},
  EmailInUse: {},
  LoginCode: { ...delivered, afterPassword: false },
  ResetPassword: { ...delivered, linkLifetime: 30 * MINUTE },
  UnknownAccount: {},
  LinkAccountCode: typed,
  ReauthenticationCode: typed,
  SecurityNotice: NOTICE,
  Invitation: { link: LINK, linkLifetime: 7 * 24 * 60 * MINUTE },
  AccountCreated: { link: LINK, linkLifetime: 7 * 24 * 60 * MINUTE },
  Goodbye: {},
};

/** What each text message may be about. */
export const TEXTS: { readonly [K in keyof SmsData]: SmsData[K] } = {
  VerifyPhone: digits,
  LoginCode: digits,
  ResetPassword: digits,
  AccountExists: {},
  UnknownAccount: {},
};

export const CHANGES: readonly Notice['change'][] = [
  'NEW_DEVICE',
  'PASSWORD_SET',
  'PASSWORD_CHANGED',
  'PASSWORD_RESET',
  'ACCOUNT_RECLAIMED',
  'EMAIL_ADDED',
  'EMAIL_REMOVED',
  'PRIMARY_EMAIL_CHANGED',
  'PHONE_CHANGED',
  'PHONE_REMOVED',
  'USERNAME_CHANGED',
  'MFA_ENABLED',
  'MFA_DISABLED',
  'MFA_ATTEMPTS_EXHAUSTED',
  'AUTHENTICATOR_ADDED',
  'AUTHENTICATOR_REMOVED',
  'AUTHENTICATOR_DISABLED',
  'PASSKEY_COPIED',
  'RECOVERY_CODE_USED',
  'RECOVERY_CODES_GENERATED',
  'PROVIDER_CONNECTED',
  'PROVIDER_DISCONNECTED',
];

/** Text of somebody who wants to write more into a mail than a value. */
export const hostileText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...[
          '\r\n',
          '\n\n',
          '\u2028',
          '\u0085',
          '\0',
          '\u202e',
          '\ud800',
          '<b>',
          '</p>',
          '"',
          "'",
          '&lt;',
          ' onclick=',
          '-->',
        ],
        ...[
          'https://evil.example',
          'http://1.2.3.4/',
          '//evil.example',
          'www.evil.example',
          'evil.com',
          'evil。com',
          ':',
          '.',
        ],
        ...[
          '\\\\evil.com\\x',
          'mailto:x@evil.com',
          '@',
          '/',
          'javascript:alert(1)',
          'ftp://',
          '[.]',
          '(',
          ' ',
          'a',
          '1',
        ],
      ),
      fc.string({ maxLength: 8, unit: 'binary' }),
      fc.webUrl(),
      fc.emailAddress(),
      fc.domain(),
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''));

/** What stands between the tags, as it is shown. */
export function shown(html: string): string {
  return decoded(html.replace(/<[^>]*>/g, ' '));
}

function decoded(html: string): string {
  const signs: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' };
  return html.replace(/&(lt|gt|quot|#39|amp);/g, (_entity, name: string) => signs[name] ?? '');
}

/** The targets of all links, in order. */
export function linksIn(html: string): string[] {
  return [...html.matchAll(/<a href="([^"]*)"/g)].map(([, target = '']) => decoded(target));
}

export function linesOf(text: string): string[] {
  return text.split(/\r\n|[\n\r\v\f\u0085\u2028\u2029]/);
}
