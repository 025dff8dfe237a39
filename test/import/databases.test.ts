import { createHash, scryptSync } from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import bcrypt from 'bcryptjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readBetterAuth } from '../../src/import/read/better-auth.ts';
import { readDjangoAllauth } from '../../src/import/read/django-allauth.ts';
import { readSupabase } from '../../src/import/read/supabase.ts';
import { readAttestation } from '../../src/lib/foreign-passkey.ts';
import { totpSecretOf } from '../../src/lib/totp.ts';
import { SoftwareAuthenticator } from '../support/authenticator.ts';
import { BEGIN_PASSKEY_LOGIN, beginMfaLogin, LOG_IN_WITH_PASSKEY, totpCode, VERIFY_MFA } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { createForeignDatabase, type ForeignDatabase, problemsOf, takeIn } from '../support/imports.ts';
import { CURRENT_USER, hold, logIn, newPerson } from '../support/people.ts';

const DJANGO = {
  userTable: 'auth_user',
  phoneColumn: null,
  recoveryCodes: { count: 10, digits: 8 },
  totp: { period: 30, digits: 6 },
};

let gateway: Gateway;
const opened: ForeignDatabase[] = [];
beforeAll(async () => {
  gateway = await startGateway({
    env: { POSTERN_PROVIDERS: JSON.stringify([{ id: 'google', clientId: 'a', clientSecret: 'b' }]) },
  });
});
afterAll(async () => {
  await gateway.stop();
  for (const database of opened) await database.drop();
});

async function databaseOf(fixture: string): Promise<ForeignDatabase> {
  const database = await createForeignDatabase(fixture);
  opened.push(database);
  return database;
}

const base64url = (text: string) => Buffer.from(text).toString('base64url');
const RANDOM = base64url('what was drawn at random');

/** A passkey of another system, as its browser gave it. */
function registered(authenticator: SoftwareAuthenticator, handle: string) {
  const rp = { id: gateway.app.config.passkeys.rpId };
  const made = authenticator.create({ challenge: 'AAAA', rp, user: { id: handle } });
  return made as { response: { attestationObject: string } };
}

async function byPasskey(authenticator: SoftwareAuthenticator, userHandle?: string) {
  const client = gateway.client();
  const { result } = await client.send(BEGIN_PASSKEY_LOGIN, { input: { credential: 'SESSION_TOKEN' } });
  const response = authenticator.get(result.options, userHandle === undefined ? {} : { userHandle });
  return client.send(LOG_IN_WITH_PASSKEY, { input: { loginToken: result.loginToken, response } });
}

describe('django-allauth', () => {
  test('passkeys log in under the name that they were told of their owner, from their first count on', async () => {
    const database = await databaseOf('django-allauth.sql');
    const authenticator = new SoftwareAuthenticator();
    // The person 6, to the base of 36.
    const credential = registered(authenticator, base64url('6'));
    await database.sql(`INSERT INTO mfa_authenticator VALUES (100, 'webauthn', $1, 6, now(), NULL)`, [
      JSON.stringify({ name: 'Key', credential }),
    ]);
    await takeIn(gateway, readDjangoAllauth(database.url, DJANGO), { name: 'django' });
    expect((await byPasskey(authenticator, base64url('7'))).result.__typename).toBe('InvalidCredentials');
    expect((await byPasskey(authenticator)).result.__typename).toBe('LoggedIn');
    expect((await byPasskey(authenticator)).result.__typename).toBe('LoggedIn');
    for (const each of authenticator.credentials) each.counter = 0;
    expect((await byPasskey(authenticator)).result.__typename).toBe('InvalidCredentials');
  });

  test('recovery codes wear out, since they could be guessed, and ours do not', async () => {
    const off = await startGateway({ env: { POSTERN_RATE_LIMITS: 'off' } });
    const database = await databaseOf('django-allauth.sql');
    await takeIn(off, readDjangoAllauth(database.url, DJANGO));
    const ada = { email: 'ada@example.com', password: 'letmein' };
    for (let tried = 0; tried < 100; tried += 4) {
      const { loginToken } = await beginMfaLogin(off.client(), ada);
      for (let each = 0; each < 4; each += 1)
        await off.client().send(VERIFY_MFA, { input: { loginToken, proof: { recoveryCode: '00000000' } } });
    }
    const client = off.client();
    const { loginToken, factors } = await beginMfaLogin(client, ada);
    expect(factors).toEqual(['TOTP']);
    const refused = await client.send(VERIFY_MFA, { input: { loginToken, proof: { recoveryCode: '06523113' } } });
    expect(refused.result.__typename).toBe('InvalidCode');
    await off.stop();
  });
});

