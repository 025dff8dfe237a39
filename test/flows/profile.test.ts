import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ACCOUNT, eventsOf, newPhone, setVerifiedPhone, UPDATE_PROFILE } from '../support/account.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { CURRENT_USER, type Held, LOG_IN, newPerson, signUp } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_LOGIN_IDENTIFIERS: 'email,username,phone' }, sms: true });
});
afterAll(() => gateway.stop());

let names = 0;
const newName = () => `ada.${process.pid}.${++names}`;
const update = (held: Held, input: Record<string, unknown>) => held.client.send(UPDATE_PROFILE, { input });
const invalid = (...issues: [path: string, code: string][]) => ({
  __typename: 'InvalidInput',
  issues: issues.map(([path, code]) => ({ path: [path], code })),
});

describe('updateProfile', () => {
  test('changes the name and the user name, and shows them at once', async () => {
    const held = await signUp(gateway.client(), newPerson());
    await held.client.send(CURRENT_USER);
    const username = newName();
    const { result } = await update(held, { name: '  Ada Lovelace ', username });
    expect(result).toMatchObject({
      __typename: 'ProfileUpdated',
      user: {
        id: held.userId,
        name: 'Ada Lovelace',
        username,
        displayName: 'Ada Lovelace',
        sessions: [{ id: held.sessionId, current: true }],
      },
    });
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ name: 'Ada Lovelace', username });
    expect((await eventsOf(gateway, held.userId)).slice(-2)).toEqual([
      { kind: 'UsernameChanged', data: { username } },
      { kind: 'ProfileUpdated', data: {} },
    ]);
  });

  test('leaves what is not mentioned, and takes away what is null or empty', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const username = newName();
    await update(held, { name: 'Ada', username });
    expect((await update(held, { name: 'Countess' })).result).toMatchObject({ user: { name: 'Countess', username } });
    expect((await update(held, { name: '' })).result).toMatchObject({ user: { name: null, username } });
    expect((await update(held, { username: null })).result).toMatchObject({ user: { name: null, username: null } });
    expect((await update(held, {})).result).toMatchObject({ __typename: 'ProfileUpdated' });
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ name: null, username: null });
  });

  test('announces nothing where nothing changes', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const username = newName();
    await update(held, { name: 'Ada', username });
    const before = await eventsOf(gateway, held.userId);
    expect((await update(held, { name: ' Ada', username })).result.__typename).toBe('ProfileUpdated');
    expect(await eventsOf(gateway, held.userId)).toEqual(before);
  });

  test('lets somebody log in with their new user name, in any case, and not with the old one', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const [first, second] = [newName(), newName()];
    await update(held, { username: first });
    await update(held, { username: second });
    const logIn = async (username: string) =>
      (await gateway.client().send(LOG_IN, { input: { username, password: person.password } })).result.__typename;
    expect(await logIn(second.toUpperCase())).toBe('LoggedIn');
    expect(await logIn(first)).toBe('InvalidCredentials');
  });

  test('tells the person by mail that the user name is another one, and not that the name is', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    await update(held, { name: 'Ada' });
    await gateway.mails.none(person.email);
    await update(held, { username: newName() });
    expect((await gateway.mails.next(person.email)).subject).toMatch(/username/i);
  });

  test.each([
    ['ad', 'TOO_SHORT'],
    ['a'.repeat(33), 'TOO_LONG'],
    ['ada lovelace', 'INVALID'],
    ['аdа', 'INVALID'],
    ['ad\u0000a', 'INVALID'],
    ['ada@example.com', 'INVALID'],
    ['Ad-Min', 'NOT_ALLOWED'],
  ])('refuses the user name %j: %s', async (username, code) => {
    const held = await signUp(gateway.client(), newPerson());
    expect((await update(held, { username })).result).toEqual(invalid(['username', code]));
  });

  test('says everything that is wrong at once, and changes nothing then', async () => {
    const [held, other] = [await signUp(gateway.client(), newPerson()), await signUp(gateway.client(), newPerson())];
    const username = newName();
    await update(other, { username });
    expect((await update(held, { name: 'Ada\u202e', username: 'x' })).result).toEqual(
      invalid(['name', 'INVALID'], ['username', 'TOO_SHORT']),
    );
    expect((await update(held, { name: 'a'.repeat(201), username: username.toUpperCase() })).result).toEqual(
      invalid(['name', 'TOO_LONG'], ['username', 'TAKEN']),
    );
    expect((await update(held, { name: 'a'.repeat(201), username: newName() })).result).toEqual(
      invalid(['name', 'TOO_LONG']),
    );
    expect((await update(held, { name: 'Ada', username })).result).toEqual(invalid(['username', 'TAKEN']));
    expect((await held.client.send(ACCOUNT)).result).toMatchObject({ name: null, username: null });
    expect((await eventsOf(gateway, held.userId)).map(({ kind }) => kind)).toEqual(['SignedUp', 'LoggedIn']);
  });

  test('does not take the last thing away that somebody can log in with', async () => {
    const held = await signUp(gateway.client(), newPerson());
    await update(held, { username: newName() });
    await gateway.sql('DELETE FROM emails WHERE user_id = $1', [held.userId]);
    expect((await update(held, { username: '' })).result).toEqual(invalid(['username', 'REQUIRED']));
    await setVerifiedPhone(gateway, held, newPhone());
    expect((await update(held, { username: '' })).result.__typename).toBe('ProfileUpdated');
  });

  test('gives a user name to one of ten who ask at once, and tells the others that it is taken', async () => {
    const people = await Promise.all(Array.from({ length: 10 }, () => signUp(gateway.client(), newPerson())));
    const username = newName();
    const answers = await Promise.all(people.map((held) => update(held, { username, name: 'Ada' })));
    expect(answers.filter(({ result }) => result.__typename === 'ProfileUpdated')).toHaveLength(1);
    expect(answers.filter(({ result }) => result.__typename === 'InvalidInput')).toHaveLength(9);
    expect(await gateway.sql('SELECT 1 FROM users WHERE username_key = $1', [username])).toHaveLength(1);
    const named = await gateway.sql("SELECT 1 FROM users WHERE id = ANY($1) AND name = 'Ada'", [
      people.map(({ userId }) => userId),
    ]);
    expect(named).toHaveLength(1);
  });

  test('needs somebody who is signed in, but no new proof', async () => {
    const { result } = await gateway.client().send(UPDATE_PROFILE, { input: { name: 'Ada' } });
    expect(result).toEqual({ __typename: 'Unauthenticated', reason: 'NO_CREDENTIAL' });
    const held = await signUp(gateway.client(), newPerson());
    gateway.clock.advance(16 * 60_000);
    expect((await update(held, { name: 'Ada' })).result.__typename).toBe('ProfileUpdated');
  });

  test('is limited for each account', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const answers = [];
    for (let n = 0; n < 61; n += 1) answers.push((await update(held, { name: `Ada ${n}` })).result.__typename);
    expect(answers.filter((name) => name === 'ProfileUpdated')).toHaveLength(60);
    expect(answers.at(-1)).toBe('RateLimited');
  });
});

