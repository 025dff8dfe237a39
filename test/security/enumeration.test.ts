import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ACCOUNT,
  ADD_EMAIL,
  newPhone,
  REMOVE_EMAIL,
  SEND_EMAIL_VERIFICATION,
  SET_PHONE,
  SET_PRIMARY_EMAIL,
  setVerifiedPhone,
} from '../support/account.ts';
import type { Answer, GraphQLClient } from '../support/client.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { REQUEST_RESET, RESET_PASSWORD } from '../support/passwords.ts';
import {
  CHANGE_PENDING_EMAIL,
  CONTINUE_LOGIN,
  hold,
  LOG_IN,
  LOG_IN_WITH_CODE,
  REQUEST_LOGIN_CODE,
  RESEND_CODE,
  SIGN_UP,
  VERIFY_EMAIL,
  VERIFY_PHONE,
} from '../support/people.ts';
import { recordStatements, type Statements } from '../support/statements.ts';
import { mannWhitney, median } from '../support/statistics.ts';

const PENDING_LOGIN = `query Pending($loginToken: String!) { pendingLogin(loginToken: $loginToken) {
  __typename ... on PendingLogin { loginToken expiresAt } ... on LoginCodeRequired { resendAvailableAt }
  ... on EmailVerificationRequired { email resendAvailableAt } ... on Problem { message }
} }`;

/** High enough that nothing is refused; that it is counted is a part of the work. */
const COUNTED = JSON.stringify(
  Object.fromEntries(
    [
      'passwordPerAccount',
      'passwordPerAddress',
      'signUpPerAddress',
      'continueLoginPerAddress',
      'codePerAccount',
      'codePerAddress',
      'mailPerRecipient',
      'mailPerAddress',
      'requestPerAddress',
      'changePerAccount',
    ].map((name) => [name, '1000000/1h']),
  ),
);
const PASSWORD = 'tall ladder in the library';
const WRONG_CODE = 'BBBB-BBBB';
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** A gateway, and what it asks its database. */
interface World {
  readonly gateway: Gateway;
  readonly statements: Statements;
}

async function open(env: Record<string, string>, { sms = false } = {}): Promise<World> {
  const gateway = await startGateway({ sms, env: { POSTERN_EMAIL_VERIFICATION: 'mandatory', ...env } });
  return { gateway, statements: recordStatements(gateway) };
}

let world: World;
beforeAll(async () => {
  const hash = process.env.POSTERN_TEST_HASH;
  world = await open({ POSTERN_RATE_LIMITS: COUNTED, ...(hash ? { POSTERN_PASSWORD_HASH: hash } : {}) });
});
afterAll(() => world.gateway.stop());

let made = 0;
/** An address that nobody has, as long as any other of these. */
function address(): string {
  made += 1;
  return `grace.${String(made).padStart(8, '0')}@example.com`;
}

/** What can be seen of an answer, by somebody who knows what they sent. */
interface Seen {
  readonly step: string;
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
  /** What was asked of the database for it. */
  readonly work: readonly string[];
}

/** Somebody who notes everything that can be noticed. */
class Observer {
  readonly seen: Seen[] = [];
  readonly world: World;
  readonly client: GraphQLClient;

  constructor(at: World = world, client: GraphQLClient = at.gateway.client()) {
    this.world = at;
    this.client = client;
  }

  async ask(step: string, query: string, variables: Record<string, unknown>): Promise<Answer> {
    // What was sent before is delivered: that work belongs to no answer.
    await this.world.gateway.mails.rest('');
    this.world.statements.take();
    const answer = await this.client.send(query, variables);
    const { status, headers, text } = answer;
    this.seen.push({
      step,
      status,
      headers: [...headers]
        .filter(([name]) => name !== 'x-request-id' && name !== 'date')
        .map((pair) => pair.join(': ')),
      body: blank(text),
      work: this.world.statements
        .take()
        .filter((statement) => !isElsewhere(statement))
        .map(inShort),
    });
    return answer;
  }

  /** Waits, as everybody does: the clock is one for all. */
  wait(milliseconds: number): void {
    this.world.gateway.clock.advance(milliseconds);
  }
}

