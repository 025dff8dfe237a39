import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADD_EMAIL } from '../support/account.ts';
import type { Answer, GraphQLClient } from '../support/client.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  CHANGE_PENDING_EMAIL,
  CURRENT_USER,
  type Held,
  hold,
  LOG_IN,
  LOG_IN_WITH_CODE,
  newPerson,
  type Person,
  REFRESH,
  REQUEST_LOGIN_CODE,
  SIGN_UP,
  signUp,
  VERIFY_EMAIL,
  VERIFY_PHONE,
} from '../support/people.ts';

// Whose account is it? Of everybody who put an address or a number on one, and of everybody who proved theirs.

const PHONES = { POSTERN_LOGIN_IDENTIFIERS: 'email,username,phone', POSTERN_RATE_LIMITS: 'off' };
const DELETE = 'mutation { deleteAccount { __typename } }';

let mandatory: Gateway;
let optional: Gateway;
beforeAll(async () => {
  mandatory = await startGateway({ env: { ...PHONES, POSTERN_EMAIL_VERIFICATION: 'mandatory' }, sms: true });
  optional = await startGateway({ env: { ...PHONES, POSTERN_EMAIL_VERIFICATION: 'optional' }, sms: true });
});
afterAll(async () => {
  await mandatory.stop();
  await optional.stop();
});

let numbers = 0;
function newNumber(): string {
  numbers += 1;
  return `+120255501${String(numbers).padStart(2, '0')}`;
}

const kindOf = ({ result }: Answer) => result.__typename;

async function verifyByMail(on: Gateway, client: GraphQLClient, email: string, handle: unknown): Promise<Answer> {
  const { code } = await on.mails.next(email);
  return client.send(VERIFY_EMAIL, { input: { proof: { code: { handle, code } } } });
}

async function byCode(on: Gateway, to: { email: string } | { phone: string }): Promise<Answer> {
  const client = on.client();
  const { result } = await client.send(REQUEST_LOGIN_CODE, { input: to });
  const code =
    'phone' in to ? (await on.texts.next(to.phone)).code : (await on.mails.rest(to.email)).at(-1)?.code || 'BCDF-GHJK';
  const proof = { code: { handle: result.loginToken, code: code || '000000' } };
  return client.send(LOG_IN_WITH_CODE, { input: { proof } });
}

/** Makes an account whose first address is the victim's, and proves another one that is the attacker's. */
async function preHijack(on: Gateway, victim: Person, attacker: string): Promise<Held> {
  const held = await signUp(on.client(), { ...victim, password: 'the attacker chose this one' });
  const added = await held.client.send(ADD_EMAIL, { input: { email: attacker } });
  expect(kindOf(await verifyByMail(on, held.client, attacker, added.result.handle))).toBe('EmailVerified');
  return held;
}

describe('an address or a number that an account has not proven', () => {
  test('of an account that has proven another one opens nothing of it (else whoever gets a mistyped number gets the account)', async () => {
    const [person, phone] = [newPerson(), newNumber()];
    const client = mandatory.client();
    await client.send(SIGN_UP, { input: { ...person, phone } });
    expect((await mandatory.texts.next(phone)).code).not.toBe('');
    // The number was mistyped; they come back by their address.
    const back = await client.send(LOG_IN, { input: person });
    const owner = hold(client, await verifyByMail(mandatory, client, person.email, back.result.loginToken));

    expect(kindOf(await byCode(mandatory, { phone }))).toBe('InvalidCode');
    const guess = await mandatory.client().send(LOG_IN, { input: { phone, password: person.password } });
    expect(kindOf(guess)).toBe('PhoneVerificationRequired');
    expect((await owner.client.send(CURRENT_USER)).result.__typename).toBe('User');
  });

  test('is no obstacle to its owner, who gets an account of their own (R14: else they share it with who put it there)', async () => {
    const [victim, attacker] = [newPerson(), newPerson().email];
    const thief = await preHijack(optional, victim, attacker);
    const owner = await signUp(optional.client(), victim);
    expect(owner.userId).not.toBe(thief.userId);
    expect((await thief.client.send(CURRENT_USER)).result.email).not.toBe(victim.email);
  });

  test('cannot be logged in with by who proves the mailbox, as long as the account is somebody else’s (R14)', async () => {
    const [victim, attacker] = [newPerson(), newPerson().email];
    await preHijack(optional, victim, attacker);
    expect(kindOf(await byCode(optional, { email: victim.email }))).toBe('InvalidCode');
  });

  test('and the number of who stopped half-way: the owner of the address does not share an account with it (R14)', async () => {
    const [victim, phone] = [newPerson(), newNumber()];
    const attacker = mandatory.client();
    const begun = await attacker.send(SIGN_UP, {
      input: { ...victim, phone, password: 'the attacker chose this one' },
    });
    const { code } = await mandatory.texts.next(phone);
    const input = { code: { handle: begun.result.loginToken, code } };
    expect(kindOf(await attacker.send(VERIFY_PHONE, { input }))).toBe('EmailVerificationRequired');
    await mandatory.mails.rest(victim.email);

    const client = mandatory.client();
    const { result } = await client.send(SIGN_UP, { input: victim });
    const owner = hold(client, await verifyByMail(mandatory, client, victim.email, result.loginToken));
    const byPhone = await byCode(mandatory, { phone });
    expect(byPhone.text).not.toContain(owner.userId);
  });

  test('that an account has lost leaves it no way in (else verification is mandatory for nobody who has a user name)', async () => {
    const [person, username] = [newPerson(), 'emptied-account'];
    await mandatory.client().send(SIGN_UP, { input: { ...person, username } });
    await mandatory.sql('DELETE FROM emails WHERE address = $1', [person.email]);
    const { result } = await mandatory.client().send(LOG_IN, { input: { username, password: person.password } });
    expect(result.__typename).toBe('InvalidCredentials');
  });
});

