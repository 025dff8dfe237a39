import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAX_CONSECUTIVE_ATTEMPTS } from '../../src/records/passwords.ts';
import type { Answer, GraphQLClient } from '../support/client.ts';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import { LOG_IN, logIn, newPerson, type Person, signUp } from '../support/people.ts';

const UNLIMITED = { POSTERN_RATE_LIMITS: 'off' };

let gateway: Gateway;
let unlimited: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
  unlimited = await startGateway({ env: UNLIMITED });
});
afterAll(() => Promise.all([gateway.stop(), unlimited.stop()]));

function tryPassword(client: GraphQLClient, email: string, password = 'a guess that is wrong'): Promise<Answer> {
  return client.send(LOG_IN, { input: { email, password } });
}

/** How many passwords a gateway has checked, counted where the work is done. */
function countChecks({ app }: Gateway): { checks: number } {
  const counter = { checks: 0 };
  const reserve = app.passwords.reserve.bind(app.passwords);
  Object.assign(app.passwords, {
    reserve() {
      const slot = reserve();
      if (!slot) return null;
      const verify: typeof slot.verify = (password, stored) => {
        counter.checks += 1;
        return slot.verify(password, stored);
      };
      return { ...slot, verify };
    },
  });
  return counter;
}

async function waitForSlots({ app }: Gateway, attempt: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await attempt();
    // One second is what a full queue says; a limit says more.
    if (answer.result.__typename !== 'RateLimited' || answer.result.retryAfter !== 1) return answer;
    await new Promise((resolve) => setTimeout(resolve, 5));
    app.log.debug('the queue was full');
  }
}

