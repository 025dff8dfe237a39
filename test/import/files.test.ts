import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readAuth0 } from '../../src/import/read/auth0.ts';
import { readCsv } from '../../src/import/read/csv.ts';
import { readFirebase } from '../../src/import/read/firebase.ts';
import { readKeycloak } from '../../src/import/read/keycloak.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { fileOf, problemsOf, takeIn } from '../support/imports.ts';
import { CURRENT_USER, logIn, newPerson, signUp } from '../support/people.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/process.ts';

let gateway: Gateway;
let folder: TemporaryFolder;
beforeAll(async () => {
  gateway = await startGateway();
  folder = await temporaryFolder();
});
afterAll(async () => {
  await gateway.stop();
  await folder.remove();
});

let runs = 0;
/** A source that no other test has. */
const own = () => ({ name: `source-${runs++}` });
const hashed = (password: string) =>
  `pbkdf2_sha256$100$salt$${pbkdf2Sync(password, 'salt', 100, 32, 'sha256').toString('base64')}`;

describe('a file of comma-separated values', () => {
  test('has people with what its columns say', async () => {
    const { email, password } = newPerson();
    const path = await fileOf(
      folder.path,
      `\ufeffExternal_ID,email,email_verified,name,username,phone,phone_verified,password_hash,roles,created_at,disabled\r\n` +
        `7,${email},true,"Lovelace, ""Ada""\n",ada.csv,+1 202 555 0123,yes,${hashed(password)},staff editor,2020-01-02T03:04:05Z,\r\n`,
    );
    const report = await takeIn(gateway, readCsv(path), own());
    expect([report.people.taken, report.problems]).toEqual([1, []]);
    const held = await logIn(gateway.client(), { email, password });
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({
      name: 'Lovelace, "Ada"',
      username: 'ada.csv',
      emailVerified: true,
      roles: ['staff', 'editor'],
      createdAt: '2020-01-02T03:04:05.000Z',
    });
  });

  test('with broken rows has them told by line, and the others are taken', async () => {
    const [one, two, three] = [newPerson(), newPerson(), newPerson()];
    const path = await fileOf(
      folder.path,
      [
        'external_id,email,email_verified,password_hash',
        `1,${one.email},true,`,
        '2,too,few',
        `3,"unfinished" business,true,`,
        ',,true,',
        `5,${two.email},true,${hashed(two.password)}`,
        `1,${newPerson().email},true,`,
        `7,no address,true,`,
        `8,${three.email},true,pbkdf2_sha256$99999999$salt$4eQTxXyM1YOhmgGFKZajo9oyrkAw0NA47D5k54rxY/Y=`,
        `9,${'x'.repeat(2 ** 20)}@example.com,true,`,
        `10,nul\u0000@example.com,true,`,
        `__proto__,${newPerson().email},true,`,
        `12,${newPerson().email},true,"open`,
        `13,${newPerson().email},true,`,
      ].join('\n'),
    );
    const report = await takeIn(gateway, readCsv(path), own());
    expect(report.people).toMatchObject({ taken: 5, there: 0 });
    expect(report.problems.map(({ place, code }) => [place.line, code])).toEqual([
      [3, 'BROKEN'],
      [4, 'BROKEN'],
      [5, 'BROKEN'],
      [7, 'REPEATED'],
      [8, 'NO_WAY_IN'],
      [9, 'PASSWORD_TOO_COSTLY'],
      [10, 'BROKEN'],
      [11, 'NO_WAY_IN'],
      [13, 'BROKEN'],
    ]);
    await logIn(gateway.client(), two);
  });

  test('with a column that is not known is refused whole', async () => {
    for (const header of ['email,passwort', 'name,email,email', 'name'])
      await expect(takeIn(gateway, readCsv(await fileOf(folder.path, `${header}\n1,2,3\n`)), own())).rejects.toThrow();
  });
});