test('a reset of one’s own account gives nobody more guesses at another that it claims an address of (L04)', async () => {
  const limited = await startGateway({ env: { POSTERN_RATE_LIMITS: '{"mailPerAddress":"off"}' } });
  const [victim, attacker] = [newPerson(), newPerson()];
  await signUp(limited.client(), victim);
  const held = await signUp(limited.client(), attacker);
  await limited.sql('UPDATE emails SET verified_at = now()');
  await held.client.send(ADD_EMAIL, { input: { email: victim.email } });
  const guess = async () =>
    kindOf(await limited.client().send(LOG_IN, { input: { ...victim, password: 'a wrong one' } }));
  for (let n = 0; n < 10; n += 1) expect(await guess()).toBe('InvalidCredentials');
  const RESET = 'mutation R($input: ResetPasswordInput!) { resetPassword(input: $input) { __typename } }';
  const REQUEST =
    'mutation R($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { ... on CodeSent { handle } } }';
  const asked = await limited.client().send(REQUEST, { input: { email: attacker.email } });
  const { code } = await limited.mails.next(attacker.email);
  const proof = { code: { handle: asked.result.handle, code } };
  const reset = await limited.client().send(RESET, { input: { proof, newPassword: 'quite another one of theirs' } });
  expect(kindOf(reset)).toBe('PasswordWasReset');
  expect(await guess()).toBe('RateLimited');
  await limited.stop();
});

describe('what happens at the same moment', () => {
  test('deleting an account and refreshing its sessions: no fault, and nothing lives (a fixed order of locks, or else a second attempt)', async () => {
    const person = newPerson();
    const first = await signUp(optional.client(), person);
    const jwts = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const client = optional.client();
        return hold(client, await client.send(LOG_IN, { input: { ...person, credential: 'JWT' } }));
      }),
    );
    const answers = await Promise.all([
      ...jwts.map(({ client, refreshToken }) => client.send(REFRESH, { input: { refreshToken } })),
      first.client.send(DELETE),
      ...jwts.map(({ client }) => client.send(CURRENT_USER)),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    for (const { client } of [first, ...jwts]) expect(kindOf(await client.send(CURRENT_USER))).toBe('Unauthenticated');
  });

  test('correcting one sign-up many times makes one account of it (a lock on the login)', async () => {
    const taken = newPerson();
    const other = mandatory.client();
    const begun = await other.send(SIGN_UP, { input: taken });
    hold(other, await verifyByMail(mandatory, other, taken.email, begun.result.loginToken));
    const before = await mandatory.sql('SELECT 1 FROM users');

    const client = mandatory.client();
    const { result } = await client.send(SIGN_UP, { input: { ...newPerson(), email: taken.email } });
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        client.send(CHANGE_PENDING_EMAIL, { input: { loginToken: result.loginToken, email: newPerson().email } }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(await mandatory.sql('SELECT 1 FROM users')).toHaveLength(before.length + 1);
  });

  test('signing up with an address and verifying it elsewhere: no fault, and one of them has it (a lock on the address)', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [person, address] = [newPerson(), newPerson().email];
      const held = await signUp(optional.client(), person);
      const added = await held.client.send(ADD_EMAIL, { input: { email: address } });
      const { code } = await optional.mails.next(address);
      const proof = { code: { handle: added.result.handle, code } };
      const answers = await Promise.all([
        held.client.send(VERIFY_EMAIL, { input: { proof } }),
        ...Array.from({ length: 4 }, () =>
          optional.client().send(SIGN_UP, { input: { ...newPerson(), email: address } }),
        ),
      ]);
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    }
  });
});

test('the link of a required code says nothing of the password, which somebody else may have shown', async () => {
  const strict = await startGateway({ env: { POSTERN_LOGIN_CODE_REQUIRED: 'on', POSTERN_RATE_LIMITS: 'off' } });
  const person = newPerson();
  await signUp(strict.client(), person);
  await strict.sql('UPDATE emails SET verified_at = now()');
  await strict.client().send(LOG_IN, { input: person });
  const { token } = await strict.mails.next(person.email);
  const client = strict.client();
  const held = hold(client, await client.send(LOG_IN_WITH_CODE, { input: { proof: { token } } }));
  const { result } = await held.client.send('{ currentSession { ... on Session { methods { method } } } }');
  expect(result.methods).toEqual([{ method: 'LINK' }]);
  await strict.stop();
});
