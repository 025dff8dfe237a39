import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SoftwareAuthenticator } from '../support/authenticator.ts';
import type { GraphQLClient } from '../support/client.ts';
import {
  AUTHENTICATORS,
  BEGIN_PASSKEY,
  BEGIN_TOTP,
  beginMfaLogin,
  CONFIRM_TOTP,
  enrollPasskey,
  FORGET_TRUSTED_DEVICES,
  GENERATE_RECOVERY_CODES,
  logInWithTotp,
  REMOVE_AUTHENTICATOR,
  type TotpHolder,
  totpCode,
  totpHolder,
  VERIFY_MFA,
  verifiedPerson,
} from '../support/factors.ts';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import { CHANGE_PASSWORD, REAUTHENTICATE } from '../support/passwords.ts';
import { CONTINUE_LOGIN, CURRENT_USER, hold, LOG_IN, logIn, newPerson, REFRESH } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  // Each test finds the limits as they are by default; only the client's addresses are many.
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

const MINUTE = 60_000;
const codeOf = (holder: Pick<TotpHolder, 'secret'>, offset = 0) =>
  totpCode(holder.secret, new Date(gateway.clock().getTime() + offset));
const verify = (client: GraphQLClient, loginToken: string, proof: object) =>
  client.send(VERIFY_MFA, { input: { loginToken, proof } });

/** A login of this person that waits for the second factor. */
async function waiting(holder: Pick<TotpHolder, 'person'>, at: Gateway = gateway) {
  const client = at.client();
  return { client, ...(await beginMfaLogin(client, holder.person)) };
}

async function idOf(client: GraphQLClient, type: string): Promise<string> {
  const { result } = await client.send(AUTHENTICATORS);
  const found = (result.authenticators as { __typename: string; id: string }[]).find(
    ({ __typename }) => __typename === type,
  );
  return found?.id ?? '';
}

/** Everything of a person that an answer which is refused must leave as it was, but for what counts tries. */
async function stateOf(userId: string): Promise<string> {
  const rows = await gateway.sql(
    `SELECT (SELECT string_agg(concat_ws('|', id, kind, name, data, last_used_at), ',' ORDER BY id)
       FROM authenticators WHERE user_id = $1) AS authenticators,
     (SELECT string_agg(concat_ws('|', id, methods, ended_at), ',' ORDER BY id) FROM sessions WHERE user_id = $1) AS sessions`,
    [userId],
  );
  return JSON.stringify(rows);
}

