import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseEmailAddress } from '../../src/lib/email-address.ts';
import { parsePhoneNumber } from '../../src/lib/phone-number.ts';
import * as emailRecords from '../../src/records/emails.ts';
import * as phoneRecords from '../../src/records/phones.ts';
import {
  ADD_EMAIL,
  ANSWER_PHONE,
  addVerified,
  DELETE_ACCOUNT,
  emailId,
  emailsOf,
  eventsOf,
  handleOf,
  newPhone,
  REMOVE_EMAIL,
  REMOVE_PHONE,
  SEND_EMAIL_VERIFICATION,
  SET_PHONE,
  SET_PRIMARY_EMAIL,
  setVerifiedPhone,
  UPDATE_PROFILE,
  verifyPrimary,
} from '../support/account.ts';
import type { Answer } from '../support/client.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  type Held,
  ISSUE_ACCESS_TOKEN,
  LOG_IN,
  LOG_IN_WITH_CODE,
  newPerson,
  REQUEST_LOGIN_CODE,
  SIGN_UP,
  signUp,
  VERIFY_EMAIL,
} from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_LOGIN_IDENTIFIERS: 'email,username,phone' }, sms: true });
});
afterAll(() => gateway.stop());

const add = (held: Held, email: string) => held.client.send(ADD_EMAIL, { input: { email } });
const verify = (proof: Record<string, unknown>) => gateway.client().send(VERIFY_EMAIL, { input: { proof } });
const someone = () => signUp(gateway.client(), newPerson());
const newAddress = () => newPerson().email;

/** An answer without what is random in each: ids and handles. */
function shapeOf({ status, headers, text }: Answer): unknown {
  const names = [...headers].map(([name]) => name).filter((name) => name !== 'date');
  const body = text
    .replace(/ph_[\w-]{43}/g, 'HANDLE')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
    .replace(/ada\.\d+\.\d+@/g, 'ada@')
    .replace(/\+1202555\d{4}/g, 'NUMBER');
  return { status, names: names.sort(), body };
}