describe('Auth0', () => {
  test('has its people an object a line, or in a list', async () => {
    const [a, b, c] = [newPerson(), newPerson(), newPerson()];
    const hash = '$2b$12$KIXQ2x1l9h0a9Vq3y1s5OeUWaFECs9KRRD4MlXgYPz6CiolDxYGca';
    const lines = [
      { _id: { $oid: '5dea9f9c82dd7c0e76e4ec93' }, email_verified: false, email: a.email, passwordHash: hash },
      {
        _id: { $oid: '5dea9f9c82dd7c0e76e4ec94' },
        alt_id: 'euclid',
        identifiers: [{ type: 'email', value: b.email, verified: true }],
      },
    ];
    const path = await fileOf(
      folder.path,
      `${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"_id":\nnull\n[]\n`,
    );
    const report = await takeIn(gateway, readAuth0(path), { name: 'auth0' });
    expect([report.people.taken, report.passwords]).toEqual([2, { bcrypt: 1 }]);
    expect(problemsOf(report)).toEqual(['3: BROKEN', '4: BROKEN', '5: BROKEN']);
    expect(
      await gateway.sql(
        `SELECT external_id, verified_at IS NOT NULL AS verified FROM imported_people JOIN emails USING (user_id) WHERE source = 'auth0' ORDER BY 1`,
      ),
    ).toEqual([
      { external_id: 'auth0|5dea9f9c82dd7c0e76e4ec93', verified: false },
      { external_id: 'auth0|euclid', verified: true },
    ]);
    const list = await fileOf(
      folder.path,
      JSON.stringify(
        [
          {
            user_id: 'auth0|1',
            email: c.email,
            name: c.email,
            email_verified: true,
            custom_password_hash: { algorithm: 'md5', hash: { value: 'x' } },
            mfa_factors: [
              { totp: { secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' } },
              { phone: { value: '+12025550123' } },
            ],
            identities: [
              { provider: 'auth0', user_id: '1' },
              { provider: 'google-oauth2', user_id: '2', isSocial: true },
            ],
          },
          5,
          'x, y',
        ],
        null,
        2,
      ),
    );
    const second = await takeIn(gateway, readAuth0(list), own());
    expect(problemsOf(second)).toEqual(
      [
        'auth0|1: FACTOR_UNKNOWN',
        'auth0|1: PASSWORD_UNKNOWN',
        'auth0|1: PROVIDER_UNKNOWN',
        '28: BROKEN',
        '29: BROKEN',
      ].map((each) => expect.stringMatching(each.replace('|', '\\|').replace(/^\d+/, '\\d+'))),
    );
    expect(second.carried).toMatchObject({ apps: 1, passwords: 0 });
  });
});

describe('Firebase', () => {
  test('has its people in a list, whose hashes are checked with the parameters of the project', async () => {
    const { email } = newPerson();
    const path = await fileOf(
      folder.path,
      JSON.stringify({
        users: [
          {
            localId: 'a1',
            email,
            emailVerified: true,
            passwordHash: 'lSrfV15cpx95_sZS2W9c9Kp6i_LVgQNDNC_qzrCnh1SAyZvqmZqAjTdn3aoItz-VHjoZilo78198JAdRuid5lQ==',
            salt: '42xEC+ixf3L2lw==',
            createdAt: '1577934245000',
            providerUserInfo: [{ providerId: 'password', rawId: email }],
            mfaInfo: [{ phoneInfo: '+12025550123' }],
          },
          { localId: 'anonymous' },
          { email: 'nobody@example.com' },
        ],
      }),
    );
    const config = {
      signerKey: 'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==',
      saltSeparator: 'Bw==',
      rounds: 8,
      memoryCost: 14,
    };
    const unknown = await takeIn(gateway, readFirebase(path, null), { ...own(), dryRun: true });
    expect(problemsOf(unknown)).toContain('a1: PASSWORD_UNKNOWN');
    const report = await takeIn(gateway, readFirebase(path, config), own());
    expect(problemsOf(report)).toEqual(['a1: FACTOR_UNKNOWN', '1: GONE', '1: BROKEN']);
    const held = await logIn(gateway.client(), { email, password: 'user1password' });
    expect((await held.client.send(CURRENT_USER)).result.createdAt).toBe('2020-01-02T03:04:05.000Z');
  });
});

describe('Keycloak', () => {
  test('has its people in the export of a realm, with their ids', async () => {
    const { email } = newPerson();
    const password = {
      type: 'password',
      secretData:
        '{"value":"BruFLfFkjH/8erZ26NnrbkOrWiZuQyDRCHD9o0R6Scg=","salt":"Cf9AYCE5pAbb4CKEF0GUTA==","additionalParameters":{}}',
      credentialData:
        '{"hashIterations":5,"algorithm":"argon2","additionalParameters":{"hashLength":["32"],"memory":["7168"],"type":["id"],"version":["1.3"],"parallelism":["1"]}}',
    };
    const id = '3f0b39cb-0a1b-4428-b36f-b8c098126dbd';
    const realm = {
      realm: 'users',
      roles: { users: [{}], text: 'an "users": [ in a text' },
      users: [
        {
          id,
          username: 'Wren.K',
          enabled: true,
          email,
          emailVerified: true,
          firstName: 'Wren',
          credentials: [password],
        },
        { id: 'service', username: 'service-account-x', serviceAccountClientId: 'x' },
        {
          username: 'sealed',
          email: newPerson().email,
          credentials: [
            { type: 'otp', secretData: '{"value":"short"}', credentialData: '{"subType":"totp"}' },
            { type: 'otp', secretData: '{"value":"x"}', credentialData: '{"subType":"hotp"}' },
            { type: 'recovery-authn-codes' },
            { type: 'webauthn', credentialData: '{"credentialId":"AAAA","credentialPublicKey":"pQECAyYgASFYIA"}' },
          ],
        },
      ],
      after: [],
    };
    const report = await takeIn(
      gateway,
      readKeycloak(await fileOf(folder.path, JSON.stringify(realm, null, 2))),
      own(),
    );
    expect(report.people).toMatchObject({ read: 3, taken: 2, refused: 1 });
    expect(problemsOf(report).slice(1)).toEqual(
      ['TOTP_UNFIT', 'RECOVERY_CODES_SEALED', 'TOTP_UNFIT', 'PASSKEY_UNFIT'].map((code) => `sealed: ${code}`),
    );
    const held = await logIn(gateway.client(), { email, password: 'password' });
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ id, name: 'Wren', username: 'Wren.K' });
  });

  test('whose export ends in the middle is taken up to there, and then told', async () => {
    const { email } = newPerson();
    const path = await fileOf(folder.path, `{"users": [{"id": "1", "email": "${email}"},\n {"id": "2", "em`);
    await expect(takeIn(gateway, readKeycloak(path), own())).rejects.toThrow('at line 2');
    await expect(takeIn(gateway, readKeycloak(await fileOf(folder.path, '{"user": []}')), own())).rejects.toThrow(
      '"users"',
    );
  });
});

