import { describe, expect, test } from 'vitest';
import type { AuthEvent } from '../../src/events.ts';
import type { Notice } from '../../src/mail/message.ts';
import { renderMail } from '../../src/mail/messages.ts';
import { noticesOf } from '../../src/mail/security-notices.ts';
import { ACME, CHANGES, NOTICE, shown } from './examples.ts';

const source = { at: new Date('2026-10-14T09:05:59Z'), ipAddress: '203.0.113.7', userAgent: 'Firefox/130.0' };
const userId = 'ada';
const [OLD, NEW, PHONE] = ['old@ada.example', 'new@ada.example', '+493012345678'];

const about = (change: Notice['change'], subject?: string): Notice => ({
  change,
  at: '2026-10-14T09:05:59.000Z',
  ipAddress: '203.0.113.7',
  userAgent: 'Firefox/130.0',
  ...(subject === undefined ? {} : { subject }),
});

const [TOTP, PASSKEY] = [
  { userId, authenticatorId: 'f', factor: 'TOTP', name: null },
  { userId, authenticatorId: 'f', factor: 'PASSKEY', name: 'Phone' },
] as const;
const [AN_APP, A_PASSKEY] = ['an authenticator app', 'a passkey, “Phone”'];

const connected = { userId, connectionId: 'c', provider: 'acme', providerName: 'Acme', displayName: 'Ada' } as const;
const login = { kind: 'LoggedIn', userId, sessionId: 's', methods: [] } as const;

const NOTICED: readonly (readonly [AuthEvent, Notice])[] = [
  [{ ...login, newDevice: true }, about('NEW_DEVICE')],
  [{ kind: 'PasswordChanged', userId, first: false }, about('PASSWORD_CHANGED')],
  [{ kind: 'PasswordChanged', userId, first: true }, about('PASSWORD_SET')],
  [{ kind: 'PasswordReset', userId }, about('PASSWORD_RESET')],
  [{ kind: 'AccountReclaimed', userId }, about('ACCOUNT_RECLAIMED')],
  [{ kind: 'EmailAdded', userId, address: NEW }, about('EMAIL_ADDED', NEW)],
  [{ kind: 'EmailRemoved', userId, address: OLD }, about('EMAIL_REMOVED', OLD)],
  [{ kind: 'PrimaryEmailChanged', userId, from: OLD, to: NEW }, about('PRIMARY_EMAIL_CHANGED', NEW)],
  [{ kind: 'PhoneChanged', userId, number: PHONE }, about('PHONE_CHANGED', PHONE)],
  [{ kind: 'PhoneRemoved', userId, number: PHONE }, about('PHONE_REMOVED', PHONE)],
  [{ kind: 'UsernameChanged', userId, username: 'countess' }, about('USERNAME_CHANGED', 'countess')],
  [{ kind: 'UsernameChanged', userId, username: null }, about('USERNAME_CHANGED')],
  [{ kind: 'AuthenticatorAdded', ...TOTP, first: true, signingUp: false }, about('MFA_ENABLED', AN_APP)],
  [{ kind: 'AuthenticatorAdded', ...PASSKEY, first: false, signingUp: false }, about('AUTHENTICATOR_ADDED', A_PASSKEY)],
  [{ kind: 'AuthenticatorRemoved', ...PASSKEY, last: false }, about('AUTHENTICATOR_REMOVED', A_PASSKEY)],
  [{ kind: 'AuthenticatorRemoved', ...TOTP, last: true }, about('MFA_DISABLED', AN_APP)],
  [
    { kind: 'AuthenticatorDisabled', userId, authenticatorId: 'f', factor: 'TOTP' },
    about('AUTHENTICATOR_DISABLED', AN_APP),
  ],
  [{ kind: 'MfaAttemptsExhausted', userId }, about('MFA_ATTEMPTS_EXHAUSTED')],
  [{ kind: 'PasskeyCounterRegressed', userId, authenticatorId: 'f' }, about('PASSKEY_COPIED')],
  [{ kind: 'RecoveryCodeUsed', userId, unused: 3 }, about('RECOVERY_CODE_USED', '3')],
  [{ kind: 'PasswordChangeDemanded', userId, by: null }, about('PASSWORD_CHANGE_DEMANDED')],
  [{ kind: 'FactorsReset', userId, by: null, factors: ['TOTP'] }, about('FACTORS_RESET', AN_APP)],
  [{ kind: 'RecoveryCodesGenerated', userId }, about('RECOVERY_CODES_GENERATED')],
  [{ kind: 'ProviderConnected', ...connected, signingUp: false }, about('PROVIDER_CONNECTED', 'Ada (Acme)')],
  [{ kind: 'ProviderDisconnected', ...connected }, about('PROVIDER_DISCONNECTED', 'Ada (Acme)')],
];