describe('another person', () => {
  const NOBODY = '00000000-0000-4000-8000-000000000000';
  const BY_ID = { SEND_EMAIL_VERIFICATION, SET_PRIMARY_EMAIL, REMOVE_EMAIL };

  test.each(Object.entries(BY_ID))(
    'has addresses that are as unknown as any to %s (S07: looking an id up among all addresses changes them)',
    async (_name, mutation) => {
      const [held, other] = [await someone(), await someone()];
      const [claimed, verified] = [newAddress(), newAddress()];
      await add(other, claimed);
      await addVerified(gateway, other, verified);
      const before = await emailsOf(other);
      const [own] = await emailsOf(held);
      const unknown = await held.client.send(mutation, { input: { id: NOBODY } });
      expect(unknown.result).toEqual({ __typename: 'NotFound' });
      const ids = [...before.map(({ id }) => id), other.userId, '', 'x', "' OR true --", '\u0000', `${own?.id} `];
      for (const id of [...ids, own?.email ?? '', 'a'.repeat(5_000)]) {
        expect(shapeOf(await held.client.send(mutation, { input: { id } }))).toEqual(shapeOf(unknown));
      }
      expect(await emailsOf(other)).toEqual(before);
      expect(await emailsOf(held)).toEqual([own]);
    },
  );

  test('is not to be learned of by adding their address, looking at it, or sending to it again (R07: a claim that is kept out of the list, a decoy without a pause, or one that is not voided tells)', async () => {
    const owner = await someone();
    const taken = newAddress();
    await addVerified(gateway, owner, taken);
    const conversation = async (address: string) => {
      const client = gateway.client();
      const held = await signUp(client, newPerson());
      const answers = [await add(held, address)];
      const id = await emailId(held, address);
      const again = () => held.client.send(SEND_EMAIL_VERIFICATION, { input: { id } });
      const resendAt = gateway.clock().getTime() + 30_000;
      answers.push(await again(), await add(held, address), await again());
      gateway.clock.advance(resendAt - gateway.clock().getTime());
      answers.push(await again(), await again());
      const handles = [answers[0], answers[2], answers[4]].map((answer) => handleOf(answer as Answer));
      for (const handle of [...handles, ...handles]) {
        answers.push(await verify({ code: { handle, code: 'BCDF-GHJK' } }));
      }
      answers.push(await held.client.send(SET_PRIMARY_EMAIL, { input: { id } }));
      answers.push(await held.client.send('{ currentUser { ... on User { emails { id email verified primary } } } }'));
      answers.push(await held.client.send(REMOVE_EMAIL, { input: { id } }));
      answers.push(await verify({ code: { handle: handles[2], code: 'BCDF-GHJK' } }));
      answers.push(await held.client.send(REMOVE_EMAIL, { input: { id } }));
      return answers;
    };
    const withoutTime = (answers: Answer[]) =>
      answers.map(shapeOf).map((shape) => JSON.stringify(shape).replace(/20\d\d-[\d:T.-]+Z/g, 'TIME'));
    const ofFree = withoutTime(await conversation(newAddress()));
    expect(withoutTime(await conversation(taken))).toEqual(ofFree);
    const kinds = ofFree.map((shape) => /__typename\\":\\"(\w+)/.exec(shape)?.[1]);
    expect(kinds.slice(0, 6)).toEqual([
      'CodeSent',
      'RateLimited',
      'CodeSent',
      'RateLimited',
      'CodeSent',
      'RateLimited',
    ]);
    expect(kinds.slice(6, 9)).toEqual(['InvalidToken', 'InvalidToken', 'InvalidCode']);
  });

  test('is told by mail of somebody who adds their address, and gets no code (P12: sending the code anyway hands the account over)', async () => {
    const [owner, held] = [await someone(), await someone()];
    const taken = newAddress();
    await addVerified(gateway, owner, taken);
    const handle = handleOf(await add(held, taken));
    const mail = await gateway.mails.next(taken);
    expect(mail.subject).toBe('This email address is in use');
    expect([mail.code, mail.token]).toEqual(['', '']);
    expect((await verify({ code: { handle, code: 'BCDF-GHJK' } })).result.__typename).toBe('InvalidCode');
    expect(await emailsOf(held)).toMatchObject([{ primary: true }, { email: taken, verified: false }]);
  });

  test('is not to be learned of by setting their number (R07: an answer of its own tells)', async () => {
    const [owner, held, other] = [await someone(), await someone(), await someone()];
    const taken = newPhone();
    await setVerifiedPhone(gateway, owner, taken);
    const answers = await Promise.all([
      held.client.send(SET_PHONE, { input: { phone: taken } }),
      other.client.send(SET_PHONE, { input: { phone: newPhone() } }),
    ]);
    expect(shapeOf(answers[0])).toEqual(shapeOf(answers[1]));
    const wrong = await Promise.all(
      answers.map((answer) =>
        gateway.client().send(ANSWER_PHONE, { input: { code: { handle: handleOf(answer), code: '000000' } } }),
      ),
    );
    expect(wrong.map(shapeOf)).toEqual([shapeOf(wrong[0] as Answer), shapeOf(wrong[0] as Answer)]);
    expect((await gateway.texts.next(taken)).code).toBe('');
  });
});

describe('hostile addresses', () => {
  const REFUSED = [
    'ada@example.com,eve@example.com',
    'ada@example.com;eve@example.com',
    'ada@example.com eve@example.com',
    'ada@example.com\r\nBcc: eve@example.com',
    'ada@example.com\nBcc: eve@example.com',
    'ada%0d%0abcc:eve@example.com\r',
    'Ada <ada@example.com>',
    '<ada@example.com>',
    'ada＠example.com',
    'ada﹫example.com',
    'ada@eve@example.com',
    '"ada"@example.com',
    '"ada@example.com"@example.org',
    '"ada\\" eve"@example.com',
    `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(63)}.${'e'.repeat(61)}.com`,
    `${'a'.repeat(65)}@example.com`,
    'ada@[127.0.0.1]',
    'ada@example.com\u0000',
    'ada@example。com',
    'ada@exam\u00adple.com',
    'ada\ud800@example.com',
    '.ada@example.com',
    'ada@-example.com',
    'ada@(comment)example.com',
  ];

  test.each(REFUSED)(
    'are refused, stored nowhere and written to never: %j (P13: without the parser they reach a header)',
    async (email) => {
      const held = await someone();
      const sent = gateway.mails.all.length;
      expect((await add(held, email)).result).toEqual({
        __typename: 'InvalidInput',
        issues: [{ path: ['email'], code: 'INVALID' }],
      });
      expect(await emailsOf(held)).toHaveLength(1);
      await gateway.mails.none('eve@example.com');
      expect(gateway.mails.all).toHaveLength(sent);
    },
  );

  test('that are one address in several spellings are one row and go to one mailbox (P13: without the canonical form they are four)', async () => {
    const held = await someone();
    const name = `grace.${process.pid}`;
    const canonical = `${name}@xn--bcher-kva.example`;
    for (const email of [
      `${name}@bücher.example`,
      `${name.toUpperCase()}@BÜCHER.example`,
      ` ${name}@xn--bcher-kva.EXAMPLE\t`,
    ]) {
      expect((await add(held, email)).result.__typename).toBe('CodeSent');
    }
    expect(await emailsOf(held)).toMatchObject([{ primary: true }, { email: canonical, verified: false }]);
    expect(await gateway.mails.rest(canonical)).toHaveLength(3);
    expect(gateway.mails.all.filter(({ to }) => to.includes(name) && to !== canonical)).toEqual([]);
  });
});