describe('hostile input', () => {
  test('of any size costs no memory, and what stands behind it is read', async () => {
    const { email } = newPerson();
    const path = join(folder.path, 'huge');
    const file = createWriteStream(path);
    file.write('{"user_id": "');
    for (let n = 0; n < 24; n += 1) file.write('x'.repeat(2 ** 20));
    file.end(`"}\n{"user_id": "after", "email": "${email}"}\n`);
    await once(file, 'close');
    const report = await takeIn(gateway, readAuth0(path), own());
    expect([problemsOf(report), report.people.taken]).toEqual([['1: BROKEN'], 1]);
  });

  test('changes nothing but itself: keys of the prototype, half characters, NULs, and bytes that are no text', async () => {
    const emails = Array.from({ length: 4 }, () => newPerson().email);
    const lines = [
      `{"user_id": "p1", "email": "${emails[0]}", "__proto__": {"blocked": true}, "constructor": {"name": 1}}`,
      `{"user_id": "p2\\ud83d", "email": "${emails[1]}"}`,
      `{"user_id": "p3", "email": "${emails[2]}", "name": "a\\u0000b", "identities": {"length": 9}}`,
      `{"user_id": "p4", "email": "${emails[3]}", "identities": [null, 5, {"provider": {}, "user_id": []}], "created_at": {"$date": {}}}`,
    ].join('\n');
    const path = await fileOf(folder.path, Buffer.concat([Buffer.from(`${lines}\n`), randomBytes(4_096)]));
    const report = await takeIn(gateway, readAuth0(path), own());
    expect(report.people.taken).toBe(3);
    expect(problemsOf(report).filter((each) => each.startsWith('p'))).toEqual([
      'p2\ud83d: BROKEN',
      'p3: NAME_UNFIT',
      'p4: DATE_UNFIT',
    ]);
    expect(({} as { blocked?: unknown }).blocked).toBeUndefined();
    expect(await gateway.sql('SELECT 1 FROM users WHERE disabled_at IS NOT NULL')).toEqual([]);
  });

  test('never takes an account that is here: not by its address, its username, its number or its id', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const id = held.userId;
    await gateway.sql('UPDATE emails SET verified_at = now() WHERE user_id = $1', [id]);
    const attack = `external_id,email,email_verified,password_hash\n${id},${newPerson().email},true,${hashed('mine')}\nx,${person.email.toUpperCase()},true,${hashed('mine')}\n`;
    const report = await takeIn(gateway, readCsv(await fileOf(folder.path, attack)), own());
    expect(problemsOf(report)).toEqual([`${id}: ID_TAKEN`, 'x: ADDRESS_TAKEN']);
    await logIn(gateway.client(), person);
    expect(await gateway.sql('SELECT count(*)::int AS n FROM emails WHERE user_id = $1', [id])).toEqual([{ n: 1 }]);
  });
});

