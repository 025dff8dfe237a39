import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { CONTINUE_LOGIN, hold, LOG_IN, newPerson, SIGN_UP, VERIFY_EMAIL } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_EMAIL_VERIFICATION: 'mandatory' } });
});
afterAll(() => gateway.stop());

describe('somebody who signs up where addresses have to be verified', () => {
  test('is asked for the code of a mail, and is in once it is given', async () => {
    const person = newPerson();
    const client = gateway.client();
    const { result } = await client.send(SIGN_UP, { input: person });
    expect(result).toMatchObject({ __typename: 'EmailVerificationRequired', email: person.email });
    const { code } = await gateway.mails.next(person.email);

    const answer = await client.send(VERIFY_EMAIL, { input: { proof: { code: { handle: result.loginToken, code } } } });
    expect(hold(client, answer).userId).toBeTruthy();
  });

  test('may open the link elsewhere, which logs nobody in there, and go on here', async () => {
    const person = newPerson();
    const client = gateway.client();
    const { result } = await client.send(SIGN_UP, { input: person });
    const { token } = await gateway.mails.next(person.email);
    const phone = await gateway.client().send(VERIFY_EMAIL, { input: { proof: { token } } });
    expect(phone.result).toMatchObject({ __typename: 'EmailVerified', email: person.email });
    const answer = await client.send(CONTINUE_LOGIN, { input: { loginToken: result.loginToken } });
    expect(answer.result.__typename).toBe('LoggedIn');
  });

  test('waits as well when they come back with their password', async () => {
    const person = newPerson();
    await gateway.client().send(SIGN_UP, { input: person });
    const { result } = await gateway.client().send(LOG_IN, { input: person });
    expect(result.__typename).toBe('EmailVerificationRequired');
  });
});