describe('guessing a password', () => {
  test('stops for good after a hundred wrong guesses in a row, and looks like one more wrong guess (L01)', async () => {
    const person = newPerson();
    const { userId } = await signUp(unlimited.client(), person);
    for (let guess = 0; guess < MAX_CONSECUTIVE_ATTEMPTS; guess += 1) {
      expect((await tryPassword(unlimited.client(), person.email)).result.__typename).toBe('InvalidCredentials');
    }
    expect((await tryPassword(unlimited.client(), person.email, person.password)).result.__typename).toBe(
      'InvalidCredentials',
    );
    // What setting a password anew does.
    await unlimited.sql('UPDATE passwords SET consecutive_attempts = 0 WHERE user_id = $1', [userId]);
    await logIn(unlimited.client(), person);
  });

  test('starts anew after a right one (L01)', async () => {
    const person = newPerson();
    await signUp(unlimited.client(), person);
    for (let round = 0; round < 3; round += 1) {
      for (let guess = 0; guess < 45; guess += 1) await tryPassword(unlimited.client(), person.email);
      await logIn(unlimited.client(), person);
    }
  });

  test('is limited for an account over all instances and addresses (L02: counting in memory would double it)', async () => {
    const other = await gateway.another();
    const checks = [countChecks(gateway), countChecks(other)];
    const { email } = newPerson();
    for (let guess = 0; guess < 15; guess += 1) {
      await tryPassword(gateway.client(), email);
      await tryPassword(other.client(), email);
    }
    expect(checks.reduce((sum, { checks: count }) => sum + count, 0)).toBe(10);
  });

  test('is limited for an account however many guesses come at once (L03: counting after the hash lets them all through)', async () => {
    const counter = countChecks(gateway);
    const person = newPerson();
    await signUp(gateway.client(), person);
    const answers = await Promise.all(
      Array.from({ length: 200 }, () =>
        waitForSlots(gateway, () => tryPassword(gateway.client({ 'x-forwarded-for': newAddress() }), person.email)),
      ),
    );
    expect(counter.checks).toBe(10);
    expect(answers.filter(({ result }) => result.__typename === 'RateLimited')).toHaveLength(190);
    expect(answers.every(({ result }) => result.__typename !== 'RateLimited' || Number(result.retryAfter) > 1)).toBe(
      true,
    );
  });

  test("is not given back by the guesser's own right logins (L04: clearing the counter of the address would)", async () => {
    const own = newPerson();
    const victim = newPerson();
    await signUp(gateway.client(), own);
    await signUp(gateway.client(), victim);
    const client = gateway.client();
    const kinds: string[] = [];
    for (let guess = 0; guess < 80; guess += 1) {
      kinds.push((await tryPassword(client, `${guess}.${victim.email}`)).result.__typename);
      if (guess % 5 === 0) await tryPassword(client, own.email, own.password);
    }
    const checked = kinds.filter((kind) => kind === 'InvalidCredentials').length;
    // A right login counts until its count is taken back, a moment later.
    expect(checked).toBeGreaterThan(55);
    expect(checked).toBeLessThanOrEqual(60);
    expect(kinds.slice(60).every((kind) => kind === 'RateLimited')).toBe(true);
  });

  test('is limited for the spelling of an address that its account is found by, whatever was typed', async () => {
    const { email } = newPerson();
    const spellings = [email, email.toUpperCase(), ` ${email}`, email.replace('ada', 'ａda')];
    const kinds: string[] = [];
    for (let guess = 0; guess < 14; guess += 1) {
      kinds.push((await tryPassword(gateway.client(), spellings[guess % 4] ?? '')).result.__typename);
    }
    expect(kinds.slice(10)).toEqual(Array(4).fill('RateLimited'));
  });

  test('takes its own count back when it was right, so that nobody is locked out by logging in often', async () => {
    const person = newPerson();
    await signUp(gateway.client(), person);
    for (let time = 0; time < 15; time += 1) {
      await logIn(gateway.client(), person);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
});

describe("a client's address (L05)", () => {
  const limited = { POSTERN_RATE_LIMITS: '{"passwordPerAddress":"5/1h"}' };

  async function passes(target: Gateway, headers: readonly Record<string, string>[]): Promise<number> {
    let passed = 0;
    for (const more of headers) {
      const answer = await tryPassword(target.client({ 'x-forwarded-for': '', ...more }), newPerson().email);
      if (answer.result.__typename === 'InvalidCredentials') passed += 1;
    }
    return passed;
  }

  test('is that of the connection where no proxy is trusted, whatever headers claim', async () => {
    const direct = await startGateway({ env: { ...limited, POSTERN_TRUSTED_PROXIES: '0' } });
    const headers = Array.from({ length: 12 }, (_, index) => ({
      'x-forwarded-for': `203.0.113.${index}`,
      forwarded: `for=203.0.113.${index}`,
      'x-real-ip': `203.0.113.${index}`,
      'cf-connecting-ip': `203.0.113.${index}`,
      'true-client-ip': `203.0.113.${index}`,
    }));
    expect(await passes(direct, headers)).toBe(5);
    await direct.stop();
  });

  test('is what the trusted proxy wrote, not what the client wrote before it', async () => {
    const behind = await startGateway({ env: limited });
    const headers = Array.from({ length: 12 }, (_, index) => ({
      'x-forwarded-for': `203.0.113.${index}, 198.51.100.7`,
    }));
    expect(await passes(behind, headers)).toBe(5);
    await behind.stop();
  });

  test('counts even if it is missing or cannot be read', async () => {
    const behind = await startGateway({ env: limited });
    const unreadable = [
      '',
      'unknown',
      '_hidden',
      '999.1.1.1',
      '1.2.3',
      'evil"',
      ',',
      ', ,',
      '[::1',
      'null',
      '0x7f.1',
      '::g',
    ];
    expect(
      await passes(
        behind,
        unreadable.map((value) => ({ 'x-forwarded-for': value })),
      ),
    ).toBe(5);
    await behind.stop();
  });

  test('counts for the whole /64 of IPv6, in every spelling', async () => {
    const behind = await startGateway({ env: limited });
    const spellings = [
      '2001:db8:1:2::1',
      '2001:DB8:1:2::1',
      '2001:0db8:0001:0002:0:0:0:2',
      '[2001:db8:1:2::3]:443',
      '2001:db8:1:2:ffff:ffff:ffff:ffff',
      '2001:db8:1:2::192.0.2.1',
      '2001:db8:1:2:a::',
      '2001:db8:1:2:0:b::',
      '2001:db8:1:2::c%eth0',
    ];
    expect(
      await passes(
        behind,
        spellings.map((value) => ({ 'x-forwarded-for': value })),
      ),
    ).toBe(5);
    expect(await passes(behind, [{ 'x-forwarded-for': '2001:db8:1:3::1' }])).toBe(1);
    await behind.stop();
  });

  test('is the same for IPv4 and its IPv6 spelling', async () => {
    const behind = await startGateway({ env: limited });
    const spellings = [
      '192.0.2.9',
      '::ffff:192.0.2.9',
      '::FFFF:192.0.2.9',
      '192.0.2.9:1234',
      '::ffff:c000:209',
      '[::ffff:192.0.2.9]:80',
      '0:0:0:0:0:ffff:192.0.2.9',
    ];
    expect(
      await passes(
        behind,
        spellings.map((value) => ({ 'x-forwarded-for': value })),
      ),
    ).toBe(5);
    await behind.stop();
  });
});

describe('a refused login', () => {
  /** Everybody who cannot log in, each for a reason of their own. */
  async function refusedPeople(): Promise<Readonly<Record<string, Person>>> {
    const make = async (sql?: string) => {
      const person = newPerson();
      const { userId } = await signUp(unlimited.client(), person);
      if (sql) await unlimited.sql(sql, [userId]);
      return person;
    };
    const known = await make();
    return {
      'an unknown address': newPerson(),
      'a wrong password': { ...known, password: 'a guess that is wrong' },
      'a disabled account': await make('UPDATE users SET disabled_at = now() WHERE id = $1'),
      'a worn-out password': await make('UPDATE passwords SET consecutive_attempts = 100 WHERE user_id = $1'),
      'an account without a password': await make('DELETE FROM passwords WHERE user_id = $1'),
      'a hash that cannot be read': await make("UPDATE passwords SET hash = 'nonsense' WHERE user_id = $1"),
      'a hash under a lost secret': await make("UPDATE passwords SET pepper_key_id = '00000000' WHERE user_id = $1"),
    };
  }

  test('reads the same for every reason: body, status and headers (L07)', async () => {
    const answers = new Map<string, string>();
    for (const [reason, person] of Object.entries(await refusedPeople())) {
      const { status, headers, text } = await tryPassword(unlimited.client(), person.email, person.password);
      const shown = [...headers].filter(([name]) => name !== 'x-request-id' && name !== 'date');
      answers.set(reason, JSON.stringify({ status, shown, text }));
    }
    expect(new Set(answers.values()).size).toBe(1);
    expect([...answers.values()][0]).toContain('InvalidCredentials');
  });

  test('takes the same work for every reason: one check of one hash (L08: without the decoy some take none)', async () => {
    const counter = countChecks(unlimited);
    for (const [reason, person] of Object.entries(await refusedPeople())) {
      const before = counter.checks;
      await tryPassword(unlimited.client(), person.email, person.password);
      expect([reason, counter.checks - before]).toEqual([reason, 1]);
    }
  });

  test('costs a hash even where there is nothing to compare with (L08)', async () => {
    const slot = unlimited.app.passwords.reserve();
    expect(slot).not.toBeNull();
    const outcome = await slot?.verify('whatever', null);
    expect(outcome).toEqual({ matches: false, needsRehash: false });
    slot?.release();
  });

  test('is told by the form of the input alone where it is malformed', async () => {
    const cases = [
      [{ password: 'x' }, 'email', 'REQUIRED'],
      [{ email: 'ada', password: 'x' }, 'email', 'INVALID'],
      [{ email: newPerson().email, password: '' }, 'password', 'REQUIRED'],
      [{ username: 'ada', password: 'x' }, 'username', 'NOT_ALLOWED'],
      [{ phone: '+491701234567', password: 'x' }, 'phone', 'NOT_ALLOWED'],
    ] as const;
    for (const [input, field, code] of cases) {
      const { result } = await gateway.client().send(LOG_IN, { input });
      expect(result).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: [field], code }] });
    }
  });
});