describe('a change of an account', () => {
  test.each(NOTICED.map(([event, data]) => [event.kind, event, data] as const))(
    '%s is told to the primary address, with time, place and what it is about',
    (_kind, event, data) => {
      expect(noticesOf(event, source)[0]).toEqual({ mail: 'SecurityNotice', to: { userId }, data });
    },
  );

  test('is told to the address that was removed, too', () => {
    const notices = noticesOf({ kind: 'EmailRemoved', userId, address: OLD }, source);
    expect(notices.map(({ to }) => to)).toEqual([{ userId }, { email: OLD }]);
    expect(notices[1]?.data).toEqual(notices[0]?.data);
  });

  test('is told to the address that was the primary one, too', () => {
    const notices = noticesOf({ kind: 'PrimaryEmailChanged', userId, from: OLD, to: NEW }, source);
    expect(notices.map(({ to }) => to)).toEqual([{ userId }, { email: OLD }]);
  });

  test('is told once where there is no other address', () => {
    for (const from of [null, NEW])
      expect(noticesOf({ kind: 'PrimaryEmailChanged', userId, from, to: NEW }, source)).toHaveLength(1);
    const others = NOTICED.filter(([{ kind }]) => kind !== 'EmailRemoved' && kind !== 'PrimaryEmailChanged');
    for (const [event] of others) expect(noticesOf(event, source)).toHaveLength(1);
  });

  test.each<AuthEvent>([
    { ...login, newDevice: false },
    { kind: 'SignedUp', userId },
    { kind: 'SignUpRepeated', userId },
    { kind: 'LoginFailed', userId, method: 'PASSWORD' },
    { kind: 'LoginFailed', userId: null, method: 'CODE' },
    { kind: 'SessionEnded', userId, sessionId: 's', reason: 'LOGGED_OUT' },
    { kind: 'Reauthenticated', userId, sessionId: 's', method: 'PASSWORD' },
    { kind: 'EmailVerified', userId, address: NEW },
    { kind: 'ProfileUpdated', userId },
    { kind: 'AccountDeleted', userId },
    { kind: 'AuthenticatorAdded', ...PASSKEY, first: true, signingUp: true },
    { kind: 'MfaEnabled', userId },
    { kind: 'MfaDisabled', userId },
    { kind: 'SecondFactorUsed', userId, authenticatorId: 'f', factor: 'TOTP' },
    { kind: 'DeviceTrusted', userId },
    { kind: 'TrustedDevicesForgotten', userId, count: 2 },
    { kind: 'ProviderConnected', ...connected, signingUp: true },
    { kind: 'MessageNotDelivered', userId, message: 'SecurityNotice' },
  ])('is not what $kind is', (event) => {
    expect(noticesOf(event, source)).toEqual([]);
  });
});

describe.each(CHANGES)('the notice of %s', (change) => {
  const mail = renderMail({ mail: 'SecurityNotice', data: { ...NOTICE, change } }, ACME);

  test('says when, from where and with what, as text and as HTML', () => {
    expect(mail.text).toContain('When: 14 October 2026, 09:05 UTC\n');
    expect(mail.text).toContain('From the network address: 203.0.113.7\n');
    expect(mail.text).toContain('Firefox/130.0\n');
    for (const value of ['14 October 2026, 09:05 UTC', '203.0.113.7', 'Firefox/130.0'])
      expect(shown(mail.html)).toContain(value);
  });

  test('shows the way out', () => {
    for (const body of [mail.text, shown(mail.html)]) {
      expect(body).toContain('reset your password at once');
      expect(body).toContain('contact the support of Acme');
    }
    expect(mail.text).toContain('Reset your password at Acme:\nhttps://app.acme.example\n');
  });

  test('says so when place and device are not known', () => {
    const data = { change, at: NOTICE.at, ipAddress: null, userAgent: null };
    const { text } = renderMail({ mail: 'SecurityNotice', data }, ACME);
    expect(text.match(/: unknown$/gm)).toHaveLength(2);
    expect(text).not.toMatch(/null|undefined/);
  });
});

test('each change has a subject and a sentence of its own', () => {
  const all = CHANGES.map((change) => renderMail({ mail: 'SecurityNotice', data: { ...NOTICE, change } }, ACME));
  expect(new Set(all.map(({ subject }) => subject)).size).toBe(CHANGES.length);
  expect(new Set(all.map(({ text }) => text.split('\n\n')[1])).size).toBe(CHANGES.length);
});

test.each([
  'EMAIL_ADDED',
  'EMAIL_REMOVED',
  'PRIMARY_EMAIL_CHANGED',
  'PHONE_CHANGED',
  'PHONE_REMOVED',
  'USERNAME_CHANGED',
  'MFA_ENABLED',
  'MFA_DISABLED',
  'AUTHENTICATOR_ADDED',
  'AUTHENTICATOR_REMOVED',
  'AUTHENTICATOR_DISABLED',
] as const)('the notice of %s names what it is about', (change) => {
  const { text, html } = renderMail({ mail: 'SecurityNotice', data: { ...NOTICE, change } }, ACME);
  for (const body of [text, shown(html)]) expect(body).toContain('ada@analytical.example');
});

test('a mail about a mailbox that was proven for the first time says what was removed', () => {
  const { text } = renderMail({ mail: 'SecurityNotice', data: about('ACCOUNT_RECLAIMED') }, ACME);
  expect(text).toContain('for the first time');
  expect(text).toContain('its password, its sessions and its other ways to log in');
});

test.each([
  ['0', 'none is left. Make new ones'],
  ['1', 'one is left. Make new ones'],
  ['3', '3 are left. Make new ones'],
  ['4', '4 are left.\n'],
])('a mail about a recovery code that leaves %s says so', (unused, sentence) => {
  const { text } = renderMail({ mail: 'SecurityNotice', data: about('RECOVERY_CODE_USED', unused) }, ACME);
  expect(text).toContain(sentence);
});
