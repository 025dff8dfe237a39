import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDjangoAllauth } from '../../src/import/read/django-allauth.ts';
import type { Report } from '../../src/import/report.ts';
import { beginMfaLogin, totpCode, VERIFY_MFA } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { createForeignDatabase, type ForeignDatabase, problemsOf, takeIn } from '../support/imports.ts';
import { CURRENT_USER, hold, LOG_IN, logIn } from '../support/people.ts';

const SETTINGS = {
  userTable: 'auth_user',
  phoneColumn: null,
  recoveryCodes: { count: 10, digits: 8 },
  totp: { period: 30, digits: 6 },
};
const PROVIDERS = JSON.stringify([
  { id: 'github', clientId: 'a', clientSecret: 'b' },
  { id: 'acme', type: 'oidc', issuer: 'https://id.example.com', clientId: 'a', clientSecret: 'b' },
  { id: 'microsoft', clientId: 'a', clientSecret: 'b' },
]);
const ADA = { email: 'ada@example.com', password: 'letmein' };
const SECRET = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
// Of the sheet, the first and the third were used.
const CODES = ['08052618', '06523113', '30059108', '19983745'];

let gateway: Gateway;
let site: ForeignDatabase;
let report: Report;
beforeAll(async () => {
  gateway = await startGateway({
    env: {
      POSTERN_PROVIDERS: PROVIDERS,
      POSTERN_PASSKEY_RP_ID: 'testserver.example',
      POSTERN_PASSKEY_ORIGINS: 'https://testserver.example',
    },
  });
  site = await createForeignDatabase('django-allauth.sql');
  report = await takeIn(gateway, readDjangoAllauth(site.url, SETTINGS));
});
afterAll(async () => {
  await gateway.stop();
  await site.drop();
});

const hashOf = async (email: string) =>
  (
    await gateway.sql<{ hash: string; pepper_key_id: string | null }>(
      'SELECT hash, pepper_key_id FROM passwords JOIN emails USING (user_id) WHERE address = $1 AND is_primary',
      [email],
    )
  )[0];

