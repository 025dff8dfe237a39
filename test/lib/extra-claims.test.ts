import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readExtraClaims } from '../../src/lib/extra-claims.ts';

test('JSON of at most 4 KiB is taken as it is, as a copy', () => {
  const json = fc.dictionary(
    fc.string({ minLength: 1 }).map((name) => `x-${name}`),
    fc.jsonValue({ noUnicodeString: false }),
  );
  fc.assert(
    fc.property(json, (given) => {
      const plain = JSON.parse(JSON.stringify(given));
      fc.pre(JSON.stringify(plain).length < 1_000);
      const read = readExtraClaims(plain);
      expect(read).toEqual(plain);
      expect(read).not.toBe(plain);
    }),
  );
});

test.each([
  'iss',
  'aud',
  'sub',
  'sid',
  'jti',
  'iat',
  'nbf',
  'exp',
  'auth_time',
  'amr',
  'acr',
  'azp',
  'scope',
  'client_id',
  'cnf',
  'act',
  'roles',
  'active',
  'token_type',
  'username',
])('the name %s is not to be had', (name) => {
  expect(readExtraClaims({ other: 1, [name]: 'x' })).toBe(`the claim ${name}, which is not its to set`);
});

test('nor is one that is reserved for now', () => {
  expect(readExtraClaims({ org: 1 }, ['org'])).toMatch(/the claim org/);
  expect(readExtraClaims({ org: 1 })).toEqual({ org: 1 });
});

test('what is no object, or no JSON, is refused without its values', () => {
  const circle: Record<string, unknown> = {};
  circle.circle = circle;
  const class_ = new (class Claims {
    org = 'secret value';
  })();
  for (const given of [null, undefined, 'secret value', 7, true, ['secret value'], () => ({})]) {
    expect(readExtraClaims(given)).toBe('no object of claims');
  }
  for (const given of [
    circle,
    class_,
    { a: undefined },
    { a: () => 1 },
    { a: new Date() },
    { a: Number.NaN },
    { a: 1n },
    { a: [undefined] },
    { toJSON: () => ({ sub: 'x' }) },
    new Map([['a', 1]]),
    {
      get a() {
        throw new Error('secret value');
      },
    },
  ]) {
    expect(readExtraClaims(given)).toBe('claims that are no JSON');
  }
  expect(readExtraClaims({ a: 'x'.repeat(4_096) })).toBe('claims of more than 4 KiB');
  expect(readExtraClaims({ a: 'é'.repeat(2_045) })).toBe('claims of more than 4 KiB');
});
