import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endAllOverdueSessions } from '../../src/overdue.ts';
import { isTold } from '../../src/records/session-events.ts';
import { DELETE_ACCOUNT, eventsOf, UPDATE_PROFILE, verifyPrimary } from '../support/account.ts';
import { enrollTotp } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { connectLive, lastEventId, REVOKE_OTHER_SESSIONS, SESSION_EVENTS, WATCH_SESSION } from '../support/live.ts';
import { CHANGE_PASSWORD } from '../support/passwords.ts';
import { CURRENT_USER, type Held, LOG_OUT, logIn, newPerson, type Person, REFRESH, signUp } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

/** Somebody with a session of theirs, and a socket for it. */
async function ada(person: Person = newPerson()) {
  const held = await signUp(gateway.client(), person, 'SESSION_TOKEN');
  return { person, held };
}

const live = ({ token }: Held) => connectLive(gateway.url, { token });

/** Follows what happens to somebody from now on. */
async function followed(held: Held, after?: string) {
  const client = live(held);
  const watching = client.follow(WATCH_SESSION);
  const following = client.follow(SESSION_EVENTS, { after: after ?? (await lastEventId(held)) });
  await watching.next();
  return { client, watching, following };
}

describe('sessionEvents', () => {
  test('tells of a session that begins elsewhere, and of its end with the reason', async () => {
    const { person, held } = await ada();
    const { following } = await followed(held);
    const other = await logIn(gateway.client(), person, 'SESSION_TOKEN');
    expect(await following.next()).toMatchObject({
      __typename: 'SessionStarted',
      session: { id: other.sessionId, current: false, credential: 'SESSION_TOKEN' },
    });
    await other.client.send(LOG_OUT);
    expect(await following.next()).toMatchObject({
      __typename: 'SessionEnded',
      sessionId: other.sessionId,
      reason: 'LOGGED_OUT',
    });
  });

  test('tells its own session of its end last, and then the socket closes with 4403', async () => {
    const { person, held } = await ada();
    const { client, watching, following } = await followed(held);
    const other = await logIn(gateway.client(), person, 'SESSION_TOKEN');
    await other.client.send(REVOKE_OTHER_SESSIONS);
    expect(await client.closed).toEqual(expect.objectContaining({ code: 4403, reason: 'REVOKED' }));
    expect(following.values.map(({ __typename }) => __typename)).toEqual(['SessionStarted', 'SessionEnded']);
    expect(following.values.at(-1)).toMatchObject({ sessionId: held.sessionId, reason: 'REVOKED' });
    expect(watching.values.at(-1)).toEqual({ __typename: 'Unauthenticated', reason: 'REVOKED' });
  });

  test('tells what the person changed, with the person as they are then', async () => {
    const { held } = await ada();
    const { following } = await followed(held);
    await held.client.send(UPDATE_PROFILE, { input: { name: 'Ada Lovelace' } });
    expect(await following.next()).toMatchObject({
      __typename: 'AccountChanged',
      change: 'PROFILE_CHANGED',
      user: { id: held.userId, name: 'Ada Lovelace' },
    });
  });

  test('tells of the end of an account', async () => {
    const { held } = await ada();
    const { client, following } = await followed(held);
    await held.client.send(DELETE_ACCOUNT);
    expect((await client.closed).code).toBe(4403);
    expect(following.values).toEqual([
      expect.objectContaining({ __typename: 'SessionEnded', sessionId: held.sessionId, reason: 'ACCOUNT_DELETED' }),
    ]);
  });
});

describe('a stream that resumes', () => {
  test('tells exactly what was missed, once and in order, and then goes on', async () => {
    const { person, held } = await ada();
    const { client, following } = await followed(held);
    const started: string[] = [];
    const logInOnce = async () => started.push((await logIn(gateway.client(), person, 'SESSION_TOKEN')).sessionId);
    await logInOnce();
    const seen = await following.next();
    client.dispose();
    for (let n = 0; n < 5; n += 1) await logInOnce();
    const again = await followed(held, String(seen.id));
    await logInOnce();
    const told: unknown[] = [seen.session];
    for (let n = 0; n < 6; n += 1) told.push((await again.following.next()).session);
    expect(told.map((session) => (session as { id: string }).id)).toEqual(started);
    expect(again.following.values).toHaveLength(6);
    again.client.dispose();
  });

  // Defence: the trigger postern_event_numbered. Without it the event that is committed later has the lower id, and is
  // passed over.
  test('loses nothing of transactions that commit out of the order in which they began', async () => {
    const { held } = await ada();
    const { client, following } = await followed(held);
    const [first, second] = [new pg.Client(gateway.databaseUrl), new pg.Client(gateway.databaseUrl)];
    await Promise.all([first.connect(), second.connect()]);
    const insert = (by: pg.Client, kind: string) =>
      by.query("INSERT INTO events (at, kind, user_id, data) VALUES (now(), $1, $2, '{}')", [kind, held.userId]);
    await first.query('BEGIN');
    await insert(first, 'UsernameChanged');
    const later = insert(second, 'PhoneRemoved');
    const pause = () => new Promise((resolve) => setTimeout(resolve, 300));
    await pause();
    gateway.app.live.announceEvents([held.userId]);
    // Whatever may be seen by now is told by then.
    await pause();
    await first.query('COMMIT');
    await later;
    gateway.app.live.announceEvents([held.userId]);
    expect([(await following.next()).change, (await following.next()).change]).toEqual([
      'PROFILE_CHANGED',
      'PHONE_CHANGED',
    ]);
    await Promise.all([first.end(), second.end()]);
    client.dispose();
  });

  test('is told what nobody hinted at', async () => {
    const { held } = await ada();
    const { client, following } = await followed(held);
    await gateway.sql("INSERT INTO events (at, kind, user_id, data) VALUES (now(), 'ProfileUpdated', $1, '{}')", [
      held.userId,
    ]);
    expect(await following.next()).toMatchObject({ change: 'PROFILE_CHANGED' });
    client.dispose();
  });

  test('passes over a session that has been removed since', async () => {
    const { person, held } = await ada();
    const after = await lastEventId(held);
    const other = await logIn(gateway.client(), person);
    await gateway.sql('DELETE FROM sessions WHERE id = $1', [other.sessionId]);
    const third = await logIn(gateway.client(), person);
    const { client, following } = await followed(held, after);
    expect(await following.next()).toMatchObject({ session: { id: third.sessionId } });
    client.dispose();
  });
});

