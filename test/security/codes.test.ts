import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer, GraphQLClient } from '../support/client.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  CONTINUE_LOGIN,
  CURRENT_USER,
  hold,
  LOG_IN,
  LOG_IN_WITH_CODE,
  logIn,
  newPerson,
  type Person,
  REQUEST_LOGIN_CODE,
  RESEND_CODE,
  SIGN_UP,
  signUp,
  VERIFY_EMAIL,
} from '../support/people.ts';

// Codes and links, whatever they are for. What a password reset adds stands in password-reset.test.ts.

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({
    env: { POSTERN_EMAIL_VERIFICATION: 'mandatory', POSTERN_RATE_LIMITS: 'off', POSTERN_PENDING_LOGIN_LIFETIME: '1h' },
  });
});
afterAll(() => gateway.stop());

type Proof = { readonly token: string } | { readonly code: { readonly handle: string; readonly code: string } };

/** Everything that takes a code or a link, and how one comes by it. */
const WAYS = {
  verifyEmail: {
    async begin(client: GraphQLClient, person: Person) {
      return String((await client.send(SIGN_UP, { input: person })).result.loginToken);
    },
    answer: (client: GraphQLClient, proof: Proof) => client.send(VERIFY_EMAIL, { input: { proof } }),
  },
  logInWithCode: {
    async begin(client: GraphQLClient, person: Person) {
      await member(person);
      return String((await client.send(REQUEST_LOGIN_CODE, { input: { email: person.email } })).result.loginToken);
    },
    answer: (client: GraphQLClient, proof: Proof) => client.send(LOG_IN_WITH_CODE, { input: { proof } }),
  },
};

async function member(person: Person): Promise<void> {
  const client = gateway.client();
  const handle = await WAYS.verifyEmail.begin(client, person);
  const { code } = await gateway.mails.next(person.email);
  hold(client, await WAYS.verifyEmail.answer(client, { code: { handle, code } }));
}

const kindOf = ({ result }: Answer) => result.__typename;