describe('an id that stands for nobody here', () => {
  test("is nobody's", async () => {
    const path = await fileOf(
      folder.path,
      `external_id,email\n00000000-0000-0000-0000-000000000000,${newPerson().email}\n`,
    );
    expect((await takeIn(gateway, readCsv(path), own())).people.taken).toBe(1);
    expect(await gateway.sql("SELECT 1 FROM users WHERE id = '00000000-0000-0000-0000-000000000000'")).toEqual([]);
  });
});

describe('an address that two people have', () => {
  test('goes to who has verified it, wherever they stand, and else to the first', async () => {
    const [shown, said] = [newPerson().email, newPerson().email];
    const rows = [
      `a,${shown},no`,
      `b,${said},no`,
      `c,${said},no`,
      ...Array.from({ length: 250 }, () => `d${runs++},${newPerson().email},no`),
      `e,${shown},yes`,
    ];
    const path = await fileOf(folder.path, `external_id,email,email_verified\n${rows.join('\n')}\n`);
    const source = own();
    const rehearsed = await takeIn(gateway, readCsv(path), { ...source, dryRun: true });
    const report = await takeIn(gateway, readCsv(path), source);
    expect(problemsOf(report)).toEqual(['a: ADDRESS_TAKEN', 'c: ADDRESS_TAKEN']);
    expect({ ...rehearsed, seconds: 0 }).toEqual({ ...report, dryRun: true, seconds: 0 });
    expect((await takeIn(gateway, readCsv(path), source)).people).toEqual({
      read: 254,
      taken: 0,
      there: 252,
      refused: 2,
    });
  });

  test('is not proven by a mailbox that only folds to it', async () => {
    const { email } = newPerson();
    const path = await fileOf(
      folder.path,
      `external_id,email,email_verified\na,${email.replace('a', 'ａ')},yes\nb,${email},yes\n`,
    );
    const report = await takeIn(gateway, readCsv(path), own());
    expect(problemsOf(report)).toEqual(['a: ADDRESS_TAKEN']);
  });

  test('is lost by an account here that never showed it, to who has shown it there', async () => {
    const person = newPerson();
    const { userId } = await signUp(gateway.client(), person);
    const path = await fileOf(folder.path, `external_id,email,email_verified\na,${person.email},yes\n`);
    expect((await takeIn(gateway, readCsv(path), own())).people.taken).toBe(1);
    const rows = await gateway.sql<{ user_id: string }>('SELECT user_id FROM emails WHERE address = $1', [
      person.email,
    ]);
    expect([rows.length, rows[0]?.user_id === userId]).toEqual([1, false]);
  });
});
