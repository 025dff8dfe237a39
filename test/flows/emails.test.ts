import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ACCOUNT,
  ADD_EMAIL,
  addVerified,
  emailId,
  emailsOf,
  eventsOf,
  handleOf,
  REMOVE_EMAIL,
  SEND_EMAIL_VERIFICATION,
  SET_PRIMARY_EMAIL,
  verifyPrimary,
} from '../support/account.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  CURRENT_USER,
  type Held,
  LOG_IN,
  LOG_IN_WITH_CODE,
  newPerson,
  REQUEST_LOGIN_CODE,
  RESEND_CODE,
  signUp,
  VERIFY_EMAIL,
} from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

const newAddress = () => newPerson().email;
const add = (held: Held, email: string) => held.client.send(ADD_EMAIL, { input: { email } });
const sendAgain = (held: Held, id: string) => held.client.send(SEND_EMAIL_VERIFICATION, { input: { id } });
const setPrimary = (held: Held, id: string) => held.client.send(SET_PRIMARY_EMAIL, { input: { id } });
const remove = (held: Held, id: string) => held.client.send(REMOVE_EMAIL, { input: { id } });
const verify = (proof: Record<string, unknown>) => gateway.client().send(VERIFY_EMAIL, { input: { proof } });
const invalid = (code: string) => ({ __typename: 'InvalidInput', issues: [{ path: ['email'], code }] });
const inTime = (milliseconds: number) => new Date(gateway.clock().getTime() + milliseconds).toISOString();

describe('User.emails and User.phone', () => {
  test('are the address of the sign-up and no number', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const { result } = await held.client.send(ACCOUNT);
    expect(result).toMatchObject({
      emails: [{ email: person.email, verified: false, primary: true }],
      phone: null,
    });
  });
});

describe('addEmail', () => {
  test('adds an address that counts for nothing yet, and sends a code and a link', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const address = newAddress();
    const { result } = await add(held, address);
    expect(result).toEqual({
      __typename: 'CodeSent',
      handle: expect.stringMatching(/^ph_/),
      expiresAt: inTime(10 * 60_000),
      resendAvailableAt: inTime(30_000),
    });
    expect(await emailsOf(held)).toMatchObject([
      { email: person.email, verified: false, primary: true },
      { email: address, verified: false, primary: false },
    ]);
    const mail = await gateway.mails.next(address);
    expect(mail.code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    expect(mail.link).toContain('/confirm-email?token=');
    expect((await eventsOf(gateway, held.userId)).map(({ kind }) => kind)).toEqual([
      'SignedUp',
      'LoggedIn',
      'CodeSent',
    ]);
    await gateway.mails.none(person.email);
  });

  test.each(['code', 'link'])('is done by the %s of the mail, and the person is told', async (by) => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const address = newAddress();
    const handle = handleOf(await add(held, address));
    const { code, token } = await gateway.mails.next(address);
    const { result } = await verify(by === 'link' ? { token } : { code: { handle, code } });
    expect(result).toEqual({ __typename: 'EmailVerified', email: address });
    expect(await emailsOf(held)).toMatchObject([{ primary: true }, { email: address, verified: true, primary: false }]);
    const told = await gateway.mails.next(person.email);
    expect(told.text).toContain(address);
    expect((await eventsOf(gateway, held.userId)).slice(-2)).toEqual([
      { kind: 'EmailVerified', data: { address } },
      { kind: 'EmailAdded', data: { address } },
    ]);
    const login = await gateway.client().send(LOG_IN, { input: { email: address, password: person.password } });
    expect(login.result.__typename).toBe('LoggedIn');
  });

  test('sends again when an address is added again, and what was sent before is void', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const address = newAddress();
    const first = handleOf(await add(held, address));
    const firstMail = await gateway.mails.next(address);
    const second = handleOf(await add(held, address));
    const secondMail = await gateway.mails.next(address);
    expect(await emailsOf(held)).toHaveLength(2);
    expect((await verify({ token: firstMail.token })).result.__typename).toBe('InvalidToken');
    expect((await verify({ code: { handle: first, code: firstMail.code } })).result.__typename).toBe('InvalidToken');
    expect((await verify({ code: { handle: second, code: secondMail.code } })).result.__typename).toBe('EmailVerified');
  });

  test('lets two addresses be on their way at once', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const [one, two] = [newAddress(), newAddress()];
    await add(held, one);
    await add(held, two);
    for (const address of [one, two]) {
      const { token } = await gateway.mails.next(address);
      expect((await verify({ token })).result).toEqual({ __typename: 'EmailVerified', email: address });
    }
  });

  test('verifies the primary address when that is what is added', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    await add(held, person.email.toUpperCase());
    const { link, token } = await gateway.mails.next(person.email);
    expect(link).toContain('/verify-email?token=');
    expect((await verify({ token })).result.__typename).toBe('EmailVerified');
    expect(await emailsOf(held)).toMatchObject([{ email: person.email, verified: true, primary: true }]);
    // It was there before.
    expect((await eventsOf(gateway, held.userId)).at(-1)?.kind).toBe('EmailVerified');
  });

  test('refuses one that is verified already', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const address = newAddress();
    await addVerified(gateway, held, address);
    expect((await add(held, ` ${address.toUpperCase()} `)).result).toEqual(invalid('TAKEN'));
    await gateway.mails.none(address);
  });

  test.each([
    ['', 'REQUIRED'],
    ['ada', 'INVALID'],
    ['ada@example', 'INVALID'],
  ])('refuses %j: %s', async (email, code) => {
    const held = await signUp(gateway.client(), newPerson());
    expect((await add(held, email)).result).toEqual(invalid(code));
    expect(await emailsOf(held)).toHaveLength(1);
  });

  test('takes ten addresses at most, also when they come at once', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const answers = await Promise.all(Array.from({ length: 14 }, () => add(held, newAddress())));
    expect(answers.filter(({ result }) => result.__typename === 'CodeSent')).toHaveLength(9);
    for (const { result } of answers.filter((answer) => answer.result.__typename !== 'CodeSent')) {
      expect(result).toEqual(invalid('NOT_ALLOWED'));
    }
    const own = await emailsOf(held);
    expect(own).toHaveLength(10);
    expect((await add(held, own[3]?.email ?? '')).result.__typename).toBe('CodeSent');
  });

  test('goes on answering when one client asks for mail all the time, and sends no more', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const address = newAddress();
    for (let n = 0; n < 6; n += 1) expect((await add(held, address)).result.__typename).toBe('CodeSent');
    expect(await gateway.mails.rest(address)).toHaveLength(3);
    for (let n = 0; n < 6; n += 1) expect((await add(held, newAddress())).result.__typename).toBe('CodeSent');
    const more = newAddress();
    await remove(held, await emailId(held, address));
    expect((await add(held, more)).result.__typename).toBe('CodeSent');
    await gateway.mails.none(more);
  });
});