describe('a code of an authenticator app', () => {
  test('works in its step and the next, not before and not after (M03: epochTolerance)', async () => {
    const holder = await totpHolder(gateway);
    gateway.clock.advance(5 * MINUTE);
    const offsets = [
      [-61_000, 'InvalidCode'],
      [31_000, 'InvalidCode'],
      [90_000, 'InvalidCode'],
      [-30_000, 'LoggedIn'],
    ] as const;
    const { client, loginToken } = await waiting(holder);
    for (const [offset, outcome] of offsets) {
      const { result } = await verify(client, loginToken, { totp: codeOf(holder, offset) });
      expect(result.__typename, `${offset}`).toBe(outcome);
    }
  });

  test('works once: not in another login, not in a session, and none before it either (M04: lastStep)', async () => {
    const holder = await totpHolder(gateway);
    gateway.clock.advance(5 * MINUTE);
    const totp = codeOf(holder);
    const [first, second] = [await waiting(holder), await waiting(holder)];
    const held = hold(first.client, await verify(first.client, first.loginToken, { totp }));
    expect((await verify(second.client, second.loginToken, { totp })).result.__typename).toBe('InvalidCode');
    const before = { totp: codeOf(holder, -30_000) };
    expect((await verify(second.client, second.loginToken, before)).result.__typename).toBe('InvalidCode');
    const { result } = await held.client.send(REAUTHENTICATE, { input: { totp } });
    expect(result.__typename).toBe('InvalidCode');
  });

  test('that enrolled the app is used (M04: the first lastStep)', async () => {
    const { client, person } = await verifiedPerson(gateway);
    const { result: begun } = await client.send(BEGIN_TOTP, { input: {} });
    const totp = totpCode(String(begun.secret), gateway.clock());
    await client.send(CONFIRM_TOTP, { input: { handle: begun.handle, code: totp } });
    const login = await waiting({ person });
    expect((await verify(login.client, login.loginToken, { totp })).result.__typename).toBe('InvalidCode');
  });

  test('works once when fifty bring it at the same moment, over two instances (M05: the conditional write)', async () => {
    const unlimited = await gateway.another({ POSTERN_RATE_LIMITS: 'off' });
    const other = await gateway.another({ POSTERN_RATE_LIMITS: 'off' });
    const holder = await totpHolder(unlimited);
    const logins: Awaited<ReturnType<typeof waiting>>[] = [];
    for (let each = 0; each < 50; each += 1) logins.push(await waiting(holder, each % 2 ? unlimited : other));
    const totp = codeOf(holder);
    const answers = await Promise.all(logins.map(({ client, loginToken }) => verify(client, loginToken, { totp })));
    const outcomes = answers.map(({ result }) => result.__typename).sort();
    expect(outcomes.filter((outcome) => outcome === 'LoggedIn')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'InvalidCode')).toHaveLength(49);
    gateway.clock.advance(MINUTE);
  });

  test('is none, and a try, if it is malformed, whatever it is (M07)', async () => {
    const patient = await gateway.another({ POSTERN_RATE_LIMITS: '{"mfaPerAccount":"off"}' });
    const holder = await totpHolder(patient);
    const code = codeOf(holder);
    const fullWidth = [...code].map((digit) => String.fromCharCode(digit.charCodeAt(0) + 0xfee0)).join('');
    const hostile = [
      '',
      ' ',
      code.slice(1),
      `${code}0`,
      'abcdef',
      fullWidth,
      'x'.repeat(10_000),
      '🔑🔑🔑',
      '\u0000',
      `${code}\n`,
    ];
    for (const totp of hostile) {
      const { client, loginToken } = await waiting(holder, patient);
      const { status, result } = await verify(client, loginToken, { totp });
      expect([status, result.__typename, result.attemptsLeft], totp.slice(0, 20)).toEqual([200, 'InvalidCode', 4]);
    }
    for (const proof of [{ totp: null }, {}, { totp: code, recoveryCode: 'x' }, { totp: 123456 }, { totp: [code] }]) {
      const { client, loginToken } = await waiting(holder, patient);
      const { status, errors, text } = await verify(client, loginToken, proof);
      expect([status, errors.length > 0], JSON.stringify(proof)).toEqual([400, true]);
      expect(text).not.toContain(code);
    }
  });

  test('does not work again when the clock is set back, and nothing breaks (M12)', async () => {
    const holder = await totpHolder(gateway);
    gateway.clock.advance(5 * MINUTE);
    const totp = codeOf(holder);
    const first = await waiting(holder);
    await verify(first.client, first.loginToken, { totp });
    for (const back of [-60_000, -90_000, 90_000]) {
      gateway.clock.advance(back);
      const { client, loginToken } = await waiting(holder);
      const { status, result } = await verify(client, loginToken, { totp });
      expect([status, result.__typename]).toEqual([200, 'InvalidCode']);
      gateway.clock.advance(-back);
    }
    gateway.clock.advance(MINUTE);
  });
});

describe('a recovery code', () => {
  test('works once when fifty bring it at the same moment (M11)', async () => {
    const unlimited = await gateway.another({ POSTERN_RATE_LIMITS: 'off' });
    const holder = await totpHolder(unlimited);
    const logins: Awaited<ReturnType<typeof waiting>>[] = [];
    for (let each = 0; each < 50; each += 1) logins.push(await waiting(holder, unlimited));
    const [recoveryCode] = holder.recoveryCodes;
    const answers = await Promise.all(
      logins.map(({ client, loginToken }) => verify(client, loginToken, { recoveryCode })),
    );
    expect(answers.filter(({ result }) => result.__typename === 'LoggedIn')).toHaveLength(1);
  });

  test('of somebody else does not work', async () => {
    const [ada, eve] = [await totpHolder(gateway), await totpHolder(gateway)];
    const { client, loginToken } = await waiting(ada);
    const { result } = await verify(client, loginToken, { recoveryCode: eve.recoveryCodes[0] });
    expect(result.__typename).toBe('InvalidCode');
  });
});

