import { execFile } from 'node:child_process';
import { createHash, pbkdf2Sync } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import * as nodeRs from '@node-rs/argon2';
import argon2 from 'argon2';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createBreachedPasswords } from '../../src/infra/breached-passwords.ts';
import { createHashingPool, type HashingPool, type HashingSlot } from '../../src/infra/password-pool.ts';
import {
  createPasswords,
  type PasswordHash,
  type PasswordSlot,
  type PasswordsOptions,
} from '../../src/infra/passwords.ts';
import * as argon2id from '../../src/lib/argon2.js';

const CHEAP = { memoryKiB: 1024, iterations: 1, parallelism: 1 };
const SLOW = { memoryKiB: 47_104, iterations: 2, parallelism: 1 };
const OLD_PEPPER = { id: 'old', key: Buffer.alloc(32, 1) };
const NEW_PEPPER = { id: 'new', key: Buffer.alloc(32, 2) };
const PASSWORD = 'correct horse battery staple';
const HASH_FORM = /^\$argon2id\$v=19\$m=\d+,t=\d+,p=1\$/;

const opened: { close(): Promise<void> }[] = [];
const toClose = <T extends { close(): Promise<void> }>(closable: T): T => {
  opened.push(closable);
  return closable;
};
afterEach(async () => {
  await Promise.all(opened.splice(0).map((closable) => closable.close()));
});

function taken<S>(slot: S | null): S {
  if (!slot) throw new Error('there was no place');
  return slot;
}

describe('argon2', () => {
  const pepper = NEW_PEPPER.key;
  const costs = { memoryCost: CHEAP.memoryKiB, timeCost: CHEAP.iterations, parallelism: CHEAP.parallelism };

  it('makes the same hashes with either library, pepper included', async () => {
    const ours = await argon2id.hash(PASSWORD, CHEAP, pepper);
    const theirs = await argon2.hash(PASSWORD, { ...costs, secret: pepper });
    expect(ours).toMatch(HASH_FORM);
    expect(await argon2.verify(ours, PASSWORD, { secret: pepper })).toBe(true);
    expect(nodeRs.verifySync(theirs, PASSWORD, { secret: pepper })).toBe(true);
    expect(await argon2id.verify(theirs, PASSWORD, pepper)).toBe(true);
    expect(await argon2id.verify(nodeRs.hashSync(PASSWORD, { ...costs, secret: pepper }), PASSWORD, pepper)).toBe(true);
  });

  it('works where the faster library has no binary', async () => {
    vi.resetModules();
    vi.doMock('@node-rs/argon2', () => {
      throw new Error('no binary for this platform');
    });
    try {
      const fallback = await import('../../src/lib/argon2.js');
      const hash = await fallback.hash(PASSWORD, CHEAP, pepper);
      expect(hash).toMatch(HASH_FORM);
      expect(await argon2id.verify(hash, PASSWORD, pepper)).toBe(true);
      expect(await fallback.verify(await argon2id.hash(PASSWORD, CHEAP, pepper), PASSWORD, pepper)).toBe(true);
      expect(await fallback.verify(hash, PASSWORD)).toBe(false);
      await expect(fallback.hash(PASSWORD, { ...CHEAP, memoryKiB: 1 })).rejects.toThrow();
    } finally {
      vi.doUnmock('@node-rs/argon2');
    }
  });

  it('is false, not an error, for what is no hash', async () => {
    const hash = await argon2id.hash(PASSWORD, CHEAP);
    const malformed = [
      '',
      'password',
      '$2b$12$abcdefghijklmnopqrstuv',
      hash.slice(0, -2),
      `${hash}=`,
      `${hash}\n`,
      hash.replace('m=1024', 'm=1'),
      hash.replace('m=1024', 'm=9999999'),
      hash.replace('m=1024', 'm=01024'),
      hash.replace('t=1', 't=0'),
      hash.replace('p=1', 'p=0'),
      hash.replace('v=19', 'v=16'),
      hash.replace('argon2id', 'argon2i'),
    ];
    for (const text of malformed) {
      expect(argon2id.parametersOf(text), text).toBeNull();
      expect(await argon2id.verify(text, PASSWORD), text).toBe(false);
    }
    expect(argon2id.parametersOf(hash)).toEqual(CHEAP);
    expect(argon2id.parametersOf(hash.replace('t=1,p=1', 'p=1,t=1'))).toEqual(CHEAP);
  });
});

