import { createHash, pbkdf2Sync, scryptSync } from 'node:crypto';
import nodeRs from '@node-rs/argon2';
import bcrypt from 'bcryptjs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readForeignHash, verifyForeignHash } from '../../src/lib/foreign-hash.js';

const FIREBASE =
  '$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==';

/** Hashes that were made elsewhere: by Django, Keycloak, Firebase and crypt_blowfish. */
const VECTORS: readonly (readonly [format: string, password: string, hash: string])[] = [
  [
    'pbkdf2_sha256',
    'letmein',
    'pbkdf2_sha256$1000000$seasalt2seasalt2seasaltA$4eQTxXyM1YOhmgGFKZajo9oyrkAw0NA47D5k54rxY/Y=',
  ],
  ['pbkdf2_sha1', 'password', 'pbkdf2_sha1$4096$salt$SwB5AbdlSJq+rUnZJvch0GWkKcE='],
  [
    'argon2',
    'letmein',
    'argon2$argon2id$v=19$m=102400,t=2,p=8$c2Vhc2FsdDJzZWFzYWx0MnNlYXNhbHRB$n90ozMYcx9wp+tGe1nwHgoGbIWFxjr2dTUG814FqjcU',
  ],
  ['bcrypt_sha256', 'letmein', 'bcrypt_sha256$$2b$12$KIXQ2x1l9h0a9Vq3y1s5OeUWaFECs9KRRD4MlXgYPz6CiolDxYGca'],
  [
    'scrypt',
    'letmein',
    'scrypt$16384$seasalt2seasalt2seasaltA$8$5$zqjDWJUHOqh3oIgpVh8KKXUxVzzyM6wtYQASxJtVJy/cra3et3grBrAiwr2EmdVS8PDV/1CXjDjSc2R2FdI/IA==',
  ],
  ['bcrypt', 'U*U', 'bcrypt$$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['bcrypt', 'U*U', 'bcrypt$$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  [
    'pbkdf2_sha256',
    'user1',
    'pbkdf2$sha256$27500$AGHjXoWftkFxnk/dcZRNnA==$9qur72LAICdhFeb2SpkJt2jbOYaxJ44g9T+E7bmJXxI=',
  ],
  [
    'pbkdf2_sha256',
    'admin',
    'pbkdf2$sha256$27500$SWU35ecF1zm/VYEcvzdNJg==$31MudlHfx763mvpL+ZJU/etLgu2qFt0NpX+xyK0f8MCxOagc5N5+LCLQ/lUx8PJA6+eflW/eRQcnqGR7L8qb7w==',
  ],
  [
    'argon2',
    'password',
    'argon2$argon2id$v=19$m=7168,t=5,p=1$Cf9AYCE5pAbb4CKEF0GUTA$BruFLfFkjH/8erZ26NnrbkOrWiZuQyDRCHD9o0R6Scg',
  ],
  ['firebase_scrypt', 'user1password', FIREBASE],
];

describe('a hash that another system made', () => {
  test.each(VECTORS)('%s is verified with its password %s, and with no other', async (format, password, hash) => {
    expect(readForeignHash(hash)).toMatchObject({ format, affordable: true });
    expect(await verifyForeignHash(hash, password)).toBe(true);
    expect(await verifyForeignHash(hash, `${password}x`)).toBe(false);
  });

  test('bcrypt looks at 72 bytes and no more, bcrypt_sha256 at all of them', async () => {
    const long = 'ä'.repeat(40);
    const plain = `bcrypt$${bcrypt.hashSync(long.slice(0, 36), 4)}`;
    expect(await verifyForeignHash(plain, long)).toBe(true);
    expect(await verifyForeignHash(plain, long.slice(0, 35))).toBe(false);
    const hashed = `bcrypt_sha256$${bcrypt.hashSync(createHash('sha256').update(long).digest('hex'), 4)}`;
    expect(await verifyForeignHash(hashed, long)).toBe(true);
    expect(await verifyForeignHash(hashed, long.slice(0, 36))).toBe(false);
  });

  test('better-auth normalizes to NFKC, with the text of the salt; Django takes what was typed', async () => {
    const salt = '1c50892c354da5b23ec3b5007649bc6e';
    const key = scryptSync('fine ﬁ é'.normalize('NFKC'), salt, 64, { N: 16_384, r: 16, p: 1, maxmem: 2 ** 26 });
    const hash = `better_auth$${salt}:${key.toString('hex')}`;
    expect(readForeignHash(hash)?.format).toBe('better_auth');
    for (const typed of ['fine ﬁ é', 'fine fi é', 'fine fi é']) expect(await verifyForeignHash(hash, typed)).toBe(true);
    expect(await verifyForeignHash(hash, 'fine fi e')).toBe(false);
    const django = `pbkdf2_sha256$10$salt$${pbkdf2Sync('caf\u00e9', 'salt', 10, 32, 'sha256').toString('base64')}`;
    expect(await verifyForeignHash(django, 'caf\u00e9')).toBe(true);
    expect(await verifyForeignHash(django, 'cafe\u0301')).toBe(false);
  });

  test('Keycloak writes SHA-512 and SHA-1 as well; argon2 has three variants', async () => {
    const salt = Buffer.from('0123456789abcdef');
    for (const [digest, bytes] of [
      ['sha512', 64],
      ['sha1', 64],
      ['sha256', 64],
    ] as const) {
      const key = pbkdf2Sync('letmein', salt, 1_000, bytes, digest).toString('base64');
      expect(await verifyForeignHash(`pbkdf2$${digest}$1000$${salt.toString('base64')}$${key}`, 'letmein')).toBe(true);
    }
    for (const [algorithm, name] of [
      [0, 'argon2d'],
      [1, 'argon2i'],
      [2, 'argon2id'],
    ] as const) {
      const phc = nodeRs.hashSync('letmein', { algorithm, memoryCost: 64, timeCost: 1, parallelism: 2 });
      expect(phc).toMatch(new RegExp(`^\\$${name}\\$`));
      expect(await verifyForeignHash(`argon2${phc}`, 'letmein')).toBe(true);
      expect(await verifyForeignHash(`argon2${phc}`, 'letmeout')).toBe(false);
    }
  });

  test('of the empty password lets nobody in: systems have stored such hashes for people without a password', async () => {
    for (const hash of [
      `pbkdf2_sha256$10$salt$${pbkdf2Sync('', 'salt', 10, 32, 'sha256').toString('base64')}`,
      `bcrypt$${bcrypt.hashSync('', 4)}`,
    ])
      expect([readForeignHash(hash)?.affordable, await verifyForeignHash(hash, '')]).toEqual([true, false]);
  });

  test.each([
    'pbkdf2_sha256$10000001$salt$4eQTxXyM1YOhmgGFKZajo9oyrkAw0NA47D5k54rxY/Y=',
    `pbkdf2$sha256$5000000$c2FsdA==$${Buffer.alloc(128).toString('base64')}`,
    'scrypt$33554432$salt$8$1$4eQTxXyM1YOhmgGFKZajo9oyrkAw0NA47D5k54rxY/Y=',
    'scrypt$16384$salt$8$999$4eQTxXyM1YOhmgGFKZajo9oyrkAw0NA47D5k54rxY/Y=',
    'bcrypt$$2b$16$KIXQ2x1l9h0a9Vq3y1s5OeUWaFECs9KRRD4MlXgYPz6CiolDxYGca',
    'argon2$argon2id$v=19$m=2097152,t=1,p=1$c2Vhc2FsdDJzZWFzYWx0$n90ozMYcx9wp+tGe1nwHgoGbIWFxjr2dTUG814FqjcU',
    'argon2$argon2id$v=19$m=1048576,t=9,p=1$c2Vhc2FsdDJzZWFzYWx0$n90ozMYcx9wp+tGe1nwHgoGbIWFxjr2dTUG814FqjcU',
    FIREBASE.replace('n=14', 'n=40'),
  ])('that would keep a machine busy is known, and never computed: %s', async (hash) => {
    expect(readForeignHash(hash)?.affordable).toBe(false);
    expect(await verifyForeignHash(hash, 'letmein')).toBe(false);
  });

  test.each([
    '',
    '!',
    '!QGqHqVbQx0Zt8VbXc2g1m4aU7sZyVh2f3Yc1J8bE',
    'md5$salt$0cc175b9c0f1b6a831c399e269772661',
    'pbkdf2_sha256$0$salt$4eQTxXyM1YOhmgGFKZajo9oyrkAw0NA47D5k54rxY/Y=',
    'pbkdf2_sha256$1000$$4eQTxXyM1YOhmgGFKZajo9oyrkAw0NA47D5k54rxY/Y=',
    'pbkdf2_sha256$1000$salt$',
    'pbkdf2_sha256$1000$salt$AAAA',
    'scrypt$1000$salt$8$1$4eQTxXyM1YOhmgGFKZajo9oyrkAw0NA47D5k54rxY/Y=',
    '$2b$12$KIXQ2x1l9h0a9Vq3y1s5OeUWaFECs9KRRD4MlXgYPz6CiolDxYGca',
    'bcrypt$$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
    'bcrypt$$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
    '$argon2id$v=19$m=102400,t=2,p=8$c2Vhc2FsdDJzZWFzYWx0$n90ozMYcx9wp+tGe1nwHgoGbIWFxjr2dTUG814FqjcU',
    'argon2$argon2id$v=16$m=102400,t=2,p=8$c2Vhc2FsdDJzZWFzYWx0$n90ozMYcx9wp+tGe1nwHgoGbIWFxjr2dTUG814FqjcU',
    'better_auth$xyz:00',
    FIREBASE.replace('sk=jx', 'sk='),
    FIREBASE.replace('v=1', 'v=2'),
  ])('is none of these: %s', async (text) => {
    expect(readForeignHash(text)).toBeNull();
    expect(await verifyForeignHash(text, 'letmein')).toBe(false);
  });

  test('never throws, whatever stands there', async () => {
    const mangled = fc
      .tuple(fc.constantFrom(...VECTORS.map(([, , hash]) => hash)), fc.nat(), fc.string())
      .map(([hash, at, put]) => `${hash.slice(0, at % hash.length)}${put}${hash.slice((at % hash.length) + 1)}`);
    await fc.assert(
      fc.asyncProperty(fc.oneof(mangled, fc.string()), async (text) => void readForeignHash(text)),
      { numRuns: 500 },
    );
  });
});
