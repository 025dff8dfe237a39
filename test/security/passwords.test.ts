import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { hash, verify } from 'argon2';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import type { Answer } from '../support/client.ts';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import {
  askForReset,
  CHANGE_PASSWORD,
  marked,
  REPLACE_PASSWORD,
  resetWith,
  withoutPassword,
} from '../support/passwords.ts';
import { CURRENT_USER, LOG_IN, logIn, newPerson, SIGN_UP, signUp } from '../support/people.ts';

// Every way of setting a password has to keep these: it joins the table.

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_RATE_LIMITS: 'off' } });
});
afterAll(() => gateway.stop());

/** Sets a password at a gateway. The reasons why it was refused, none if it was set. */
type Setter = (at: Gateway, password: string) => Promise<string[]>;

const passwordSetters: Readonly<Record<string, Setter>> = {
  async signUp(at, password) {
    return reasonsOf(await at.client().send(SIGN_UP, { input: { email: newPerson().email, password } }));
  },
  async resetPassword(at, newPassword) {
    const person = newPerson();
    await signUp(at.client(), person);
    const { mail } = await askForReset(at, person.email);
    return reasonsOf(await resetWith(at.client(), mail.token, newPassword));
  },
  async replacePassword(at, newPassword) {
    const person = newPerson();
    await marked(at, await signUp(at.client(), person));
    const { loginToken } = (await at.client().send(LOG_IN, { input: person })).result;
    return reasonsOf(await at.client().send(REPLACE_PASSWORD, { input: { loginToken, newPassword } }));
  },
  async changePassword(at, newPassword) {
    const person = newPerson();
    const { client } = await signUp(at.client(), person);
    return reasonsOf(await client.send(CHANGE_PASSWORD, { input: { currentPassword: person.password, newPassword } }));
  },
  async 'changePassword, the first one'(at, newPassword) {
    const { client } = await withoutPassword(at, await signUp(at.client(), newPerson()));
    return reasonsOf(await client.send(CHANGE_PASSWORD, { input: { newPassword } }));
  },
};

function reasonsOf({ result, text }: Answer): string[] {
  if (result.__typename === 'InvalidInput') return ['INVALID_INPUT'];
  if (result.__typename === 'PasswordRejected') return result.reasons as string[];
  if (['LoggedIn', 'PasswordWasReset', 'PasswordChanged'].includes(result.__typename)) return [];
  throw new Error(`neither set nor refused: ${text}`);
}

