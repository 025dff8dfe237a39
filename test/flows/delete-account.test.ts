import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ADD_EMAIL,
  addVerified,
  DELETE_ACCOUNT,
  handleOf,
  newPhone,
  SET_PHONE,
  setVerifiedPhone,
  UPDATE_PROFILE,
} from '../support/account.ts';
import { GraphQLClient } from '../support/client.ts';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import {
  CURRENT_USER,
  cookieOf,
  ISSUE_ACCESS_TOKEN,
  LOG_IN,
  LOG_IN_WITH_CODE,
  logIn,
  newPerson,
  REFRESH,
  REQUEST_LOGIN_CODE,
  signUp,
  VERIFY_EMAIL,
} from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_LOGIN_IDENTIFIERS: 'email,username,phone' }, sms: true });
});
afterAll(() => gateway.stop());

/** Every row of every table of ours and of the queue, as text, by table. */
async function everythingStored({ sql }: Gateway): Promise<Record<string, string>> {
  const tables = await sql<{ name: string }>(`
    SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
    WHERE schemaname IN ('public', 'graphile_worker')`);
  const rows = tables.map(async ({ name }) => {
    const stored = await sql<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
    return [name, stored.map(({ row }) => row).join('\n')];
  });
  return Object.fromEntries(await Promise.all(rows));
}

