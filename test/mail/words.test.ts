import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cut, deviceName, instantInWords, inWords, networkAddress, oneLine } from '../../src/mail/words.ts';

test.each([
  [1_000, '1 second'],
  [90_000, '90 seconds'],
  [60_000, '1 minute'],
  [10 * 60_000, '10 minutes'],
  [30 * 60_000, '30 minutes'],
  [90 * 60_000, '90 minutes'],
  [3_661_000, '61 minutes'],
  [3_600_000, '1 hour'],
  [86_400_000, '24 hours'],
  [129_600_000, '36 hours'],
  [7 * 86_400_000, '7 days'],
])('%d milliseconds are %s', (milliseconds, words) => {
  expect(inWords(milliseconds)).toBe(words);
});

test('a lifetime in words is never longer than it is', () => {
  const units = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };
  fc.assert(
    fc.property(fc.integer({ min: 1_000, max: 90 * 86_400_000 }), (milliseconds) => {
      const [, amount = '', unit = ''] = /^(\d+) (second|minute|hour|day)s?$/.exec(inWords(milliseconds)) ?? [];
      const said = Number(amount) * units[unit as keyof typeof units];
      expect(said).toBeGreaterThan(0);
      expect(said).toBeLessThanOrEqual(milliseconds);
    }),
  );
});

test('an instant is read in UTC, wherever the gateway runs', () => {
  expect(instantInWords('2026-10-14T09:05:59.000Z')).toBe('14 October 2026, 09:05 UTC');
  expect(instantInWords('2026-12-31T23:59:59.999Z')).toBe('31 December 2026, 23:59 UTC');
  expect(instantInWords('2027-01-01T00:30:00+02:00')).toBe('31 December 2026, 22:30 UTC');
});

describe('a device', () => {
  test('is called what it calls itself', () => {
    const firefox = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0';
    expect(deviceName(firefox)).toBe(firefox);
    expect(deviceName('Acme/1.2 (iPhone)')).toBe('Acme/1.2 (iPhone)');
  });

  test('is unknown if it says nothing', () => {
    for (const nothing of [null, '', ' ', '\r\n', '<>']) expect(deviceName(nothing)).toBe('unknown');
  });

  test('says no address', () => {
    expect(deviceName('Bot/2.1; +https://evil.example/a.b')).toBe('Bot/2.1; https /evil example/a b');
    expect(deviceName('a@evil.example www.evil.example')).toBe('a evil example www evil example');
  });
});

test('a network address that is none is not shown', () => {
  for (const address of ['203.0.113.7', '2001:db8::1']) expect(networkAddress(address)).toBe(address);
  for (const none of [null, '', 'evil.com', 'fe80::1%evil.com', '1.2.3.4\n'])
    expect(networkAddress(none)).toBe('unknown');
});

test('one line has no breaks, no control characters and nothing that turns the direction of writing', () => {
  expect(oneLine(' a\r\nb\u2028c\0d\u202ee\u200bf\ud800g\u0085h\t\ti ')).toBe('a b c d e f g h i');
});

test('a cut text is well formed, and as long as it may be', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), fc.integer({ min: 1, max: 20 }), (text, length) => {
      expect([...cut(text, length)].length).toBeLessThanOrEqual(length);
      expect(cut(text, length).isWellFormed()).toBe(true);
      if ([...text].length <= length) expect(cut(text, length)).toBe(text);
    }),
  );
});