describe('a password', () => {
  const keep = (options: Partial<PasswordsOptions> = {}) =>
    toClose(createPasswords({ parameters: CHEAP, peppers: [NEW_PEPPER], ...options }));
  const using = async <T>(options: Partial<PasswordsOptions>, work: (slot: PasswordSlot) => Promise<T>): Promise<T> => {
    const slot = taken(keep(options).reserve());
    try {
      return await work(slot);
    } finally {
      slot.release();
    }
  };
  const hash = (password: string, options: Partial<PasswordsOptions> = {}) =>
    using(options, (slot) => slot.hash(password));
  const verify = (password: string, stored: PasswordHash | null, options: Partial<PasswordsOptions> = {}) =>
    using(options, (slot) => slot.verify(password, stored));
  const MATCH = { matches: true, needsRehash: false };
  const NO_MATCH = { matches: false, needsRehash: false };

  it('is kept as argon2id with a salt of its own and the id of its pepper', async () => {
    const [first, second] = [await hash(PASSWORD), await hash(PASSWORD)];
    expect(first.hash).toMatch(HASH_FORM);
    expect(Buffer.from(first.hash.split('$')[4] ?? '', 'base64').length).toBeGreaterThanOrEqual(16);
    expect(first.hash).not.toBe(second.hash);
    expect(first.pepperKeyId).toBe('new');
    expect((await hash(PASSWORD, { peppers: [] })).pepperKeyId).toBeNull();
  });

  it('matches itself, composed or decomposed', async () => {
    const stored = await hash('Caf\u00e9 \u1e9b\u0323 au lait');
    expect(await verify('Cafe\u0301 \u1e9b\u0323 au lait'.normalize('NFD'), stored)).toEqual(MATCH);
  });

  it('matches nothing but itself', async () => {
    const stored = await hash(PASSWORD);
    for (const other of [`${PASSWORD} `, ` ${PASSWORD}`, PASSWORD.toUpperCase(), `${PASSWORD}\0`, '']) {
      expect(await verify(other, stored), JSON.stringify(other)).toEqual(NO_MATCH);
    }
  });

  it('is never truncated', async () => {
    const long = '🗝x'.repeat(128);
    const stored = await hash(long);
    expect(await verify(long, stored)).toEqual(MATCH);
    expect(await verify(long.slice(0, -1), stored)).toEqual(NO_MATCH);
  });

  it('with half a character in it is neither hashed nor mistaken for another', async () => {
    await expect(hash('half \ud83d')).rejects.toThrow(TypeError);
    expect(await verify('half \ud83d', await hash('half \ufffd'))).toEqual(NO_MATCH);
  });

  it('asks for a rehash when it was made at another cost, and only if it matches', async () => {
    const stored = await hash(PASSWORD, { parameters: { ...CHEAP, memoryKiB: 512 } });
    expect(await verify(PASSWORD, stored)).toEqual({ matches: true, needsRehash: true });
    expect(await verify('another one', stored)).toEqual(NO_MATCH);
  });

  it('asks for a rehash when its pepper is no longer the current one', async () => {
    const peppered = await hash(PASSWORD, { peppers: [OLD_PEPPER] });
    const bare = await hash(PASSWORD, { peppers: [] });
    const peppers = [NEW_PEPPER, OLD_PEPPER];
    expect(await verify(PASSWORD, peppered, { peppers })).toEqual({ matches: true, needsRehash: true });
    expect(await verify(PASSWORD, bare, { peppers })).toEqual({ matches: true, needsRehash: true });
    expect(await verify(PASSWORD, bare, { peppers: [] })).toEqual(MATCH);
  });

  it('is never verified with another pepper, nor by argon2 without one', async () => {
    const stored = await hash(PASSWORD);
    const swapped = { id: NEW_PEPPER.id, key: OLD_PEPPER.key };
    expect(await verify(PASSWORD, stored, { peppers: [swapped] })).toEqual(NO_MATCH);
    expect(await verify(PASSWORD, { ...stored, pepperKeyId: null })).toEqual(NO_MATCH);
    expect(await verify(PASSWORD, stored, { peppers: [OLD_PEPPER] })).toEqual(NO_MATCH);
    expect(await argon2.verify(stored.hash, PASSWORD)).toBe(false);
  });

  it('takes the work of a hash also when there is none to compare with', async () => {
    const jobs: { hash: string; pepper: Buffer | undefined }[] = [];
    const pool: HashingPool = {
      ...createHashingPool({ size: 1 }),
      reserve: (): HashingSlot => ({
        hash: () => Promise.reject(new Error('nothing is to be hashed here')),
        verify: async (hash, _password, pepper) => {
          jobs.push({ hash, pepper });
          return true;
        },
        verifyForeign: () => Promise.reject(new Error('nothing foreign is stored here')),
        release: () => {},
      }),
    };
    const stored = await hash(PASSWORD);
    const without = [null, { ...stored, pepperKeyId: 'gone' }, { ...stored, hash: 'malformed' }];
    for (const none of without) expect(await verify(PASSWORD, none, { pool })).toEqual(NO_MATCH);
    expect(await verify('half \ud83d', stored, { pool })).toEqual(NO_MATCH);
    expect(jobs).toHaveLength(4);
    for (const job of jobs) {
      expect(argon2id.parametersOf(job.hash)).toEqual(CHEAP);
      expect(job.pepper).toEqual(NEW_PEPPER.key);
    }
    expect(await verify(PASSWORD, null)).toEqual(NO_MATCH);
  });

  it('is refused for the reasons of the policy, before anybody outside is asked', async () => {
    const asked: string[] = [];
    const isBreached: PasswordsOptions['isBreached'] = async (password) => {
      asked.push(password);
      return password === 'tr0ub4dor & 3' ? 'breached' : 'unknown';
    };
    const passwords = keep({ isBreached });
    const refuse = (password: string) => passwords.refuse(password, { minLength: 8, words: ['ada@example.com'] });
    expect(await refuse('baseball')).toEqual(['COMMON']);
    expect(await refuse('Ada@Example.com')).toEqual(['TOO_SIMILAR']);
    expect(asked).toEqual([]);
    expect(await refuse('tr0ub4dor & 3')).toEqual(['BREACHED']);
    expect(await refuse(PASSWORD)).toEqual([]);
  });
});