// Who is signed in is asked for or remembered, whichever the bus has come to; counts are taken back a moment later, and
// that a limit was hit is written down beside the answer.
const isElsewhere = (statement: string) =>
  /FROM sessions s JOIN users u|^UPDATE rate_limits|^WITH first_refusal/.test(statement);

/** What a statement does, and to which table. */
function inShort(statement: string): string {
  const [verb = '', next = ''] = statement.split(' ');
  const table = /(?:FROM|INTO) ([a-z_.]+)/.exec(statement)?.[1] ?? next;
  return /^[A-Z]+$/.test(verb) && verb.length > 5 && !verb.endsWith('POINT') ? `${verb} ${table}` : verb;
}

/** Without what is different for every answer. What is left has the same length. */
function blank(text: string): string {
  return text
    .replace(/p[a-z]_[A-Za-z0-9_-]{43}/g, 'TOKEN')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')
    .replace(/\+1202555\d{4}/g, 'NUMBER')
    .replace(/••••••\d\d/g, 'NUMBER')
    .replace(/grace\.\d{8}/g, 'LOCAL-PART');
}

type Scenario = () => Promise<readonly Seen[]>;

/** Plays the same with each of several people and fails where one can be told from the first. */
async function expectAlike(scenarios: Readonly<Record<string, Scenario>>): Promise<void> {
  const played: [string, readonly Seen[]][] = [];
  for (const [name, play] of Object.entries(scenarios)) played.push([name, await play()]);
  const [first, ...others] = played;
  for (const [name, seen] of others) {
    const shown = (steps: readonly Seen[] | undefined) => steps?.map(({ work: _, ...rest }) => rest);
    expect({ name, seen: shown(seen) }).toEqual({ name, seen: shown(first?.[1]) });
  }
  expect(
    others.flatMap(([name, seen]) => seen.flatMap((each, index) => otherWork(name, each, first?.[1][index]))),
  ).toEqual([]);
}

/** Says what was asked of the database for one answer and not for another, where it was more or less. */
function otherWork(name: string, one: Seen, other: Seen | undefined): string[] {
  if (one.work.length === other?.work.length) return [];
  const [more, less] = [without(one.work, other?.work ?? []), without(other?.work ?? [], one.work)];
  return [
    `${name}, ${one.step}: ${more.map((each) => `+ ${each}`).join(' ')} ${less.map((each) => `- ${each}`).join(' ')}`,
  ];
}