describe('better-auth', () => {
  const SECRET = 'the secret of the other system, long enough';
  const SETTINGS = { secret: SECRET, totp: { period: 30, digits: 6 } };

  /** Seals as it does. */
  function sealed(text: string): string {
    const nonce = Buffer.alloc(24, 7);
    const box = xchacha20poly1305(createHash('sha256').update(SECRET).digest(), nonce).encrypt(Buffer.from(text));
    return Buffer.concat([nonce, box]).toString('hex');
  }

  test('people log in with their password, app, backup code and passkey, as there', async () => {
    const database = await databaseOf('better-auth.sql');
    const person = newPerson();
    const salt = '1c50892c354da5b23ec3b5007649bc6e';
    const key = scryptSync(person.password.normalize('NFKC'), salt, 64, { N: 16_384, r: 16, p: 1, maxmem: 2 ** 26 });
    const authenticator = new SoftwareAuthenticator({ synced: true });
    const made = readAttestation(registered(authenticator, RANDOM).response.attestationObject);
    if (!made) throw new Error('no attestation');
    await database.sql(
      `INSERT INTO "user" VALUES ('u1', 'Ada', $1, true, '2022-03-04T05:06:07Z', now(), true, 'ada.better', 'Ada.Better')`,
      [person.email],
    );
    await database.sql(
      `INSERT INTO account VALUES ('a1', 'u1', 'credential', 'u1', $1), ('a2', '1234', 'google', 'u1', NULL)`,
      [`${salt}:${key.toString('hex')}`],
    );
    const app = 'abcdefghijklmnopqrstuvwxyzABCDEF';
    await database.sql(`INSERT INTO "twoFactor" VALUES ('t1', $1, $2, 'u1')`, [
      sealed(app),
      sealed('["aBc12-xYz89","QQQQQ-WWWWW"]'),
    ]);
    await database.sql(
      `INSERT INTO passkey VALUES ('p1', 'Phone', $1, 'u1', $2, 0, 'multiDevice', true, 'internal,hybrid', now(), NULL)`,
      [Buffer.from(made.publicKey, 'base64url').toString('base64'), made.id],
    );
    const without = await takeIn(gateway, readBetterAuth(database.url, { ...SETTINGS, secret: null }), {
      dryRun: true,
    });
    expect(problemsOf(without)).toEqual(['u1: TOTP_SEALED', 'u1: RECOVERY_CODES_SEALED']);
    const report = await takeIn(gateway, readBetterAuth(database.url, SETTINGS), { name: 'better-auth' });
    expect([report.problems, report.carried]).toEqual([
      [],
      expect.objectContaining({ apps: 1, passkeys: 1, recoveryCodes: 1, connections: 1 }),
    ]);

    const answer = async (proof: object) => {
      const client = gateway.client();
      const { loginToken } = await beginMfaLogin(client, person);
      return client.send(VERIFY_MFA, { input: { loginToken, proof } });
    };
    const totp = totpCode(totpSecretOf(Buffer.from(app)), gateway.clock());
    const held = hold(gateway.client(), await answer({ totp }));
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ name: 'Ada', username: 'Ada.Better' });
    expect((await answer({ recoveryCode: 'abc12-xyz89' })).result.__typename).toBe('InvalidCode');
    expect((await answer({ recoveryCode: 'aBc12-xYz89' })).result.__typename).toBe('LoggedIn');

    expect((await byPasskey(authenticator, RANDOM)).result.__typename).toBe('LoggedIn');
    // The first use has told what that system named its owner by.
    expect((await byPasskey(authenticator, base64url('anybody else'))).result.__typename).toBe('InvalidCredentials');
    expect((await byPasskey(authenticator, RANDOM)).result.__typename).toBe('LoggedIn');
  });
});

describe('Supabase Auth', () => {
  test('people keep their id and log in with password and app', async () => {
    const database = await databaseOf('supabase.sql');
    const [one, two] = [newPerson(), newPerson()];
    const id = 'a6e2d7a4-6d3c-4c5c-9d3e-1f2a3b4c5d6e';
    const hash = bcrypt.hashSync(one.password, 4).replace('$2b$', '$2a$');
    await database.sql(
      `INSERT INTO auth.users (id, email, encrypted_password, email_confirmed_at, phone, phone_confirmed_at, raw_user_meta_data, created_at)
       VALUES ($1, $2, $3, now(), '12025550123', now(), '{"full_name":"Ada"}', '2022-03-04T05:06:07Z')`,
      [id, one.email, hash],
    );
    await database.sql(
      `INSERT INTO auth.users (id, email, banned_until, is_anonymous, deleted_at) VALUES
       (gen_random_uuid(), $1, 'infinity', false, NULL), (gen_random_uuid(), NULL, NULL, true, NULL), (gen_random_uuid(), 'gone@example.com', NULL, false, now())`,
      [two.email],
    );
    await database.sql(
      `INSERT INTO auth.identities VALUES ('i1', $1::uuid, 'email', 'x', '{}'), ('i2', $1::uuid, 'google', '4321', '{"full_name":"Ada L"}')`,
      [id],
    );
    await database.sql(
      `INSERT INTO auth.mfa_factors VALUES (gen_random_uuid(), $1, 'totp', 'verified', 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'),
       (gen_random_uuid(), $1, 'totp', 'unverified', 'X'), (gen_random_uuid(), $1, 'phone', 'verified', NULL)`,
      [id],
    );
    const report = await takeIn(gateway, readSupabase(database.url), { name: 'supabase' });
    expect(report.people).toEqual({ read: 4, taken: 2, there: 0, refused: 2 });
    expect(problemsOf(report)).toContain(`${id}: FACTOR_UNKNOWN`);
    const client = gateway.client();
    const { loginToken } = await beginMfaLogin(client, one);
    const totp = totpCode('JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP', gateway.clock());
    const held = hold(client, await client.send(VERIFY_MFA, { input: { loginToken, proof: { totp } } }));
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ id, name: 'Ada', emailVerified: true });
    await expect(logIn(gateway.client(), two)).rejects.toThrow('InvalidCredentials');
    expect(await gateway.sql('SELECT number FROM phones WHERE user_id = $1', [id])).toEqual([
      { number: '+12025550123' },
    ]);
  });
});