describe('sendEmailVerification', () => {
  test('sends again after the pause, and what was sent before is void', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const address = newAddress();
    await add(held, address);
    const first = await gateway.mails.next(address);
    const id = await emailId(held, address);
    gateway.clock.advance(10_500);
    expect((await sendAgain(held, id)).result).toEqual({ __typename: 'RateLimited', retryAfter: 20 });
    gateway.clock.advance(19_500);
    const handle = handleOf(await sendAgain(held, id));
    const second = await gateway.mails.next(address);
    expect((await sendAgain(held, id)).result.__typename).toBe('RateLimited');
    expect((await verify({ token: first.token })).result.__typename).toBe('InvalidToken');
    expect((await verify({ code: { handle, code: second.code } })).result.__typename).toBe('EmailVerified');
  });

  test('can be answered by resendCode, with the same pause', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const address = newAddress();
    const handle = handleOf(await add(held, address));
    await gateway.mails.next(address);
    gateway.clock.advance(30_000);
    expect((await gateway.client().send(RESEND_CODE, { input: { handle } })).result.__typename).toBe('CodeSent');
    expect((await sendAgain(held, await emailId(held, address))).result.__typename).toBe('RateLimited');
    const { code } = await gateway.mails.next(address);
    expect((await verify({ code: { handle, code } })).result.__typename).toBe('EmailVerified');
  });

  test('verifies the primary address', async () => {
    const held = await signUp(gateway.client(), newPerson());
    await verifyPrimary(gateway, held);
    expect((await held.client.send(CURRENT_USER)).result.emailVerified).toBe(true);
    expect(await emailsOf(held)).toMatchObject([{ verified: true, primary: true }]);
  });

  test('moves an address that its other account has given up', async () => {
    const [owner, held] = [await signUp(gateway.client(), newPerson()), await signUp(gateway.client(), newPerson())];
    const address = newAddress();
    const id = await addVerified(gateway, owner, address);
    await add(held, address);
    await remove(owner, id);
    await gateway.mails.rest(address);
    gateway.clock.advance(30_000);
    await sendAgain(held, await emailId(held, address));
    const { token } = await gateway.mails.next(address);
    expect((await verify({ token })).result.__typename).toBe('EmailVerified');
    expect(await emailsOf(held)).toMatchObject([{ primary: true }, { email: address, verified: true }]);
  });

  test('knows nothing of an address that is verified', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const id = await addVerified(gateway, held, newAddress());
    expect((await sendAgain(held, id)).result).toEqual({ __typename: 'NotFound' });
  });
});

