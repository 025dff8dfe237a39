import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  connectLive,
  lastEventId,
  RENEW_CONNECTION,
  REVOKE_OTHER_SESSIONS,
  SESSION_EVENTS,
  WATCH_SESSION,
} from '../support/live.ts';
import { CHANGE_PASSWORD, REAUTHENTICATE } from '../support/passwords.ts';
import { ISSUE_ACCESS_TOKEN, LOG_OUT, logIn, newPerson, REFRESH, signUp } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

describe('the subscription currentSession', () => {
  test('tells the session now, when it is proven anew, when the proof is stale, and when it ends', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'SESSION_TOKEN');
    const live = connectLive(gateway.url, { token: held.token });
    const watching = live.follow(WATCH_SESSION);
    expect(await watching.next()).toMatchObject({
      __typename: 'Session',
      id: held.sessionId,
      current: true,
      methods: [{ method: 'PASSWORD' }],
      freshUntil: expect.any(String),
    });
    gateway.clock.advance(15 * 60_000 + 1);
    expect(await watching.next()).toMatchObject({ freshUntil: null });
    await held.client.send(REAUTHENTICATE, { input: { password: person.password } });
    expect(await watching.next()).toMatchObject({ methods: [{ method: 'PASSWORD' }, { method: 'PASSWORD' }] });
    gateway.clock.advance(15 * 60_000 + 1);
    expect(await watching.next()).toMatchObject({ freshUntil: null });
    await held.client.send(LOG_OUT);
    expect(await watching.next()).toEqual({ __typename: 'Unauthenticated', reason: 'REVOKED' });
    await expect(watching.next()).rejects.toThrow('over');
    expect(await live.closed).toMatchObject({ code: 4403, reason: 'REVOKED' });
  });

  test('is not told of the mere use of a session', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'SESSION_TOKEN');
    const live = connectLive(gateway.url, { token: held.token });
    const watching = live.follow(WATCH_SESSION);
    await watching.next();
    gateway.clock.advance(120_000);
    await held.client.send('{ currentUser { __typename } }');
    await live.send('{ currentUser { __typename } }');
    expect(watching.values).toHaveLength(1);
    live.dispose();
  });
});

describe('a socket of a JWT', () => {
  test('closes when the JWT ends, to the second, while its session goes on', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'JWT');
    const live = connectLive(gateway.url, { token: held.token });
    const watching = live.follow(WATCH_SESSION);
    const following = live.follow(SESSION_EVENTS);
    await watching.next();
    gateway.clock.advance(5 * 60_000);
    expect(await live.closed).toMatchObject({ code: 4403, reason: 'EXPIRED' });
    expect(watching.values.at(-1)).toEqual({ __typename: 'Unauthenticated', reason: 'EXPIRED' });
    expect(following.values).toEqual([]);
    expect(
      (await gateway.client().send(REFRESH, { input: { refreshToken: held.refreshToken } })).result.__typename,
    ).toBe('SessionTokensRefreshed');
  });

  test('goes on with a newer one: no subscription ends, and no event is lost or told twice', async () => {
    const person = newPerson();
    let held = await signUp(gateway.client(), person, 'JWT');
    const live = connectLive(gateway.url, { token: held.token });
    const following = live.follow(SESSION_EVENTS, { after: await lastEventId(held) });
    const started: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      gateway.clock.advance(4 * 60_000);
      const { result } = await gateway.client().send(REFRESH, { input: { refreshToken: held.refreshToken } });
      const { accessToken, refreshToken } = result.credential as { accessToken: string; refreshToken: string };
      held = { ...held, refreshToken };
      const [renewed, other] = await Promise.all([
        live.send(RENEW_CONNECTION, { input: { token: accessToken } }),
        logIn(gateway.client(), person, 'SESSION_TOKEN'),
      ]);
      expect(renewed).toEqual({ __typename: 'ConnectionRenewed', session: { id: held.sessionId } });
      started.push(other.sessionId);
    }
    for (const id of started) expect(await following.next()).toMatchObject({ session: { id } });
    live.dispose();
  });
});

