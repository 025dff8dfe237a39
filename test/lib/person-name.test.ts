import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePersonName } from '../../src/lib/person-name.ts';

describe('parsePersonName', () => {
  test.each([
    ['Ada Lovelace', 'Ada Lovelace'],
    ['  Ada\u00a0', 'Ada'],
    ['Jose\u0301', 'José'],
    ["O'Brien-Ŧhĳs, Jr.", "O'Brien-Ŧhĳs, Jr."],
    ['محمد', 'محمد'],
    ['किशोर', 'किशोर'],
    ['山田 太郎', '山田 太郎'],
    ['👩‍🚀', '👩‍🚀'],
    ['🙂'.repeat(200), '🙂'.repeat(200)],
  ])('reads %j', (typed, name) => {
    expect(parsePersonName(typed)).toBe(name);
  });

  test.each(['', ' ', '\u00a0\t\n', '\ufeff'])('takes %j for no name', (typed) => {
    expect(parsePersonName(typed)).toBeNull();
  });

  test.each(['a'.repeat(201), '🙂'.repeat(201), `a${'\u0301\u0327'.repeat(1_000_000)}`])(
    'finds it too long',
    (typed) => {
      expect(parsePersonName(typed)).toEqual({ problem: 'TOO_LONG' });
    },
  );

  test.each([
    'Ada\r\nBcc: eve@example.org',
    'Ada\0',
    'A\u001b[2Jda',
    'Ada\u2028Lovelace',
    'Ada\u202eevol',
    'Ada\u2066',
    'A\ud800',
  ])('refuses %j (it forges lines in mails and logs)', (typed) => {
    expect(parsePersonName(typed)).toEqual({ problem: 'INVALID' });
  });

  test.each(['\u200b', '\u00ad\u2060', '\u3164', '\u{e0041}\u{e007f}', '\u180e \u200d'])(
    'refuses %j, of which nothing is seen',
    (typed) => {
      expect(parsePersonName(typed)).toEqual({ problem: 'INVALID' });
    },
  );

  test('gives one line in one form, or a reason, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 250 }), (typed) => {
        const name = parsePersonName(typed);
        if (typeof name !== 'string') return;
        expect(name).toBe(name.normalize('NFC').trim());
        expect([...name].length).toBeLessThanOrEqual(200);
        expect(parsePersonName(name)).toBe(name);
      }),
    );
  });
});
