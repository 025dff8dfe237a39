import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeRecoveryCode, readRecoveryCode } from '../../src/lib/recovery-code.ts';

test('codes have 80 bits of letters that are not mistaken for digits, and none comes twice (M11)', () => {
  const codes = Array.from({ length: 1000 }, makeRecoveryCode);
  expect(new Set(codes).size).toBe(1000);
  const counts = new Map<string, number>();
  for (const code of codes) {
    expect(code).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/);
    for (const letter of code.replaceAll('-', '')) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  expect(counts.size).toBe(32);
  // Chi-square with 31 degrees of freedom: beyond 70 once in ten thousand runs.
  const chi = [...counts.values()].reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0);
  expect(chi).toBeLessThan(80);
});

test.each([
  ['as it is shown', 'ABCD-EFGH-JKMN-PQRS', 'ABCDEFGHJKMNPQRS'],
  ['in small letters, without dashes', 'abcdefghjkmnpqrs', 'ABCDEFGHJKMNPQRS'],
  ['with blanks', ' ABCD EFGH\tJKMN PQRS ', 'ABCDEFGHJKMNPQRS'],
  ['with other dashes', 'ABCD–EFGH—JKMN−PQRS', 'ABCDEFGHJKMNPQRS'],
  ['with letters for digits', 'oOiI-lLaa-AAAA-AAAA', '001111AAAAAAAAAA'],
])('is read %s', (_how, typed, code) => {
  expect(readRecoveryCode(typed)).toBe(code);
});

test.each(['', 'ABCD', 'ABCD-EFGH-JKMN-PQRU', 'ABCD-EFGH-JKMN-PQR!', `ABCD-EFGH-JKMN-PQRS${' '.repeat(100)}`, '🔑'])(
  'is not read from %j',
  (typed) => {
    expect(readRecoveryCode(typed)).toBeNull();
  },
);

test('gives null or a code for any text, and reads its own answer again', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (typed) => {
      const code = readRecoveryCode(typed);
      if (code !== null) expect(readRecoveryCode(code)).toBe(code);
    }),
  );
});
