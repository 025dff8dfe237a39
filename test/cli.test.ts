import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventsOf } from './support/account.ts';
import { USERS } from './support/administration.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { connectLive, lastEventId, SESSION_EVENTS } from './support/live.ts';
import { RESET_PASSWORD } from './support/passwords.ts';
import { CURRENT_USER, LOG_IN, logIn, newPerson, SIGN_UP, signUp } from './support/people.ts';
import { temporaryFolder } from './support/process.ts';

let gateway: Gateway;
/** Mails are sealed with it, and passwords peppered: an operator's environment has what the gateway's has. */
const SAME_SECRET = { POSTERN_SECRET: 'the secret of the tests is long enough to be one' };
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

/** Runs the command line beside the running gateway, as an operator does. */
async function postern(...words: string[]) {
  const child = begin({ DATABASE_URL: gateway.databaseUrl, ...SAME_SECRET }, words);
  let out = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  return { ...(await ended(child)), out };
}

function begin(settings: Record<string, string>, words: readonly string[]) {
  const { PATH = '', HOME = '' } = process.env;
  return spawn(process.execPath, ['dist/cli.js', ...words], { env: { PATH, HOME, ...settings } });
}

async function ended(child: ReturnType<typeof begin>) {
  let err = '';
  child.stderr.on('data', (chunk) => (err += chunk));
  const [status] = (await once(child, 'close')) as [number];
  return { status, err };
}

describe('postern users', () => {
  test('disable ends every session at once, with the reason, and lets nobody in; enable lets them in again', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'SESSION_TOKEN');
    const live = connectLive(gateway.url, { token: held.token });
    const following = live.follow(SESSION_EVENTS, { after: await lastEventId(held) });
    const { status, out } = await postern('users', 'disable', person.email, '--json');
    expect([status, JSON.parse(out)]).toEqual([0, { userId: held.userId, changed: true, roles: [], sessionsEnded: 1 }]);
    expect((await postern('users', 'disable', person.email)).out).toBe(
      `${held.userId} is disabled already, 0 sessions ended\n`,
    );
    expect(await live.closed).toMatchObject({ code: 4403, reason: 'REVOKED' });
    expect(following.values).toEqual([
      expect.objectContaining({ sessionId: held.sessionId, reason: 'ACCOUNT_DISABLED' }),
    ]);
    expect((await held.client.send(CURRENT_USER)).result.reason).toBe('REVOKED');
    expect((await gateway.client().send(LOG_IN, { input: person })).result.__typename).toBe('InvalidCredentials');
    expect((await postern('users', 'enable', held.userId)).status).toBe(0);
    await logIn(gateway.client(), person);
    const kinds = (await eventsOf(gateway, held.userId)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind.startsWith('Account'))).toEqual(['AccountDisabled', 'AccountEnabled']);
  });

  test('somebody whom a hand in the database disables is out as well, and it is told', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'SESSION_TOKEN');
    const live = connectLive(gateway.url, { token: held.token });
    const following = live.follow(SESSION_EVENTS, { after: await lastEventId(held) });
    await live.send(CURRENT_USER);
    await gateway.sql('UPDATE users SET disabled_at = now() WHERE id = $1', [held.userId]);
    expect(await live.closed).toMatchObject({ code: 4403 });
    expect(following.values).toEqual([
      expect.objectContaining({ sessionId: held.sessionId, reason: 'ACCOUNT_DISABLED' }),
    ]);
  });

  test('roles replaces the roles, which open apps show', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'SESSION_TOKEN');
    const live = connectLive(gateway.url, { token: held.token });
    const following = live.follow(SESSION_EVENTS, { after: await lastEventId(held) });
    await postern('users', 'roles', held.userId, 'admin', 'staff');
    expect(await following.next()).toMatchObject({ change: 'ROLES_CHANGED' });
    expect((await held.client.send(CURRENT_USER)).result.roles).toEqual(['admin', 'staff']);
    // Asking for them takes none away.
    expect((await postern('users', 'roles', held.userId)).out).toBe(`${held.userId} has admin, staff\n`);
    for (const words of [['a,b'], [''], ['admin', '--none']])
      expect((await postern('users', 'roles', held.userId, ...words)).status).toBe(2);
    expect((await postern('users', 'roles', held.userId, 'clerk', 'clerk')).out).toBe(`${held.userId} has clerk\n`);
    expect(JSON.parse((await postern('users', 'roles', held.userId, '--none', '--json')).out).roles).toEqual([]);
    live.dispose();
  });

  test('revoke-sessions ends them all', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const other = await logIn(gateway.client(), person);
    expect(JSON.parse((await postern('users', 'revoke-sessions', held.userId, '--json')).out).sessionsEnded).toBe(2);
    for (const { client } of [held, other]) expect((await client.send(CURRENT_USER)).result.reason).toBe('REVOKED');
  });

  test('create makes the first administrator, who chooses a password by the link that is printed', async () => {
    const { email, password } = newPerson();
    const { status, out } = await postern('users', 'create', email, '--role', 'admin,staff', '--verified', '--json');
    const { userId, roles, link } = JSON.parse(out);
    expect([status, roles]).toEqual([0, ['admin', 'staff']]);
    await gateway.mails.none(email);
    const proof = { token: new URL(link).searchParams.get('token') };
    await gateway.client().send(RESET_PASSWORD, { input: { proof, newPassword: password } });
    const held = await logIn(gateway.client(), { email, password });
    expect(held.userId).toBe(userId);
    expect((await held.client.send(USERS)).result.__typename).toBe('AccountConnection');
    const again = await postern('users', 'create', email);
    expect([again.status, again.err]).toEqual([1, 'Somebody has this email already.\n']);
  });

  test('create reads a password from the standard input', async () => {
    const { email, password } = newPerson();
    const child = begin({ DATABASE_URL: gateway.databaseUrl, ...SAME_SECRET }, [
      ...['users', 'create', email, '--password-stdin'],
    ]);
    child.stdin.end(`${password}\n`);
    expect((await ended(child)).status).toBe(0);
    await logIn(gateway.client(), { email, password });
  });

  test('list and show look; require-password-change, reset-mfa and delete act, and what they do is told', async () => {
    const person = newPerson();
    const { userId } = await signUp(gateway.client(), person);
    const listed = JSON.parse((await postern('users', 'list', '--search', person.email, '--json')).out);
    expect(listed).toMatchObject({ users: [{ id: userId, email: person.email }], next: null });
    const done = await postern('users', 'require-password-change', userId);
    expect(done.out).toBe(`${userId} has to choose another password, 1 session ended\n`);
    expect((await gateway.mails.next(person.email)).subject).toBe('Your password has to be changed');
    const shown = JSON.parse((await postern('users', 'show', person.email, '--json')).out);
    expect(shown.mustChangePassword).toBe(true);
    expect(shown.events).toContainEqual(
      expect.objectContaining({ kind: 'PasswordChangeDemanded', data: { by: null } }),
    );
    expect((await postern('users', 'reset-mfa', userId)).out).toContain('no second factor already');
    expect((await postern('users', 'delete', userId)).out).toBe(`${userId} is deleted\n`);
    expect((await postern('users', 'show', userId)).status).toBe(1);
  });

  test('invite has the gateway mail the token, and shows it to nobody', async () => {
    const { email, password } = newPerson();
    const { out } = await postern('users', 'invite', email, '--role', 'staff');
    const { token } = await gateway.mails.next(email);
    expect(out).not.toContain(token);
    const { result } = await gateway.client().send(SIGN_UP, { input: { invitation: token, password } });
    expect(result.__typename).toBe('LoggedIn');
  });

  test('says what is wrong with a command line', async () => {
    expect(await postern('users', 'disable', 'nobody@example.com')).toMatchObject({ status: 1, out: '' });
    for (const words of [
      ['users'],
      ['users', 'disable'],
      ['users', 'disable', 'a@b.example', 'more'],
      ['users', 'remove', 'x'],
      ['users', 'list', 'x'],
      ['users', 'create', 'x'],
      ['users', 'create', 'a@b.example', '--role', 'a b'],
    ])
      expect((await postern(...words)).status).toBe(2);
    expect((await postern('users', 'disable', 'a@b.example', 'more')).err).toBe('more is one word too many\n');
  });
});