describe.each(Object.entries(WAYS))('the code and the link of %s', (_name, { begin, answer }) => {
  async function begun() {
    const person = newPerson();
    const client = gateway.client();
    const handle = await begin(client, person);
    return { person, client, handle, mail: await gateway.mails.next(person.email) };
  }

  test('work once, of fifty at a time (R04: reading before writing lets several through)', async () => {
    for (const which of ['code', 'link']) {
      const { client, handle, mail } = await begun();
      const proof: Proof = which === 'link' ? { token: mail.token } : { code: { handle, code: mail.code } };
      const answers = await Promise.all(Array.from({ length: 50 }, () => answer(client, proof)));
      const won = answers.filter((each) => ['LoggedIn', 'EmailVerified'].includes(kindOf(each)));
      expect(won).toHaveLength(1);
    }
  });

  test('are too old by the clock, not by a clean-up (R03: without the comparison at use they live on)', async () => {
    const code = await begun();
    gateway.clock.advance(10 * 60_000);
    expect(kindOf(await answer(code.client, { code: { handle: code.handle, code: code.mail.code } }))).toBe(
      'InvalidToken',
    );
    const link = await begun();
    gateway.clock.advance(24 * 3_600_000);
    expect(kindOf(await answer(gateway.client(), { token: link.mail.token }))).toBe('InvalidToken');
  });

  test('do nothing by being looked at (R12: a link that acts on GET is used up by mail scanners)', async () => {
    const { mail } = await begun();
    const { pathname, search } = new URL(mail.link);
    for (const method of ['GET', 'HEAD', 'GET', 'OPTIONS'])
      await fetch(`${gateway.url}${pathname}${search}`, { method, headers: { purpose: 'prefetch' } });
    expect(['LoggedIn', 'EmailVerified']).toContain(kindOf(await answer(gateway.client(), { token: mail.token })));
  });

  test('five checks at all, however often the code is sent again (R11: a count that resending resets is none)', async () => {
    const { client, handle } = await begun();
    const guess = () => answer(client, { code: { handle, code: 'BBBB-BBBB' } });
    for (let n = 0; n < 4; n += 1) expect(kindOf(await guess())).toBe('InvalidCode');
    gateway.clock.advance(30_000);
    expect(kindOf(await client.send(RESEND_CODE, { input: { handle } }))).toBe('CodeSent');
    expect((await guess()).result).toMatchObject({ __typename: 'InvalidCode', attemptsLeft: 0 });
    expect(kindOf(await guess())).toBe('LoginExpired');
  });

  test('fifty guesses at a time are five checks (counted after the check, all fifty are made)', async () => {
    const { client, handle } = await begun();
    const guesses = await Promise.all(
      Array.from({ length: 50 }, () => answer(client, { code: { handle, code: 'BBBB-BBBB' } })),
    );
    expect(guesses.filter((each) => kindOf(each) === 'InvalidCode')).toHaveLength(5);
  });

  test('do not do with the handle of somebody else (R06: a code that is looked up by itself fits any handle)', async () => {
    const [mine, theirs] = [await begun(), await begun()];
    const crossed = await answer(mine.client, { code: { handle: theirs.handle, code: mine.mail.code } });
    expect(kindOf(crossed)).toBe('InvalidCode');
  });

  test('are nothing that can be read as something else (R06)', async () => {
    const { client, handle, mail } = await begun();
    for (const token of [handle, mail.code, `${mail.token}A`, mail.token.slice(0, -1), mail.token.toLowerCase(), ''])
      expect(kindOf(await answer(client, { token }))).toBe('InvalidToken');
    for (const name of [mail.token, mail.code, ''])
      expect(kindOf(await answer(client, { code: { handle: name, code: mail.code } }))).toBe('InvalidToken');
    for (const bearer of [handle, mail.token]) {
      const { result } = await gateway.client().bearing(bearer).send(CURRENT_USER);
      expect(result.__typename).toBe('Unauthenticated');
    }
  });

  test('are not stored as they are (R02: a dump of the database would log in)', async () => {
    const { handle, mail } = await begun();
    const tables = await gateway.sql<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('public', 'graphile_worker')`,
    );
    for (const { name } of tables) {
      const [dump] = await gateway.sql<{ text: string }>(
        `SELECT coalesce(string_agg(t::text, ' '), '') AS text FROM ${name} t`,
      );
      for (const secret of [handle, mail.token, mail.code, mail.code.replace('-', '')])
        expect(dump?.text).not.toContain(secret);
    }
  });
});

test('a code is for what it was sent for only (R06: without the purpose any code does for anything)', async () => {
  const person = newPerson();
  const client = gateway.client();
  const handle = await WAYS.verifyEmail.begin(client, person);
  const mail = await gateway.mails.next(person.email);
  for (const proof of [{ token: mail.token }, { code: { handle, code: mail.code } }])
    expect(kindOf(await WAYS.logInWithCode.answer(client, proof))).toBe('InvalidToken');
  hold(client, await WAYS.verifyEmail.answer(client, { code: { handle, code: mail.code } }));
});

test('who began a login in the name of another gets nothing of the link that the other opens (a fact on that login would)', async () => {
  const victim = newPerson();
  await member(victim);
  const attacker = gateway.client();
  const begun = await attacker.send(REQUEST_LOGIN_CODE, { input: { email: victim.email } });
  const mail = await gateway.mails.next(victim.email);
  const browser = gateway.client();
  hold(browser, await WAYS.logInWithCode.answer(browser, { token: mail.token }));
  const { result } = await attacker.send(CONTINUE_LOGIN, { input: { loginToken: begun.result.loginToken } });
  expect(result.__typename).toBe('LoginExpired');
});

test('a link that verifies an address logs nobody in, and carries on no login of another (its token has to be the one)', async () => {
  const [person, other] = [newPerson(), newPerson()];
  await WAYS.verifyEmail.begin(gateway.client(), person);
  const mail = await gateway.mails.next(person.email);
  const theirs = await WAYS.verifyEmail.begin(gateway.client(), other);
  const { result } = await gateway.client().send(VERIFY_EMAIL, {
    input: { proof: { token: mail.token }, loginToken: theirs },
  });
  expect(result).toMatchObject({ __typename: 'EmailVerified', email: person.email });
  const still = await gateway.client().send(CONTINUE_LOGIN, { input: { loginToken: theirs } });
  expect(still.result.__typename).toBe('EmailVerificationRequired');
});

describe('who proves a mailbox by a login code', () => {
  let open: Gateway;
  beforeAll(async () => {
    open = await startGateway({ env: { POSTERN_EMAIL_VERIFICATION: 'optional', POSTERN_RATE_LIMITS: 'off' } });
  });
  afterAll(() => open.stop());

  async function byCode(email: string) {
    const client = open.client();
    const { result } = await client.send(REQUEST_LOGIN_CODE, { input: { email } });
    const mails = [await open.mails.next(email)];
    while (!mails.at(-1)?.code) mails.push(await open.mails.next(email));
    const proof = { code: { handle: result.loginToken, code: mails.at(-1)?.code } };
    return hold(client, await client.send(LOG_IN_WITH_CODE, { input: { proof } }));
  }

  test('does not share a never-verified account with who set it up before (R14: else its password and sessions stay)', async () => {
    const victim = newPerson();
    const attacker = await signUp(open.client(), victim);
    const owner = await byCode(victim.email);
    expect(owner.userId).toBe(attacker.userId);
    expect((await attacker.client.send(CURRENT_USER)).result.__typename).toBe('Unauthenticated');
    expect((await open.client().send(LOG_IN, { input: victim })).result.__typename).toBe('InvalidCredentials');
    expect((await owner.client.send(CURRENT_USER)).result).toMatchObject({ emailVerified: true, hasPassword: false });
  });

  test('keeps everything of an account that was verified before', async () => {
    const person = newPerson();
    const first = await signUp(open.client(), person);
    const { token } = await open.mails.next(person.email);
    await open.client().send(VERIFY_EMAIL, { input: { proof: { token } } });
    await byCode(person.email);
    await logIn(open.client(), person);
    expect((await first.client.send(CURRENT_USER)).result.__typename).toBe('User');
  });
});

describe('mails that anybody can ask for', () => {
  let limited: Gateway;
  beforeAll(async () => {
    limited = await startGateway();
  });
  afterAll(() => limited.stop());

  test('come three an hour to one address; the answer stays the same (R08: without the limit twenty come)', async () => {
    const person = newPerson();
    await signUp(limited.client(), person);
    const kinds = new Set<string>();
    for (let n = 0; n < 20; n += 1)
      kinds.add(kindOf(await limited.client().send(REQUEST_LOGIN_CODE, { input: { email: person.email } })));
    expect([...kinds]).toEqual(['LoginCodeRequired']);
    expect(await limited.mails.rest(person.email)).toHaveLength(3);
  });

  test('come ten an hour by one client address; the answer stays the same (R08)', async () => {
    const client = limited.client();
    const people = Array.from({ length: 12 }, newPerson);
    for (const { email } of people)
      expect(kindOf(await client.send(REQUEST_LOGIN_CODE, { input: { email } }))).toBe('LoginCodeRequired');
    const mails = await Promise.all(people.map(({ email }) => limited.mails.rest(email)));
    expect(mails.flat()).toHaveLength(10);
  });

  test('ten codes of one recipient are checked in a quarter of an hour, whatever the handles (L01: five tries times any number of handles)', async () => {
    const person = newPerson();
    await signUp(limited.client(), person);
    const guesses: string[] = [];
    for (let request = 0; request < 3; request += 1) {
      const { result } = await limited.client().send(REQUEST_LOGIN_CODE, { input: { email: person.email } });
      for (let n = 0; n < 5; n += 1) {
        const proof = { code: { handle: result.loginToken, code: 'BBBB-BBBB' } };
        guesses.push(kindOf(await limited.client().send(LOG_IN_WITH_CODE, { input: { proof } })));
      }
    }
    expect(guesses.filter((kind) => kind === 'InvalidCode')).toHaveLength(10);
    expect(guesses.slice(10)).toEqual(Array(5).fill('RateLimited'));
  });
});
