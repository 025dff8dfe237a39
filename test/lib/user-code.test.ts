import { createHash, createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CodeAlphabet, hashCode, makeCode, matchesCode, readCode, showCode } from '../../src/lib/user-code.ts';

const ALPHABETS = [
  ['letters', 'BCDFGHJKLMNPQRSTVWXZ', 8],
  ['digits', '0123456789', 6],
] as const satisfies readonly (readonly [CodeAlphabet, string, number])[];

const code = fc.oneof(
  ...ALPHABETS.map(([, characters, length]) =>
    fc.string({ unit: fc.constantFrom(...characters), minLength: length, maxLength: length }),
  ),
);
const BLANKS_AND_DASHES = [
  ...' \t\n\u00a0\u2003\u202f\u3000',
  ...'-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d\u30fc\uff70',
  ...'\u00ad\u200b\u200e\u2060\ufeff',
];
const noise = fc.string({ unit: fc.constantFrom(...BLANKS_AND_DASHES), maxLength: 3 });
const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));

/** The half-width character as its full-width twin. */
function fullWidth(character: string): string {
  return String.fromCodePoint((character.codePointAt(0) ?? 0) + 0xfee0);
}

describe('makeCode', () => {
  test.each(ALPHABETS)('of %s has its alphabet and length', (alphabet, characters, length) => {
    for (let round = 0; round < 1_000; round++) {
      const made = makeCode(alphabet);
      expect(made).toHaveLength(length);
      for (const character of made) expect(characters).toContain(character);
      expect(readCode(showCode(made))).toBe(made);
    }
  });

  test.each(ALPHABETS)('of %s gives each character as often, at each place (R01)', (alphabet, characters, length) => {
    const rounds = 10_000;
    const seen = Array.from({ length }, () => new Map<string, number>());
    for (let round = 0; round < rounds; round++)
      [...makeCode(alphabet)].forEach((character, place) => {
        seen[place]?.set(character, (seen[place].get(character) ?? 0) + 1);
      });
    const expected = rounds / characters.length;
    for (const counts of seen) {
      const chiSquare = [...characters]
        .map((character) => ((counts.get(character) ?? 0) - expected) ** 2 / expected)
        .reduce((sum, each) => sum + each, 0);
      // 19 degrees of freedom at most: above 60 once in a few hundred thousand.
      expect(chiSquare).toBeLessThan(60);
    }
  });

  test('of letters is not the same twice', () => {
    expect(new Set(Array.from({ length: 1_000 }, () => makeCode('letters'))).size).toBe(1_000);
  });
});

describe('showCode', () => {
  test('parts eight letters and leaves digits', () => {
    expect(showCode('BCDFGHJK')).toBe('BCDF-GHJK');
    expect(showCode('012345')).toBe('012345');
  });
});

describe('readCode', () => {
  test('heeds no case, width, blanks and dashes of any kind', () => {
    fc.assert(
      fc.property(
        code.chain((of) => fc.tuple(fc.constant(of), fc.array(noise, { minLength: of.length, maxLength: of.length }))),
        fc.infiniteStream(fc.constantFrom<(c: string) => string>(String, (c) => c.toLowerCase(), fullWidth)),
        ([of, gaps], spellings) => {
          const typed = [...of].map((character, at) => gaps[at] + (spellings.next().value?.(character) ?? character));
          expect(readCode(typed.join(''))).toBe(of);
        },
      ),
    );
  });

  test('knows the digits of other scripts', () => {
    for (const typed of ['٠١٢٣٤٥', '۰۱۲۳۴۵', '०१२३४५', '০১২৩৪৫', '０１２３４５', '𝟎𝟏𝟐𝟑𝟒𝟓', '𞥐𞥑𞥒𞥓𞥔𞥕'])
      expect(readCode(typed)).toBe('012345');
  });

  test.each([
    '',
    ' ',
    '-',
    '12345',
    '1234567',
    '12345a',
    'BCDFGHJ',
    'BCDFGHJKL',
    'BCDFGHJA',
    'BCDFGHJ1',
    'BCDFGHJ0',
    'BCDFGHJ\u0421',
    'BCDFGHJ\u212a\u0300',
    'BCDF_GHJK',
    'BCDF.GHJK',
    '123456\0',
    '١٢٣٤٥',
    '1e5555',
    '½½½½½½',
    '🙂🙂🙂🙂🙂🙂',
    '\ud800BCDFGHJK',
    '["BCDFGHJK"]',
    ' '.repeat(64),
    `123456${' '.repeat(10_000)}`,
  ])('refuses %j (M07: nothing is hashed that cannot be a code)', (typed) => {
    expect(readCode(typed)).toBeNull();
  });

  test('gives null or a code for any text, and reads its own answer again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (typed) => {
        const read = readCode(typed);
        if (read !== null) expect(read).toMatch(/^(?:[BCDFGHJKLMNPQRSTVWXZ]{8}|[0-9]{6})$/);
        expect(read === null ? null : readCode(read)).toBe(read);
      }),
    );
  });

  test('takes no time for what is endless (the bound on what is typed)', () => {
    const started = performance.now();
    for (const piece of ['\u0301\u0327', ' ', '-', '\ufdfa', '1']) expect(readCode(piece.repeat(500_000))).toBeNull();
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe('hashCode', () => {
  test('is keyed: without the key, trying every code finds nothing (R02)', () => {
    const secret = randomBytes(32);
    const stored = hashCode('012345', 'challenge', secret);
    expect(stored).toHaveLength(32);
    for (const plain of ['012345', 'challenge012345', '["challenge","012345"]'])
      for (const guess of [createHash('sha256').update(plain), createHmac('sha256', '').update(plain)])
        expect(guess.digest().equals(stored)).toBe(false);
  });

  test('keeps code and context apart, wherever one ends', () => {
    const secret = randomBytes(32);
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\\', '\0', '[', ']', '1'), maxLength: 12 });
    const hashSplit = (whole: string, at: number) => hashCode(whole.slice(at), whole.slice(0, at), secret);
    fc.assert(
      fc.property(text, fc.nat(12), fc.nat(12), (whole, one, other) => {
        const same = Math.min(one, whole.length) === Math.min(other, whole.length);
        expect(hashSplit(whole, one).equals(hashSplit(whole, other))).toBe(same);
      }),
    );
  });
});

describe('matchesCode', () => {
  test('knows a code under any of the keys, and only for what it is for (R06)', () => {
    fc.assert(
      fc.property(code, code, fc.uuid(), fc.uuid(), key, key, (of, other, context, another, one, two) => {
        fc.pre(of !== other && context !== another && !one.equals(two));
        const stored = hashCode(of, context, one);
        for (const keys of [[one], [one, two], [two, one]]) {
          expect(matchesCode(of, context, keys, stored)).toBe(true);
          expect(matchesCode(other, context, keys, stored)).toBe(false);
          expect(matchesCode(of, another, keys, stored)).toBe(false);
        }
        expect(matchesCode(of, context, [two], stored)).toBe(false);
        expect(matchesCode(of, context, [], stored)).toBe(false);
      }),
    );
  });

  test('matches nothing that is stored wrongly', () => {
    const secret = randomBytes(32);
    const stored = hashCode('012345', 'challenge', secret);
    for (const wrong of [Buffer.alloc(0), Buffer.alloc(32), stored.subarray(0, 31), Buffer.concat([stored, stored])])
      expect(matchesCode('012345', 'challenge', [secret], wrong)).toBe(false);
  });
});
