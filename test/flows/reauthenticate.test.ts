import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  BEGIN_REAUTHENTICATION,
  CHANGE_PASSWORD,
  newPassword,
  nextCode,
  REAUTHENTICATE,
  withoutPassword,
} from '../support/passwords.ts';
import { CURRENT_SESSION, newPerson, signUp } from '../support/people.ts';

const MINUTE = 60_000;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

/** When a proof that is made now stops to be fresh. */
const inAWhile = () => new Date(gateway.clock().getTime() + 15 * MINUTE).toISOString();

describe('reauthenticate', () => {
  test.each(['SESSION_TOKEN', 'COOKIE', 'JWT'] as const)(
    'by password makes a session fresh, held as %s',
    async (kind) => {
      const person = newPerson();
      const held = await signUp(gateway.client(), person, kind);
      gateway.clock.advance(MINUTE);
      const { result } = await held.client.send(REAUTHENTICATE, { input: { password: person.password } });
      expect(result).toMatchObject({
        __typename: 'Reauthenticated',
        session: {
          id: held.sessionId,
          current: true,
          freshUntil: inAWhile(),
          methods: [{ method: 'PASSWORD' }, { method: 'PASSWORD', at: gateway.clock().toISOString() }],
        },
      });
      expect((await held.client.send(CURRENT_SESSION)).result.freshUntil).toBe(inAWhile());
    },
  );

  test('by a mailed code is for who has no password', async () => {
    const person = newPerson();
    const { client, sessionId } = await withoutPassword(gateway, await signUp(gateway.client(), person));
    gateway.clock.advance(16 * MINUTE);
    const { result: refused } = await client.send(CHANGE_PASSWORD, { input: { newPassword: newPassword() } });
    expect(refused).toEqual({ __typename: 'ReauthenticationRequired', methods: ['EMAIL_CODE'] });

    const { result: begun } = await client.send(BEGIN_REAUTHENTICATION, { input: { method: 'EMAIL_CODE' } });
    expect(begun).toMatchObject({
      __typename: 'ReauthenticationStarted',
      expiresAt: new Date(gateway.clock().getTime() + 10 * MINUTE).toISOString(),
      passkeyOptions: null,
    });
    const { code } = await nextCode(gateway, person.email);
    const { result } = await client.send(REAUTHENTICATE, { input: { emailCode: { handle: begun.handle, code } } });
    expect(result).toMatchObject({
      __typename: 'Reauthenticated',
      session: { id: sessionId, freshUntil: inAWhile(), methods: [{ method: 'PASSWORD' }, { method: 'CODE' }] },
    });
    const { result: changed } = await client.send(CHANGE_PASSWORD, { input: { newPassword: newPassword() } });
    expect(changed.__typename).toBe('PasswordChanged');
  });

  test('says how many tries of the code are left', async () => {
    const { client } = await withoutPassword(gateway, await signUp(gateway.client(), newPerson()));
    const { result: begun } = await client.send(BEGIN_REAUTHENTICATION, { input: { method: 'EMAIL_CODE' } });
    const emailCode = { handle: begun.handle, code: 'BCDF-BCDF' };
    const { result } = await client.send(REAUTHENTICATE, { input: { emailCode } });
    expect(result).toEqual({ __typename: 'InvalidCode', attemptsLeft: 4 });
  });

  test('refuses a wrong password, and what nobody has yet', async () => {
    const { client } = await signUp(gateway.client(), newPerson());
    for (const input of [
      { password: 'not the one that it is' },
      { password: '' },
      { totp: '123456' },
      { recoveryCode: 'abcd-efgh' },
      { passkey: { handle: 'ph_x', response: {} } },
    ]) {
      expect((await client.send(REAUTHENTICATE, { input })).result.__typename).toBe('InvalidCredentials');
    }
  });

  test('takes exactly one proof', async () => {
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person);
    for (const input of [{}, { password: person.password, totp: '123456' }, { password: null }]) {
      expect((await client.send(REAUTHENTICATE, { input })).status).toBe(400);
    }
  });

  test('is for who is signed in', async () => {
    const { result } = await gateway.client().send(REAUTHENTICATE, { input: { password: 'whatever it may be' } });
    expect(result).toEqual({ __typename: 'Unauthenticated', reason: 'NO_CREDENTIAL' });
  });
});

describe('beginReauthentication', () => {
  test('begins only what the person can prove, and what needs a beginning', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    for (const method of ['PASSWORD', 'TOTP', 'RECOVERY_CODE', 'PASSKEY', 'EMAIL_CODE']) {
      const { result } = await held.client.send(BEGIN_REAUTHENTICATION, { input: { method } });
      expect(result).toEqual({ __typename: 'InvalidInput', issues: [{ path: ['method'], code: 'NOT_ALLOWED' }] });
    }
    await gateway.mails.none(person.email);
  });

  test('is for who is signed in', async () => {
    const { result } = await gateway.client().send(BEGIN_REAUTHENTICATION, { input: { method: 'EMAIL_CODE' } });
    expect(result).toEqual({ __typename: 'Unauthenticated', reason: 'NO_CREDENTIAL' });
  });
});
