import { expect, test } from 'vitest';
import type { SigningKey } from '../../src/records/signing-keys.ts';
import { check, examined } from '../support/doctor.ts';

const DAY_MS = 86_400_000;
const keyOfDay = (days: number): SigningKey => {
  const signsAt = new Date(Date.now() + days * DAY_MS);
  return {
    kid: `of day ${days}`,
    algorithm: 'ES256',
    publicJwk: {},
    sealedPrivateJwk: '',
    createdAt: signsAt,
    signsAt,
  };
};

check('signing-keys', {
  ok: { database: { signingKeys: [keyOfDay(-80)] } },
  warning: { env: { POSTERN_SIGNING_KEY_LIFETIME: '500d' }, database: { signingKeys: [keyOfDay(-1)] } },
  failed: { database: { signingKeys: [keyOfDay(-200), keyOfDay(-91)] } },
  skipped: {},
});

test('the next key, which does not sign yet, is told of', async () => {
  const { verdict, reason } = await examined('signing-keys', {
    database: { signingKeys: [keyOfDay(-90), keyOfDay(0.001)] },
  });
  expect([verdict, reason]).toEqual(['ok', expect.stringContaining('of day 0.001, signs from')]);
});
