import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { deriveKeys } from '../../src/lib/cipher.ts';
import { estimateBits } from '../../src/lib/secret-strength.ts';
import { check, examined, newSecret, PEPPER_ID, SECRET, SECRET_ID } from '../support/doctor.ts';

check('secret-strength', {
  ok: { env: { POSTERN_SERVICES: `orders:${SECRET}` } },
  warning: { env: { POSTERN_SECRET: '5f1c0e9ab37d2846d9e07a4b86f3c215' } },
  failed: { env: { POSTERN_SECRET: 'k3TQ0nYw5m1zVb8uRf2sXc7dJh4gLp9aEi6o' } },
});
check('secret-places', {
  ok: { environmentFile: { names: ['POSTERN_PUBLIC_URL'], mode: 0o644 } },
  warning: { environmentFile: { names: ['POSTERN_SECRET'], mode: 0o600 } },
  failed: { environmentFile: { names: ['DATABASE_URL'], mode: 0o640 } },
});
check('secret-opens', {
  ok: {},
  failed: { database: { keyUses: [{ what: 'authenticator apps', keyId: '00000000', count: 2 }] } },
});
check('secret-backup', { ok: { backedUp: SECRET_ID }, warning: {} });

test.each([
  ['another of the list', { POSTERN_SECRET: `${SECRET},${'a1'.repeat(20)}` }],
  ['none at all', { POSTERN_SECRET: '' }],
  ['one that is too short', { POSTERN_SECRET: SECRET.slice(0, 20) }],
  ['that of a service', { POSTERN_SERVICES: `orders:${'abcdefgh'.repeat(4)}` }],
  ['the password of the database', { DATABASE_URL: 'postgresql://postern:postern@db.example.com/postern' }],
])('a weak secret is told: %s', async (_what, env) => {
  expect(await examined('secret-strength', { env })).toMatchObject({ verdict: 'failed' });
});

test('the secret of a development machine is no secret of production', async () => {
  const finding = await examined('secret-places', { env: { POSTERN_SECRET: '' } });
  expect(finding).toMatchObject({ verdict: 'failed', mend: 'POSTERN_SECRET' });
});

test('every secret that this repository writes down is known', async () => {
  const written = execFileSync('git', ['grep', '-hE', 'POSTERN_SECRET\\W+.{32}'], { encoding: 'utf8' });
  const values = [...written.matchAll(/POSTERN_SECRET['"]?(?:=|: ?)['"]?([^'"`\n$]{32,})/g)].map(
    ([, value = '']) => value,
  );
  values.push(
    ...[...readFileSync('test/support/gateway.ts', 'utf8').matchAll(/POSTERN_SECRET: '([^']+)'/g)].map(
      (m) => m[1] ?? '',
    ),
  );
  expect(values.length).toBeGreaterThan(1);
  for (const POSTERN_SECRET of values) {
    const { verdict } = await examined('secret-strength', { env: { POSTERN_SECRET } });
    expect([POSTERN_SECRET, verdict]).not.toEqual([POSTERN_SECRET, 'ok']);
  }
});

test('a secret that is still needed may not be dropped, and one that is not may', async () => {
  const before = newSecret();
  const [seal, pepper] = ['seal', 'password pepper'].map((purpose) => deriveKeys([before], purpose)[0]?.id ?? '');
  const current = { what: 'signing keys', keyId: SECRET_ID, count: 1 } as const;
  const older = { what: 'passwords', keyId: pepper ?? '', count: 7 } as const;
  const verdictOf = async (secrets: readonly string[], ...keyUses: (typeof current | typeof older)[]) =>
    (await examined('secret-opens', { env: { POSTERN_SECRET: secrets.join(',') }, database: { keyUses } })).verdict;
  expect(await verdictOf([SECRET, before], current, older)).toBe('ok');
  expect(await verdictOf([SECRET], current, older)).toBe('failed');
  expect(await verdictOf([SECRET, before], current, { ...older, keyId: PEPPER_ID })).toBe('warning');
  expect(await verdictOf([before], { ...current, keyId: seal ?? '' } as typeof current)).toBe('ok');
});

test('what was said of a copy of one secret says nothing of the next (a flag that stays would)', async () => {
  const env = { POSTERN_SECRET: `${newSecret()},${SECRET}` };
  expect(await examined('secret-backup', { env, backedUp: SECRET_ID })).toMatchObject({ verdict: 'warning' });
});

test('random secrets are strong, however they are written', () => {
  for (let n = 0; n < 200; n += 1) {
    const bytes = randomBytes(32);
    for (const encoding of ['base64url', 'base64', 'hex'] as const)
      expect(estimateBits(bytes.toString(encoding))).toBeGreaterThanOrEqual(128);
    expect(estimateBits(randomBytes(16).toString('hex'))).toBeGreaterThanOrEqual(64);
  }
});

test.each([
  'a'.repeat(64),
  'abcdefghijklmnopqrstuvwxyz0123456789',
  '0123456789'.repeat(4),
  'postern'.repeat(6),
  'correct horse battery',
  'aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccdddddddd',
])('%s is weak', (secret) => {
  expect(estimateBits(secret)).toBeLessThan(64);
});