test('what acts on accounts makes no database to look for them in', async () => {
  const folder = await temporaryFolder();
  const settings = { POSTERN_DATA_DIR: join(folder.path, 'none') };
  for (const words of [
    ['users', 'disable', 'ada@example.com'],
    ['events', 'export'],
  ]) {
    expect(await ended(begin(settings, words))).toEqual({ status: 1, err: expect.stringContaining('DATABASE_URL') });
    expect(existsSync(join(folder.path, 'none'))).toBe(false);
  }
  await folder.remove();
});

describe('a reader that goes away', () => {
  test('ends an export without a fault', async () => {
    await gateway.sql(
      "INSERT INTO events (at, kind, data) SELECT now(), 'ProfileUpdated', '{}' FROM generate_series(1, 2500)",
    );
    const child = begin({ DATABASE_URL: gateway.databaseUrl }, ['events', 'export']);
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await ended(child)).toEqual({ status: 0, err: '' });
  });

  test('leaves no embedded database running: a command ends in order all the same', async () => {
    const folder = await temporaryFolder();
    const settings = { POSTERN_DATA_DIR: folder.path };
    const child = begin(settings, ['keys', 'list']);
    child.stdout.destroy();
    const end = await ended(child);
    const running = existsSync(join(folder.path, 'postgres', 'postmaster.pid'));
    // The next command takes over what was left, and stops it.
    if (running) await ended(begin(settings, ['keys', 'list']));
    await folder.remove();
    expect([end, running]).toEqual([{ status: 0, err: '' }, false]);
  });
});

describe('postern events export', () => {
  test('prints the trail as JSON, a line each, and goes on after an event', async () => {
    const held = await signUp(gateway.client({ 'user-agent': 'Loom\nx'.replace('\n', ' ') }), newPerson());
    const read = async (...words: string[]) =>
      (await postern('events', 'export', '--user', held.userId, ...words)).out
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
    const [first, second, ...none] = await read();
    expect([first.kind, second.kind, none]).toEqual(['SignedUp', 'LoggedIn', []]);
    expect(second).toMatchObject({
      userId: held.userId,
      sessionId: held.sessionId,
      userAgent: 'Loom x',
      at: expect.any(String),
    });
    expect(await read('--after', first.id)).toEqual([second]);
  });

  test('takes the address of a person, and nobody is not everybody', async () => {
    const person = newPerson();
    const { userId } = await signUp(gateway.client(), person);
    const { out } = await postern('events', 'export', '--user', person.email);
    expect(out).toBe((await postern('events', 'export', '--user', userId)).out);
    expect(out).toContain('SignedUp');
    expect(await postern('events', 'export', '--user', 'nobody@example.com')).toEqual({
      status: 1,
      out: '',
      err: 'There is nobody nobody@example.com.\n',
    });
  });

  test('refuses what is no id', async () => {
    for (const words of [
      ['--after', 'x'],
      ['--user', 'x'],
      ['--json', 'x'],
    ])
      expect((await postern('events', 'export', ...words)).status).toBe(2);
    expect((await postern('keys', 'list', '--after', '1')).status).toBe(2);
  });
});
