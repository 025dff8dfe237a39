import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hashToken, makeToken } from '../../src/lib/secrets.ts';
import { type Answer, GraphQLClient } from '../support/client.ts';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import {
  BEGIN_REAUTHENTICATION,
  CHANGE_PASSWORD,
  newPassword,
  nextCode,
  REAUTHENTICATE,
  renewed,
  withoutPassword,
} from '../support/passwords.ts';
import {
  CURRENT_SESSION,
  CURRENT_USER,
  ISSUE_ACCESS_TOKEN,
  LOG_IN,
  logIn,
  newPerson,
  REFRESH,
  signUp,
} from '../support/people.ts';

const MINUTE = 60_000;
const WRONG = 'a guess that is wrong';

let gateway: Gateway;
let other: Gateway;
let unlimited: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_PUBLIC_URL: 'http://auth.test' } });
  other = await gateway.another();
  unlimited = await startGateway({ env: { POSTERN_RATE_LIMITS: 'off' } });
});
afterAll(() => Promise.all([gateway.stop(), unlimited.stop()]));

/** The same client at another instance. */
const at = ({ url }: Gateway, { headers }: GraphQLClient) => new GraphQLClient(url, headers);
const tagOf = ({ result }: Answer) => result.__typename;
const change = (client: GraphQLClient, currentPassword: string | null, password = newPassword()) =>
  client.send(CHANGE_PASSWORD, { input: { currentPassword, newPassword: password } });
const prove = (client: GraphQLClient, password: string) => client.send(REAUTHENTICATE, { input: { password } });
const begin = async (client: GraphQLClient) =>
  String((await client.send(BEGIN_REAUTHENTICATION, { input: { method: 'EMAIL_CODE' } })).result.handle);
const answer = (client: GraphQLClient, handle: string, code: string) =>
  client.send(REAUTHENTICATE, { input: { emailCode: { handle, code } } });
/** Asks until the hashing queue has room: one second is what a full queue says; a limit says more. */
async function patiently(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answered = await ask();
    if (answered.result.__typename !== 'RateLimited' || answered.result.retryAfter !== 1) return answered;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('a sensitive change', () => {
  test('needs a proof that is younger than sixteen minutes (L11: without the guard a session left open is enough)', async () => {
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person);
    gateway.clock.advance(14 * MINUTE);
    expect((await client.send(CURRENT_SESSION)).result.freshUntil).not.toBeNull();
    gateway.clock.advance(2 * MINUTE);
    expect((await client.send(CURRENT_SESSION)).result.freshUntil).toBeNull();
    expect((await change(client, person.password)).result).toEqual({
      __typename: 'ReauthenticationRequired',
      methods: ['PASSWORD'],
    });
    expect(tagOf(await prove(client, WRONG))).toBe('InvalidCredentials');
    expect(tagOf(await change(client, person.password))).toBe('ReauthenticationRequired');
    expect(tagOf(await prove(client, person.password))).toBe('Reauthenticated');
    expect(tagOf(await change(client, person.password))).toBe('PasswordChanged');
  });

  test('is not opened by the use of a session, nor by a JWT of a fresh one (L11: a service that was handed the JWT could make it)', async () => {
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person);
    const { accessToken } = (await client.send(ISSUE_ACCESS_TOKEN)).result;
    const service = gateway.client().bearing(String(accessToken));
    expect((await service.send(CURRENT_USER)).result.email).toBe(person.email);
    expect(tagOf(await change(service, person.password))).toBe('ReauthenticationRequired');
    for (let n = 0; n < 4; n += 1) {
      gateway.clock.advance(5 * MINUTE);
      await client.send(CURRENT_USER);
    }
    expect(tagOf(await change(client, person.password))).toBe('ReauthenticationRequired');
  });

  test('needs a proof made for the JWT session that makes it, which a refresh is not (L11)', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'JWT');
    expect(tagOf(await change(held.client, person.password))).toBe('ReauthenticationRequired');
    gateway.clock.advance(1_000);
    const { result } = await gateway.client().send(REFRESH, { input: { refreshToken: held.refreshToken } });
    const refreshed = gateway.client().bearing((result.credential as { accessToken: string }).accessToken);
    expect(tagOf(await change(refreshed, person.password))).toBe('ReauthenticationRequired');
    expect(tagOf(await prove(refreshed, person.password))).toBe('Reauthenticated');
    expect(tagOf(await change(refreshed, person.password))).toBe('PasswordChanged');
  });

  test('is open at once on the instance that took the proof, and soon on every other (L11)', async () => {
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person);
    const elsewhere = at(other, client);
    gateway.clock.advance(16 * MINUTE);
    for (const each of [client, elsewhere]) expect((await each.send(CURRENT_SESSION)).result.freshUntil).toBeNull();
    await prove(client, person.password);
    expect((await client.send(CURRENT_SESSION)).result.freshUntil).not.toBeNull();
    await expect
      .poll(async () => (await elsewhere.send(CURRENT_SESSION)).result.freshUntil, { timeout: 1_000 })
      .not.toBeNull();
  });
});