describe('deleteAccount', () => {
  test('says goodbye, and the account is gone', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const { result } = await held.client.send(DELETE_ACCOUNT);
    expect(result).toEqual({ __typename: 'AccountDeleted', userId: held.userId });
    expect((await gateway.mails.next(person.email)).subject).toMatch(/deleted/i);
    await gateway.mails.none(person.email);
    const login = await gateway.client().send(LOG_IN, { input: person });
    expect(login.result.__typename).toBe('InvalidCredentials');
    expect((await held.client.send(DELETE_ACCOUNT)).result.__typename).toBe('Unauthenticated');
  });

  test('leaves nothing of the person in any table but that something happened, and when', async () => {
    const person = newPerson();
    const ip = newAddress();
    const userAgent = `Browser of ${person.email.split('@')[0]}`;
    const client = gateway.client({ 'user-agent': userAgent, 'x-forwarded-for': ip });
    const held = await signUp(client, person);
    const jwt = await logIn(client, person, 'JWT');
    const [second, third, number, next] = [newPerson().email, newPerson().email, newPhone(), newPhone()];
    const username = `gone.${process.pid}`;
    await held.client.send(UPDATE_PROFILE, { input: { name: 'Augusta of Ockham', username } });
    await addVerified(gateway, held, second);
    await held.client.send(ADD_EMAIL, { input: { email: third } });
    await setVerifiedPhone(gateway, held, number);
    await held.client.send(SET_PHONE, { input: { phone: next } });
    await client.send(LOG_IN, { input: { ...person, password: 'a wrong one, typed twice' } });
    await client.send(REQUEST_LOGIN_CODE, { input: { email: person.email } });
    // What was started under the same address when it was nobody's, or by those for whom it only looks like something.
    await gateway.sql(
      `INSERT INTO pending_logins (id, token_hash, purpose, credential, methods, email, passkey_challenge,
         passkey_challenge_expires_at, created_at, expires_at)
       VALUES (gen_random_uuid(), 'x', 'SIGN_UP', 'COOKIE', '[]', $1, 'x', now(), now(), now() + interval '1 hour')`,
      [person.email],
    );
    await gateway.sql(
      `INSERT INTO challenges (id, purpose, channel, destination, code_hash, created_at, resend_at, code_expires_at, link_expires_at)
       SELECT gen_random_uuid(), 'RESET_PASSWORD', 'EMAIL', unnest($1::text[]), 'x', now(), now(), now(), now()`,
      [[person.email, second, number]],
    );

    const traces = [person.email, second, third, number, next, username, 'Augusta of Ockham', userAgent, held.userId];
    const before = Object.values(await everythingStored(gateway)).join('\n');
    for (const trace of [...traces, ip, jwt.sessionId]) expect(before).toContain(trace);
    await held.client.send(DELETE_ACCOUNT);
    await gateway.mails.next(person.email);
    await gateway.mails.rest(person.email);

    const { 'public.events': trail = '', ...rest } = await everythingStored(gateway);
    const after = Object.values(rest).join('\n');
    for (const trace of [...traces, jwt.sessionId]) expect(after).not.toContain(trace);
    for (const trace of traces.slice(0, -1)) expect(trail).not.toContain(trace);
    expect(`${after}\n${trail}`).not.toContain(`${ip},`);
    const events = await gateway.sql('SELECT * FROM events WHERE user_id = $1 ORDER BY id', [held.userId]);
    expect(events.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['SignedUp', 'LoggedIn', 'LoginFailed', 'EmailAdded', 'PhoneChanged', 'AccountDeleted']),
    );
    expect(events.filter(({ kind }) => kind === 'SessionEnded')).toHaveLength(2);
    for (const event of events) expect(event).toMatchObject({ data: {}, ip_address: null, user_agent: null });
  });

  test('leaves other people as they are', async () => {
    const [held, other] = [await signUp(gateway.client(), newPerson()), await signUp(gateway.client(), newPerson())];
    const rows = () => gateway.sql('SELECT * FROM events WHERE user_id = $1 ORDER BY id', [other.userId]);
    const before = await rows();
    await held.client.send(DELETE_ACCOUNT);
    expect(await rows()).toEqual(before);
    expect((await other.client.send(CURRENT_USER)).result.__typename).toBe('User');
  });

  test('ends every session, on every instance, whatever holds it', async () => {
    // One name for both, since it stands in the JWTs.
    const here = await startGateway({ env: { POSTERN_PUBLIC_URL: 'http://localhost:4000' } });
    try {
      const person = newPerson();
      const held = await signUp(here.client(), person);
      const cookie = await logIn(here.client(), person, 'COOKIE');
      const jwt = await logIn(here.client(), person, 'JWT');
      const issued = await held.client.send(ISSUE_ACCESS_TOKEN);
      const there = await here.another();
      const clients = [held.client, cookie.client, jwt.client, held.client.bearing(String(issued.result.accessToken))];
      const elsewhere = clients.map(({ headers }) => new GraphQLClient(there.url, headers));
      for (const client of [...clients, ...elsewhere]) {
        expect((await client.send(CURRENT_USER)).result.__typename).toBe('User');
      }
      await held.client.send(DELETE_ACCOUNT);
      for (const client of clients) expect((await client.send(CURRENT_USER)).result.__typename).toBe('Unauthenticated');
      for (const client of elsewhere) {
        await expect
          .poll(async () => (await client.send(CURRENT_USER)).result.__typename, { timeout: 1_000 })
          .toBe('Unauthenticated');
      }
      const refreshed = await here.client().send(REFRESH, { input: { refreshToken: jwt.refreshToken } });
      expect(refreshed.result.__typename).toBe('Unauthenticated');
    } finally {
      await here.stop();
    }
  });

  test('takes the cookie away, but not from somebody who has to prove first that it is them', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const held = await logIn(gateway.client(), person, 'COOKIE');
    const name = String((held.answer.result.credential as { name: string }).name);
    gateway.clock.advance(16 * 60_000);
    const refused = await held.client.send(DELETE_ACCOUNT);
    expect(refused.result).toEqual({ __typename: 'ReauthenticationRequired', methods: ['PASSWORD'] });
    expect(cookieOf(refused, name)).toBeNull();
    const fresh = await logIn(held.client, person, 'COOKIE');
    const deleted = await fresh.client.send(DELETE_ACCOUNT);
    expect(deleted.result.__typename).toBe('AccountDeleted');
    expect(cookieOf(deleted, name)).toBe('');
  });

  test('lets somebody else sign up with the address at once', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    await held.client.send(DELETE_ACCOUNT);
    const again = await signUp(gateway.client(), { ...person, password: 'another one for another account' });
    expect(again.userId).not.toBe(held.userId);
  });

  test('lets no login and no verification be finished that was under way', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const asked = await gateway.client().send(REQUEST_LOGIN_CODE, { input: { email: person.email } });
    const mail = await gateway.mails.next(person.email);
    const address = newPerson().email;
    const handle = handleOf(await held.client.send(ADD_EMAIL, { input: { email: address } }));
    const added = await gateway.mails.next(address);
    await held.client.send(DELETE_ACCOUNT);
    for (const proof of [{ code: { handle: asked.result.loginToken, code: mail.code } }, { token: mail.token }]) {
      const { result } = await gateway.client().send(LOG_IN_WITH_CODE, { input: { proof } });
      expect(['LoginExpired', 'InvalidToken']).toContain(result.__typename);
    }
    for (const proof of [{ token: added.token }, { code: { handle, code: added.code } }]) {
      const { result } = await gateway.client().send(VERIFY_EMAIL, { input: { proof } });
      expect(result.__typename).toBe('InvalidToken');
    }
  });

  test('is done once by ten at once', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const answers = await Promise.all(Array.from({ length: 10 }, () => held.client.send(DELETE_ACCOUNT)));
    expect(answers.filter(({ result }) => result.__typename === 'AccountDeleted')).toHaveLength(1);
    expect(answers.filter(({ result }) => result.__typename === 'Unauthenticated')).toHaveLength(9);
    expect(await gateway.mails.rest(person.email)).toHaveLength(1);
  });
});
