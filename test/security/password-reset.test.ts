import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer } from '../support/client.ts';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import {
  askForReset,
  CHANGE_PASSWORD,
  marked,
  newPassword,
  nextCode,
  REPLACE_PASSWORD,
  REQUEST_RESET,
  RESET_PASSWORD,
  resetWith,
  verified,
} from '../support/passwords.ts';
import {
  CONTINUE_LOGIN,
  CURRENT_USER,
  ISSUE_ACCESS_TOKEN,
  LOG_IN,
  LOG_IN_WITH_CODE,
  logIn,
  newPerson,
  REFRESH,
  RESEND_CODE,
  signUp,
  VERIFY_EMAIL,
} from '../support/people.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

let gateway: Gateway;
let verifying: Gateway;
let unlimited: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
  verifying = await startGateway({ env: { POSTERN_EMAIL_VERIFICATION: 'mandatory' } });
  unlimited = await startGateway({ env: { POSTERN_RATE_LIMITS: 'off' } });
});
afterAll(() => Promise.all([gateway.stop(), verifying.stop(), unlimited.stop()]));

const tagOf = ({ result }: Answer) => result.__typename;
const member = async (at = gateway) => {
  const person = newPerson();
  return { person, held: await verified(at, await signUp(at.client(), person)) };
};
const withCode = (handle: string, code: string, at = gateway, password = newPassword()) =>
  at.client().send(RESET_PASSWORD, { input: { proof: { code: { handle, code } }, newPassword: password } });
