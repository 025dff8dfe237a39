import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maskPhoneNumber, parsePhoneNumber } from '../../src/lib/phone-number.ts';

/** Numbers that nobody has, by the plan of the United States: 555-0100 to 555-0199. */
const american = fc.integer({ min: 100, max: 199 }).map((line) => `+12025550${line}`);

describe('parsePhoneNumber', () => {
  test.each([
    ['+12025550123', '+12025550123'],
    [' +1 (202) 555-0123 ', '+12025550123'],
    ['+1.202.555.0123', '+12025550123'],
    ['+44 7911 123456', '+447911123456'],
    ['+44 (0)7911 123456', '+447911123456'],
    ['+44\u00a07911\u2011123\u2013456', '+447911123456'],
    ['＋４４７９１１１２３４５６', '+447911123456'],
    ['+٤٤٧٩١١١٢٣٤٥٦', '+447911123456'],
    ['+४४ ७९११ १२३४५६', '+447911123456'],
    ['+39 06 698 12345', '+390669812345'],
    ['+49 171 5550123', '+491715550123'],
    ['+41 79 123 45 67', '+41791234567'],
    ['+54 11 15 2345 6789', '+5491123456789'],
  ])('reads %j as %s', (typed, number) => {
    expect(parsePhoneNumber(typed)).toBe(number);
  });

  test.each([
    '',
    '+',
    '+1',
    '2025550123',
    '12025550123',
    '0012025550123',
    '++12025550123',
    '+12025550123+12025550124',
    '+12025550123,+12025550124',
    '+12025550123;+12025550124',
    '+12025550123 ext. 5',
    '+12025550123 x5',
    '+12025550123#5',
    '+12025550123;ext=5',
    'tel:+12025550123',
    'call +12025550123',
    '+1800FLOWERS',
    '+1202555012',
    '+120255501234',
    '+15555550100',
    '+999123456789',
    '+0123456789',
    '+12025550123\r\nTo: +12025550124',
    '+1202555\x0a3',
    '+1202555012\u0663\u0301',
    '+1 202 555 012e3',
    '\ud800+12025550123',
    'ada@example.com',
    'null',
  ])('refuses %j', (typed) => {
    expect(parsePhoneNumber(typed)).toBeNull();
  });

  test.each([
    ['premium rate', '+19005550123'],
    ['premium rate of all countries', '+979123456789'],
    ['toll free', '+18005550123'],
    ['toll free of all countries', '+80012345678'],
    ['personal, which cost as much', '+447012345678'],
  ])('refuses numbers that are %s: %s', (_kind, typed) => {
    expect(parsePhoneNumber(typed)).toBeNull();
  });

  test('knows one number under all of its spellings', () => {
    const gap = fc.constantFrom('', ' ', '-', '.', '\u00a0', '\u2011', '\u2013', '\u2212');
    fc.assert(
      fc.property(american, fc.array(gap, { minLength: 10, maxLength: 10 }), (number, gaps) => {
        const typed = number.replace(/(?<=\+.*)\d(?=\d)/g, (digit, at: number) => digit + (gaps[at - 1] ?? ''));
        expect(parsePhoneNumber(typed)).toBe(number);
      }),
    );
  });

  test('gives null or E.164 for any text, and reads its own answer again', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789 -()'), maxLength: 20 }).map((text) => `+${text}`);
    fc.assert(
      fc.property(fc.oneof(digits, fc.string({ unit: 'binary', maxLength: 50 })), (typed) => {
        const number = parsePhoneNumber(typed);
        if (number !== null) expect(number).toMatch(/^\+[1-9]\d{4,14}$/);
        expect(number === null ? null : parsePhoneNumber(number)).toBe(number);
      }),
      { numRuns: 2_000 },
    );
  });

  test('takes no time for what is endless (the bound on what is typed)', () => {
    const started = performance.now();
    for (const piece of ['1', '(', '\u0301\u0327', '+', ' ', '٣'])
      expect(parsePhoneNumber(`+${piece.repeat(500_000)}`)).toBeNull();
    expect(performance.now() - started).toBeLessThan(500);
  });
});

test('a masked number shows its last two digits, and hides country and length', () => {
  fc.assert(
    fc.property(american, (number) => {
      const parsed = parsePhoneNumber(number);
      expect(parsed && maskPhoneNumber(parsed)).toBe(`••••••${number.slice(-2)}`);
    }),
  );
  const british = parsePhoneNumber('+447911123456');
  expect(british && maskPhoneNumber(british)).toBe('••••••56');
});
