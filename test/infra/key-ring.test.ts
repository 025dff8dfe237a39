import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { createKeyRing, type StoredKey } from '../../src/infra/key-ring.ts';
import { makeSigningKey } from '../../src/lib/access-token.ts';

const MADE = Date.UTC(2026, 0, 15);
const at = (seconds: number) => new Date(MADE + seconds * 1000);

let keys: StoredKey[];
beforeAll(async () => {
  const pairs = await Promise.all(Array.from({ length: 4 }, () => makeSigningKey('ES256')));
  keys = pairs.map((pair, index) => ({ ...pair, signsAt: at(index * 100) }));
});

const some = (...indexes: number[]) => indexes.flatMap((index) => keys[index] ?? []);

describe('a key ring', () => {
  test('signs with the newest key whose time has come', async () => {
    const ring = await createKeyRing(async () => keys);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1_000 }), async (seconds) => {
        expect(ring.current(at(seconds)).kid).toBe(keys[Math.min(3, Math.floor(seconds / 100))]?.kid);
      }),
    );
  });

  test('changes the key at the very instant, not a millisecond before', async () => {
    const ring = await createKeyRing(async () => keys);
    expect(ring.current(new Date(at(100).getTime() - 1)).kid).toBe(keys[0]?.kid);
    expect(ring.current(at(100)).kid).toBe(keys[1]?.kid);
  });

  test('signs with the oldest key where the clock is behind the one that made it', async () => {
    const ring = await createKeyRing(async () => keys);
    expect(ring.current(at(-5)).kid).toBe(keys[0]?.kid);
  });

  test('says so when there is no key', async () => {
    const ring = await createKeyRing(async () => []);
    expect(() => ring.current(at(0))).toThrow('no signing key');
    expect(ring.publicKeys()).toEqual([]);
  });

  test('finds its own keys only, and shows nothing but their public halves', async () => {
    const ring = await createKeyRing(async () => some(0, 1));
    expect(ring.find(keys[0]?.kid ?? '')?.kid).toBe(keys[0]?.kid);
    for (const other of ['', '__proto__', 'constructor', keys[2]?.kid ?? '']) expect(ring.find(other)).toBeNull();
    expect(ring.publicKeys()).toEqual(some(0, 1).map(({ publicJwk }) => publicJwk));
    expect(JSON.stringify(ring.publicKeys())).not.toContain('"d"');
  });

  test('follows the stored keys when it is told to read again', async () => {
    let stored = some(0, 1);
    const ring = await createKeyRing(async () => stored);
    stored = some(1, 2);
    expect(ring.find(keys[0]?.kid ?? '')).not.toBeNull();
    await ring.reload();
    expect(ring.find(keys[0]?.kid ?? '')).toBeNull();
    expect(ring.current(at(1_000)).kid).toBe(keys[2]?.kid);
  });

  test('follows an instant that was moved', async () => {
    let stored = some(0, 1);
    const ring = await createKeyRing(async () => stored);
    stored = stored.map((key, index) => (index === 1 ? { ...key, signsAt: at(500) } : key));
    await ring.reload();
    expect(ring.current(at(200)).kid).toBe(keys[0]?.kid);
    expect(ring.current(at(500)).kid).toBe(keys[1]?.kid);
  });

  test('keeps what it has when the keys cannot be read, and reads them the next time', async () => {
    let load = async () => some(0);
    const ring = await createKeyRing(() => load());
    load = () => Promise.reject(new Error('no database'));
    await expect(ring.reload()).rejects.toThrow('no database');
    expect(ring.current(at(0)).kid).toBe(keys[0]?.kid);
    load = async () => some(1);
    await ring.reload();
    expect(ring.current(at(0)).kid).toBe(keys[1]?.kid);
  });

  test('lets of several reads the one that began last have the last word', async () => {
    const answers: (() => void)[] = [];
    let stored = some(0);
    let slow = false;
    const ring = await createKeyRing(() => {
      const read = stored;
      return slow ? new Promise((resolve) => answers.push(() => resolve(read))) : Promise.resolve(read);
    });
    slow = true;
    const earlier = ring.reload();
    await new Promise(setImmediate);
    stored = some(1);
    const later = ring.reload();
    await new Promise(setImmediate);
    // The answers come in the wrong order, if both were asked for at once.
    while (answers.length > 0) {
      answers.pop()?.();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await Promise.all([earlier, later]);
    expect(ring.current(at(1_000)).kid).toBe(keys[1]?.kid);
  });
});