/** Asks until the hashing queue has room: one second is what a full queue says; a limit says more. */
async function patiently(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (answer.result.__typename !== 'RateLimited' || answer.result.retryAfter !== 1) return answer;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('a reset', () => {
  test('is too old after its time, whether or not anything cleans up (R03: without the expiry in the look-up it works)', async () => {
    const { person } = await member();
    const link = await askForReset(gateway, person.email);
    gateway.clock.advance(10 * MINUTE + 1);
    expect(tagOf(await withCode(link.handle, link.mail.code))).toBe('InvalidToken');
    gateway.clock.advance(20 * MINUTE);
    expect(tagOf(await resetWith(gateway.client(), link.mail.token))).toBe('InvalidToken');
    const [kept] = await gateway.sql('SELECT used_at FROM challenges WHERE purpose = $1 AND destination = $2', [
      'RESET_PASSWORD',
      person.email,
    ]);
    expect(kept).toEqual({ used_at: null });
    await logIn(gateway.client(), person);
  });

  test('fifty times at once with one link sets one of fifty passwords (R04: without the conditional write several win)', async () => {
    const { person } = await member(unlimited);
    const { mail } = await askForReset(unlimited, person.email);
    const tries = Array.from({ length: 50 }, () => newPassword());
    const answers = await Promise.all(
      tries.map((password) => patiently(() => resetWith(unlimited.client(), mail.token, password))),
    );
    const won = tries.filter((_, index) => answers[index]?.result.__typename === 'PasswordWasReset');
    expect(won).toHaveLength(1);
    expect(answers.filter((answer) => tagOf(answer) === 'InvalidToken')).toHaveLength(49);
    const opens: string[] = [];
    for (const password of [...tries, person.password]) {
      const input = { email: person.email, password };
      if (tagOf(await unlimited.client().send(LOG_IN, { input })) === 'LoggedIn') opens.push(password);
    }
    expect(opens).toEqual(won);
  });

  test('by the link and by the code of one mail at once is one reset (R04)', async () => {
    const { person } = await member(unlimited);
    const { handle, mail } = await askForReset(unlimited, person.email);
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => [
        patiently(() => resetWith(unlimited.client(), mail.token)),
        patiently(() => withCode(handle, mail.code, unlimited)),
      ]).flat(),
    );
    expect(answers.filter((answer) => tagOf(answer) === 'PasswordWasReset')).toHaveLength(1);
  });

  test('by two links at once is one reset, and neither waits for ever (R05: without the lock on the person they wait in a circle)', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { person } = await member(unlimited);
      const one = await askForReset(unlimited, person.email);
      const other = await askForReset(unlimited, person.email);
      // As if both had been asked for in the same moment.
      await unlimited.sql('UPDATE challenges SET used_at = NULL WHERE destination = $1', [person.email]);
      const answers = await Promise.all([
        resetWith(unlimited.client(), one.mail.token),
        resetWith(unlimited.client(), other.mail.token),
      ]);
      expect(answers.map(tagOf).sort()).toEqual(['InvalidToken', 'PasswordWasReset']);
    }
  });

  test('that was asked for later voids the earlier ones (R05: without it both work)', async () => {
    const { person } = await member();
    const first = await askForReset(gateway, person.email);
    const second = await askForReset(gateway, person.email);
    expect(tagOf(await resetWith(gateway.client(), first.mail.token))).toBe('InvalidToken');
    expect(tagOf(await withCode(first.handle, first.mail.code))).toBe('InvalidToken');
    expect(tagOf(await resetWith(gateway.client(), second.mail.token))).toBe('PasswordWasReset');
  });

  test('that was asked for too often sends nothing, and so voids nothing (R05, R08: a stranger could take every mail away)', async () => {
    const { person } = await member();
    await askForReset(gateway, person.email);
    await askForReset(gateway, person.email);
    const last = await askForReset(gateway, person.email);
    for (let n = 0; n < 5; n += 1) {
      expect(tagOf(await gateway.client().send(REQUEST_RESET, { input: { email: person.email } }))).toBe('CodeSent');
    }
    await gateway.mails.none(person.email);
    expect(tagOf(await resetWith(gateway.client(), last.mail.token))).toBe('PasswordWasReset');
  });

  test('that one address asked for too often sends nothing, and so voids nothing (R08)', async () => {
    const { person } = await member();
    const last = await askForReset(gateway, person.email);
    const busy = gateway.client();
    for (let n = 0; n < 10; n += 1) await busy.send(REQUEST_RESET, { input: { email: newPerson().email } });
    expect(tagOf(await busy.send(REQUEST_RESET, { input: { email: person.email } }))).toBe('CodeSent');
    await gateway.mails.none(person.email);
    expect(tagOf(await resetWith(gateway.client(), last.mail.token))).toBe('PasswordWasReset');
  });

  test('voids the other codes and links of the person (R05: without it a second mail resets again)', async () => {
    const { person, held } = await member();
    const first = await askForReset(gateway, person.email);
    const second = await askForReset(gateway, person.email);
    await gateway.sql('UPDATE challenges SET used_at = NULL WHERE user_id = $1', [held.userId]);
    expect(tagOf(await resetWith(gateway.client(), second.mail.token))).toBe('PasswordWasReset');
    expect(tagOf(await resetWith(gateway.client(), first.mail.token))).toBe('InvalidToken');
  });

  test('is void once the password was changed (R05: without it a thief with an old mail undoes the change)', async () => {
    const { person, held } = await member();
    const { handle, mail } = await askForReset(gateway, person.email);
    const input = { currentPassword: person.password, newPassword: newPassword() };
    expect(tagOf(await held.client.send(CHANGE_PASSWORD, { input }))).toBe('PasswordChanged');
    expect(tagOf(await resetWith(gateway.client(), mail.token))).toBe('InvalidToken');
    expect(tagOf(await withCode(handle, mail.code))).toBe('InvalidToken');
  });

  test('is void once the password was replaced in a login (R05)', async () => {
    const { person, held } = await member();
    await marked(gateway, held);
    const { mail } = await askForReset(gateway, person.email);
    const { result } = await gateway.client().send(LOG_IN, { input: person });
    const input = { loginToken: result.loginToken, newPassword: newPassword() };
    expect(tagOf(await gateway.client().send(REPLACE_PASSWORD, { input }))).toBe('LoggedIn');
    expect(tagOf(await resetWith(gateway.client(), mail.token))).toBe('InvalidToken');
  });

  test('takes no link and no code that is for verifying, nor the other way round (R06: without the purpose in the look-up it does)', async () => {
    const person = newPerson();
    const { result: begun } = await verifying.client().send(LOG_IN, { input: person });
    expect(begun.__typename).toBe('InvalidCredentials');
    const input = { email: person.email, password: person.password };
    const signed = await verifying
      .client()
      .send(
        'mutation($input: SignUpInput!) { signUp(input: $input) { __typename ... on PendingLogin { loginToken } } }',
        {
          input,
        },
      );
    const loginToken = String(signed.result.loginToken);
    const verification = await nextCode(verifying, person.email);
    expect(tagOf(await resetWith(verifying.client(), verification.token))).toBe('InvalidToken');
    expect(tagOf(await withCode(loginToken, verification.code, verifying))).toBe('InvalidToken');

    const { handle, mail } = await askForReset(verifying, person.email);
    const verify = (proof: object) => verifying.client().send(VERIFY_EMAIL, { input: { proof } });
    expect(tagOf(await verify({ token: mail.token }))).toBe('InvalidToken');
    expect(tagOf(await verify({ code: { handle, code: mail.code } }))).toBe('InvalidToken');
    expect(tagOf(await verify({ token: verification.token }))).toBe('EmailVerified');
    expect(tagOf(await resetWith(verifying.client(), mail.token))).toBe('PasswordWasReset');
  });

  test("takes no code with another person's handle, and neither is changed by it (R06: without the handle it does)", async () => {
    const [ada, eve] = [await member(), await member()];
    const hers = await askForReset(gateway, ada.person.email);
    const his = await askForReset(gateway, eve.person.email);
    expect(tagOf(await withCode(hers.handle, his.mail.code))).toBe('InvalidCode');
    expect(tagOf(await withCode(his.handle, hers.mail.code))).toBe('InvalidCode');
    const password = newPassword();
    expect(tagOf(await withCode(his.handle, his.mail.code, gateway, password))).toBe('PasswordWasReset');
    await logIn(gateway.client(), ada.person);
    await logIn(gateway.client(), { ...eve.person, password });
  });

  test('answers the same whether there is an account, none, or a disabled one (R07: a look at the account before the answer tells)', async () => {
    const { person: known } = await member();
    const { person: disabled, held } = await member();
    await gateway.sql('UPDATE users SET disabled_at = now() WHERE id = $1', [held.userId]);
    const shapes = await Promise.all(
      [known.email, disabled.email, newPerson().email].map(async (email) => {
        const answer = await gateway.client().send(REQUEST_RESET, { input: { email } });
        const handle = String(answer.result.handle);
        const wrong = await withCode(handle, 'BCDF-GHJK');
        const again = await gateway.client().send(RESEND_CODE, { input: { handle } });
        return {
          status: answer.status,
          headers: [...answer.headers.keys()].sort(),
          text: answer.text.replace(handle, '*'),
          wrong: wrong.text,
          again: tagOf(again),
        };
      }),
    );
    expect(shapes[1]).toEqual(shapes[0]);
    expect(shapes[2]).toEqual(shapes[0]);
    expect(shapes[0]?.wrong).toContain('"attemptsLeft":4');
  });

  test('of a disabled account sends nothing that works (R07, L12)', async () => {
    const { person, held } = await member();
    const { handle, mail } = await askForReset(gateway, person.email);
    await gateway.sql('UPDATE users SET disabled_at = now() WHERE id = $1', [held.userId]);
    expect(tagOf(await resetWith(gateway.client(), mail.token))).toBe('InvalidToken');
    expect(tagOf(await withCode(handle, mail.code))).toBe('InvalidToken');
    await gateway.client().send(REQUEST_RESET, { input: { email: person.email } });
    expect(await gateway.mails.next(person.email)).toMatchObject({ code: '', token: '' });
  });

  test('opens no session, and ends every credential that there was (R10: without ending them a thief stays)', async () => {
    const person = newPerson();
    const first = await verified(gateway, await signUp(gateway.client(), person));
    const cookie = await logIn(gateway.client(), person, 'COOKIE');
    const jwt = await logIn(gateway.client(), person, 'JWT');
    const issued = await first.client.send(ISSUE_ACCESS_TOKEN);
    const clients = [
      first.client,
      cookie.client,
      jwt.client,
      gateway.client().bearing(String(issued.result.accessToken)),
    ];
    for (const client of clients) expect((await client.send(CURRENT_USER)).result.__typename).toBe('User');

    const { mail } = await askForReset(gateway, person.email);
    const answer = await resetWith(gateway.client(), mail.token);
    expect(answer.result).toEqual({ __typename: 'PasswordWasReset', sessionsEnded: 3 });
    expect(answer.headers.getSetCookie()).toEqual([]);
    for (const client of clients) {
      expect((await client.send(CURRENT_USER)).result).toMatchObject({ reason: 'REVOKED' });
    }
    const refresh = await gateway.client().send(REFRESH, { input: { refreshToken: jwt.refreshToken } });
    expect(refresh.result).toEqual({ __typename: 'Unauthenticated', reason: 'REVOKED' });
    const [live] = await gateway.sql('SELECT 1 FROM sessions WHERE user_id = $1 AND ended_at IS NULL', [first.userId]);
    expect(live).toBeUndefined();
  });

  test('ends logins that are not finished (R10: without it they still ask for the rest)', async () => {
    const coding = await startGateway({ env: { POSTERN_LOGIN_CODE_REQUIRED: 'on' } });
    const person = newPerson();
    const { userId } = await signUp(coding.client(), person);
    await coding.sql('UPDATE emails SET verified_at = now() WHERE user_id = $1', [userId]);
    const { loginToken } = (await coding.client().send(LOG_IN, { input: person })).result;
    const { code } = await nextCode(coding, person.email);
    const { mail } = await askForReset(coding, person.email);
    expect(tagOf(await resetWith(coding.client(), mail.token))).toBe('PasswordWasReset');
    const proof = { code: { handle: loginToken, code } };
    expect(tagOf(await coding.client().send(CONTINUE_LOGIN, { input: { loginToken } }))).toBe('LoginExpired');
    expect(tagOf(await coding.client().send(LOG_IN_WITH_CODE, { input: { proof } }))).toBe('LoginExpired');
    await coding.stop();
  });

  test('leaves no session to who logs in with the old password at that moment (R10: without the password in the opening one stays)', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { person } = await member(unlimited);
      const { mail } = await askForReset(unlimited, person.email);
      const [answer, ...logins] = await Promise.all([
        patiently(() => resetWith(unlimited.client(), mail.token)),
        ...Array.from({ length: 6 }, () => patiently(() => unlimited.client().send(LOG_IN, { input: person }))),
      ]);
      expect(tagOf(answer)).toBe('PasswordWasReset');
      for (const { result } of logins) {
        expect(['LoggedIn', 'InvalidCredentials']).toContain(result.__typename);
        const { token } = (result.credential ?? {}) as { token?: string };
        const seen = await unlimited.client().bearing(String(token)).send(CURRENT_USER);
        expect(tagOf(seen)).toBe('Unauthenticated');
      }
    }
  });

  test('counts the tries of its code over a resend: four wrong, a new code, one wrong, void (R11: a resend that starts anew gives endless tries)', async () => {
    const { person } = await member();
    const { handle, mail } = await askForReset(gateway, person.email);
    for (const attemptsLeft of [4, 3, 2, 1]) {
      expect((await withCode(handle, 'BCDF-GHJK')).result).toMatchObject({ __typename: 'InvalidCode', attemptsLeft });
    }
    gateway.clock.advance(31 * SECOND);
    expect(tagOf(await gateway.client().send(RESEND_CODE, { input: { handle } }))).toBe('CodeSent');
    const newer = await nextCode(gateway, person.email);
    expect(newer.code).not.toBe(mail.code);
    expect((await withCode(handle, 'BCDF-GHJK')).result).toMatchObject({ attemptsLeft: 0 });
    expect(tagOf(await withCode(handle, newer.code))).toBe('InvalidToken');
  });

  test('is not begun by looking at its link (R12: mail scanners open links)', async () => {
    const { person } = await member();
    const { mail } = await askForReset(gateway, person.email);
    const { pathname, search } = new URL(mail.link);
    for (const method of ['GET', 'HEAD', 'OPTIONS'] as const) {
      await fetch(`${gateway.url}${pathname}${search}`, { method, headers: { purpose: 'prefetch' } });
    }
    const query = `mutation { resetPassword(input: { proof: { token: "${mail.token}" }, newPassword: "${newPassword()}" }) { __typename } }`;
    const got = await fetch(`${gateway.url}/graphql?query=${encodeURIComponent(query)}`, {
      headers: { 'x-forwarded-for': newAddress(), accept: 'application/json' },
    });
    expect(got.status).toBe(405);
    expect(tagOf(await resetWith(gateway.client(), mail.token))).toBe('PasswordWasReset');
  });

  test('lets an owner in whom somebody else has locked out by guessing (L06: without forgetting the guesses they wait)', async () => {
    const { person } = await member();
    const wrong = { email: person.email, password: 'a guess that is wrong' };
    for (let n = 0; n < 11; n += 1) await gateway.client().send(LOG_IN, { input: wrong });
    expect(tagOf(await gateway.client().send(LOG_IN, { input: person }))).toBe('RateLimited');
    const { mail } = await askForReset(gateway, person.email);
    const password = newPassword();
    await resetWith(gateway.client(), mail.token, password);
    await logIn(gateway.client(), { ...person, password });
  });

  test('lets an owner in whose password was worn out by a hundred guesses (L06)', async () => {
    const { person, held } = await member();
    await gateway.sql('UPDATE passwords SET consecutive_attempts = 100 WHERE user_id = $1', [held.userId]);
    expect(tagOf(await gateway.client().send(LOG_IN, { input: person }))).toBe('InvalidCredentials');
    const { mail } = await askForReset(gateway, person.email);
    const password = newPassword();
    await resetWith(gateway.client(), mail.token, password);
    await logIn(gateway.client(), { ...person, password });
  });
});

