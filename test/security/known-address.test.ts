import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import { REQUEST_RESET } from '../support/passwords.ts';
import { LOG_IN, LOG_IN_WITH_CODE, newPerson, type Person, REQUEST_LOGIN_CODE, signUp } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_LOGIN_IDENTIFIERS: 'email,username' } });
});
afterAll(() => gateway.stop());

const WRONG = 'not the password at all';

/** Somebody new, and the address of the client that they signed up with. */
async function somebody(): Promise<{ readonly person: Person; readonly home: string }> {
  const [person, home] = [newPerson(), newAddress()];
  await signUp(gateway.client({ 'x-forwarded-for': home }), person);
  return { person, home };
}

const at = (address: string) => gateway.client({ 'x-forwarded-for': address });
const logInAt = async (address: string, person: Person) => (await at(address).send(LOG_IN, { input: person })).result;

describe('where somebody was before, strangers keep them from nothing (L06: without a count for the address they do)', () => {
  test('not from logging in by password, while everywhere else nobody gets in', async () => {
    const { person, home } = await somebody();
    for (let n = 0; n < 10; n += 1) await logInAt(newAddress(), { ...person, password: WRONG });
    expect((await logInAt(newAddress(), person)).__typename).toBe('RateLimited');
    expect((await logInAt(home, person)).__typename).toBe('LoggedIn');
    // Once more, now that the refusal is remembered.
    expect((await logInAt(newAddress(), person)).__typename).toBe('RateLimited');
    expect((await logInAt(home, person)).__typename).toBe('LoggedIn');
  });

  test('not from typing a code', async () => {
    const { person, home } = await somebody();
    for (let round = 0; round < 2; round += 1) {
      const stranger = at(newAddress());
      const { result } = await stranger.send(REQUEST_LOGIN_CODE, { input: { email: person.email } });
      for (let n = 0; n < 5; n += 1) {
        const proof = { code: { handle: result.loginToken, code: 'BBBB-BBBB' } };
        await stranger.send(LOG_IN_WITH_CODE, { input: { proof } });
      }
    }
    await gateway.mails.rest(person.email);
    const owner = at(home);
    const { result } = await owner.send(REQUEST_LOGIN_CODE, { input: { email: person.email } });
    const mail = await gateway.mails.next(person.email);
    const proof = { code: { handle: result.loginToken, code: mail.code } };
    expect((await owner.send(LOG_IN_WITH_CODE, { input: { proof } })).result.__typename).toBe('LoggedIn');
  });

  test('not from getting a mail', async () => {
    const { person, home } = await somebody();
    for (let n = 0; n < 4; n += 1) await at(newAddress()).send(REQUEST_RESET, { input: { email: person.email } });
    expect(await gateway.mails.rest(person.email)).toHaveLength(3);
    await at(home).send(REQUEST_RESET, { input: { email: person.email } });
    expect(await gateway.mails.rest(person.email)).toHaveLength(1);
  });
});

describe('an address that is known', () => {
  test('gives no more tries than another (without the count for the address there are twenty)', async () => {
    const { person, home } = await somebody();
    const outcomes: string[] = [];
    for (let n = 0; n < 12; n += 1) outcomes.push((await logInAt(home, { ...person, password: WRONG })).__typename);
    expect(outcomes).toEqual([...Array(10).fill('InvalidCredentials'), 'RateLimited', 'RateLimited']);
    expect((await logInAt(home, person)).__typename).toBe('RateLimited');
  });

  test('gives no more mails than another (R08)', async () => {
    const { person, home } = await somebody();
    for (let n = 0; n < 8; n += 1) await at(home).send(REQUEST_RESET, { input: { email: person.email } });
    expect(await gateway.mails.rest(person.email)).toHaveLength(3);
  });

  test('is that of the account alone: somebody else from there is refused', async () => {
    const [ada, eve] = [await somebody(), await somebody()];
    for (let n = 0; n < 10; n += 1) await logInAt(newAddress(), { ...ada.person, password: WRONG });
    expect((await logInAt(eve.home, ada.person)).__typename).toBe('RateLimited');
  });
});
