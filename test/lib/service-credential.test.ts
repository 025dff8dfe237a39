import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  createServiceCheck,
  parseServiceCredential,
  readBasicAuthorization,
} from '../../src/lib/service-credential.ts';

const SECRET = 'k3TQ0nYw5m1zVb8uRf2sXc7dJh4gLp9aEi6o';

test('a setting is an id and a secret of at least 32 bytes, which may have colons', () => {
  expect(parseServiceCredential(`orders:${SECRET}`)).toEqual({ id: 'orders', secret: SECRET });
  expect(parseServiceCredential(`orders:a:${SECRET}`)).toEqual({ id: 'orders', secret: `a:${SECRET}` });
  for (const text of [
    '',
    'orders',
    `:${SECRET}`,
    SECRET,
    `orders:${SECRET.slice(5)}`,
    `or ders:${SECRET}`,
    `-x:${SECRET}`,
    `orders:${SECRET} x`,
  ]) {
    expect(parseServiceCredential(text), text).toBeNull();
  }
});

test('what a client writes by RFC 6749 §2.3.1 is read as it was, whatever stands in it', () => {
  const text = fc.string({ unit: 'binary', minLength: 1 });
  fc.assert(
    fc.property(text, text, (id, secret) => {
      const form = (part: string) => new URLSearchParams({ part }).toString().slice('part='.length);
      const header = `Basic ${Buffer.from(`${form(id)}:${form(secret)}`).toString('base64')}`;
      expect(readBasicAuthorization(header)).toEqual({ id: id.toWellFormed(), secret: secret.toWellFormed() });
    }),
  );
});

test('any other header is nobody, and none throws', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (text, encoded) => {
      const header = encoded ? `Basic ${Buffer.from(text).toString('base64')}` : text;
      const read = readBasicAuthorization(header);
      if (!encoded || !text.includes(':')) expect(read).toBeNull();
    }),
  );
});

test('a service is known by its own secrets only', () => {
  const isService = createServiceCheck([
    { id: 'orders', secret: SECRET },
    { id: 'stock', secret: `${SECRET}1` },
    { id: 'stock', secret: `${SECRET}2` },
  ]);
  expect(['1', '2'].map((end) => isService({ id: 'stock', secret: SECRET + end }))).toEqual([true, true]);
  expect(isService({ id: 'orders', secret: SECRET })).toBe(true);
  for (const secret of [`${SECRET}1`, '', SECRET.toLowerCase()])
    expect(isService({ id: 'orders', secret })).toBe(false);
  for (const id of ['', 'stock', 'Orders', 'orders:']) expect(isService({ id, secret: SECRET })).toBe(false);
});