describe('an account that somebody else set up with my address', () => {
  /** Eve signs up with the address of somebody, and gets whatever she can. */
  async function hijacked() {
    const person = newPerson();
    const eve = await signUp(gateway.client(), person);
    const others = await Promise.all([
      logIn(gateway.client(), person, 'COOKIE'),
      logIn(gateway.client(), person, 'JWT'),
    ]);
    await gateway.sql(
      `INSERT INTO authenticators (id, user_id, kind, data, created_at) VALUES (gen_random_uuid(), $1, 'TOTP', '{}', now())`,
      [eve.userId],
    );
    await gateway.sql(
      `INSERT INTO emails (id, user_id, address, is_primary, created_at) VALUES (gen_random_uuid(), $1, $2, false, now())`,
      [eve.userId, `eve.${person.email}`],
    );
    await gateway.sql('INSERT INTO phones (user_id, number, created_at) VALUES ($1, $2, now())', [
      eve.userId,
      `+1202555${String(Math.floor(Math.random() * 10_000)).padStart(4, '0')}`,
    ]);
    return {
      person,
      eve,
      clients: [eve, ...others].map(({ client }) => client),
      refreshToken: others[1]?.refreshToken,
    };
  }

  const rowsOf = async (userId: string) => {
    const [row] = await gateway.sql(
      `SELECT (SELECT count(*)::int FROM authenticators WHERE user_id = $1) AS authenticators,
        (SELECT count(*)::int FROM phones WHERE user_id = $1) AS phones,
        (SELECT array_agg(address) FROM emails WHERE user_id = $1) AS emails,
        (SELECT count(*)::int FROM sessions WHERE user_id = $1 AND ended_at IS NULL) AS sessions,
        (SELECT array_agg(kind ORDER BY kind) FROM events WHERE user_id = $1 AND kind IN ('AccountReclaimed', 'PasswordReset')) AS events`,
      [userId],
    );
    return row;
  };

  test('is mine alone once I reset its password (R14: without it her factor, session or address gets in later)', async () => {
    const { person, eve, clients, refreshToken } = await hijacked();
    const { mail } = await askForReset(gateway, person.email);
    const password = newPassword();
    const { result } = await resetWith(gateway.client(), mail.token, password);
    expect(result).toEqual({ __typename: 'PasswordWasReset', sessionsEnded: 3 });

    expect(await rowsOf(eve.userId)).toEqual({
      authenticators: 0,
      phones: 0,
      emails: [person.email],
      sessions: 0,
      events: ['AccountReclaimed', 'PasswordReset'],
    });
    for (const client of clients) {
      expect((await client.send(CURRENT_USER)).result).toMatchObject({ reason: 'REVOKED' });
    }
    expect(tagOf(await gateway.client().send(REFRESH, { input: { refreshToken } }))).toBe('Unauthenticated');
    expect(tagOf(await gateway.client().send(LOG_IN, { input: person }))).toBe('InvalidCredentials');
    const held = await logIn(gateway.client(), { ...person, password });
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ emailVerified: true, hasMfa: false });
  });

  test('is mine alone once I reset its password by a text message (R14)', async () => {
    const telephoning = await startGateway({ sms: true, env: { POSTERN_LOGIN_IDENTIFIERS: 'email,phone' } });
    const person = newPerson();
    const eve = await signUp(telephoning.client(), person);
    const phone = '+12025550186';
    await telephoning.sql('INSERT INTO phones (user_id, number, created_at) VALUES ($1, $2, now())', [
      eve.userId,
      phone,
    ]);
    const { result: sent } = await telephoning.client().send(REQUEST_RESET, { input: { phone } });
    const { code } = await telephoning.texts.next(phone);
    expect(tagOf(await withCode(String(sent.handle), code, telephoning))).toBe('PasswordWasReset');
    const rows = await telephoning.sql(
      'SELECT (SELECT count(*)::int FROM emails) AS emails, verified_at IS NOT NULL AS verified FROM phones',
    );
    expect(rows).toEqual([{ emails: 0, verified: true }]);
    expect((await eve.client.send(CURRENT_USER)).result).toMatchObject({ reason: 'REVOKED' });
    await telephoning.stop();
  });

  test('keeps its factors when it was verified before: a reset skips no second factor (R10)', async () => {
    const { person, eve } = await hijacked();
    await gateway.sql('UPDATE emails SET verified_at = now() WHERE user_id = $1', [eve.userId]);
    const { mail } = await askForReset(gateway, person.email);
    await resetWith(gateway.client(), mail.token);
    expect(await rowsOf(eve.userId)).toMatchObject({ authenticators: 1, phones: 1, events: ['PasswordReset'] });
  });
});