describe('the password of an open session', () => {
  test.each([
    ['changePassword', (client: GraphQLClient, password: string) => change(client, password)],
    ['reauthenticate', prove],
  ])(
    'is guessed at by %s as often as at the login, and no more (P08: without the count there is no end)',
    async (_name, guess) => {
      const person = newPerson();
      const { client } = await signUp(gateway.client(), person);
      for (let n = 0; n < 10; n += 1) expect(tagOf(await guess(client, WRONG))).toBe('InvalidCredentials');
      expect(tagOf(await guess(client, WRONG))).toBe('RateLimited');
      expect(tagOf(await guess(client.with({ 'x-forwarded-for': newAddress() }), person.password))).toBe('RateLimited');
    },
  );

  test('is guessed at by both together, in whatever session (P08: with counts of their own there are twenty)', async () => {
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person);
    const other = await logIn(gateway.client(), person);
    const guesses = [() => change(client, WRONG), () => prove(other.client, WRONG)];
    for (let n = 0; n < 10; n += 1) expect(tagOf((await guesses[n % 2]?.()) as Answer)).toBe('InvalidCredentials');
    for (const guess of guesses) expect(tagOf(await guess())).toBe('RateLimited');
  });

  test('can be shown while strangers use up the tries of the login (L06: with one count for both they cannot)', async () => {
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person);
    for (let n = 0; n < 11; n += 1) {
      await gateway.client().send(LOG_IN, { input: { ...person, password: WRONG } });
    }
    expect(tagOf(await gateway.client().send(LOG_IN, { input: person }))).toBe('RateLimited');
    expect(tagOf(await prove(client, person.password))).toBe('Reauthenticated');
  });

  test('is not guessed at more often by fifty at once (P08: a count after the hash lets them all by)', async () => {
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person);
    const answers = await Promise.all(Array.from({ length: 50 }, () => patiently(() => prove(client, WRONG))));
    expect(answers.filter((each) => tagOf(each) === 'InvalidCredentials').length).toBeLessThanOrEqual(10);
  });

  test('is not used up by right answers (P08: without the refund its owner is shut out)', async () => {
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person);
    for (let n = 0; n < 14; n += 1) {
      expect(tagOf(await prove(client, person.password))).toBe('Reauthenticated');
      // Refunds are written a moment later.
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  });

  test('is worn out by a hundred wrong guesses, which looks like one more (L01: only the login would count)', async () => {
    const person = newPerson();
    const { client } = await signUp(unlimited.client(), person);
    for (let n = 0; n < 100; n += 1) expect(tagOf(await prove(client, WRONG))).toBe('InvalidCredentials');
    expect(tagOf(await prove(client, person.password))).toBe('InvalidCredentials');
    expect(tagOf(await change(client, person.password))).toBe('InvalidCredentials');
    expect(tagOf(await unlimited.client().send(LOG_IN, { input: person }))).toBe('InvalidCredentials');
  });

  test('is forgotten to have been guessed at once it is right (L01: guesses in a row are counted, not all)', async () => {
    const person = newPerson();
    const { client, userId } = await signUp(unlimited.client(), person);
    for (let n = 0; n < 5; n += 1) await prove(client, WRONG);
    await prove(client, person.password);
    const rows = await unlimited.sql('SELECT consecutive_attempts FROM passwords WHERE user_id = $1', [userId]);
    expect(rows).toEqual([{ consecutive_attempts: 0 }]);
  });
});

