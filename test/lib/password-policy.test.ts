import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCommonPassword } from '../../src/infra/common-passwords.ts';
import { normalizePassword, rejections } from '../../src/lib/password-policy.ts';

const ADA = ['ada.lovelace@analytical.example', 'Ada Lovelace', 'countess'];
const never = () => false;
const refuse = (password: string, minLength = 8) => rejections(password, { minLength, context: ADA }, never);

describe('the length of a password', () => {
  it('is counted in code points', () => {
    expect(refuse('🗝'.repeat(14), 15)).toEqual(['TOO_SHORT']);
    expect(refuse('🗝'.repeat(15), 15)).toEqual([]);
    expect(refuse('🗝'.repeat(8), 15)).toEqual(['TOO_SHORT']);
  });

  it('is at least the configured minimum', () => {
    expect(refuse('x7fk2pq', 8)).toEqual(['TOO_SHORT']);
    expect(refuse('x7fk2pqz', 8)).toEqual([]);
  });

  it('is at most 256, and more is refused', () => {
    for (const length of [64, 128, 256]) expect(refuse('w'.repeat(length))).toEqual([]);
    expect(refuse('w'.repeat(257))).toEqual(['TOO_LONG']);
    expect(refuse('🗝'.repeat(256))).toEqual([]);
  });

  it('is that of the composed form', () => {
    expect(refuse('é'.repeat(8).normalize('NFD'), 9)).toEqual(['TOO_SHORT']);
  });
});

describe('a password', () => {
  it('may be any printable text that is long enough and not on the list', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 15, maxLength: 64 }), (password) => {
        fc.pre([...normalizePassword(password)].length <= 256 && !isCommonPassword(password));
        expect(rejections(password, { minLength: 15, context: ADA }, isCommonPassword)).toEqual([]);
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', minLength: 15, maxLength: 64 }), (password) => {
        fc.pre(!isCommonPassword(password));
        expect(rejections(password, { minLength: 15, context: ADA }, isCommonPassword)).toEqual([]);
      }),
    );
  });

  it('has one form for what looks the same, and keeps blanks and letter case', () => {
    expect(normalizePassword('Cafe\u0301 au lait')).toBe('Caf\u00e9 au lait');
    for (const kept of [' Leading', 'trailing ', 'MiXeD', 'ｆｕｌｌ', 'ﬁ']) expect(normalizePassword(kept)).toBe(kept);
  });

  it('is not text with half a character in it', () => {
    expect(refuse('correct horse \ud83d')).toEqual(['REFUSED']);
  });

  it('is not a common one, in whatever letter case', () => {
    const common = ['password', 'PassWord', '12345678', '88888888', '987654321', 'qwertyqwerty', '123456789987654321'];
    for (const password of common) {
      expect(rejections(password, { minLength: 8, context: [] }, isCommonPassword), password).toEqual(['COMMON']);
    }
  });

  it.each([
    'ada.lovelace@analytical.example',
    'ADA.Lovelace@Analytical.Example',
    'ada.lovelace',
    'analytical.example',
    'analytical',
    'Ada Lovelace',
    'adalovelace',
    'countess',
    'COUNTESS1815',
    'countess!!!!',
    'countesscountess',
    'AdaAdaAda1!',
    'lovelace 99',
    'Postern1',
    'posternpostern',
    'PosternPostern2026',
    'ｐｏｓｔｅｒｎ',
    'adalovelaceanalytical',
    'adalovelaceanalyticalexample',
  ])('is not just the name of the person, of their address or of the product: %s', (password) => {
    expect(refuse(password, 1)).toEqual(['TOO_SIMILAR']);
  });

  it.each([
    'countess of the engine',
    'countess18152',
    'my postern gate',
    'lovelace & babbage',
    '!!!!!!!!',
    '1815181518',
  ])('may contain such a word: %s', (password) => {
    expect(refuse(password)).toEqual([]);
  });

  it('may be compared with words that are empty or odd', () => {
    const context = ['', ' ', '@', 'a@', '@b', '.*+(', 'x@localhost'];
    expect(rejections('correct horse', { minLength: 8, context }, never)).toEqual([]);
    expect(rejections('localhost99', { minLength: 8, context }, never)).toEqual(['TOO_SIMILAR']);
    expect(rejections('.*+(.*+(', { minLength: 8, context }, never)).toEqual(['TOO_SIMILAR']);
  });

  it('is told all that is wrong with it', () => {
    expect(rejections('postern', { minLength: 8, context: [] }, () => true)).toEqual([
      'TOO_SHORT',
      'COMMON',
      'TOO_SIMILAR',
    ]);
  });
});
