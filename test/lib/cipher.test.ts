import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCipher, deriveKeys } from '../../src/lib/cipher.ts';

const OLD = 'an older secret that was long enough as well';
const NEW = 'a newer secret that is at least 32 bytes long';
const text = fc.string({ unit: 'grapheme', maxLength: 200 });

describe('a cipher', () => {
  const cipher = createCipher([NEW, OLD]);

  test('gives back what it sealed', () => {
    fc.assert(
      fc.property(text, text, (plain, context) => {
        expect(cipher.open(cipher.seal(plain, context), context)).toBe(plain);
      }),
    );
  });

  test('opens nothing in another context than it was sealed for', () => {
    fc.assert(
      fc.property(text, fc.uniqueArray(text, { minLength: 2, maxLength: 2 }), (plain, [one = '', two = '']) => {
        expect(cipher.open(cipher.seal(plain, one), two)).toBeNull();
      }),
    );
  });

  test('opens nothing that was tampered with, in whatever place and by however little', () => {
    const sealed = cipher.seal('a private key', 'context');
    const position = fc.nat(sealed.length);
    const character = fc.oneof(
      fc.constantFrom(...'ABCDEFGHabcdefgh0123-_=+/. \n\0'),
      fc.string({ minLength: 1, maxLength: 1, unit: 'binary' }),
    );
    fc.assert(
      fc.property(position, fc.nat(2), character, (at, removed, inserted) => {
        const tampered = sealed.slice(0, at) + inserted + sealed.slice(at + removed);
        fc.pre(tampered !== sealed);
        expect(cipher.open(tampered, 'context')).toBeNull();
      }),
      { numRuns: 1_000 },
    );
    for (let at = 0; at < sealed.length; at += 1) {
      expect(cipher.open(sealed.slice(0, at), 'context')).toBeNull();
      expect(cipher.open(sealed.slice(0, at) + sealed.slice(at + 1), 'context')).toBeNull();
    }
  });

  test('opens no text that it did not seal', () => {
    const [key] = deriveKeys([NEW], 'seal');
    const base64url = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('base64url'));
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          base64url.map((bytes) => `v1.${key?.id}.${bytes}`),
        ),
        (sealed) => {
          expect(cipher.open(sealed, 'context')).toBeNull();
        },
      ),
    );
  });

  test('never seals twice alike, so that equal secrets do not show', () => {
    expect(new Set(Array.from({ length: 100 }, () => cipher.seal('same', 'context'))).size).toBe(100);
  });

  test('opens with every secret of its ring, and seals with the first', () => {
    const before = createCipher([OLD]).seal('plain', 'context');
    expect(cipher.open(before, 'context')).toBe('plain');
    const after = cipher.seal('plain', 'context');
    expect(createCipher([NEW]).open(after, 'context')).toBe('plain');
    expect(createCipher([OLD]).open(after, 'context')).toBeNull();
  });

  test('needs a secret', () => {
    expect(() => createCipher([])).toThrow('at least one secret');
  });
});

describe('deriveKeys', () => {
  test('gives unrelated keys for each purpose and secret, in the order of the secrets', () => {
    const keys = [...deriveKeys([NEW, OLD], 'one'), ...deriveKeys([NEW, OLD], 'two')];
    expect(new Set(keys.map(({ key }) => key.toString('hex'))).size).toBe(4);
    expect(new Set(keys.map(({ id }) => id)).size).toBe(4);
    expect(deriveKeys([OLD], 'one')).toEqual([keys[1]]);
    for (const { key } of keys) expect(key).toHaveLength(32);
  });

  test('names a key without telling anything of it', () => {
    for (const { id, key } of deriveKeys([NEW], 'one')) expect(key.toString('hex')).not.toContain(id);
  });
});