describe.each(Object.entries(passwordSetters))('a password set by %s', (_name, set) => {
  test('is measured in code points, not in UTF-16 units (P01: counting with .length lets 8 emoji pass for 15)', async () => {
    const strict = await startGateway({ env: { POSTERN_PASSWORD_MIN_LENGTH: '15' } });
    const emoji = ['🦊', '🐢', '🦉', '🐝', '🦋', '🐙', '🦔', '🐳', '🦚', '🐌', '🦎', '🐞', '🦀', '🐧', '🦜'];
    expect(await set(strict, emoji.slice(0, 8).join(''))).toEqual(['TOO_SHORT']);
    expect(await set(strict, 'zkqv wmxp ytrh')).toEqual(['TOO_SHORT']);
    expect(await set(strict, 'zkqv wmxp ytrhe')).toEqual([]);
    expect(await set(strict, emoji.join(''))).toEqual([]);
    await strict.stop();
  });

  test('may have 64, 128 and 256 code points, and not one more (P02: truncation would accept it)', async () => {
    const text = 'a rather long sentence about nothing at all, '.repeat(6);
    for (const length of [64, 128, 256]) expect(await set(gateway, text.slice(0, length))).toEqual([]);
    expect(await set(gateway, text.slice(0, 257))).toEqual(['TOO_LONG']);
  });

  test('need not mix kinds of characters: any printable text will do (P03)', async () => {
    const printable = fc.string({ unit: 'grapheme', minLength: 15, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(printable, async (password) => {
        fc.pre([...password.normalize('NFC')].length >= 15);
        expect(await set(gateway, password)).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  test('is refused as COMMON when it is on the list, in any letter case (P04: without the list they pass)', async () => {
    const listed = gunzipSync(readFileSync('data/common-passwords.txt.gz'))
      .toString()
      .split('\n')
      .filter((entry) => entry.length >= 8);
    expect(listed.length).toBeGreaterThan(3_000);
    const sample = Array.from({ length: 100 }, (_, index) => listed[Math.floor((index * listed.length) / 100)] ?? '');
    for (const password of sample) expect(await set(gateway, password)).toContain('COMMON');
    expect(await set(gateway, 'PASSWORD123')).toContain('COMMON');
    expect(await set(gateway, 'ｐａｓｓｗｏｒｄ１２３')).toContain('COMMON');
  });
});

describe('a password', () => {
  test('is not the address, its parts or the product, not even repeated (P05)', async () => {
    for (const password of ['zaphod.b@example.com', 'zaphod.b', 'example.com', 'posternpostern', 'Zaphod.B1!']) {
      const { result } = await gateway.client().send(SIGN_UP, { input: { email: 'zaphod.b@example.com', password } });
      expect(result).toMatchObject({
        __typename: 'PasswordRejected',
        reasons: expect.arrayContaining(['TOO_SIMILAR']),
      });
    }
  });

  test('is compared as it was typed, and two forms of one text are one password (P06: without NFC one of them fails)', async () => {
    const person = { ...newPerson(), password: 'caf\u00e9 au lait am Morgen' };
    await signUp(gateway.client(), person);
    await logIn(gateway.client(), person);
    await logIn(gateway.client(), { ...person, password: person.password.normalize('NFD') });
    for (const other of [
      `${person.password} `,
      ` ${person.password}`,
      person.password.toUpperCase(),
      person.password.normalize('NFKD').replace(/\p{M}/gu, ''),
    ]) {
      const { result } = await gateway.client().send(LOG_IN, { input: { ...person, password: other } });
      expect(result.__typename).toBe('InvalidCredentials');
    }
  });

  test('of 256 characters does not open with its first 255 (P02)', async () => {
    const person = {
      ...newPerson(),
      password: 'every word of this sentence counts, the last letter too; '.repeat(5).slice(0, 256),
    };
    await signUp(gateway.client(), person);
    const { result } = await gateway
      .client()
      .send(LOG_IN, { input: { ...person, password: person.password.slice(0, 255) } });
    expect(result.__typename).toBe('InvalidCredentials');
  });

  test('does not expire, and there are no hints or questions (P07)', async () => {
    const lasting = await startGateway();
    const person = newPerson();
    await signUp(lasting.client(), person);
    lasting.clock.advance(5 * 365 * 86_400_000);
    await logIn(lasting.client(), person);
    await lasting.stop();
    const names = Object.values(schema.getTypeMap()).flatMap((type) =>
      'getFields' in type ? Object.keys(type.getFields()) : [],
    );
    expect(names.filter((name) => /hint|question/i.test(name))).toEqual([]);
  });

  test('is kept as argon2id with one lane and a salt of its own (P09)', async () => {
    const one = newPerson();
    const other = { ...newPerson(), password: one.password };
    const held = [await signUp(gateway.client(), one), await signUp(gateway.client(), other)];
    const rows = await gateway.sql<{ hash: string }>('SELECT hash FROM passwords WHERE user_id = ANY($1)', [
      held.map(({ userId }) => userId),
    ]);
    expect(rows).toHaveLength(2);
    for (const { hash: kept } of rows) expect(kept).toMatch(/^\$argon2id\$v=19\$m=\d+,t=\d+,p=1\$[A-Za-z0-9+/]{22,}\$/);
    expect(rows[0]?.hash).not.toBe(rows[1]?.hash);
  });

  test('is hashed anew at the next right login when its parameters are weaker, and only then (P10)', async () => {
    const person = newPerson();
    const { userId } = await signUp(gateway.client(), person);
    const weak = await hash(person.password, { memoryCost: 16, timeCost: 1, parallelism: 1 });
    await gateway.sql('UPDATE passwords SET hash = $2, pepper_key_id = NULL WHERE user_id = $1', [userId, weak]);
    const kept = async () =>
      (await gateway.sql<{ hash: string }>('SELECT hash FROM passwords WHERE user_id = $1', [userId]))[0]?.hash;
    await gateway.client().send(LOG_IN, { input: { ...person, password: 'not the one that it is' } });
    expect(await kept()).toBe(weak);
    await logIn(gateway.client(), person);
    expect(await kept()).toMatch(/m=64,t=1,p=1/);
    await logIn(gateway.client(), person);
  });

  test('needs a secret that is not in the database: its hash alone verifies nothing (P11: without the pepper it does)', async () => {
    const person = newPerson();
    const { userId } = await signUp(gateway.client(), person);
    const [row] = await gateway.sql<{ hash: string; pepper_key_id: string }>(
      'SELECT hash, pepper_key_id FROM passwords WHERE user_id = $1',
      [userId],
    );
    expect(row?.pepper_key_id).toMatch(/^[0-9a-f]{8}$/);
    expect(await verify(row?.hash ?? '', person.password)).toBe(false);
  });

  test('moves to a new secret as its owner logs in, and to no other (P11)', async () => {
    const one = await startGateway();
    const person = newPerson();
    await signUp(one.client(), person);
    const old = 'the secret of the tests is long enough to be one';
    const both = await one.another({ POSTERN_SECRET: `another secret that is as long as it has to be,${old}` });
    await logIn(both.client(), person);
    const { result } = await one.client().send(LOG_IN, { input: person });
    expect(result.__typename).toBe('InvalidCredentials');
    await logIn(both.client(), person);
    await one.stop();
  });
});

describe('signing up', () => {
  test('takes an address in one canonical form (P13: without it Ada@ and ada@ are two people)', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    for (const spelling of [person.email.toUpperCase(), ` ${person.email} `, person.email.replace('ada', 'ａda')]) {
      const { result } = await gateway
        .client()
        .send(SIGN_UP, { input: { email: spelling, password: 'tall ladder in a library' } });
      expect(result).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: ['email'], code: 'TAKEN' }] });
    }
  });

  test.each([
    'ada',
    'ada@',
    '@example.com',
    'ada@example',
    'ada@@example.com',
    'ada＠example.com',
    'a@b,c@d.com',
    'ada@example.com,eve@example.com',
    'ada@example.com\r\nBcc: eve@example.com',
    'ada\u0000@example.com',
    '"ada lovelace"@example.com',
    '"ada@evil.com"@example.com',
    'ada@[127.0.0.1]',
    'ada@127.0.0.1',
    'ada@-example.com',
    'ada@example..com',
    '.ada@example.com',
    'ada.@example.com',
    'ada@exa%6dple.com',
    'ada@example.com/',
    'Ada <ada@example.com>',
    'ada@example。com',
    `${'a'.repeat(65)}@example.com`,
    `ada@${'a'.repeat(64)}.com`,
    `ada@${'abcdefgh.'.repeat(30)}com`,
    'ada@exam\u202eple.com',
    'ada lovelace@example.com',
    'ada@exa mple.com',
    '\ud800@example.com',
  ])('refuses %j as an address (P13)', async (email) => {
    const { result } = await gateway.client().send(SIGN_UP, { input: { email, password: 'tall ladder in a library' } });
    expect(result).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: ['email'], code: 'INVALID' }] });
  });

  test('takes no field that a person may not set (P14)', async () => {
    const fields = (name: string) => {
      const type = schema.getType(name);
      return type && 'getFields' in type ? Object.keys(type.getFields()).sort() : [];
    };
    const own = ['credential', 'email', 'name', 'password', 'phone', 'username'];
    // What an invitation brings is the administrator's word.
    expect(fields('SignUpInput')).toEqual([...own, 'invitation'].sort());
    for (const extra of ['id', 'roles', 'emailVerified', 'createdAt', 'userId', 'hasMfa']) {
      const answer = await gateway.client().send(SIGN_UP, { input: { ...newPerson(), [extra]: 'x' } });
      expect(answer.status).toBe(400);
      expect(answer.text).not.toContain('LoggedIn');
    }
  });

  test('a hundred times at once with one address makes one person, whole (P15: without the unique address there are more)', async () => {
    const alone = await startGateway({ env: { POSTERN_RATE_LIMITS: 'off' } });
    const { email, password } = newPerson();
    const answers = await Promise.all(
      Array.from({ length: 100 }, () =>
        alone.client({ 'x-forwarded-for': newAddress() }).send(SIGN_UP, { input: { email, password } }),
      ),
    );
    const kinds = answers.map(({ result }) => result.__typename);
    expect(kinds.filter((kind) => kind === 'LoggedIn')).toHaveLength(1);
    expect(new Set(kinds)).toEqual(
      new Set(['LoggedIn', ...kinds.filter((kind) => kind === 'InvalidInput' || kind === 'RateLimited')]),
    );
    const [counts] = await alone.sql(
      `
      SELECT count(*)::int AS users, count(e.*)::int AS emails, count(p.*)::int AS passwords
      FROM users u LEFT JOIN emails e ON e.user_id = u.id LEFT JOIN passwords p ON p.user_id = u.id
      WHERE e.address = $1 OR e.address IS NULL OR p.user_id IS NULL`,
      [email],
    );
    expect(counts).toEqual({ users: 1, emails: 1, passwords: 1 });
    await alone.stop();
  });

  test('refuses names that forge lines or are no text, and keeps others', async () => {
    for (const name of ['Ada\r\nBcc: x', 'Ada\u0000', '\u202eadA', 'a'.repeat(201), '\ud800']) {
      const { result } = await gateway.client().send(SIGN_UP, { input: { ...newPerson(), name } });
      expect(result).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: ['name'] }] });
    }
    const held = await signUp(gateway.client(), { ...newPerson(), ...{ name: '  Zoë 🦊 ' } });
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ name: 'Zoë 🦊', displayName: 'Zoë 🦊' });
  });

  test('is refused where it is closed', async () => {
    const closed = await startGateway({ env: { POSTERN_SIGN_UP: 'closed' } });
    const { result } = await closed.client().send(SIGN_UP, { input: newPerson() });
    expect(result.__typename).toBe('SignUpClosed');
    await closed.stop();
  });
});