describe('a sensitive change', () => {
  const CHANGES = {
    ADD_EMAIL: [ADD_EMAIL, () => ({ input: { email: newAddress() } })],
    SET_PRIMARY_EMAIL: [SET_PRIMARY_EMAIL, (id: string) => ({ input: { id } })],
    REMOVE_EMAIL: [REMOVE_EMAIL, (id: string) => ({ input: { id } })],
    SET_PHONE: [SET_PHONE, () => ({ input: { phone: newPhone() } })],
    REMOVE_PHONE: [REMOVE_PHONE, () => ({})],
    DELETE_ACCOUNT: [DELETE_ACCOUNT, () => ({})],
  } as const satisfies Record<string, readonly [string, (id: string) => Record<string, unknown>]>;

  const snapshot = async ({ userId }: Held) => [
    await gateway.sql('SELECT * FROM users WHERE id = $1', [userId]),
    await gateway.sql('SELECT * FROM emails WHERE user_id = $1 ORDER BY id', [userId]),
    await gateway.sql('SELECT * FROM phones WHERE user_id = $1', [userId]),
    await gateway.sql('SELECT * FROM challenges WHERE user_id = $1 ORDER BY id', [userId]),
    await eventsOf(gateway, userId),
  ];

  test.each(Object.entries(CHANGES))(
    '%s needs a proof that is younger than the window (L11: with signedIn in the place of freshlySignedIn it is made)',
    async (_name, [mutation, variables]) => {
      const held = await someone();
      const id = await addVerified(gateway, held, newAddress());
      await setVerifiedPhone(gateway, held, newPhone());
      gateway.clock.advance(15 * 60_000);
      const before = await snapshot(held);
      const { result } = await held.client.send(mutation, variables(id));
      expect(result).toEqual({ __typename: 'ReauthenticationRequired', methods: ['PASSWORD'] });
      expect(await snapshot(held)).toEqual(before);
    },
  );

  test.each(Object.entries(CHANGES))(
    '%s is not made by a JWT that a fresh session gave out (L11: other services hold those)',
    async (_name, [mutation, variables]) => {
      const held = await someone();
      const id = await addVerified(gateway, held, newAddress());
      await setVerifiedPhone(gateway, held, newPhone());
      const before = await snapshot(held);
      const issued = await held.client.send(ISSUE_ACCESS_TOKEN);
      const jwt = gateway.client().bearing(String(issued.result.accessToken));
      expect((await jwt.send(mutation, variables(id))).result.__typename).toBe('ReauthenticationRequired');
      expect(await snapshot(held)).toEqual(before);
    },
  );

  const ALL = {
    ...CHANGES,
    UPDATE_PROFILE: [UPDATE_PROFILE, () => ({ input: { name: 'Eve' } })],
    SEND_EMAIL_VERIFICATION: [SEND_EMAIL_VERIFICATION, (id: string) => ({ input: { id } })],
  } as const;

  test.each(Object.entries(ALL))(
    '%s is made by nobody unknown (L11: the guard is the only way to a viewer)',
    async (_name, [mutation, variables]) => {
      const held = await someone();
      const [email] = await emailsOf(held);
      const before = await snapshot(held);
      const { result } = await gateway.client().send(mutation, variables(email?.id ?? ''));
      expect(result).toEqual({ __typename: 'Unauthenticated', reason: 'NO_CREDENTIAL' });
      expect(await snapshot(held)).toEqual(before);
    },
  );
});