describe('a change of the password', () => {
  test('gives the session another token; the old one opens nothing on any instance (L10: without another token a thief of it stays)', async () => {
    for (const kind of ['SESSION_TOKEN', 'COOKIE'] as const) {
      const person = newPerson();
      const { client } = await signUp(gateway.client(), person, kind);
      const elsewhere = at(other, client);
      for (const each of [client, elsewhere]) expect((await each.send(CURRENT_USER)).result.__typename).toBe('User');
      const changed = await change(client, person.password);
      expect((await client.send(CURRENT_USER)).result.__typename).toBe('Unauthenticated');
      await expect
        .poll(async () => (await elsewhere.send(CURRENT_USER)).result.__typename, { timeout: 1_000 })
        .toBe('Unauthenticated');
      const now = renewed(client, changed);
      for (const each of [now, at(other, now)]) {
        expect((await each.send(CURRENT_USER)).result.email).toBe(person.email);
      }
    }
  });

  test('makes the old token a stranger to this instance before anything tells it (L10: without dropping it from memory it works on)', async () => {
    const deaf = await startGateway();
    await deaf.sql('ALTER TABLE sessions DISABLE TRIGGER USER');
    const person = newPerson();
    const { client } = await signUp(deaf.client(), person);
    expect(tagOf(await client.send(CURRENT_USER))).toBe('User');
    expect(tagOf(await change(client, person.password))).toBe('PasswordChanged');
    expect(tagOf(await client.send(CURRENT_USER))).toBe('Unauthenticated');
    await deaf.stop();
  });

  test('leaves nothing of the chain of refresh tokens, even if it is used at that moment (L10: without a second look its successor stays)', async () => {
    const person = newPerson();
    const held = await signUp(unlimited.client(), person, 'JWT');
    unlimited.clock.advance(1_000);
    await prove(held.client, person.password);
    const refreshing = new pg.Client({ connectionString: unlimited.databaseUrl });
    await refreshing.connect();
    const successor = makeToken('refresh');
    await refreshing.query('BEGIN');
    await refreshing.query('UPDATE refresh_tokens SET used_at = now() WHERE session_id = $1', [held.sessionId]);
    await refreshing.query(
      `INSERT INTO refresh_tokens (id, session_id, token_hash, created_at, expires_at)
       VALUES (gen_random_uuid(), $1, $2, now(), now() + interval '1 day')`,
      [held.sessionId, hashToken(successor)],
    );
    const changing = change(held.client, person.password);
    await expect
      .poll(async () => (await unlimited.sql('SELECT 1 FROM pg_locks WHERE NOT granted')).length, { timeout: 2_000 })
      .toBeGreaterThan(0);
    await refreshing.query('COMMIT');
    await refreshing.end();

    const { refreshToken } = (await changing).result.credential as { refreshToken: string };
    for (const old of [held.refreshToken, successor]) {
      const { result } = await unlimited.client().send(REFRESH, { input: { refreshToken: old } });
      expect(result.__typename).toBe('Unauthenticated');
    }
    const { result } = await unlimited.client().send(REFRESH, { input: { refreshToken } });
    expect(result.__typename).toBe('SessionTokensRefreshed');
  });

  test('by ten at once is one change (without the conditional write two think that theirs is the password)', async () => {
    const person = newPerson();
    const { client } = await signUp(unlimited.client(), person);
    const sessions = [
      client,
      ...(await Promise.all(Array.from({ length: 4 }, () => logIn(unlimited.client(), person)))).map(
        (held) => held.client,
      ),
    ];
    const tries = [...sessions, ...sessions].map((each) => ({ client: each, password: newPassword() }));
    const answers = await Promise.all(
      tries.map((each) => patiently(() => change(each.client, person.password, each.password))),
    );
    const won = tries.filter((_, index) => answers[index]?.result.__typename === 'PasswordChanged');
    expect(won).toHaveLength(1);
    await logIn(unlimited.client(), { ...person, password: won[0]?.password ?? '' });
    const live = await Promise.all(sessions.map(async (each) => (await each.send(CURRENT_USER)).result.__typename));
    expect(live).not.toContain('User');
  });

  test('by ten at once that set the first one is one change', async () => {
    const person = newPerson();
    const { client } = await withoutPassword(unlimited, await signUp(unlimited.client(), person));
    const answers = await Promise.all(Array.from({ length: 10 }, () => patiently(() => change(client, null))));
    expect(answers.filter((each) => tagOf(each) === 'PasswordChanged')).toHaveLength(1);
  });

  test('is refused once the account is disabled (L12)', async () => {
    const person = newPerson();
    const { client, userId } = await signUp(gateway.client(), person);
    await gateway.sql('UPDATE users SET disabled_at = now() WHERE id = $1', [userId]);
    expect(tagOf(await change(client, person.password))).toBe('Unauthenticated');
    expect(tagOf(await prove(client, person.password))).toBe('Unauthenticated');
  });
});