describe('the hashing pool', () => {
  it('refuses when all places are taken, and gives each back once', async () => {
    const pool = toClose(createHashingPool({ size: 1, waitingPerWorker: 1 }));
    const [first, second] = [taken(pool.reserve()), taken(pool.reserve())];
    expect(pool.reserve()).toBeNull();
    first.release();
    first.release();
    expect(pool.reserved).toBe(1);
    const third = taken(pool.reserve());
    expect(pool.reserve()).toBeNull();
    const running = third.hash(PASSWORD, CHEAP);
    third.release();
    expect(pool.reserve()).toBeNull();
    await running;
    expect(pool.reserve()).not.toBeNull();
    second.release();
    await expect(second.hash(PASSWORD, CHEAP)).rejects.toThrow('given back');
  });

  it('lets a place do one job at a time', async () => {
    const slot = taken(toClose(createHashingPool({ size: 1 })).reserve());
    const running = slot.hash(PASSWORD, CHEAP);
    await expect(slot.hash(PASSWORD, CHEAP)).rejects.toThrow('one job at a time');
    expect(await slot.verify(await running, PASSWORD)).toBe(true);
  });

  it('runs as many jobs at once as it has threads', async () => {
    const pool = toClose(createHashingPool({ size: 2 }));
    const jobs = Array.from({ length: 6 }, async () => {
      await taken(pool.reserve()).hash(PASSWORD, CHEAP);
      expect(pool.running).toBeLessThanOrEqual(2);
    });
    expect(pool.running).toBe(2);
    expect(pool.waiting).toBe(4);
    await Promise.all(jobs);
    expect(pool.running + pool.waiting).toBe(0);
  });

  it('does the jobs in the order of their coming', async () => {
    const pool = toClose(createHashingPool({ size: 1 }));
    const done: number[] = [];
    const jobs = [0, 1, 2, 3, 4].map(async (index) => {
      await taken(pool.reserve()).hash(PASSWORD, CHEAP);
      done.push(index);
    });
    await Promise.all(jobs);
    expect(done).toEqual([0, 1, 2, 3, 4]);
  });

  it('replaces a thread that dies, and rejects its job only', async () => {
    const program = `
      import { parentPort } from 'node:worker_threads';
      parentPort.on('message', ({ password }) => {
        if (password === 'die') process.exit(1);
        if (password === 'throw') throw new Error('out of order');
        parentPort.postMessage({ value: password });
      });`;
    const worker = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
    const pool = toClose(createHashingPool({ size: 1, worker }));
    const hash = (password: string) => taken(pool.reserve()).hash(password, CHEAP);
    const [died, threw, survived] = await Promise.allSettled([hash('die'), hash('throw'), hash('live')]);
    expect(died).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('stopped') } });
    expect(threw).toMatchObject({ status: 'rejected', reason: { cause: { message: 'out of order' } } });
    expect(survived).toEqual({ status: 'fulfilled', value: 'live' });
  });

  it('rejects a job that argon2 refuses, and goes on', async () => {
    const slot = taken(toClose(createHashingPool({ size: 1 })).reserve());
    await expect(slot.hash(PASSWORD, { ...CHEAP, memoryKiB: 1 })).rejects.toThrow('a password job failed');
    expect(await slot.hash(PASSWORD, CHEAP)).toMatch(HASH_FORM);
  });

  it('finishes what was begun when it closes, and takes no more', async () => {
    const pool = createHashingPool({ size: 1 });
    const slots = [taken(pool.reserve()), taken(pool.reserve()), taken(pool.reserve())] as const;
    const begun = [slots[0].hash(PASSWORD, CHEAP), slots[1].hash(PASSWORD, CHEAP)];
    const closing = [pool.close(), pool.close()];
    expect(pool.reserve()).toBeNull();
    await expect(slots[2].hash(PASSWORD, CHEAP)).rejects.toThrow('closed');
    await Promise.all(closing);
    for (const hash of await Promise.all(begun)) expect(hash).toMatch(HASH_FORM);
  });

  it('lets the process end, closed or idle', async () => {
    const program = `
      import { createHashingPool } from './src/infra/password-pool.ts';
      const [closed, idle] = [createHashingPool({ size: 1 }), createHashingPool({ size: 1 })];
      for (const pool of [closed, idle]) await pool.reserve().hash('password', ${JSON.stringify(CHEAP)});
      await closed.close();
      process.stdout.write('done');`;
    const flags = ['--import', 'tsx', '--input-type=module', '--eval', program];
    const { stdout } = await promisify(execFile)(process.execPath, flags, { timeout: 20_000 });
    expect(stdout).toBe('done');
  });

  it('leaves the event loop, files and name lookups alone while it is saturated', async () => {
    // As many threads as libuv has: were the work done there, nothing else would be.
    const pool = toClose(createHashingPool({ size: 4 }));
    const jobs = Array.from({ length: pool.places }, () => taken(pool.reserve()).hash(PASSWORD, SLOW));
    let saturated = true;
    const finished = Promise.all(jobs).then(() => {
      saturated = false;
    });
    let turns = 0;
    while (saturated && turns < 50) {
      await Promise.all([stat('.'), lookup('localhost'), new Promise((resolve) => setImmediate(resolve))]);
      turns += 1;
    }
    expect(turns).toBe(50);
    expect(pool.running).toBe(pool.size);
    await finished;
  });

  it.runIf(process.platform === 'linux')('stands back behind every other thread of the process', async () => {
    const pool = toClose(createHashingPool({ size: 2, niceness: 7 }));
    await Promise.all([1, 2].map(() => taken(pool.reserve()).hash(PASSWORD, CHEAP)));
    const fields = (thread: string) =>
      readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').split(') ')[1]?.split(' ');
    // Field 19 of proc_pid_stat(5), where the part after the name begins with field 3.
    const niceness = readdirSync('/proc/self/task').map((thread) => Number(fields(thread)?.[16]));
    expect(niceness.filter((value) => value === 7)).toHaveLength(2);
    expect(fields(String(process.pid))?.[16]).not.toBe('7');
  });
});

