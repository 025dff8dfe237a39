import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseUsername } from '../../src/lib/username.ts';

const alphanumeric = fc.constantFrom(...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789');
const word = fc.string({ unit: alphanumeric, minLength: 1, maxLength: 10 });
const name = fc
  .tuple(word, fc.array(fc.tuple(fc.constantFrom('.', '_', '-'), word), { maxLength: 2 }))
  .map(([first, rest]) => first + rest.flat().join(''))
  .filter((text) => text.length >= 3);

function keyOf(typed: string): string {
  const parsed = parseUsername(typed);
  return typeof parsed === 'string' ? parsed : parsed.key;
}

describe('parseUsername', () => {
  test('takes letters, digits and single signs between them, and keeps the case', () => {
    for (const typed of ['ada', 'Ada.Lovelace', 'a_b-c.d', '007', 'a'.repeat(32)])
      expect(parseUsername(typed)).toEqual({ username: typed, key: typed.toLowerCase() });
    expect(parseUsername(' Ada\t')).toEqual({ username: 'Ada', key: 'ada' });
  });

  test('makes two names that differ in case one', () => {
    fc.assert(
      fc.property(name, (typed) => {
        expect(keyOf(typed.toUpperCase())).toBe(keyOf(typed));
        expect(keyOf(typed.toLowerCase())).toBe(keyOf(typed));
      }),
    );
  });

  test.each(['', 'a', 'ab', '  ', ' ab ', '..'])('finds %j too short', (typed) => {
    expect(parseUsername(typed)).toBe('TOO_SHORT');
  });

  test.each(['a'.repeat(33), `${'a'.repeat(32)}.`, 'a'.repeat(1_000_000), `ada${' '.repeat(100)}`])(
    'finds what is longer than 32 characters too long',
    (typed) => {
      expect(parseUsername(typed)).toBe('TOO_LONG');
    },
  );

  test.each([
    '.ada',
    'ada.',
    '-ada',
    'ada_',
    'a..b',
    'a._b',
    'a--b',
    'ada lovelace',
    'ada@example.com',
    '+12025550123',
    'ada\r\nb',
    'ada\n',
    'ada\0',
    'a\u200bda',
    'a\u202eda',
    'аda',
    'ａｄａ',
    'adａ',
    'ªda',
    'ada\u0301',
    'ſam',
    'ıan',
    '\u212aim',
    'Müller',
    '🙂🙂🙂',
    'a\ud800b',
    '../etc',
    '<b>ada',
    'Admin-',
  ])('refuses %j (no letters of other scripts: they look like these)', (typed) => {
    expect(parseUsername(typed)).toBe('INVALID');
  });

  test.each([
    'admin',
    'ADMIN',
    'ad.min',
    'a-d-m-i-n',
    'Ad_Min',
    'administrator',
    'root',
    'postmaster',
    'no-reply',
    'NoReply',
    'no_reply',
    'mailer-daemon',
    'customer.service',
    'abuse',
    'security',
    'support',
    'null',
    'undefined',
    'www',
    'postern',
  ])('reserves %s', (typed) => {
    expect(parseUsername(typed)).toBe('NOT_ALLOWED');
  });

  test.each(['admina', 'badmin', 'rooted', 'adamin', 'constructor', 'toString', 'hasOwnProperty'])(
    'leaves %s, which only looks a little like it',
    (typed) => {
      expect(parseUsername(typed)).toEqual({ username: typed, key: typed.toLowerCase() });
    },
  );

  test('gives a name of this form, or a reason, for any text', () => {
    fc.assert(
      fc.property(fc.oneof(name, fc.string({ unit: 'binary', maxLength: 40 })), (typed) => {
        const parsed = parseUsername(typed);
        if (typeof parsed === 'string') return;
        expect(parsed.username).toMatch(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{1,30})[A-Za-z0-9]$/);
        expect(parseUsername(parsed.username)).toEqual(parsed);
      }),
    );
  });
});