describe('a connection whose credential is replaced', () => {
  // Defence: Connection.session. The session is not over, so no client may take its connection for one that ended.
  test('is told of the new password, and asked to come back with the new token, where its subscriptions go on', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'SESSION_TOKEN');
    const live = connectLive(gateway.url, { token: held.token });
    const watching = live.follow(WATCH_SESSION);
    const following = live.follow(SESSION_EVENTS, { after: await lastEventId(held) });
    await watching.next();
    const input = { currentPassword: person.password, newPassword: 'quite another one for the library' };
    await held.client.send(CHANGE_PASSWORD, { input });
    expect(await live.closed).toMatchObject({ code: 1013, reason: 'CREDENTIAL_REPLACED' });
    expect(following.values).toEqual([expect.objectContaining({ change: 'PASSWORD_CHANGED' })]);
    expect(watching.values.map(({ __typename }) => __typename)).toEqual(['Session']);
    const again = connectLive(gateway.url, { token: held.token });
    again.follow(WATCH_SESSION);
    expect(await again.closed).toMatchObject({ code: 4403 });
  });

  test('by another session is over with its own, and says so', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'SESSION_TOKEN');
    const other = await logIn(gateway.client(), person, 'SESSION_TOKEN');
    const live = connectLive(gateway.url, { token: held.token });
    const watching = live.follow(WATCH_SESSION);
    await watching.next();
    const input = { currentPassword: person.password, newPassword: 'quite another one for the library' };
    await other.client.send(CHANGE_PASSWORD, { input });
    expect(await live.closed).toMatchObject({ code: 4403, reason: 'REVOKED' });
  });
});

describe('renewConnection', () => {
  test('takes another session of the same person, and follows that from then on', async () => {
    const person = newPerson();
    const first = await signUp(gateway.client(), person, 'SESSION_TOKEN');
    const second = await logIn(gateway.client(), person, 'SESSION_TOKEN');
    const live = connectLive(gateway.url, { token: first.token });
    const watching = live.follow(WATCH_SESSION);
    await watching.next();
    await live.send(RENEW_CONNECTION, { input: { token: second.token } });
    expect(await watching.next()).toMatchObject({ id: second.sessionId });
    await first.client.send(LOG_OUT);
    expect(await live.send('{ currentUser { __typename } }')).toEqual({ __typename: 'User' });
    await second.client.send(LOG_OUT);
    expect(await live.closed).toMatchObject({ code: 4403 });
  });

  // Defence: the comparison of people in src/flows/renew-connection.ts.
  test('takes nobody else’s, nothing that is none, and nothing that is over; the connection stays what it was', async () => {
    const person = newPerson();
    const [held, other, ended] = [
      await signUp(gateway.client(), person, 'SESSION_TOKEN'),
      await signUp(gateway.client(), newPerson(), 'SESSION_TOKEN'),
      await logIn(gateway.client(), person, 'JWT'),
    ];
    await ended.client.send(LOG_OUT);
    const live = connectLive(gateway.url, { token: held.token });
    const answers: unknown[] = [];
    for (const token of [other.token, ended.token, ended.refreshToken, 'x', ''])
      answers.push((await live.send(RENEW_CONNECTION, { input: { token } })).reason);
    expect(answers).toEqual([
      'INVALID_CREDENTIAL',
      'REVOKED',
      'INVALID_CREDENTIAL',
      'INVALID_CREDENTIAL',
      'INVALID_CREDENTIAL',
    ]);
    expect(await live.send('{ currentUser { ... on User { id } } }')).toEqual({ id: held.userId });
    live.dispose();
  });

  // Defence: recognise of src/flows/shared/connection.ts, before anything is replaced: requests have a leeway that what
  // stays open has not.
  test('with a JWT that has just expired changes nothing', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'SESSION_TOKEN');
    const { result } = await held.client.send(ISSUE_ACCESS_TOKEN);
    const live = connectLive(gateway.url, { token: held.token });
    await live.send('{ __typename }');
    gateway.clock.advance(5 * 60_000 + 2_000);
    expect(await live.send(RENEW_CONNECTION, { input: { token: result.accessToken } })).toEqual({
      __typename: 'Unauthenticated',
      reason: 'EXPIRED',
    });
    expect(await live.send('{ currentUser { __typename } }')).toEqual({ __typename: 'User' });
    live.dispose();
  });

  test('has nothing to renew over HTTP', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'SESSION_TOKEN');
    const { errors } = await held.client.send(RENEW_CONNECTION, { input: { token: held.token } });
    expect(errors[0]?.extensions?.code).toBe('NO_CONNECTION');
  });

  test('cannot save a connection whose session is revoked at the same moment', async () => {
    const person = newPerson();
    for (let n = 0; n < 10; n += 1) {
      const keeper =
        n === 0
          ? await signUp(gateway.client(), person, 'SESSION_TOKEN')
          : await logIn(gateway.client(), person, 'SESSION_TOKEN');
      const held = await logIn(gateway.client(), person, 'SESSION_TOKEN');
      const { result } = await held.client.send(ISSUE_ACCESS_TOKEN);
      const live = connectLive(gateway.url, { token: held.token });
      await live.send('{ currentUser { __typename } }');
      await Promise.all([
        live.send(RENEW_CONNECTION, { input: { token: result.accessToken } }).catch(() => undefined),
        keeper.client.send(REVOKE_OTHER_SESSIONS),
      ]);
      expect(await live.closed).toMatchObject({ code: 4403 });
    }
  });
});