describe('a change of the primary address', () => {
  test('needs the new one to be verified, and until then all is as before (R13: without the check anything typed becomes the address that resets the password)', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const address = newAddress();
    await add(held, address);
    const id = await emailId(held, address);
    expect((await held.client.send(SET_PRIMARY_EMAIL, { input: { id } })).result.__typename).toBe('EmailNotVerified');
    const logIn = (email: string) => gateway.client().send(LOG_IN, { input: { email, password: person.password } });
    expect((await logIn(address)).result.__typename).toBe('InvalidCredentials');
    expect((await logIn(person.email)).result.__typename).toBe('LoggedIn');
  });

  test('tells the old address, which cannot be taken off before (R13: without the notice a thief changes it in silence)', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const address = newAddress();
    const id = await addVerified(gateway, held, address);
    await gateway.mails.rest(person.email);
    await held.client.send(SET_PRIMARY_EMAIL, { input: { id } });
    const old = await emailId(held, person.email);
    await held.client.send(REMOVE_EMAIL, { input: { id: old } });
    expect((await gateway.mails.rest(person.email)).map(({ subject }) => subject)).toEqual([
      expect.stringMatching(/main email address/i),
    ]);
  });

  test('tells a verified old address both of the change and of its removal (R13)', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    await verifyPrimary(gateway, held);
    const id = await addVerified(gateway, held, newAddress());
    await gateway.mails.rest(person.email);
    await held.client.send(SET_PRIMARY_EMAIL, { input: { id } });
    await held.client.send(REMOVE_EMAIL, { input: { id: await emailId(held, person.email) } });
    expect(await gateway.mails.rest(person.email)).toHaveLength(2);
  });

  test('voids the login code and the link that went to the old one (R05: without voidAll who reads the old mailbox logs in)', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    await verifyPrimary(gateway, held);
    const id = await addVerified(gateway, held, newAddress());
    await gateway.mails.rest(person.email);
    const asked = await gateway.client().send(REQUEST_LOGIN_CODE, { input: { email: person.email } });
    const { code, token } = await gateway.mails.next(person.email);
    expect(code).not.toBe('');
    await held.client.send(SET_PRIMARY_EMAIL, { input: { id } });
    for (const proof of [{ token }, { code: { handle: asked.result.loginToken, code } }]) {
      const { result } = await gateway.client().send(LOG_IN_WITH_CODE, { input: { proof } });
      expect(result).toEqual({ __typename: 'InvalidToken', message: expect.any(String) });
    }
  });

  test('voids what was on its way to an address that is removed, even if it is added again (R06: a link mailed to the first claim would answer the second)', async () => {
    const held = await someone();
    const address = newAddress();
    const handle = handleOf(await add(held, address));
    const { code, token } = await gateway.mails.next(address);
    await held.client.send(REMOVE_EMAIL, { input: { id: await emailId(held, address) } });
    await gateway.sql(
      'INSERT INTO emails (id, user_id, address, is_primary, created_at) VALUES (gen_random_uuid(), $1, $2, false, now())',
      [held.userId, address],
    );
    expect((await verify({ token })).result.__typename).toBe('InvalidToken');
    expect((await verify({ code: { handle, code } })).result.__typename).toBe('InvalidToken');
  });
});

