import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSessionCache, type SessionCache } from '../../src/infra/session-cache.ts';

interface Entry {
  readonly session: { readonly id: string; readonly userId: string };
  readonly version: number;
}

const entry = (id: string, userId = `user of ${id}`, version = 0): Entry => ({ session: { id, userId }, version });

function newCache(isTrusted = () => true, max = 100) {
  const cache = createSessionCache<Entry>({ max, isTrusted });
  const loads: string[] = [];
  const get = (key: string, loaded: Entry | null) =>
    cache.get(key, async () => {
      loads.push(key);
      return loaded;
    });
  return { cache, loads, get };
}

describe('a session cache', () => {
  test('loads a key once', async () => {
    const { get, loads } = newCache();
    const first = await get('key', entry('s'));
    expect(await get('key', null)).toBe(first);
    expect(loads).toEqual(['key']);
  });

  test('never remembers that there is nothing', async () => {
    const { get } = newCache();
    expect(await get('key', null)).toBeNull();
    expect(await get('key', entry('s'))).not.toBeNull();
  });

  test('remembers nothing of a load that failed', async () => {
    const { cache, get } = newCache();
    await expect(cache.get('key', () => Promise.reject(new Error('no database')))).rejects.toThrow('no database');
    expect(await get('key', entry('s'))).not.toBeNull();
  });

  // Defence: `shared` of src/infra/session-cache.ts, and that it is for those alone who ask before anything changed.
  test('reads once for many who ask at once, and anew for who asks after a change or without trust', async () => {
    let trusted = true;
    const { cache } = newCache(() => trusted);
    const answers: ((loaded: Entry) => void)[] = [];
    const ask = () => cache.get('key', () => new Promise<Entry>((resolve) => answers.push(resolve)));
    const together = [ask(), ask(), ask()];
    expect(answers).toHaveLength(1);
    cache.dropSession('one');
    const later = ask();
    expect(answers).toHaveLength(2);
    answers[1]?.(entry('one', 'ada', 2));
    answers[0]?.(entry('one', 'ada', 1));
    expect((await later)?.version).toBe(2);
    expect((await Promise.all(together)).map((each) => each?.version)).toEqual([1, 1, 1]);
    expect((await ask())?.version).toBe(2);
    trusted = false;
    const alone = [ask(), ask()];
    expect(answers).toHaveLength(4);
    for (const answer of answers) answer(entry('one'));
    await Promise.all(alone);
  });

  test('forgets a session by all of its keys, and no other session', async () => {
    const { cache, get, loads } = newCache();
    await get('token', entry('one'));
    await get('jwt', entry('one'));
    await get('other', entry('two'));
    cache.dropSession('one');
    await Promise.all([get('token', entry('one')), get('jwt', entry('one')), get('other', null)]);
    expect(loads).toEqual(['token', 'jwt', 'other', 'token', 'jwt']);
  });

  test('remembers what was read while somebody else changed, and not what changed itself', async () => {
    const { cache, get, loads } = newCache();
    const during = (change: () => void) => async () => {
      change();
      return entry('one', 'ada');
    };
    await cache.get(
      'calm',
      during(() => [cache.dropSession('two'), cache.dropUser('bob')]),
    );
    await cache.get(
      'session',
      during(() => cache.dropSession('one')),
    );
    await cache.get(
      'user',
      during(() => cache.dropUser('ada')),
    );
    await cache.get(
      'all',
      during(() => cache.dropAll()),
    );
    await cache.get(
      'fresh',
      during(() => cache.dropUser('bob')),
    );
    for (const key of ['session', 'user', 'all', 'fresh']) await get(key, null);
    expect(loads).toEqual(['session', 'user', 'all']);
  });

  test('forgets every session of a person, and of nobody else', async () => {
    const { cache, get, loads } = newCache();
    await get('one', entry('one', 'ada'));
    await get('two', entry('two', 'ada'));
    await get('three', entry('three', 'bob'));
    cache.dropUser('ada');
    await Promise.all([get('one', null), get('two', null), get('three', null)]);
    expect(loads).toEqual(['one', 'two', 'three', 'one', 'two']);
  });

  test('answers nothing from memory, and remembers nothing, while changes may be missed', async () => {
    let trusted = true;
    const { get, loads } = newCache(() => trusted);
    await get('key', entry('s', 'u', 1));
    trusted = false;
    expect(await get('key', entry('s', 'u', 2))).toMatchObject({ version: 2 });
    expect(await get('other', entry('o', 'u', 2))).toMatchObject({ version: 2 });
    trusted = true;
    await get('other', entry('o', 'u', 3));
    expect(loads).toEqual(['key', 'key', 'other', 'other']);
  });

  test.each<[string, (cache: SessionCache<Entry>) => void]>([
    ['of the session', (cache) => cache.dropSession('s')],
    ['of the person', (cache) => cache.dropUser('u')],
    ['of something unknown', (cache) => cache.dropAll()],
  ])('does not remember a read that began before a change %s', async (_of, change) => {
    const { cache, get, loads } = newCache();
    const answers: ((read: Entry) => void)[] = [];
    const early = cache.get('key', () => new Promise((resolve) => answers.push(resolve)));
    change(cache);
    answers[0]?.(entry('s', 'u', 1));
    expect(await early).toMatchObject({ version: 1 });
    expect(await get('key', entry('s', 'u', 2))).toMatchObject({ version: 2 });
    expect(loads).toEqual(['key']);
  });

  test('holds no more than it may, and forgets by session and person what is left', async () => {
    const { cache, get } = newCache(() => true, 10);
    for (let count = 0; count < 100; count += 1) await get(`key ${count}`, entry(`s ${count % 7}`, `u ${count % 3}`));
    expect(cache.size).toBe(10);
    for (let count = 0; count < 3; count += 1) cache.dropUser(`u ${count}`);
    expect(cache.size).toBe(0);
  });

  test('in whatever order reads, changes and their news come, nothing is served that was older as its news came', async () => {
    const step = fc.record({
      do: fc.constantFrom('read', 'read', 'answer', 'answer', 'change', 'hear'),
      what: fc.constantFrom('session', 'user', 'unknown'),
      session: fc.nat(2),
      key: fc.nat(1),
      which: fc.nat(5),
    });
    // Two of the three sessions belong to one person.
    const userOf = (session: number) => (session < 2 ? 'ada' : 'bob');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const cache = createSessionCache<Entry>({ max: 4, isTrusted: () => true });
        const versions = [0, 0, 0];
        const heard = [0, 0, 0];
        const reads: (() => void)[] = [];
        const news: (() => void)[] = [];
        const checks: Promise<unknown>[] = [];
        const read = (session: number, key: number) => {
          const known = heard[session] ?? 0;
          const load = () =>
            new Promise<Entry>((resolve) => {
              const seen = entry(`${session}`, userOf(session), versions[session]);
              reads.push(() => resolve(seen));
            });
          checks.push(
            cache.get(`${session} ${key}`, load).then((got) => expect(got?.version).toBeGreaterThanOrEqual(known)),
          );
        };
        const change = (what: 'session' | 'user' | 'unknown', session: number) => {
          const changed = [0, 1, 2].filter((each) =>
            what === 'session' ? each === session : what === 'unknown' || userOf(each) === userOf(session),
          );
          for (const each of changed) versions[each] = (versions[each] ?? 0) + 1;
          const after = [...versions];
          news.push(() => {
            if (what === 'session') cache.dropSession(`${session}`);
            else if (what === 'user') cache.dropUser(userOf(session));
            else cache.dropAll();
            for (const each of changed) heard[each] = Math.max(heard[each] ?? 0, after[each] ?? 0);
          });
        };
        for (const { do: action, what, session, key, which } of steps) {
          if (action === 'read') read(session, key);
          if (action === 'change') change(what, session);
          if (action === 'hear') news.shift()?.();
          if (action === 'answer') reads.splice(which % Math.max(1, reads.length), 1)[0]?.();
          for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
        }
        for (const hear of news) hear();
        for (const session of [0, 1, 2]) for (const key of [0, 1]) read(session, key);
        for (const answer of reads) answer();
        await Promise.all(checks);
      }),
      { numRuns: 500 },
    );
  });
});