describe('a gateway that is busy with hashing', () => {
  test('refuses further logins with a typed answer at once, and goes on answering everything else', async () => {
    const person = newPerson();
    const held = await signUp(unlimited.client(), person);
    const slots = Array.from({ length: 10_000 }, () => unlimited.app.passwords.reserve()).filter(
      (slot) => slot !== null,
    );
    try {
      const { result } = await tryPassword(unlimited.client(), person.email, person.password);
      expect(result).toMatchObject({ __typename: 'RateLimited', retryAfter: 1 });
      expect((await held.client.send('{ currentUser { __typename } }')).result.__typename).toBe('User');
    } finally {
      for (const slot of slots) slot.release();
    }
    await logIn(unlimited.client(), person);
  });
});

describe('a login that meets a change of the account', () => {
  test('opens no session if the password was replaced since it was checked (without the condition the old one opens it)', async () => {
    const person = newPerson();
    const { userId } = await signUp(unlimited.client(), person);
    const { reserve } = unlimited.app.passwords;
    Object.assign(unlimited.app.passwords, {
      reserve() {
        const slot = reserve.call(unlimited.app.passwords);
        if (!slot) return null;
        const verify: typeof slot.verify = async (password, stored) => {
          const outcome = await slot.verify(password, stored);
          await unlimited.sql("UPDATE passwords SET changed_at = changed_at + interval '1 second' WHERE user_id = $1", [
            userId,
          ]);
          return outcome;
        };
        return { ...slot, verify };
      },
    });
    const { result } = await tryPassword(unlimited.client(), person.email, person.password);
    Object.assign(unlimited.app.passwords, { reserve });
    expect(result.__typename).toBe('InvalidCredentials');
    await logIn(unlimited.client(), person);
  });
});
