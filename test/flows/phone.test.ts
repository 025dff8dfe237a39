import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ACCOUNT,
  ANSWER_PHONE,
  eventsOf,
  handleOf,
  newPhone,
  REMOVE_PHONE,
  SET_PHONE,
  setVerifiedPhone,
  UPDATE_PROFILE,
} from '../support/account.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { type Held, LOG_IN, newPerson, signUp } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_LOGIN_IDENTIFIERS: 'email,username,phone' }, sms: true });
});
afterAll(() => gateway.stop());

const set = (held: Held, phone: string) => held.client.send(SET_PHONE, { input: { phone } });
const answer = (handle: string, code: string) =>
  gateway.client().send(ANSWER_PHONE, { input: { code: { handle, code } } });
const phoneOf = async (held: Held) => (await held.client.send(ACCOUNT)).result.phone;
const invalid = (code: string) => ({ __typename: 'InvalidInput', issues: [{ path: ['phone'], code }] });

describe('setPhone', () => {
  test('sends a code by text message, and the number is theirs once it is answered', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const number = newPhone();
    const { result } = await set(held, number);
    expect(result).toEqual({
      __typename: 'CodeSent',
      handle: expect.stringMatching(/^ph_/),
      expiresAt: new Date(gateway.clock().getTime() + 10 * 60_000).toISOString(),
      resendAvailableAt: new Date(gateway.clock().getTime() + 30_000).toISOString(),
    });
    expect(await phoneOf(held)).toBeNull();
    const { code } = await gateway.texts.next(number);
    const verified = await answer(String(result.handle), code);
    expect(verified.result).toEqual({ __typename: 'PhoneVerified', phone: { number, verified: true } });
    expect(await phoneOf(held)).toEqual({ number, verified: true });
    expect((await gateway.mails.next(person.email)).text).toContain(number);
    expect((await eventsOf(gateway, held.userId)).at(-1)).toEqual({ kind: 'PhoneChanged', data: { number } });
    const login = await gateway.client().send(LOG_IN, { input: { phone: number, password: person.password } });
    expect(login.result.__typename).toBe('LoggedIn');
  });

  test('leaves the old number in its place until the new one is verified', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const [old, next] = [newPhone(), newPhone()];
    await setVerifiedPhone(gateway, held, old);
    const handle = handleOf(await set(held, next));
    expect(await phoneOf(held)).toEqual({ number: old, verified: true });
    expect((await answer(handle, '000000')).result.__typename).toBe('InvalidCode');
    expect(await phoneOf(held)).toEqual({ number: old, verified: true });
    await answer(handle, (await gateway.texts.next(next)).code);
    expect(await phoneOf(held)).toEqual({ number: next, verified: true });
    const login = await gateway.client().send(LOG_IN, { input: { phone: old, password: person.password } });
    expect(login.result.__typename).toBe('InvalidCredentials');
  });

  test('takes the number that was asked for last', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const [first, second] = [newPhone(), newPhone()];
    const early = handleOf(await set(held, first));
    const late = handleOf(await set(held, second));
    expect((await answer(early, (await gateway.texts.next(first)).code)).result.__typename).toBe('InvalidToken');
    expect((await answer(late, (await gateway.texts.next(second)).code)).result.__typename).toBe('PhoneVerified');
  });

  test('reads numbers as people write them', async () => {
    const held = await signUp(gateway.client(), newPerson());
    await setVerifiedPhone(gateway, held, '+12025550111');
    expect((await set(held, ' +1 (202) 555-0111 ')).result).toEqual(invalid('TAKEN'));
  });

  test.each([
    ['', 'REQUIRED'],
    ['2025550123', 'INVALID'],
    ['+1202555012', 'INVALID'],
    ['+12025550123;+12025550124', 'INVALID'],
    ['+12025550123\r\nBcc: +12025550124', 'INVALID'],
    ['+1 900 555 0123', 'INVALID'],
    ['ada@example.com', 'INVALID'],
  ])('refuses %j: %s', async (phone, code) => {
    const held = await signUp(gateway.client(), newPerson());
    expect((await set(held, phone)).result).toEqual(invalid(code));
  });

  test('is off where no text messages can be sent', async () => {
    const other = await startGateway();
    try {
      const held = await signUp(other.client(), newPerson());
      expect((await set(held, newPhone())).result).toEqual(invalid('NOT_ALLOWED'));
    } finally {
      await other.stop();
    }
  });
});

describe('removePhone', () => {
  test('takes the number away and tells the person', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const number = newPhone();
    await setVerifiedPhone(gateway, held, number);
    await gateway.mails.rest(person.email);
    expect((await held.client.send(REMOVE_PHONE)).result).toEqual({ __typename: 'PhoneRemoved', number });
    expect(await phoneOf(held)).toBeNull();
    expect((await gateway.mails.next(person.email)).text).toContain(number);
    expect((await eventsOf(gateway, held.userId)).at(-1)).toEqual({ kind: 'PhoneRemoved', data: { number } });
    expect((await held.client.send(REMOVE_PHONE)).result).toEqual({ __typename: 'NotFound' });
    const other = await signUp(gateway.client(), newPerson());
    await setVerifiedPhone(gateway, other, number);
  });

  test('voids the code for a number that was to come', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const [number, next] = [newPhone(), newPhone()];
    await setVerifiedPhone(gateway, held, number);
    const handle = handleOf(await set(held, next));
    await held.client.send(REMOVE_PHONE);
    expect((await answer(handle, (await gateway.texts.next(next)).code)).result.__typename).toBe('InvalidToken');
    expect(await phoneOf(held)).toBeNull();
  });

  test('keeps the last thing that somebody can log in with', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const number = newPhone();
    await setVerifiedPhone(gateway, held, number);
    await gateway.sql('DELETE FROM emails WHERE user_id = $1', [held.userId]);
    expect((await held.client.send(REMOVE_PHONE)).result).toEqual({ __typename: 'LastLoginMethod' });
    expect(await phoneOf(held)).toEqual({ number, verified: true });
    await held.client.send(UPDATE_PROFILE, { input: { username: `by.name.${process.pid}` } });
    expect((await held.client.send(REMOVE_PHONE)).result.__typename).toBe('PhoneRemoved');
  });

  test('does not count a user name as a way in where there is no password to it', async () => {
    const held = await signUp(gateway.client(), newPerson());
    await setVerifiedPhone(gateway, held, newPhone());
    await held.client.send(UPDATE_PROFILE, { input: { username: `no.password.${process.pid}` } });
    await gateway.sql('DELETE FROM emails WHERE user_id = $1', [held.userId]);
    await gateway.sql('DELETE FROM passwords WHERE user_id = $1', [held.userId]);
    expect((await held.client.send(REMOVE_PHONE)).result).toEqual({ __typename: 'LastLoginMethod' });
  });
});