describe('guessing', () => {
  test('five wrong answers end the login, the right one with them (M06: countFactorAttempt)', async () => {
    const holder = await totpHolder(gateway);
    const { client, loginToken } = await waiting(holder);
    for (const left of [4, 3, 2, 1, 0]) {
      const { result } = await verify(client, loginToken, { totp: '000000' });
      expect(result).toMatchObject({ __typename: 'InvalidCode', attemptsLeft: left });
    }
    expect((await verify(client, loginToken, { totp: codeOf(holder) })).result.__typename).toBe('LoginExpired');
    expect((await client.send(CONTINUE_LOGIN, { input: { loginToken } })).result.__typename).toBe('LoginExpired');
  });

  test('a hundred at once are five, for one login (M06)', async () => {
    const unlimited = await gateway.another({ POSTERN_RATE_LIMITS: 'off' });
    const holder = await totpHolder(unlimited);
    const { client, loginToken } = await waiting(holder, unlimited);
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) => verify(client, loginToken, { totp: String(at).padStart(6, '0') })),
    );
    expect(answers.filter(({ result }) => result.__typename === 'InvalidCode').length).toBeLessThanOrEqual(5);
  });

  test('ten in fifteen minutes block the account, by whatever login, factor or session (M06: mfaPerAccount)', async () => {
    const holder = await totpHolder(gateway);
    for (let tried = 0; tried < 10; ) {
      const { client, loginToken } = await waiting(holder);
      for (let each = 0; each < 4 && tried < 10; each += 1, tried += 1) {
        const proof = each % 2 ? { totp: '000000' } : { recoveryCode: '0000-0000-0000-0000' };
        expect((await verify(client, loginToken, proof)).result.__typename).toBe('InvalidCode');
      }
    }
    const { client, loginToken } = await waiting(holder);
    const { result } = await verify(client, loginToken, { totp: codeOf(holder) });
    expect(result).toMatchObject({ __typename: 'RateLimited' });
    const inSession = await holder.client.send(REAUTHENTICATE, { input: { totp: codeOf(holder) } });
    expect(inSession.result.__typename).toBe('RateLimited');
    // Another instance counts with it.
    const other = await gateway.another();
    const there = await waiting(holder, other);
    const refused = await verify(there.client, there.loginToken, { totp: codeOf(holder) });
    expect(refused.result.__typename).toBe('RateLimited');
  });

  test('somebody who is right in between takes nothing of it back (M06: refund takes back one)', async () => {
    const holder = await totpHolder(gateway);
    const wrong = async (times: number) => {
      const { client, loginToken } = await waiting(holder);
      for (let each = 0; each < times; each += 1) await verify(client, loginToken, { totp: '000000' });
    };
    await wrong(4);
    await wrong(4);
    await logInWithTotp(gateway, holder);
    await wrong(2);
    const { client, loginToken } = await waiting(holder);
    expect((await verify(client, loginToken, { totp: codeOf(holder) })).result.__typename).toBe('RateLimited');
  });

  test('a hundred in a row disable the app until a recovery code is used (NIST SP 800-63B-4 §3.2.2)', async () => {
    // On its own, since another instance might be the one that sends the mails.
    const unlimited = await startGateway({ env: { POSTERN_RATE_LIMITS: 'off' } });
    const holder = await totpHolder(unlimited);
    for (let tried = 0; tried < 100; tried += 4) {
      const { client, loginToken } = await waiting(holder, unlimited);
      for (let each = 0; each < 4; each += 1) await verify(client, loginToken, { totp: '000000' });
    }
    const blocked = await waiting(holder, unlimited);
    expect(blocked.factors).toEqual(['RECOVERY_CODE']);
    const right = await verify(blocked.client, blocked.loginToken, {
      totp: totpCode(holder.secret, unlimited.clock()),
    });
    expect(right.result.__typename).toBe('InvalidCode');
    const mails = await unlimited.mails.rest(holder.person.email);
    const notice = mails.filter(({ subject }) => subject === 'A second factor of your account was blocked');
    expect(notice).toHaveLength(1);

    const recovered = await verify(blocked.client, blocked.loginToken, { recoveryCode: holder.recoveryCodes[0] });
    expect(recovered.result.__typename).toBe('LoggedIn');
    const { client, loginToken, factors } = await waiting(holder, unlimited);
    expect(factors).toEqual(['TOTP', 'RECOVERY_CODE']);
    expect(
      (await verify(client, loginToken, { totp: totpCode(holder.secret, unlimited.clock()) })).result.__typename,
    ).toBe('LoggedIn');
    await unlimited.stop();
  });

  test('takes nothing away that cannot be guessed: recovery codes and passkeys do not wear out (guessable)', async () => {
    const unlimited = await startGateway({ env: { POSTERN_RATE_LIMITS: 'off' } });
    const holder = await totpHolder(unlimited);
    const { authenticator, id } = await enrollPasskey(holder.client);
    const [{ id: credentialId = '' } = {}] = authenticator.credentials;
    for (const proof of [{ recoveryCode: 'AAAA-AAAA-AAAA-AAAA' }, { passkey: { id: credentialId } }]) {
      for (let tried = 0; tried < 104; tried += 4) {
        const { client, loginToken } = await waiting(holder, unlimited);
        for (let each = 0; each < 4; each += 1) await verify(client, loginToken, proof);
      }
    }
    const one = await waiting(holder, unlimited);
    expect(one.factors).toEqual(['TOTP', 'PASSKEY', 'RECOVERY_CODE']);
    const response = authenticator.get(one.passkeyOptions);
    expect((await verify(one.client, one.loginToken, { passkey: response })).result.__typename).toBe('LoggedIn');
    const { client, loginToken } = await waiting(holder, unlimited);
    const recovered = await verify(client, loginToken, { recoveryCode: holder.recoveryCodes[0] });
    expect([id !== '', recovered.result.__typename]).toEqual([true, 'LoggedIn']);
    await unlimited.stop();
  });

  test('is told no more tries than there are, and its end is told to the owner', async () => {
    const own = await startGateway();
    const holder = await totpHolder(own);
    const left: unknown[] = [];
    for (const tries of [4, 5, 1]) {
      const { client, loginToken } = await waiting(holder, own);
      for (let each = 0; each < tries; each += 1)
        left.push((await verify(client, loginToken, { totp: '000000' })).result.attemptsLeft);
    }
    expect(left).toEqual([4, 3, 2, 1, 4, 3, 2, 1, 0, 0]);
    const mails = await own.mails.rest(holder.person.email);
    expect(mails.filter(({ subject }) => subject === 'Somebody almost logged in to your account')).toHaveLength(1);
    await own.stop();
  });

  test('is limited for each address of a client, whatever account it is (mfaPerAddress)', async () => {
    const tight = await gateway.another({ POSTERN_RATE_LIMITS: '{"mfaPerAddress":"5/1m"}' });
    const client = tight.client();
    const outcomes: string[] = [];
    for (let each = 0; each < 7; each += 1) {
      const token = `pl_${'A'.repeat(42)}${'AQgw'[each % 4]}`;
      outcomes.push((await verify(client, token, { totp: '000000' })).result.__typename);
    }
    expect(outcomes).toEqual([...Array(5).fill('LoginExpired'), 'RateLimited', 'RateLimited']);
  });
});

