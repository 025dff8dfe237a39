import { afterEach, describe, expect, test } from 'vitest';
import { DELETE_ACCOUNT, UPDATE_PROFILE } from '../support/account.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { logIn, newPerson, SIGN_UP, signUp, VERIFY_EMAIL } from '../support/people.ts';

// Whoever signs up with an address of somebody else must not be able to fill that mailbox (R08).

let gateway: Gateway;
afterEach(() => gateway.stop());

const start = async (verification: string) => {
  gateway = await startGateway({
    env: { POSTERN_EMAIL_VERIFICATION: verification, POSTERN_LOGIN_IDENTIFIERS: 'email,username' },
  });
};

describe('an account whose address was never verified', () => {
  test.each([
    ['optional', 0],
    ['none', 3],
  ])('under %s says goodbye %i times at most, however often it is made and deleted', async (verification, most) => {
    await start(verification);
    const person = newPerson();
    for (let n = 0; n < 6; n += 1) {
      const { client } = await signUp(gateway.client(), person);
      expect((await client.send(DELETE_ACCOUNT)).result.__typename).toBe('AccountDeleted');
    }
    const mails = await gateway.mails.rest(person.email);
    expect(mails.filter(({ subject }) => subject === 'Account deleted')).toHaveLength(most);
  });

  test('under none hears of each kind of change three times an hour', async () => {
    await start('none');
    const person = newPerson();
    const { client } = await signUp(gateway.client(), person);
    for (let n = 0; n < 6; n += 1) {
      await logIn(gateway.client({ 'user-agent': `device ${n}` }), person);
      await client.send(UPDATE_PROFILE, { input: { username: `ada.${process.pid}.${n}` } });
    }
    const subjects = (await gateway.mails.rest(person.email)).map(({ subject }) => subject);
    expect(subjects.filter((subject) => subject.startsWith('New login'))).toHaveLength(3);
    expect(subjects.filter((subject) => subject.startsWith('Username'))).toHaveLength(3);
  });
});

test('an account whose address was verified hears of every change', async () => {
  await start('mandatory');
  const person = newPerson();
  const { result } = await gateway.client().send(SIGN_UP, { input: person });
  const { code } = await gateway.mails.next(person.email);
  const proof = { code: { handle: result.loginToken, code } };
  await gateway.client().send(VERIFY_EMAIL, { input: { proof } });
  for (let n = 0; n < 6; n += 1) await logIn(gateway.client({ 'user-agent': `device ${n}` }), person);
  const subjects = (await gateway.mails.rest(person.email)).map(({ subject }) => subject);
  expect(subjects.filter((subject) => subject.startsWith('New login'))).toHaveLength(6);
});

test('the holder of an address is told once that somebody signs up with it (without wasTold each time)', async () => {
  await start('mandatory');
  const person = newPerson();
  const { result } = await gateway.client().send(SIGN_UP, { input: person });
  const { code } = await gateway.mails.next(person.email);
  await gateway.client().send(VERIFY_EMAIL, { input: { proof: { code: { handle: result.loginToken, code } } } });
  for (let n = 0; n < 3; n += 1) await gateway.client().send(SIGN_UP, { input: person });
  const told = (await gateway.mails.rest(person.email)).filter(({ subject }) => subject.includes('already have'));
  expect(told).toHaveLength(1);
});
