import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GraphQLClient } from '../support/client.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  CHANGE_PENDING_EMAIL,
  hold,
  logIn,
  newPerson,
  type Person,
  RESEND_CODE,
  SIGN_UP,
  VERIFY_EMAIL,
} from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_EMAIL_VERIFICATION: 'mandatory', POSTERN_RATE_LIMITS: 'off' } });
});
afterAll(() => gateway.stop());

async function begin(client: GraphQLClient, person: Person) {
  const { result } = await client.send(SIGN_UP, { input: person });
  expect(result).toMatchObject({ __typename: 'EmailVerificationRequired', email: person.email });
  return String(result.loginToken);
}

async function verify(client: GraphQLClient, handle: string, code: string) {
  return client.send(VERIFY_EMAIL, { input: { proof: { code: { handle, code } } } });
}

/** Somebody who has an account. */
async function member(): Promise<Person> {
  const person = newPerson();
  const client = gateway.client();
  const handle = await begin(client, person);
  hold(client, await verify(client, handle, (await gateway.mails.next(person.email)).code));
  return person;
}

describe('a mistyped address', () => {
  test('is corrected; the code that went to the first one is void', async () => {
    const [typed, meant] = [newPerson(), newPerson()];
    const client = gateway.client();
    const loginToken = await begin(client, typed);
    const first = await gateway.mails.next(typed.email);
    const { result } = await client.send(CHANGE_PENDING_EMAIL, { input: { loginToken, email: meant.email } });
    expect(result).toMatchObject({ __typename: 'EmailVerificationRequired', email: meant.email, loginToken });
    const second = await gateway.mails.next(meant.email);
    expect((await verify(client, loginToken, first.code)).result.__typename).toBe('InvalidCode');
    expect((await client.send(VERIFY_EMAIL, { input: { proof: { token: first.token } } })).result.__typename).toBe(
      'InvalidToken',
    );
    hold(client, await verify(client, loginToken, second.code));
    await logIn(gateway.client(), { email: meant.email, password: typed.password });
  });

  test('that belongs to somebody else is corrected to one that makes an account', async () => {
    const [other, me] = [await member(), newPerson()];
    const client = gateway.client();
    const loginToken = await begin(client, { email: other.email, password: me.password });
    expect((await gateway.mails.next(other.email)).code).toBe('');
    await client.send(CHANGE_PENDING_EMAIL, { input: { loginToken, email: me.email } });
    const { code } = await gateway.mails.next(me.email);
    hold(client, await verify(client, loginToken, code));
    await logIn(gateway.client(), me);
    await logIn(gateway.client(), other);
  });

  test('can be corrected again after it was corrected to one that is taken', async () => {
    const [other, typed, meant] = [await member(), newPerson(), newPerson()];
    const client = gateway.client();
    const loginToken = await begin(client, typed);
    const { result } = await client.send(CHANGE_PENDING_EMAIL, { input: { loginToken, email: other.email } });
    expect(result).toMatchObject({ __typename: 'EmailVerificationRequired', email: other.email });
    expect((await gateway.mails.next(other.email)).code).toBe('');
    await client.send(CHANGE_PENDING_EMAIL, { input: { loginToken, email: meant.email } });
    hold(client, await verify(client, loginToken, (await gateway.mails.next(meant.email)).code));
  });

  test('is no business of a login that waits for none', async () => {
    const { result } = await gateway.client().send(CHANGE_PENDING_EMAIL, {
      input: { loginToken: `pl_${'A'.repeat(43)}`, email: newPerson().email },
    });
    expect(result.__typename).toBe('LoginExpired');
  });

  test('has to be corrected to an address', async () => {
    const client = gateway.client();
    const loginToken = await begin(client, newPerson());
    const { result } = await client.send(CHANGE_PENDING_EMAIL, { input: { loginToken, email: 'nobody' } });
    expect(result).toMatchObject({ issues: [{ path: ['email'], code: 'INVALID' }] });
  });
});

describe('signing up with an address that is taken', () => {
  test('looks like any other; its holder is told, once', async () => {
    const other = await member();
    const client = gateway.client();
    const handle = await begin(client, { email: other.email, password: newPerson().password });
    const mail = await gateway.mails.next(other.email);
    expect(mail.subject).toMatch(/account/i);
    expect(mail.code).toBe('');
    gateway.clock.advance(30_000);
    expect((await client.send(RESEND_CODE, { input: { handle } })).result.__typename).toBe('CodeSent');
    await gateway.mails.none(other.email);
    expect((await verify(client, handle, 'BCDF-GHJK')).result).toMatchObject({ attemptsLeft: 4 });
    await logIn(gateway.client(), other);
  });

  test('leaves nothing half-made behind', async () => {
    const other = await member();
    const before = await gateway.sql('SELECT count(*) FROM users');
    await begin(gateway.client(), { email: other.email, password: newPerson().password });
    expect(await gateway.sql('SELECT count(*) FROM users')).toEqual(before);
  });
});