describe('a login that waits for a second factor', () => {
  test('opens nothing, wherever its token is shown (L09)', async () => {
    const holder = await totpHolder(gateway);
    const { loginToken } = await waiting(holder);
    const clients = [
      gateway.client().bearing(loginToken),
      gateway.client({ 'x-session-token': loginToken }),
      gateway.client({ cookie: `postern=${loginToken}` }),
      gateway.client({ cookie: `postern-device=${loginToken}` }),
    ];
    for (const client of clients) {
      expect((await client.send(CURRENT_USER)).result).toMatchObject({ __typename: 'Unauthenticated' });
    }
    const client = gateway.client();
    const refresh = await client.send(REFRESH, { input: { refreshToken: loginToken } });
    expect(refresh.result.__typename).toBe('Unauthenticated');
    for (const [operation, input] of [
      [BEGIN_TOTP, { loginToken }],
      [BEGIN_PASSKEY, { loginToken }],
      [CONFIRM_TOTP, { handle: loginToken, code: codeOf(holder) }],
    ] as const) {
      const { result } = await client.send(operation, { input });
      expect(['LoginExpired', 'InvalidToken']).toContain(result.__typename);
    }
    const trusted = await gateway
      .client()
      .send(LOG_IN, { input: { ...holder.person, trustedDeviceToken: loginToken } });
    expect(trusted.result.__typename).toBe('MfaRequired');
  });

  test('is not carried on without the factor, however often it is asked', async () => {
    const holder = await totpHolder(gateway);
    const { client, loginToken } = await waiting(holder);
    for (let each = 0; each < 3; each += 1) {
      const { result } = await client.send(CONTINUE_LOGIN, { input: { loginToken } });
      expect(result.__typename).toBe('MfaRequired');
    }
  });

  test('is over once the password was changed, or the person disabled (M13)', async () => {
    const holder = await totpHolder(gateway);
    const before = await waiting(holder);
    const newPassword = 'another ladder in the library';
    const input = { currentPassword: holder.person.password, newPassword };
    expect((await holder.client.send(CHANGE_PASSWORD, { input })).result.__typename).toBe('PasswordChanged');
    const late = await verify(before.client, before.loginToken, { totp: codeOf(holder) });
    expect(late.result.__typename).toBe('LoginExpired');

    const again = await waiting({ person: { ...holder.person, password: newPassword } });
    await gateway.sql('UPDATE users SET disabled_at = now() WHERE id = $1', [holder.userId]);
    gateway.clock.advance(30_000);
    const disabled = await verify(again.client, again.loginToken, { totp: codeOf(holder) });
    expect(disabled.result.__typename).toBe('LoginExpired');
  });

  test('takes no code of somebody else, and no login of theirs either', async () => {
    const [ada, eve] = [await totpHolder(gateway), await totpHolder(gateway)];
    const { client, loginToken } = await waiting(ada);
    expect((await verify(client, loginToken, { totp: codeOf(eve) })).result.__typename).toBe('InvalidCode');
    const state = await stateOf(ada.userId);
    const own = await waiting(eve);
    expect((await verify(own.client, own.loginToken, { totp: codeOf(ada) })).result.__typename).toBe('InvalidCode');
    expect(await stateOf(ada.userId)).toBe(state);
  });

  test('that asks for something else first takes none', async () => {
    const strict = await gateway.another({ POSTERN_EMAIL_VERIFICATION: 'mandatory' });
    const holder = await totpHolder(gateway);
    await gateway.sql('UPDATE emails SET verified_at = NULL WHERE user_id = $1', [holder.userId]);
    const client = strict.client();
    const { result } = await client.send(LOG_IN, { input: holder.person });
    expect(result.__typename).toBe('EmailVerificationRequired');
    const early = await verify(client, String(result.loginToken), { totp: codeOf(holder) });
    expect(early.result.__typename).toBe('LoginExpired');
  });
});