describe('updateProfile where there are no user names', () => {
  test('takes none, but takes one away that is left from earlier', async () => {
    const other = await startGateway();
    try {
      const held = await signUp(other.client(), newPerson());
      const answer = await update(held, { name: 'Ada', username: newName() });
      expect(answer.result).toEqual(invalid(['username', 'NOT_ALLOWED']));
      expect((await held.client.send(ACCOUNT)).result).toMatchObject({ name: null, username: null });
      await other.sql("UPDATE users SET username = 'Ada', username_key = 'ada' WHERE id = $1", [held.userId]);
      expect((await update(held, { username: null })).result).toMatchObject({ user: { username: null } });
    } finally {
      await other.stop();
    }
  });
});

describe('updateProfile on several instances', () => {
  test('is seen on all of them', async () => {
    const here = await startGateway();
    try {
      const held = await signUp(here.client(), newPerson());
      const there = (await here.another()).client().bearing(held.token);
      expect((await there.send(CURRENT_USER)).result.name).toBeNull();
      await update(held, { name: 'Ada' });
      await expect.poll(async () => (await there.send(CURRENT_USER)).result.name).toBe('Ada');
    } finally {
      await here.stop();
    }
  });

  test('is seen at once on the one that made it, before the bus tells of it', async () => {
    const here = await startGateway();
    try {
      await here.sql('DROP TRIGGER postern_user_changed ON users');
      const held = await signUp(here.client(), newPerson());
      await held.client.send(CURRENT_USER);
      await update(held, { name: 'Ada' });
      expect((await held.client.send(CURRENT_USER)).result.name).toBe('Ada');
    } finally {
      await here.stop();
    }
  });
});