describe('the search for breached passwords', () => {
  const digest = createHash('sha1').update(PASSWORD).digest('hex').toUpperCase();
  const other = '0'.repeat(35);
  const requests: { url: string; init: RequestInit | undefined }[] = [];
  const answering = (respond: () => Response | Promise<Response>) =>
    createBreachedPasswords({
      url: 'https://range.example/range',
      fetch: async (url, init) => {
        requests.push({ url: String(url), init });
        return respond();
      },
    });

  it('sends five characters of the hash, asks for padding and follows no redirect', async () => {
    const search = answering(() => new Response(`${other}:3\r\n${digest.slice(5)}:17\r\n`));
    expect(await search(PASSWORD)).toBe('breached');
    expect(requests.at(-1)?.url).toBe(`https://range.example/range/${digest.slice(0, 5)}`);
    expect(requests.at(-1)?.init).toMatchObject({ redirect: 'error', headers: { 'Add-Padding': 'true' } });
    expect(requests.at(-1)?.init?.signal).toBeInstanceOf(AbortSignal);
  });

  it('takes neither the hashes of others nor padding for a match', async () => {
    expect(await answering(() => new Response(`${other}:3\r\n${digest.slice(5)}:0`))(PASSWORD)).toBe('clean');
  });

  it.each([
    ['cannot be reached', () => Promise.reject(new Error('ECONNREFUSED'))],
    ['fails', () => new Response(`${digest.slice(5)}:17`, { status: 503 })],
    ['says something else', () => new Response('<html>Log in to this network</html>')],
    ['says nothing', () => new Response('')],
    ['never stops', () => new Response(`${other}:3\r\n`.repeat(30_000))],
  ])('does not know when the service %s', async (_, respond) => {
    expect(await answering(respond)(PASSWORD)).toBe('unknown');
  });
});