describe('what is stored', () => {
  test('opens nothing to who reads it: no secret, no code (M08, M11)', async () => {
    const holder = await totpHolder(gateway);
    const tables = ['authenticators', 'ceremonies', 'pending_logins', 'events', 'trusted_devices'];
    const dump = (await Promise.all(tables.map((table) => gateway.sql(`SELECT t::text AS row FROM ${table} t`))))
      .flat()
      .map(({ row }) => String(row))
      .join('\n');
    for (const secret of [holder.secret, ...holder.recoveryCodes.flatMap((code) => [code, code.replaceAll('-', '')])]) {
      expect(dump).not.toContain(secret);
      expect(dump).not.toContain(Buffer.from(secret).toString('hex'));
      expect(dump).not.toContain(Buffer.from(secret).toString('base64').replace(/=+$/, ''));
    }
    expect(gateway.logs.join('')).not.toContain(holder.secret);
  });

  test('of one person is of no use on the row of another (the context of the seal)', async () => {
    const [ada, eve] = [await totpHolder(gateway), await totpHolder(gateway)];
    await gateway.sql(
      `UPDATE authenticators SET data = (SELECT data FROM authenticators WHERE user_id = $2 AND kind = 'RECOVERY_CODE')
       WHERE user_id = $1 AND kind = 'RECOVERY_CODE'`,
      [ada.userId, eve.userId],
    );
    const { client, loginToken } = await waiting(ada);
    const { result } = await verify(client, loginToken, { recoveryCode: eve.recoveryCodes[0] });
    expect(result.__typename).toBe('InvalidCode');
  });
});