function without(all: readonly string[], some: readonly string[]): string[] {
  const rest = [...some];
  return all.filter((each) => {
    const at = rest.indexOf(each);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

/** Everybody who may stand behind an address. Each call makes another one; the result is the address. */
const PEOPLE: Readonly<Record<string, (at?: World) => Promise<string>>> = {
  nobody: async () => address(),
  'somebody who verified it': (at) => member({ at }),
  'somebody who never verified it': (at) => member({ at, verified: false }),
  'somebody who is disabled': (at) => member({ at, sql: 'UPDATE users SET disabled_at = now() WHERE id = $1' }),
  'somebody without a password': (at) => member({ at, sql: 'DELETE FROM passwords WHERE user_id = $1' }),
  'somebody who only says that it is theirs': async (at) => {
    const claimed = address();
    const { client } = await signedIn(at);
    const { result } = await client.send(ADD_EMAIL, { input: { email: claimed } });
    expect(result.__typename).toBe('CodeSent');
    return claimed;
  },
};

async function member({
  at = world,
  verified = true,
  sql = '',
}: {
  at?: World | undefined;
  verified?: boolean;
  sql?: string;
} = {}): Promise<string> {
  const { gateway } = at;
  const { email, userId } = await signedIn(at);
  if (!verified) await gateway.sql('UPDATE emails SET verified_at = NULL WHERE user_id = $1', [userId]);
  if (sql) await gateway.sql(sql, [userId]);
  return email;
}

async function signedIn({ gateway }: World = world) {
  const email = address();
  const bare = gateway.client();
  const { result } = await bare.send(SIGN_UP, { input: { email, password: PASSWORD } });
  const { code } = await gateway.mails.next(email);
  const proof = { code: { handle: result.loginToken, code } };
  return { email, ...hold(bare, await bare.send(VERIFY_EMAIL, { input: { proof } })) };
}

/** A scenario for each of the people, begun with their address. */
function withEachOf(play: (email: string) => Promise<readonly Seen[]>, at: World = world): Record<string, Scenario> {
  return Object.fromEntries(Object.entries(PEOPLE).map(([name, make]) => [name, async () => play(await make(at))]));
}

/** Everything that can be done with a login without its code, until it is over. */
async function exhaustLogin(observer: Observer, loginToken: unknown, answerTo: string): Promise<void> {
  const input = { proof: { code: { handle: loginToken, code: WRONG_CODE } } };
  const look = async () => {
    await observer.ask('look', PENDING_LOGIN, { loginToken });
    await observer.ask('go on', CONTINUE_LOGIN, { input: { loginToken } });
    await observer.ask('resend', RESEND_CODE, { input: { handle: loginToken } });
  };
  await look();
  await observer.ask('answer elsewhere', answerTo === VERIFY_EMAIL ? LOG_IN_WITH_CODE : VERIFY_EMAIL, { input });
  await observer.ask('nonsense', answerTo, { input: { proof: { code: { handle: loginToken, code: '?' } } } });
  await observer.ask('wrong', answerTo, { input });
  observer.wait(11 * MINUTE);
  await observer.ask('too late', answerTo, { input });
  await look();
  await observer.ask('resend at once', RESEND_CODE, { input: { handle: loginToken } });
  for (const step of ['wrong again', 'wrong once more', 'the last one', 'one more']) {
    await observer.ask(step, answerTo, { input });
  }
  observer.wait(31 * SECOND);
  await look();
}

/** The same for a handle. */
async function exhaustHandle(observer: Observer, handle: unknown, query: string, more = {}): Promise<void> {
  const input = { proof: { code: { handle, code: WRONG_CODE } }, ...more };
  const resend = (step: string) => observer.ask(step, RESEND_CODE, { input: { handle } });
  await resend('resend at once');
  await observer.ask('answer elsewhere', LOG_IN_WITH_CODE, { input: { proof: input.proof } });
  await observer.ask('wrong', query, { input });
  observer.wait(11 * MINUTE);
  await observer.ask('too late', query, { input });
  await resend('resend');
  for (const step of ['wrong again', 'wrong for the third time', 'wrong for the fourth time', 'the last one', 'more']) {
    await observer.ask(step, query, { input });
  }
  observer.wait(31 * SECOND);
  await resend('resend when it is over');
}

describe('nobody can tell who is behind an address, by any answer, its headers or the work for it', () => {
  test('from signing up with it, as far as that goes without its mailbox (P12: telling of the address instead of its holder)', async () => {
    await expectAlike(
      withEachOf(async (email) => {
        const observer = new Observer();
        const { result } = await observer.ask('sign up', SIGN_UP, { input: { email, password: PASSWORD } });
        await exhaustLogin(observer, result.loginToken, VERIFY_EMAIL);
        return observer.seen;
      }),
    );
  });

  test('from asking for a login code, as far as that goes without its mailbox (R07: answering only who is known)', async () => {
    await expectAlike(
      withEachOf(async (email) => {
        const observer = new Observer();
        const { result } = await observer.ask('ask', REQUEST_LOGIN_CODE, { input: { email } });
        await exhaustLogin(observer, result.loginToken, LOG_IN_WITH_CODE);
        return observer.seen;
      }),
    );
  });

  test('from asking for a password reset, as far as that goes without its mailbox (R07)', async () => {
    await expectAlike(
      withEachOf(async (email) => {
        const observer = new Observer();
        const { result } = await observer.ask('ask', REQUEST_RESET, { input: { email } });
        await exhaustHandle(observer, result.handle, RESET_PASSWORD, { newPassword: 'another ladder in the garden' });
        const again = await observer.ask('ask again', REQUEST_RESET, { input: { email } });
        const proof = { code: { handle: again.result.handle, code: WRONG_CODE } };
        await observer.ask('a bad password', RESET_PASSWORD, { input: { proof, newPassword: 'short' } });
        await observer.ask('the first handle', RESEND_CODE, { input: { handle: result.handle } });
        return observer.seen;
      }),
    );
  });

  test('from wrong passwords (L07, L08)', async () => {
    await expectAlike(
      withEachOf(async (email) => {
        const observer = new Observer();
        for (let guess = 0; guess < 3; guess += 1) {
          await observer.ask('guess', LOG_IN, { input: { email, password: 'a guess that is wrong' } });
        }
        return observer.seen;
      }),
    );
  });

  for (const [start, begin] of Object.entries({
    'of a sign-up that became an account': PEOPLE.nobody,
    'of a sign-up that only looks like one': PEOPLE['somebody who verified it'],
  })) {
    test(`from correcting the address ${start} to it (P12: refusing what is taken)`, async () => {
      await expectAlike(withEachOf((email) => correctTo(email, begin as () => Promise<string>)));
    });
  }

  test('from correcting the address of a sign-up: whether the first one was taken', async () => {
    await expectAlike(withEachOf((email) => correctTo(address(), async () => email)));
  });

  async function correctTo(email: string, begin: () => Promise<string>): Promise<readonly Seen[]> {
    const typed = await begin();
    const observer = new Observer();
    const { result } = await observer.ask('sign up', SIGN_UP, { input: { email: typed, password: PASSWORD } });
    const { loginToken } = result;
    const correct = (step: string, to: string) =>
      observer.ask(step, CHANGE_PENDING_EMAIL, { input: { loginToken, email: to } });
    await correct('to the same', typed);
    await observer.ask('wrong', VERIFY_EMAIL, { input: { proof: { code: { handle: loginToken, code: WRONG_CODE } } } });
    await correct('correct', email);
    await observer.ask('look', PENDING_LOGIN, { loginToken });
    await correct('to the same again', email);
    await correct('back', typed);
    await correct('and again', email);
    await observer.ask('wrong', VERIFY_EMAIL, { input: { proof: { code: { handle: loginToken, code: WRONG_CODE } } } });
    observer.wait(31 * SECOND);
    await observer.ask('resend', RESEND_CODE, { input: { handle: loginToken } });
    for (const step of ['wrong again', 'wrong once more', 'the last one', 'one more']) {
      await observer.ask(step, VERIFY_EMAIL, { input: { proof: { code: { handle: loginToken, code: WRONG_CODE } } } });
    }
    await correct('when it is over', address());
    await observer.ask('look', PENDING_LOGIN, { loginToken });
    return observer.seen;
  }

  test('from adding it to an account of their own (without the decoy, "taken" would say so)', async () => {
    await expectAlike(
      withEachOf(async (email) => {
        const observer = new Observer(world, (await signedIn()).client);
        const { result } = await observer.ask('add', ADD_EMAIL, { input: { email } });
        const { result: account } = await observer.ask('look', ACCOUNT, {});
        const id = (account.emails as { id: string; email: string }[]).find((own) => own.email === email)?.id;
        await observer.ask('send at once', SEND_EMAIL_VERIFICATION, { input: { id } });
        await observer.ask('choose', SET_PRIMARY_EMAIL, { input: { id } });
        await exhaustHandle(observer, result.handle, VERIFY_EMAIL);
        await observer.ask('send', SEND_EMAIL_VERIFICATION, { input: { id } });
        await observer.ask('add again', ADD_EMAIL, { input: { email } });
        await observer.ask('look', ACCOUNT, {});
        await observer.ask('remove', REMOVE_EMAIL, { input: { id } });
        return observer.seen;
      }),
    );
  });
});

describe('nobody can tell who is behind a number either', () => {
  const WRONG_NUMBER = '000000';
  let phones: World;
  beforeAll(async () => {
    phones = await open({ POSTERN_RATE_LIMITS: COUNTED, POSTERN_LOGIN_IDENTIFIERS: 'email,phone' }, { sms: true });
  });
  afterAll(() => phones.gateway.stop());

  const PHONES: Readonly<Record<string, () => Promise<string>>> = {
    nobody: async () => newPhone(),
    'somebody who verified it': () => owner(),
    'somebody who never verified it': () => owner('UPDATE phones SET verified_at = NULL WHERE user_id = $1'),
    'somebody who is disabled': () => owner('UPDATE users SET disabled_at = now() WHERE id = $1'),
  };

  async function owner(sql = ''): Promise<string> {
    const held = await signedIn(phones);
    const number = newPhone();
    await setVerifiedPhone(phones.gateway, held, number);
    if (sql) await phones.gateway.sql(sql, [held.userId]);
    return number;
  }

  const withEachPhone = (play: (phone: string) => Promise<readonly Seen[]>): Record<string, Scenario> =>
    Object.fromEntries(Object.entries(PHONES).map(([name, make]) => [name, async () => play(await make())]));

  async function guess(observer: Observer, handle: unknown, query: string, inputOf: (code: object) => object) {
    const code = { handle, code: WRONG_NUMBER };
    for (const step of ['wrong', 'wrong again', 'wrong for the third time']) {
      await observer.ask(step, query, { input: inputOf(code) });
    }
    observer.wait(31 * SECOND);
    await observer.ask('resend', RESEND_CODE, { input: { handle } });
    for (const step of ['wrong for the fourth time', 'the last one', 'one more']) {
      await observer.ask(step, query, { input: inputOf(code) });
    }
  }

  test('from signing up with it', async () => {
    await expectAlike(
      withEachPhone(async (phone) => {
        const observer = new Observer(phones);
        const { result } = await observer.ask('sign up', SIGN_UP, { input: { phone, password: PASSWORD } });
        await observer.ask('look', PENDING_LOGIN, { loginToken: result.loginToken });
        await observer.ask('go on', CONTINUE_LOGIN, { input: { loginToken: result.loginToken } });
        await guess(observer, result.loginToken, VERIFY_PHONE, (code) => ({ code }));
        return observer.seen;
      }),
    );
  });

  test('from asking for a login code or a reset (R07)', async () => {
    await expectAlike(
      withEachPhone(async (phone) => {
        const observer = new Observer(phones);
        const login = await observer.ask('ask for a code', REQUEST_LOGIN_CODE, { input: { phone } });
        await guess(observer, login.result.loginToken, LOG_IN_WITH_CODE, (code) => ({ proof: { code } }));
        const reset = await observer.ask('ask for a reset', REQUEST_RESET, { input: { phone } });
        const newPassword = 'another ladder in the garden';
        await guess(observer, reset.result.handle, RESET_PASSWORD, (code) => ({ proof: { code }, newPassword }));
        return observer.seen;
      }),
    );
  });

  test('from setting it for an account of their own', async () => {
    await expectAlike(
      withEachPhone(async (phone) => {
        const observer = new Observer(phones, (await signedIn(phones)).client);
        const { result } = await observer.ask('set', SET_PHONE, { input: { phone } });
        await observer.ask('look', ACCOUNT, {});
        await guess(observer, result.handle, VERIFY_PHONE, (code) => ({ code }));
        await observer.ask('set again', SET_PHONE, { input: { phone } });
        return observer.seen;
      }),
    );
  });
});

describe('what tells nobody either who is behind an address', () => {
  test('are the limits of mails and of tries (R08)', async () => {
    const limited = await open({});
    await expectAlike(
      withEachOf(async (email) => {
        const observer = new Observer(limited);
        await limited.gateway.mails.rest(email);
        // Another client each time: it is the address that is limited.
        const another = async (step: string, query: string, variables: Record<string, unknown>) => {
          const each = new Observer(limited);
          const answer = await each.ask(step, query, variables);
          observer.seen.push(...each.seen);
          return answer;
        };
        for (let time = 0; time < 5; time += 1) {
          const asked = await another('ask for a code', REQUEST_LOGIN_CODE, { input: { email } });
          const code = { handle: asked.result.loginToken, code: WRONG_CODE };
          for (let guess = 0; guess < 2; guess += 1) {
            await another('guess it', LOG_IN_WITH_CODE, { input: { proof: { code } } });
          }
          const reset = await another('ask for a reset', REQUEST_RESET, { input: { email } });
          const proof = { code: { handle: reset.result.handle, code: WRONG_CODE } };
          await another('guess that', RESET_PASSWORD, { input: { proof, newPassword: PASSWORD } });
        }
        expect(observer.seen.some(({ body }) => body.includes('RateLimited'))).toBe(true);
        // Three of each kind; without the limit there are ten.
        expect((await limited.gateway.mails.rest(email)).length).toBeLessThanOrEqual(6);
        return observer.seen;
      }, limited),
    );
    await limited.gateway.stop();
  });

  test('are mails that a setting keeps from strangers', async () => {
    const silent = await open({ POSTERN_RATE_LIMITS: COUNTED, POSTERN_MAIL_UNKNOWN_ACCOUNTS: 'off' });
    await expectAlike(
      withEachOf(async (email) => {
        const observer = new Observer(silent);
        await observer.ask('ask for a code', REQUEST_LOGIN_CODE, { input: { email } });
        await observer.ask('ask for a reset', REQUEST_RESET, { input: { email } });
        return observer.seen;
      }, silent),
    );
    await silent.gateway.stop();
  });
});

// Time is measured by hand, on a machine that does nothing else: with POSTERN_TEST_TIMES=150 in the environment.
const pairs = Number(process.env.POSTERN_TEST_TIMES ?? 0);
const whenAsked = pairs > 0 ? describe : () => undefined;
whenAsked('the time of an answer', () => {
  type Prepared = readonly [client: GraphQLClient, query: string, input: Record<string, unknown>];
  const stranger = () => world.gateway.client();
  /** What is timed, once all that goes before it is done. */
  const operations: Readonly<Record<string, (email: string) => Promise<Prepared>>> = {
    signUp: async (email) => [stranger(), SIGN_UP, { email, password: PASSWORD }],
    requestLoginCode: async (email) => [stranger(), REQUEST_LOGIN_CODE, { email }],
    requestPasswordReset: async (email) => [stranger(), REQUEST_RESET, { email }],
    logInWithPassword: async (email) => [stranger(), LOG_IN, { email, password: 'a guess that is wrong' }],
    addEmail: async (email) => [(await signedIn()).client, ADD_EMAIL, { email }],
    'changePendingEmail from it': async (email) => {
      const [client, loginToken] = await begun(email);
      return [client, CHANGE_PENDING_EMAIL, { loginToken, email: address() }];
    },
    'changePendingEmail to it': async (email) => {
      const [client, loginToken] = await begun(address());
      return [client, CHANGE_PENDING_EMAIL, { loginToken, email }];
    },
    'continueLogin after signUp': async (email) => {
      const [client, loginToken] = await begun(email);
      return [client, CONTINUE_LOGIN, { loginToken }];
    },
    'resendCode after signUp': async (email) => {
      const [client, handle] = await begun(email);
      world.gateway.clock.advance(31 * SECOND);
      return [client, RESEND_CODE, { handle }];
    },
  };

  async function begun(email: string): Promise<[GraphQLClient, unknown]> {
    const client = stranger();
    const { result } = await client.send(SIGN_UP, { input: { email, password: PASSWORD } });
    return [client, result.loginToken];
  }

  test.each(Object.entries(operations))('of %s', { timeout: 900_000 }, async (name, prepare) => {
    const kinds = ['nobody', 'somebody who verified it'] as const;
    const times = { nobody: [] as number[], 'somebody who verified it': [] as number[] };
    const warmUp = 20;
    for (let pair = 0; pair < pairs + warmUp; pair += 1) {
      // Both are prepared first: whoever is asked about at once would be found in warmer caches.
      const prepared = await Promise.all(kinds.map(async (kind) => prepare((await PEOPLE[kind]?.()) ?? '')));
      for (const at of Math.random() < 0.5 ? [0, 1] : [1, 0]) {
        const [client, query, input] = prepared[at] as Prepared;
        await world.gateway.mails.rest('');
        const from = performance.now();
        await client.send(query, { input });
        if (pair >= warmUp) times[kinds[at] as 'nobody'].push(performance.now() - from);
      }
    }
    const [nobody, known] = [times.nobody, times['somebody who verified it']];
    const { auc, p } = mannWhitney(known, nobody);
    const [one, other] = [median(known), median(nobody)];
    const difference = ((one / other - 1) * 100).toFixed(1);
    process.stdout.write(
      `${name}: known ${one.toFixed(2)} ms, unknown ${other.toFixed(2)} ms, ${difference} %, AUC ${auc.toFixed(3)}, p ${p.toFixed(4)}\n`,
    );
  });
});