describe('a code for a new proof', () => {
  /** Two sessions of somebody without a password. */
  async function twoSessions() {
    const person = newPerson();
    const first = await signUp(unlimited.client(), person);
    const second = await logIn(unlimited.client(), person);
    await withoutPassword(unlimited, first);
    return { person, first: first.client, second: second.client };
  }

  test('renews the session that asked for it, and no other (R06: without the session in it, one that is left open takes it)', async () => {
    const { person, first, second } = await twoSessions();
    const handle = await begin(first);
    const { code } = await nextCode(unlimited, person.email);
    expect(tagOf(await answer(second, handle, code))).toBe('InvalidToken');
    const stranger = await withoutPassword(unlimited, await signUp(unlimited.client(), newPerson()));
    expect(tagOf(await answer(stranger.client, handle, code))).toBe('InvalidToken');
    expect(tagOf(await answer(first, handle, code))).toBe('Reauthenticated');
  });

  test('works once, however many use it at once (R04: without the conditional write the proof is made many times)', async () => {
    const { person, first } = await twoSessions();
    const handle = await begin(first);
    const { code } = await nextCode(unlimited, person.email);
    // Five checks are all that a code has.
    const answers = await Promise.all(Array.from({ length: 20 }, () => answer(first, handle, code)));
    expect(answers.filter((each) => tagOf(each) === 'Reauthenticated')).toHaveLength(1);
    expect(tagOf(await answer(first, handle, code))).toBe('InvalidToken');
  });

  test('is too old after ten minutes, and void after five wrong tries (R03, R11)', async () => {
    const { person, first } = await twoSessions();
    const old = await begin(first);
    const late = await nextCode(unlimited, person.email);
    unlimited.clock.advance(10 * MINUTE + 1);
    expect(tagOf(await answer(first, old, late.code))).toBe('InvalidToken');
    const handle = await begin(first);
    const { code } = await nextCode(unlimited, person.email);
    for (const attemptsLeft of [4, 3, 2, 1, 0]) {
      expect((await answer(first, handle, 'BCDF-GHJK')).result).toEqual({ __typename: 'InvalidCode', attemptsLeft });
    }
    expect(tagOf(await answer(first, handle, code))).toBe('InvalidToken');
  });

  test('is not sent to who has a password, and void once one is set (L11: the mailbox would do in its place)', async () => {
    const { person, first, second } = await twoSessions();
    const handle = await begin(first);
    const { code } = await nextCode(unlimited, person.email);
    expect(tagOf(await change(second, null))).toBe('PasswordChanged');
    expect(tagOf(await answer(first, handle, code))).toBe('Unauthenticated');
    const [kept] = await unlimited.sql(
      "SELECT used_at FROM challenges WHERE purpose = 'REAUTHENTICATE' AND destination = $1",
      [person.email],
    );
    expect(kept?.used_at).not.toBeNull();
  });
});