describe('changing factors', () => {
  /** An open session whose last proof is too old. */
  const stale = async () => {
    const holder = await totpHolder(gateway);
    gateway.clock.advance(16 * MINUTE);
    return holder;
  };
  const CHANGES = [
    ['beginTotp', (client: GraphQLClient) => client.send(BEGIN_TOTP, { input: {} })],
    ['beginPasskey', (client: GraphQLClient) => client.send(BEGIN_PASSKEY, { input: {} })],
    ['generateRecoveryCodes', (client: GraphQLClient) => client.send(GENERATE_RECOVERY_CODES)],
    [
      'removeAuthenticator',
      async (client: GraphQLClient) =>
        client.send(REMOVE_AUTHENTICATOR, { input: { id: await idOf(client, 'TotpAuthenticator') } }),
    ],
  ] as const;

  test.each(CHANGES)(
    '%s asks for a fresh proof, by a factor of the account: the password is none (M09, M10)',
    async (_name, change) => {
      const holder = await stale();
      const methods = ['TOTP', 'RECOVERY_CODE'];
      expect((await change(holder.client)).result).toMatchObject({ __typename: 'ReauthenticationRequired', methods });
      const { password } = holder.person;
      const byPassword = await holder.client.send(REAUTHENTICATE, { input: { password } });
      expect(byPassword.result.__typename).toBe('Reauthenticated');
      expect((await change(holder.client)).result).toMatchObject({ __typename: 'ReauthenticationRequired', methods });
      const byTotp = await holder.client.send(REAUTHENTICATE, { input: { totp: codeOf(holder) } });
      expect(byTotp.result.__typename).toBe('Reauthenticated');
      expect((await change(holder.client)).result.__typename).not.toBe('ReauthenticationRequired');
      gateway.clock.advance(30_000);
    },
  );

  test('forgetting the devices asks for a fresh proof', async () => {
    const holder = await stale();
    expect((await holder.client.send(FORGET_TRUSTED_DEVICES)).result).toMatchObject({
      __typename: 'ReauthenticationRequired',
      methods: ['PASSWORD', 'TOTP', 'RECOVERY_CODE'],
    });
  });

  test('a trusted device that logged in without the factor cannot change it', async () => {
    const holder = await totpHolder(gateway);
    const client = gateway.client();
    const { loginToken } = await beginMfaLogin(client, holder.person);
    const input = { loginToken, proof: { totp: codeOf(holder) }, trustDevice: true };
    const { result } = await client.send(VERIFY_MFA, { input });
    const { trustedDeviceToken } = result;
    const trusted = await gateway.client().send(LOG_IN, { input: { ...holder.person, trustedDeviceToken } });
    const held = hold(gateway.client(), trusted);
    const refused = await held.client.send(REMOVE_AUTHENTICATOR, {
      input: { id: await idOf(held.client, 'TotpAuthenticator') },
    });
    expect(refused.result.__typename).toBe('ReauthenticationRequired');
    gateway.clock.advance(30_000);
  });

  test('a JWT of a session that is held otherwise changes none', async () => {
    const holder = await totpHolder(gateway);
    const { result } = await holder.client.send(
      'mutation { issueAccessToken { ... on AccessTokenIssued { accessToken } } }',
    );
    const byJwt = gateway.client().bearing(String(result.accessToken));
    expect((await byJwt.send(GENERATE_RECOVERY_CODES)).result.__typename).toBe('ReauthenticationRequired');
  });

  test('an id of somebody else is as unknown as any (W13)', async () => {
    const [ada, eve] = [await totpHolder(gateway), await totpHolder(gateway)];
    const id = await idOf(ada.client, 'TotpAuthenticator');
    const [foreign, none] = await Promise.all(
      [id, '00000000-0000-4000-8000-000000000000', 'nothing', ''].map((each) =>
        eve.client.send(REMOVE_AUTHENTICATOR, { input: { id: each } }),
      ),
    );
    expect(foreign?.text).toBe(none?.text);
    expect(foreign?.result.__typename).toBe('NotFound');
  });

  test('an enrollment is ended by the session that began it, and by no other (W03)', async () => {
    const { client, person } = await verifiedPerson(gateway);
    const { result: begun } = await client.send(BEGIN_TOTP, { input: {} });
    const input = { handle: begun.handle, code: totpCode(String(begun.secret), gateway.clock()) };
    const other = await logIn(gateway.client(), person);
    const stranger = await verifiedPerson(gateway);
    for (const somebody of [other.client, stranger.client, gateway.client()]) {
      expect((await somebody.send(CONFIRM_TOTP, { input })).result.__typename).toBe('InvalidToken');
    }
    expect((await client.send(CONFIRM_TOTP, { input })).result.__typename).toBe('TotpEnabled');
    gateway.clock.advance(30_000);
  });

  test('of fifty confirmations one adds the app, with one sheet of codes', async () => {
    const unlimited = await gateway.another({ POSTERN_RATE_LIMITS: 'off' });
    const { client, userId } = await verifiedPerson(unlimited);
    const begun = await Promise.all(Array.from({ length: 10 }, () => client.send(BEGIN_TOTP, { input: {} })));
    const answers = await Promise.all(
      begun.flatMap(({ result: { handle, secret } }) =>
        Array.from({ length: 5 }, () =>
          client.send(CONFIRM_TOTP, { input: { handle, code: totpCode(String(secret), gateway.clock()) } }),
        ),
      ),
    );
    expect(answers.filter(({ result }) => result.__typename === 'TotpEnabled')).toHaveLength(1);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const rows = await gateway.sql('SELECT kind FROM authenticators WHERE user_id = $1 ORDER BY kind', [userId]);
    expect(rows).toEqual([{ kind: 'RECOVERY_CODE' }, { kind: 'TOTP' }]);
    gateway.clock.advance(30_000);
  });

  test('the first factor, and the removal of one, end every other session, with its refresh tokens (T05)', async () => {
    const { client, person, userId } = await verifiedPerson(gateway);
    const other = await logIn(gateway.client(), person);
    const byJwt = await logIn(gateway.client(), person, 'JWT');
    const { id } = await enrollPasskey(client, new SoftwareAuthenticator());
    for (const ended of [other, byJwt]) {
      expect((await ended.client.send(CURRENT_USER)).result).toMatchObject({ reason: 'REVOKED' });
    }
    const refresh = await gateway.client().send(REFRESH, { input: { refreshToken: byJwt.refreshToken } });
    expect(refresh.result.__typename).toBe('Unauthenticated');
    expect((await client.send(CURRENT_USER)).result).toMatchObject({ id: userId, hasMfa: true });

    const login = await waiting({ person });
    await client.send(REMOVE_AUTHENTICATOR, { input: { id } });
    const late = await login.client.send(CONTINUE_LOGIN, { input: { loginToken: login.loginToken } });
    expect(late.result.__typename).toBe('LoginExpired');
    expect((await client.send(CURRENT_USER)).result).toMatchObject({ id: userId, hasMfa: false });
  });
});

test('a refresh proves nothing (M14, T06: auth_time and amr stay)', async () => {
  const holder = await totpHolder(gateway);
  const held = await logInWithTotp(gateway, holder, 'JWT');
  const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  const before = claimsOf(held.token);
  expect(before.amr).toEqual(['pwd', 'otp', 'mfa']);
  gateway.clock.advance(MINUTE);
  const { result } = await gateway.client().send(REFRESH, { input: { refreshToken: held.refreshToken } });
  const after = claimsOf((result.credential as { accessToken: string }).accessToken);
  expect([after.amr, after.auth_time]).toEqual([before.amr, before.auth_time]);
});

test('whoever has no factor has no limit to run into, and is told nothing new', async () => {
  const person = newPerson();
  const client = gateway.client({ 'x-forwarded-for': newAddress() });
  const { result } = await verify(client, `pl_${'A'.repeat(43)}`, { totp: '123456' });
  expect(result.__typename).toBe('LoginExpired');
  expect((await client.send(LOG_IN, { input: person })).result.__typename).toBe('InvalidCredentials');
});