describe('the people of a Django site with django-allauth', () => {
  test('are taken in, and what was left behind is told of each', () => {
    expect(report.people).toEqual({ read: 12, taken: 10, there: 0, refused: 2 });
    expect(problemsOf(report).sort()).toEqual([
      '10: ADDRESS_TAKEN',
      '11: NO_WAY_IN',
      '2: PASSKEY_OF_OTHER_RP_ID',
      '2: PROVIDER_NOT_PORTABLE',
      '2: PROVIDER_UNKNOWN',
      '4: RECOVERY_CODES_SEALED',
      '4: TOTP_SEALED',
      '9: PASSWORD_UNKNOWN',
    ]);
    expect(report.passwords).toEqual({ pbkdf2_sha256: 4, argon2: 1, bcrypt_sha256: 1, scrypt: 1, bcrypt: 1 });
    expect(report.carried).toMatchObject({
      addresses: 11,
      verifiedAddresses: 9,
      apps: 1,
      recoveryCodes: 2,
      connections: 2,
      disabled: 1,
    });
    expect(JSON.stringify(report)).not.toContain(SECRET);
  });

  test('log in with password and second factor, and have a hash of ours from then on', async () => {
    const before = await hashOf(ADA.email);
    expect(before).toMatchObject({ hash: expect.stringMatching(/^pbkdf2_sha256\$1000000\$/), pepper_key_id: null });
    const client = gateway.client();
    const { loginToken, factors } = await beginMfaLogin(client, ADA);
    expect(factors).toEqual(['TOTP', 'RECOVERY_CODE']);
    const wrong = await client.send(VERIFY_MFA, { input: { loginToken, proof: { totp: '000000' } } });
    expect(wrong.result.__typename).toBe('InvalidCode');
    const code = totpCode(SECRET, gateway.clock());
    const held = hold(client, await client.send(VERIFY_MFA, { input: { loginToken, proof: { totp: code } } }));
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({
      createdAt: '2021-03-04T05:06:07.890Z',
      name: 'Ada Lovelace',
      username: 'ada',
      email: 'ada@example.com',
      emailVerified: true,
      roles: [],
      hasPassword: true,
      hasMfa: true,
    });
    const after = await hashOf(ADA.email);
    expect(after).toMatchObject({ hash: expect.stringMatching(/^\$argon2id\$/), pepper_key_id: expect.any(String) });
    const again = await beginMfaLogin(gateway.client(), ADA);
    expect(again.factors).toEqual(['TOTP', 'RECOVERY_CODE']);
    expect(await hashOf(ADA.email)).toEqual(after);
  });

  test('log in with a recovery code of theirs, each once, and not with one that was used there', async () => {
    const answer = async (recoveryCode: string | undefined) => {
      const client = gateway.client();
      const { loginToken } = await beginMfaLogin(client, ADA);
      return (await client.send(VERIFY_MFA, { input: { loginToken, proof: { recoveryCode } } })).result.__typename;
    };
    const [usedThere, unused] = CODES;
    expect(await answer(usedThere)).toBe('InvalidCode');
    expect(await answer(unused)).toBe('LoggedIn');
    expect(await answer(unused)).toBe('InvalidCode');
    expect(await answer(' 1998 3745 ')).toBe('LoggedIn');
    const [sheet] = await gateway.sql<{ data: object }>(`
      SELECT data FROM authenticators JOIN emails USING (user_id) WHERE kind = 'RECOVERY_CODE' AND address = 'ada@example.com'`);
    expect(sheet?.data).toMatchObject({ total: 10, hashes: [], foreign: { unused: 6 } });
    expect(JSON.stringify(sheet)).not.toContain('38424910');
  });

  test.each([
    ['grace@example.com', 'letmein'],
    ['edsger@example.com', 'letmein'],
    ['barbara@example.com', 'U*U'],
    ['late@example.com', 'letmein'],
  ])('%s keeps the password, whatever had hashed it', async (email, password) => {
    const wrong = await gateway
      .client()
      .send(LOG_IN, { input: { email, password: `${password}!`, credential: 'COOKIE' } });
    expect(wrong.result.__typename).toBe('InvalidCredentials');
    await logIn(gateway.client(), { email, password });
    expect((await hashOf(email))?.hash).toMatch(/^\$argon2id\$/);
  });

  test('with recovery codes but no other factor are asked for none', async () => {
    await logIn(gateway.client(), { email: 'alan@example.com', password: 'letmein' });
  });

  test.each([
    ['margaret@example.com', 'QGqHqVbQx0Zt8VbXc2g1m4aU7sZyVh2f3Yc1J8bE'],
    ['kathleen@example.com', ' '],
    ['donald@example.com', 'letmein'],
    ['dennis@example.com', 'a'],
  ])('%s has no password that lets in, as there', async (email, password) => {
    const { result } = await gateway.client().send(LOG_IN, { input: { email, password, credential: 'COOKIE' } });
    expect(result.__typename).toBe('InvalidCredentials');
  });

  test('keep their connections, by the issuer that a login there names', async () => {
    expect(
      await gateway.sql('SELECT provider, issuer, subject, display_name FROM social_connections ORDER BY provider'),
    ).toEqual([
      { provider: 'acme', issuer: 'https://id.example.com', subject: 'acme|1', display_name: 'Margaret' },
      { provider: 'github', issuer: 'https://github.com', subject: '583231', display_name: 'Ada' },
    ]);
  });

  test('are taken once: another run changes nothing, and does not bring back who has left', async () => {
    await gateway.sql(`DELETE FROM users WHERE id = (SELECT user_id FROM emails WHERE address = 'dennis@example.com')`);
    const all = () =>
      gateway.sql(`
        SELECT (SELECT jsonb_agg(to_jsonb(u) ORDER BY id) FROM users u) AS users, (SELECT jsonb_agg(to_jsonb(e) ORDER BY id) FROM emails e) AS emails,
          (SELECT jsonb_agg(to_jsonb(p) ORDER BY user_id) FROM passwords p) AS passwords, (SELECT jsonb_agg(to_jsonb(a) ORDER BY id) FROM authenticators a) AS authenticators`);
    const before = await all();
    const { people } = await takeIn(gateway, readDjangoAllauth(site.url, SETTINGS));
    expect(people).toEqual({ read: 12, taken: 0, there: 10, refused: 2 });
    expect(await all()).toEqual(before);
  });
});

test('a database that is none of Django is told as that', async () => {
  const source = readDjangoAllauth(site.url, { ...SETTINGS, userTable: 'accounts_user' });
  await expect(takeIn(gateway, source)).rejects.toThrow('--user-table');
});
