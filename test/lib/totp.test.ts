import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeTotpSecret, matchTotp, totpUri } from '../../src/lib/totp.ts';

/** RFC 6238, appendix B, in base32. */
const RFC_SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const EIGHT = { period: 30, digits: 8 } as const;
const SIX = { period: 30, digits: 6 } as const;
const at = (seconds: number) => new Date(seconds * 1000);

describe('RFC 6238, appendix B', () => {
  test.each([
    [59, '94287082'],
    [1111111109, '07081804'],
    [1111111111, '14050471'],
    [1234567890, '89005924'],
    [2000000000, '69279037'],
    [20000000000, '65353130'],
  ])('at %s the code is %s', (seconds, code) => {
    expect(matchTotp(code, RFC_SECRET, EIGHT, { now: at(seconds), lastStep: null })).toBe(Math.floor(seconds / 30));
    expect(matchTotp(code.slice(2), RFC_SECRET, SIX, { now: at(seconds), lastStep: null })).toBe(
      Math.floor(seconds / 30),
    );
  });
});

describe('a code', () => {
  const [seconds, code] = [1111111111, '050471'];
  const step = Math.floor(seconds / 30);
  const match = (offset: number, lastStep: number | null = null) =>
    matchTotp(code, RFC_SECRET, SIX, { now: at(seconds + offset), lastStep });

  test('does in its own step and in the next, and neither before nor after (M03)', () => {
    const begins = step * 30 - seconds;
    expect(match(begins - 1)).toBeNull();
    expect(match(begins)).toBe(step);
    expect(match(begins + 59)).toBe(step);
    expect(match(begins + 60)).toBeNull();
  });

  test('of a step that was used, or of one before, does not (M04)', () => {
    expect(match(0, step - 1)).toBe(step);
    expect(match(0, step)).toBeNull();
    expect(match(0, step + 5)).toBeNull();
  });

  test('that is none is none, whatever it is (M07)', () => {
    const hostile = [
      '',
      '05047',
      '0504711',
      'abcdef',
      '０５０４７１',
      '٠٥٠٤٧١',
      '+50471',
      '5.0471',
      '1e5',
      ' ',
      '\0',
      '🔑',
      'x'.repeat(10_000),
    ];
    for (const typed of hostile) {
      expect(matchTotp(typed, RFC_SECRET, SIX, { now: at(seconds), lastStep: null }), typed.slice(0, 20)).toBeNull();
    }
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 12 }), (typed) => {
        fc.pre(!/^[0-9 ]*$/.test(typed));
        expect(matchTotp(typed, RFC_SECRET, SIX, { now: at(seconds), lastStep: null })).toBeNull();
      }),
    );
  });

  test('may have blanks in it', () => {
    expect(matchTotp('050 471', RFC_SECRET, SIX, { now: at(seconds), lastStep: null })).toBe(step);
  });
});

test('secrets have 160 bits of base32, and none comes twice (M01)', () => {
  const secrets = Array.from({ length: 1000 }, makeTotpSecret);
  expect(new Set(secrets).size).toBe(1000);
  for (const secret of secrets) expect(secret).toMatch(/^[A-Z2-7]{32}$/);
});

test('an app that reads the URI shows the code that is taken (M02: SHA-1, six digits, thirty seconds)', () => {
  const secret = makeTotpSecret();
  const uri = new URL(totpUri(secret, { issuer: 'Acme', label: 'ada@example.com', ...SIX }));
  expect(uri.pathname).toBe('/Acme:ada%40example.com');
  const read = uri.searchParams.get('secret') ?? '';
  const now = new Date();
  const code = hotp(base32(read), Math.floor(now.getTime() / 30_000));
  expect(matchTotp(code, secret, SIX, { now, lastStep: null })).not.toBeNull();
});

/** RFC 4226 §5.3, from its text. */
function hotp(key: Buffer, counter: number): string {
  const moving = Buffer.alloc(8);
  moving.writeBigUInt64BE(BigInt(counter));
  const mac = createHmac('sha1', key).update(moving).digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

function base32(text: string): Buffer {
  const bits = [...text].map((letter) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'),
  );
  return Buffer.from((bits.join('').match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