describe('an address that somebody only says is theirs', () => {
  test('keeps nobody from signing up with it (R14: a unique index over claims would)', async () => {
    const squatter = await someone();
    const victim = newPerson();
    await add(squatter, victim.email);
    const held = await signUp(gateway.client(), victim);
    expect(await emailsOf(held)).toMatchObject([{ email: victim.email, primary: true }]);
    await gateway.mails.rest(victim.email);
    await verifyPrimary(gateway, held);
    expect((await emailsOf(squatter)).map(({ email }) => email)).not.toContain(victim.email);
  });

  test.each(['as a claim', 'as what they signed up with'])(
    'keeps nobody from verifying it: %s (R14: a decoy for the owner would)',
    async (how) => {
      const address = newAddress();
      const squatter =
        how === 'as a claim' ? await someone() : await signUp(gateway.client(), { ...newPerson(), email: address });
      if (how === 'as a claim') await add(squatter, address);
      await gateway.mails.rest(address);
      const owner = await someone();
      await addVerified(gateway, owner, address);
      expect(await emailsOf(owner)).toMatchObject([{ primary: true }, { email: address, verified: true }]);
      expect((await emailsOf(squatter)).map(({ email }) => email)).not.toContain(address);
    },
  );

  test('logs nobody in, and gets no login code for its account (R14: finding accounts by claims would)', async () => {
    const person = newPerson();
    const squatter = await signUp(gateway.client(), person);
    const address = newAddress();
    await add(squatter, address);
    await gateway.mails.next(address);
    const login = await gateway.client().send(LOG_IN, { input: { email: address, password: person.password } });
    expect(login.result.__typename).toBe('InvalidCredentials');
    await gateway.client().send(REQUEST_LOGIN_CODE, { input: { email: address } });
    for (const { code, token } of await gateway.mails.rest(address)) expect([code, token]).toEqual(['', '']);
  });

  test('is one that a taken sign-up goes on hiding (P12: a claim is not a holder)', async () => {
    const squatter = await someone();
    const victim = newPerson();
    await add(squatter, victim.email);
    const { result } = await gateway.client().send(SIGN_UP, { input: victim });
    expect(result.__typename).toBe('LoggedIn');
  });
});

describe('races for one address', () => {
  test('have one winner of two people who verify it fifty times at once (R13: without the lock both hold it, or a request fails)', async () => {
    const people = [await someone(), await someone()];
    const address = newAddress();
    const proofs: Record<string, unknown>[] = [];
    for (const held of people) {
      const handle = handleOf(await add(held, address));
      const { code, token } = await gateway.mails.next(address);
      proofs.push({ code: { handle, code } }, { token });
    }
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => verify(proofs[n % proofs.length] ?? {})));
    const kinds = answers.map(({ result }) => result.__typename);
    expect(kinds.filter((kind) => kind === 'EmailVerified')).toHaveLength(1);
    expect(kinds.filter((kind) => !['EmailVerified', 'InvalidToken', 'InvalidCode'].includes(kind))).toEqual([]);
    const holders = await gateway.sql('SELECT user_id FROM emails WHERE address = $1 AND verified_at IS NOT NULL', [
      address,
    ]);
    expect(holders).toHaveLength(1);
  });

  test('have one winner on the record, of two connections (R13)', async () => {
    const people = [await someone(), await someone()];
    const address = parseEmailAddress(newAddress());
    const number = parsePhoneNumber(newPhone());
    if (!address || !number) throw new Error('the examples are wrong');
    const { database } = gateway.app;
    const now = gateway.clock();
    for (const { userId } of people) await emailRecords.claim(database, userId, address, now);
    const verified = await Promise.all(
      people.map(({ userId }) => database.transaction((db) => emailRecords.verify(db, userId, address, now))),
    );
    expect(verified.sort()).toEqual(['not theirs', 'verified']);
    const numbers = await Promise.all(
      people.map(({ userId }) => database.transaction((db) => phoneRecords.verify(db, userId, number, now))),
    );
    expect(numbers.sort()).toEqual([false, true]);
  });

  test('leave an account whole when addresses are added, chosen and removed at once (R13: without the lock on the person there are more than ten)', async () => {
    const held = await someone();
    const ids = [await addVerified(gateway, held, newAddress()), await addVerified(gateway, held, newAddress())];
    for (let n = 0; n < 6; n += 1) await add(held, newAddress());
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, n) => {
        const id = ids[n % 2];
        if (n % 4 === 0) return add(held, newAddress());
        if (n % 4 === 3) return held.client.send(REMOVE_EMAIL, { input: { id } });
        return held.client.send(SET_PRIMARY_EMAIL, { input: { id } });
      }),
    );
    for (const { errors } of answers) expect(errors).toEqual([]);
    const own = await emailsOf(held);
    expect(own.length).toBeLessThanOrEqual(10);
    expect(own.filter(({ primary }) => primary)).toHaveLength(1);
  });
});
