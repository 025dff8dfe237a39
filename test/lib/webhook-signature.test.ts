import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { parseRetryAfter } from '../../src/lib/retry-after.ts';
import { parseWebhookSecret, signWebhook } from '../../src/lib/webhook-signature.ts';

const read = (text: string) => {
  const secret = parseWebhookSecret(text);
  if (!secret) throw new Error(`${text} is no secret`);
  return secret;
};

test('a message is signed as the example of the standard', () => {
  const secret = read('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1614265330, body: '{"test": 2432232314}' };
  expect(signWebhook([secret], message)).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});

test('the package of the standard verifies what is signed, with any length of secret and any text', () => {
  for (const length of [24, 32, 47, 64]) {
    const text = `whsec_${randomBytes(length).toString('base64')}`;
    const timestamp = Math.floor(Date.now() / 1_000);
    const message = { id: 'evt_7', timestamp, body: '{"name":"Zoë “Ada” ✓"}' };
    const headers = (secrets: Buffer[]) => ({
      'webhook-id': message.id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signWebhook(secrets, message),
    });
    new Webhook(text).verify(message.body, headers([read(text)]));
    new Webhook(text).verify(message.body, headers([randomBytes(32), read(text)]));
    expect(() => new Webhook(text).verify(message.body, headers([randomBytes(32)]))).toThrow();
    expect(() => new Webhook(text).verify(message.body, { ...headers([read(text)]), 'webhook-id': 'evt_8' })).toThrow();
  }
});

test.each([
  ['', 'nothing'],
  ['whsec_', 'nothing after the prefix'],
  [`whsec_${Buffer.alloc(23, 'k').toString('base64')}`, '23 bytes'],
  [`whsec_${Buffer.alloc(65, 'k').toString('base64')}`, '65 bytes'],
  [Buffer.alloc(32, 'k').toString('base64'), 'no prefix'],
  [`whsec_${Buffer.alloc(32, 'k').toString('hex')}==`, 'what is not quite base64'],
  [`whsec_${Buffer.alloc(32, 'k').toString('base64')} `, 'a blank'],
])('%j is no secret of a webhook: %s', (text) => {
  expect(parseWebhookSecret(text)).toBeNull();
});

test('a server says when it may be asked again in seconds, or by a date', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  expect(parseRetryAfter('120', now)).toBe(120_000);
  expect(parseRetryAfter('Thu, 01 Jan 2026 01:00:00 GMT', now)).toBe(3_600_000);
  expect(parseRetryAfter('Wed, 31 Dec 2025 01:00:00 GMT', now)).toBe(0);
  expect(parseRetryAfter('soon', now)).toBeNull();
  expect(parseRetryAfter(null, now)).toBeNull();
});