describe('setPrimaryEmail', () => {
  test('makes a verified address the primary one, and tells both', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const address = newAddress();
    const id = await addVerified(gateway, held, address);
    await gateway.mails.rest(person.email);
    const { result } = await setPrimary(held, id);
    expect(result).toMatchObject({
      __typename: 'EmailsChanged',
      emails: [
        { id, email: address, verified: true, primary: true },
        { email: person.email, verified: false, primary: false },
      ],
    });
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ email: address, emailVerified: true });
    for (const to of [person.email, address]) expect((await gateway.mails.next(to)).text).toContain(address);
    expect((await eventsOf(gateway, held.userId)).at(-1)).toEqual({
      kind: 'PrimaryEmailChanged',
      data: { from: person.email, to: address },
    });
  });

  test('is seen at once, before the bus tells of it', async () => {
    const here = await startGateway();
    try {
      const held = await signUp(here.client(), newPerson());
      const address = newAddress();
      const id = await addVerified(here, held, address);
      await here.sql('DROP TRIGGER postern_email_changed ON emails');
      await held.client.send(CURRENT_USER);
      await setPrimary(held, id);
      expect((await held.client.send(CURRENT_USER)).result.email).toBe(address);
    } finally {
      await here.stop();
    }
  });

  test('does nothing for the one that is primary already', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const [primary] = await emailsOf(held);
    const before = await eventsOf(gateway, held.userId);
    expect((await setPrimary(held, primary?.id ?? '')).result).toEqual({
      __typename: 'EmailsChanged',
      emails: [primary],
    });
    expect(await eventsOf(gateway, held.userId)).toEqual(before);
  });

  test('refuses an address that is not verified', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const address = newAddress();
    await add(held, address);
    expect((await setPrimary(held, await emailId(held, address))).result).toEqual({ __typename: 'EmailNotVerified' });
    expect((await held.client.send(CURRENT_USER)).result.email).toBe(person.email);
  });

  test('leaves exactly one primary address when several are chosen at once', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const ids: string[] = [];
    for (let n = 0; n < 4; n += 1) ids.push(await addVerified(gateway, held, newAddress()));
    const answers = await Promise.all([...ids, ...ids].map((id) => setPrimary(held, id)));
    for (const { result } of answers) expect(result.__typename).toBe('EmailsChanged');
    const own = await emailsOf(held);
    expect(own.filter(({ primary }) => primary)).toHaveLength(1);
    expect(own[0]).toMatchObject({ primary: true, verified: true });
    expect((await held.client.send(CURRENT_USER)).result.email).toBe(own[0]?.email);
  });
});

describe('removeEmail', () => {
  test('removes an address, tells it, and nobody logs in with it any more', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const address = newAddress();
    const id = await addVerified(gateway, held, address);
    await gateway.mails.rest(person.email);
    const { result } = await remove(held, id);
    expect(result).toMatchObject({ __typename: 'EmailsChanged', emails: [{ email: person.email, primary: true }] });
    expect(await emailsOf(held)).toHaveLength(1);
    for (const to of [person.email, address]) expect((await gateway.mails.next(to)).text).toContain(address);
    expect((await eventsOf(gateway, held.userId)).at(-1)).toEqual({ kind: 'EmailRemoved', data: { address } });
    const login = await gateway.client().send(LOG_IN, { input: { email: address, password: person.password } });
    expect(login.result.__typename).toBe('InvalidCredentials');
    expect((await remove(held, id)).result).toEqual({ __typename: 'NotFound' });
  });

  test('tells nobody of an address that was never verified', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const address = newAddress();
    await add(held, address);
    const { token } = await gateway.mails.next(address);
    expect((await remove(held, await emailId(held, address))).result.__typename).toBe('EmailsChanged');
    for (const to of [person.email, address]) await gateway.mails.none(to);
    expect((await eventsOf(gateway, held.userId)).at(-1)?.kind).toBe('CodeSent');
    expect((await verify({ token })).result.__typename).toBe('InvalidToken');
    expect(await emailsOf(held)).toHaveLength(1);
  });

  test('keeps the primary address', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const [primary] = await emailsOf(held);
    expect((await remove(held, primary?.id ?? '')).result).toEqual({ __typename: 'PrimaryEmailKept' });
    expect(await emailsOf(held)).toEqual([primary]);
  });

  test('voids the login code that is on its way to the address', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const address = newAddress();
    const id = await addVerified(gateway, held, address);
    const asked = await gateway.client().send(REQUEST_LOGIN_CODE, { input: { email: address } });
    const { code } = await gateway.mails.next(address);
    await remove(held, id);
    const proof = { code: { handle: asked.result.loginToken, code } };
    const { result } = await gateway.client().send(LOG_IN_WITH_CODE, { input: { proof } });
    expect(result.__typename).toBe('InvalidToken');
  });
});
