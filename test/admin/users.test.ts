import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CREATE_USER,
  DISABLE_USER,
  ENABLE_USER,
  newAdministrator,
  REQUIRE_PASSWORD_CHANGE,
  RESET_USER_FACTORS,
  REVOKE_USER_SESSIONS,
  SET_USER_ROLES,
  USER,
  USERS,
  usersOf,
} from '../support/administration.ts';
import { enrollTotp, totpHolder } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { newPassword, RESET_PASSWORD } from '../support/passwords.ts';
import { CURRENT_USER, type Held, LOG_IN, logIn, newPerson, signUp } from '../support/people.ts';

let gateway: Gateway;
let admin: Held;
beforeAll(async () => {
  gateway = await startGateway({
    env: { POSTERN_LOGIN_IDENTIFIERS: 'email,username,phone', POSTERN_EMAIL_VERIFICATION: 'none' },
    sms: true,
  });
  admin = await newAdministrator(gateway);
});
afterAll(() => gateway.stop());

/** Somebody whom SQL makes, with whatever they are found by. */
async function made(who: { email?: string; username?: string; name?: string; phone?: string; at?: string }) {
  const id = randomUUID();
  await gateway.sql(
    'INSERT INTO users (id, created_at, name, username, username_key) VALUES ($1, coalesce($2, now()), $3, $4, lower($4))',
    [id, who.at ?? null, who.name ?? null, who.username ?? null],
  );
  if (who.email) await addAddress(id, who.email, true);
  if (who.phone)
    await gateway.sql('INSERT INTO phones (user_id, number, created_at) VALUES ($1, $2, now())', [id, who.phone]);
  return id;
}

async function addAddress(id: string, address: string, isPrimary: boolean) {
  await gateway.sql(
    'INSERT INTO emails (id, user_id, address, is_primary, verified_at, created_at) VALUES (gen_random_uuid(), $1, $2, $3, now(), now())',
    [id, address, isPrimary],
  );
}

/** All pages of a list. */
async function allOf(variables: Record<string, unknown>, first = 2): Promise<string[]> {
  const ids: string[] = [];
  for (let after: string | null = null, more = true; more; ) {
    const page = await usersOf(admin.client, { ...variables, first, after });
    ids.push(...page.nodes.map(({ id }) => id));
    ({ endCursor: after, hasNextPage: more } = page);
  }
  return ids;
}

describe('users', () => {
  test('lists everybody once, the newest first, whoever comes meanwhile', async () => {
    const at = '2020-01-01T00:00:00Z';
    const ids = [];
    // At the same instant: the id decides.
    for (let count = 0; count < 5; count += 1) ids.push(await made({ at }));
    const first = await usersOf(admin.client, { first: 3 });
    const newcomer = await made({ at: '2090-01-01T00:00:00Z' });
    const rest: string[] = [];
    for (let after = first.endCursor, more = first.hasNextPage; more; ) {
      const page = await usersOf(admin.client, { first: 2, after });
      rest.push(...page.nodes.map(({ id }) => id));
      ({ endCursor: after, hasNextPage: more } = page);
    }
    const all = [...first.nodes.map(({ id }) => id), ...rest];
    expect(all).not.toContain(newcomer);
    expect(all.slice(-5)).toEqual([...ids].sort().reverse());
    expect(new Set(all).size).toBe(all.length);
    await gateway.sql('DELETE FROM users WHERE id = $1', [newcomer]);
  });

  test('finds by how an address, a user name, a name or a number begins, in the order of what was found', async () => {
    const byMail = await made({ email: 'zoe.b@example.com' });
    const byName = await made({ name: 'Zoe Anders', email: 'other@example.com' });
    const byUsername = await made({ username: 'zoe.z' });
    const byPhone = await made({ phone: '+12025559901' });
    expect(await allOf({ search: 'zoe' })).toEqual([byName, byMail, byUsername]);
    expect(await allOf({ search: ' ZOE.' }, 1)).toEqual([byMail, byUsername]);
    expect(await allOf({ search: '+1 (202) 555-99' })).toEqual([byPhone]);
    expect(await allOf({ search: 'oe.b@' })).toEqual([]);
    // What would be a pattern elsewhere is a sign here.
    for (const search of ['%', '_oe', 'zoe%', "zoe'", 'zoe\\', '\u{10ffff}'])
      expect(await allOf({ search })).toEqual([]);
    expect((await admin.client.send(USER, { id: byMail })).result).toMatchObject({
      account: { id: byMail, email: 'zoe.b@example.com' },
    });
  });

  test('finds somebody once who is found by several, on whichever page', async () => {
    const id = await made({ name: 'Mila M', username: 'mila', email: 'mila@example.com' });
    await addAddress(id, 'mila.two@example.com', false);
    const other = await made({ email: 'mila.a@example.com' });
    expect(await allOf({ search: 'mila' }, 1)).toEqual([id, other]);
  });

  test('finds only who has a role, or is disabled', async () => {
    const [staff, out] = [await made({ email: 'nora.one@example.com' }), await made({ email: 'nora.two@example.com' })];
    await admin.client.send(SET_USER_ROLES, { input: { id: staff, roles: ['staff', 'staff', 'clerk'] } });
    await admin.client.send(DISABLE_USER, { input: { id: out } });
    expect(await allOf({ role: 'clerk' })).toEqual([staff]);
    expect(await allOf({ role: 'no role\u0000' })).toEqual([]);
    expect(await allOf({ disabled: true })).toContain(out);
    expect(await allOf({ disabled: false, search: 'nora' })).toEqual([staff]);
    expect(await allOf({ role: 'staff', search: 'nora' })).toEqual([staff]);
  });

  test.each([
    [{ first: 0 }, 'INVALID_PAGE_SIZE'],
    [{ first: 101 }, 'INVALID_PAGE_SIZE'],
    [{ after: 'x' }, 'INVALID_CURSOR'],
    [{ after: Buffer.from('["x","00000000-0000-0000-0000-000000000000"]').toString('base64url') }, 'INVALID_CURSOR'],
    [{ after: Buffer.from('["1","no id"]').toString('base64url') }, 'INVALID_CURSOR'],
  ])('refuses a page such as %j', async (variables, code) => {
    const { errors } = await admin.client.send(USERS, variables);
    expect(errors[0]?.extensions?.code).toBe(code);
  });
});