describe('a password that came along with a hash of another system', () => {
  // Django's PBKDF2, over `letmein`.
  const FOREIGN = { hash: 'pbkdf2_sha256$100$seasalt$oh5Xuc+wbOXD9WzE2mOkaVxVXmPXkSH4RtlZ6bA7VMw=', pepperKeyId: null };

  it('is verified in a thread as it is, and is to be hashed anew', async () => {
    const hash = `pbkdf2_sha256$100$seasalt$${pbkdf2Sync('letmein', 'seasalt', 100, 32, 'sha256').toString('base64')}`;
    const stored = { hash, pepperKeyId: null };
    const slot = taken(toClose(createPasswords({ parameters: CHEAP, peppers: [NEW_PEPPER] })).reserve());
    expect(await slot.verify('letmein', stored)).toEqual({ matches: true, needsRehash: true });
    expect(await slot.verify('letmeout', stored)).toEqual({ matches: false, needsRehash: false });
    expect(await slot.verify('half \ud83d', stored)).toEqual({ matches: false, needsRehash: false });
    slot.release();
  });

  it('costs a refusal what every other refusal costs, as long as there are such hashes (evenOut)', async () => {
    const jobs: string[] = [];
    const slot: HashingSlot = {
      hash: () => Promise.reject(new Error('nothing is to be hashed here')),
      verify: async () => jobs.push('argon2') === 0,
      verifyForeign: async () => jobs.push('foreign') === 0,
      release: () => {},
    };
    const pool: HashingPool = { ...createHashingPool({ size: 1 }), reserve: () => slot };
    const passwords = toClose(createPasswords({ parameters: CHEAP, peppers: [NEW_PEPPER], pool }));
    const own = { hash: await argon2id.hash(PASSWORD, CHEAP), pepperKeyId: null };
    for (const typed of ['wrong', 'half \ud83d', '']) {
      for (const stored of [null, own, FOREIGN, { ...FOREIGN, hash: 'malformed' }]) {
        const place = taken(passwords.reserve());
        expect((await place.verify(typed, stored)).matches).toBe(false);
        await place.evenOut(typed, stored, FOREIGN.hash);
        expect(jobs.splice(0).sort()).toEqual(['argon2', 'foreign']);
        await place.verify(typed, own);
        await place.evenOut(typed, own, null);
        expect(jobs.splice(0)).toEqual(['argon2']);
      }
    }
  });
});