describe('every end of a session', () => {
  test('is told to the others with its reason: expiry', async () => {
    const brief = await startGateway({ env: { POSTERN_SESSION_IDLE: '1h' } });
    const person = newPerson();
    const idle = await signUp(brief.client(), person, 'SESSION_TOKEN');
    brief.clock.advance(30 * 60_000);
    const held = await logIn(brief.client(), person, 'SESSION_TOKEN');
    const client = connectLive(brief.url, { token: held.token });
    const following = client.follow(SESSION_EVENTS, { after: await lastEventId(held) });
    await client.send('{ __typename }');
    brief.clock.advance(31 * 60_000);
    expect(await following.next()).toMatchObject({ sessionId: idle.sessionId, reason: 'EXPIRED' });
    expect((await idle.client.send(CURRENT_USER)).result.reason).toBe('EXPIRED');
    client.dispose();
    await brief.stop();
  });

  test('is told to the others with its reason: another password, a refresh token that was used twice, making room', async () => {
    const { person, held } = await ada();
    const { client, following } = await followed(held);
    const jwt = await logIn(gateway.client(), person, 'JWT');
    await following.next();
    const refresh = () => gateway.client().send(REFRESH, { input: { refreshToken: jwt.refreshToken } });
    await refresh();
    gateway.clock.advance(11_000);
    await refresh();
    expect(await following.next()).toMatchObject({ sessionId: jwt.sessionId, reason: 'REFRESH_TOKEN_REUSED' });
    const other = await logIn(gateway.client(), person, 'SESSION_TOKEN');
    await following.next();
    const changed = await other.client.send(CHANGE_PASSWORD, {
      input: { currentPassword: person.password, newPassword: 'quite another one for the library' },
    });
    expect(changed.result.__typename).toBe('PasswordChanged');
    expect(await following.next()).toMatchObject({ sessionId: held.sessionId, reason: 'PASSWORD_CHANGED' });
    expect(await client.closed).toMatchObject({ code: 4403 });
  });

  test('by time is written once, whoever notices it, and for those who are not looking too', async () => {
    const brief = await startGateway({ env: { POSTERN_SESSION_IDLE: '1h' } });
    const other = await brief.another();
    const people = await Promise.all(Array.from({ length: 3 }, () => signUp(brief.client(), newPerson())));
    brief.clock.advance(61 * 60_000);
    const { app } = brief;
    await Promise.all(
      [app, other.app, app].map(({ database, config, clock }) =>
        endAllOverdueSessions(database, config.session.idle, clock()),
      ),
    );
    for (const { userId } of people) {
      const ends = (await eventsOf(brief, userId)).filter(({ kind }) => kind === 'SessionEnded');
      expect(ends).toEqual([{ kind: 'SessionEnded', data: { reason: 'EXPIRED' } }]);
    }
    await brief.stop();
  });
});

// Defence: isTold of src/records/session-events.ts. A hint goes out after an answer; one that only follows what is
// somebody's account would tell who is.
test('what strangers can bring about sends no hint to anybody', () => {
  const strangers = ['LoginFailed', 'SignUpRepeated', 'MfaAttemptsExhausted', 'MessageNotDelivered'] as const;
  expect(strangers.filter((kind) => isTold({ kind }))).toEqual([]);
});

describe('the factors of a person', () => {
  // Defence: lookBack of src/flows/shared/connection.ts.
  test('are told as they are, to a session too that ends by the same change', async () => {
    const { person, held } = await ada();
    await verifyPrimary(gateway, held);
    const other = await logIn(gateway.client(), person, 'SESSION_TOKEN');
    const { client, following } = await followed(other);
    await enrollTotp(gateway, held.client);
    await client.closed;
    expect(following.values.at(-1)).toMatchObject({ sessionId: other.sessionId, reason: 'REVOKED' });
    for (const { user } of following.values) if (user) expect(user).toMatchObject({ hasMfa: true });
    expect(following.values.filter(({ user }) => user)).not.toEqual([]);
  });

  test('are told as they change, and the session that showed one as elevated', async () => {
    const { held } = await ada();
    await verifyPrimary(gateway, held);
    const { client, following } = await followed(held);
    await enrollTotp(gateway, held.client);
    const told = [await following.next(), await following.next(), await following.next()];
    expect(told.map(({ __typename, change }) => change ?? __typename)).toEqual([
      'AUTHENTICATOR_ADDED',
      'SessionElevated',
      'MFA_ENABLED',
    ]);
    client.dispose();
  });
});