describe('acts', () => {
  test('disable and enable', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const input = { id: held.userId };
    expect((await admin.client.send(DISABLE_USER, { input })).result).toMatchObject({
      changed: true,
      sessionsEnded: 1,
      user: { disabledAt: expect.any(String) },
    });
    expect((await admin.client.send(DISABLE_USER, { input })).result).toMatchObject({ changed: false });
    expect((await held.client.send(CURRENT_USER)).result.reason).toBe('REVOKED');
    expect((await gateway.client().send(LOG_IN, { input: person })).result.__typename).toBe('InvalidCredentials');
    expect((await admin.client.send(ENABLE_USER, { input })).result).toMatchObject({ user: { disabledAt: null } });
    await logIn(gateway.client(), person);
  });

  test('revoke sessions, and the logins that are not finished', async () => {
    const person = await totpHolder(gateway);
    const { result } = await admin.client.send(REVOKE_USER_SESSIONS, { input: { id: person.userId } });
    expect(result).toMatchObject({ __typename: 'UserAdministered', sessionsEnded: 1 });
    expect((await person.client.send(CURRENT_USER)).result.reason).toBe('REVOKED');
  });

  test('require another password, once', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const input = { id: held.userId };
    const { result } = await admin.client.send(REQUIRE_PASSWORD_CHANGE, { input });
    expect(result).toMatchObject({ sessionsEnded: 1, user: { mustChangePassword: true } });
    expect((await gateway.client().send(LOG_IN, { input: person })).result).toMatchObject({ reason: 'ADMINISTRATOR' });
    const none = { id: await made({ email: newPerson().email }) };
    expect((await admin.client.send(REQUIRE_PASSWORD_CHANGE, { input: none })).result.__typename).toBe(
      'PasswordNotSet',
    );
  });

  test('reset factors: what was set up, and what is being set up, is gone', async () => {
    const person = await totpHolder(gateway);
    const { result } = await admin.client.send(RESET_USER_FACTORS, { input: { id: person.userId } });
    expect(result).toMatchObject({ user: { hasMfa: false }, sessionsEnded: 1 });
    const again = await logIn(gateway.client(), person.person);
    await enrollTotp(gateway, again.client);
  });

  test.each([randomUUID(), 'x', ''])('find nobody %j', async (id) => {
    for (const act of [DISABLE_USER, ENABLE_USER, REVOKE_USER_SESSIONS, RESET_USER_FACTORS])
      expect((await admin.client.send(act, { input: { id } })).result.__typename).toBe('NotFound');
    expect((await admin.client.send(USER, { id })).result.__typename).toBe('NotFound');
  });

  test('refuse what is no role', async () => {
    const input = { id: admin.userId, roles: ['admin', 'a,b'] };
    expect((await admin.client.send(SET_USER_ROLES, { input })).result).toMatchObject({
      issues: [{ path: ['roles'], code: 'INVALID' }],
    });
  });
});

describe('createUser', () => {
  test('without a password mails the link to choose it, which proves the mailbox', async () => {
    const { email } = newPerson();
    const { result } = await admin.client.send(CREATE_USER, { input: { email, name: 'Ada', roles: ['staff'] } });
    expect(result).toMatchObject({ user: { email, emailVerified: false, roles: ['staff'], hasPassword: false } });
    const mail = await gateway.mails.next(email);
    expect(mail.subject).toBe('Your new account');
    // Longer than the link of a reset that somebody asked for.
    gateway.clock.advance(24 * 3_600_000);
    const password = newPassword();
    const reset = { proof: { token: mail.token }, newPassword: password };
    expect((await gateway.client().send(RESET_PASSWORD, { input: reset })).result.__typename).toBe('PasswordWasReset');
    const held = await logIn(gateway.client(), { email, password });
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ emailVerified: true, roles: ['staff'] });
    admin = await newAdministrator(gateway);
  });

  test('says what does not do', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    const create = async (input: Record<string, unknown>) =>
      (await admin.client.send(CREATE_USER, { input: { ...input } })).result;
    expect(await create({ email: person.email })).toMatchObject({ issues: [{ path: ['email'], code: 'TAKEN' }] });
    expect(await create({ email: 'x', roles: ['?'], username: 'a' })).toMatchObject({
      issues: [
        { path: ['email'], code: 'INVALID' },
        { path: ['roles'], code: 'INVALID' },
        { path: ['username'], code: 'TOO_SHORT' },
      ],
    });
    const { email } = newPerson();
    expect(await create({ email, password: email })).toMatchObject({ reasons: ['TOO_SIMILAR'] });
  });
});
