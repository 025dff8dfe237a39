import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { continueLogin, pendingLogin } from '../../src/flows/continue-login.ts';
import { logInWithPassword } from '../../src/flows/log-in-with-password.ts';
import type { Caller } from '../../src/flows/shared/outcomes.ts';
import { hashToken, makeToken } from '../../src/lib/secrets.ts';
import type { Prompt, Stage } from '../../src/login/stage.ts';
import { type Answer, GraphQLClient } from '../support/client.ts';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import {
  CONTINUE_LOGIN,
  type CredentialKind,
  CURRENT_SESSION,
  CURRENT_USER,
  cookieOf,
  type Held,
  ISSUE_ACCESS_TOKEN,
  LOG_OUT,
  logIn,
  newPerson,
  REFRESH,
  signUp,
} from '../support/people.ts';

const KINDS = ['SESSION_TOKEN', 'COOKIE', 'JWT'] as const satisfies CredentialKind[];
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;
const IDLE = 7 * DAY;
const LIFETIME = 30 * DAY;

let gateway: Gateway;
let other: Gateway;
beforeAll(async () => {
  // Instances of one gateway are reached at one address.
  gateway = await startGateway({ env: { POSTERN_PUBLIC_URL: 'http://auth.test' } });
  other = await gateway.another();
});
afterAll(() => gateway.stop());

/** The same client at another instance. */
const at = ({ url }: Gateway, { client }: Held) => new GraphQLClient(url, client.headers);
const see = async (client: GraphQLClient) => (await client.send(CURRENT_USER)).result;
/** The reason for which a client is nobody; null if it is somebody. */
const refusal = async (client: GraphQLClient) => {
  const { status, result } = (await client.send(CURRENT_USER)) satisfies Answer;
  expect(status).toBe(200);
  return result.__typename === 'Unauthenticated' ? result.reason : null;
};
const lastSeen = async (client: GraphQLClient) =>
  Date.parse(String((await client.send(CURRENT_SESSION)).result.lastSeenAt));

/** How long it takes until a client is refused. Once it is, it stays so. */
async function refusedWithin(client: GraphQLClient, milliseconds: number): Promise<number> {
  const begun = performance.now();
  while ((await refusal(client)) === null) {
    if (performance.now() - begun > milliseconds) throw new Error(`still recognised after ${milliseconds} ms`);
  }
  const took = performance.now() - begun;
  for (let again = 0; again < 3; again += 1) expect(await refusal(client)).not.toBeNull();
  return took;
}

/** Every credential that one person may hold: a session in each form, and a JWT for each that is not one. */
async function everything(
  email = newPerson(),
): Promise<{ userId: string; clients: GraphQLClient[]; refreshToken: string }> {
  const first = await signUp(gateway.client(), email, 'SESSION_TOKEN');
  const cookie = await logIn(gateway.client(), email, 'COOKIE');
  const jwt = await logIn(gateway.client(), email, 'JWT');
  const issued = await Promise.all(
    [first, cookie].map(async ({ client }) => (await client.send(ISSUE_ACCESS_TOKEN)).result.accessToken as string),
  );
  const clients = [first, cookie, jwt].map(({ client }) => client);
  return {
    userId: first.userId,
    clients: [...clients, ...issued.map((token) => gateway.client().bearing(token))],
    refreshToken: jwt.refreshToken ?? '',
  };
}

/** Sends lines as they are, and reads the whole answer: fetch would tidy them up. */
function raw(lines: readonly string[], body = JSON.stringify({ query: '{ currentUser { __typename } }' })) {
  const { hostname, port } = new URL(gateway.url);
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => {
      const head = [
        'POST /graphql HTTP/1.1',
        `Host: ${hostname}:${port}`,
        'Content-Type: application/json',
        `Content-Length: ${Buffer.byteLength(body)}`,
        'Connection: close',
        ...lines,
      ];
      socket.write(`${head.join('\r\n')}\r\n\r\n${body}`, 'latin1');
    });
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk) => chunks.push(chunk)).on('error', reject);
    socket.on('close', () => {
      const text = Buffer.concat(chunks).toString();
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text });
    });
  });
}

/** Where a text, or the bytes it stands for, is kept in the database. */
async function placesOf(...texts: string[]): Promise<string[]> {
  const tables = await gateway.sql<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
  );
  const needles = texts.flatMap((text) => {
    const body = text.replace(/^p[a-z]_/, '');
    return [body, Buffer.from(text).toString('hex'), Buffer.from(body, 'base64url').toString('hex')];
  });
  const found: string[] = [];
  for (const { name } of tables) {
    const [row] = await gateway.sql<{ all: string | null }>(`SELECT string_agg(t::text, ' ') AS all FROM "${name}" t`);
    if (needles.some((needle) => row?.all?.includes(needle))) found.push(name);
  }
  return found;
}

describe('S01 a session token', () => {
  test('has 256 bits, and only its hash is stored (stored as it is, the scan finds it)', async () => {
    for (const kind of ['SESSION_TOKEN', 'COOKIE'] as const) {
      const { token } = await signUp(gateway.client(), newPerson(), kind);
      expect(token).toMatch(/^ps_[A-Za-z0-9_-]{43}$/);
      expect(await placesOf(token)).toEqual([]);
      const rows = await gateway.sql('SELECT 1 FROM sessions WHERE token_hash = $1', [hashToken(token)]);
      expect(rows).toHaveLength(1);
    }
  });
});

describe('S02 the cookie', () => {
  const attributesOf = (answer: Answer) => answer.headers.getSetCookie().map((line) => line.split('; '));

  test('is HttpOnly, SameSite=Lax, of the whole host and no domain (by the attributes of cookie.ts)', async () => {
    const { answer } = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const { session } = answer.result as unknown as { session: { id: string } };
    const [row] = await gateway.sql<{ expires_at: Date }>('SELECT expires_at FROM sessions WHERE id = $1', [
      session.id,
    ]);
    const [[pair = '', ...attributes] = [], ...more] = attributesOf(answer);
    expect(more).toEqual([]);
    expect(pair).toMatch(/^postern=ps_/);
    expect(attributes.sort()).toEqual(
      ['Path=/', 'HttpOnly', 'SameSite=Lax', `Expires=${row?.expires_at.toUTCString()}`].sort(),
    );
  });

  test('behind https has the __Host- prefix and Secure, and its plain name opens nothing', async () => {
    const secure = await gateway.another({ POSTERN_PUBLIC_URL: 'https://auth.example' });
    const held = await signUp(secure.client(), newPerson(), 'COOKIE');
    const [[pair = '', ...attributes] = []] = attributesOf(held.answer);
    expect(pair).toMatch(/^__Host-postern=ps_/);
    expect(attributes).toEqual(expect.arrayContaining(['Path=/', 'HttpOnly', 'SameSite=Lax', 'Secure']));
    expect(attributes.filter((attribute) => /^domain/i.test(attribute))).toEqual([]);
    expect(await refusal(held.client)).toBeNull();
    expect(await refusal(secure.client({ cookie: `postern=${held.token}` }))).toBe('NO_CREDENTIAL');
    const out = await held.client.send(LOG_OUT);
    expect(attributesOf(out)[0]).toEqual(
      expect.arrayContaining(['__Host-postern=', 'Path=/', 'Secure', expect.stringMatching('1970')]),
    );
  });

  test('is set by nothing but a login', async () => {
    const jwt = await signUp(gateway.client(), newPerson(), 'JWT');
    const token = await signUp(gateway.client(), newPerson(), 'SESSION_TOKEN');
    const refreshed = await gateway.client().send(REFRESH, { input: { refreshToken: jwt.refreshToken } });
    const cookie = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const used = await cookie.client.send(CURRENT_USER);
    for (const answer of [jwt.answer, token.answer, refreshed, used]) expect(answer.headers.getSetCookie()).toEqual([]);
  });
});

describe('S03 a cookie’s token', () => {
  test('stands in no body, no header but Set-Cookie, and no log line (the union member has no field for it)', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'COOKIE');
    const answers = [held.answer, await held.client.send(CURRENT_USER), await held.client.send(CURRENT_SESSION)];
    answers.push(await held.client.send(ISSUE_ACCESS_TOKEN), await held.client.send(LOG_OUT));
    for (const answer of answers) {
      expect(answer.text).not.toContain(held.token);
      const headers = [...answer.headers].filter(([name]) => name !== 'set-cookie');
      expect(JSON.stringify(headers)).not.toContain(held.token);
    }
    expect(gateway.logs.join('\n')).not.toContain(held.token);
  });

  test('and every other credential opens nothing in a URL (nothing reads one there)', async () => {
    const { clients, refreshToken } = await everything();
    const values = clients.map(({ headers }) =>
      (headers.authorization ?? headers.cookie ?? '').replace(/^Bearer |^postern=/, ''),
    );
    for (const value of [...values, refreshToken]) {
      for (const name of ['access_token', 'token', 'session', 'postern', 'authorization']) {
        const query = new URLSearchParams({ query: '{ currentUser { __typename } }', [name]: value });
        const response = await fetch(`${gateway.url}/graphql?${query}`);
        expect(await response.text()).not.toContain('"User"');
      }
    }
    expect(gateway.logs.join('\n')).not.toContain(refreshToken);
  });
});

describe.each(KINDS)('S04 a session held as %s', (kind) => {
  /** JWTs live for minutes: this one is made anew at each use, from a token that never ages by itself. */
  const holder = async () => {
    const held = await signUp(gateway.client(), newPerson(), kind);
    if (kind !== 'JWT') return { held, use: (where: Gateway = gateway) => refusal(at(where, held)) };
    let { refreshToken } = held;
    const use = async (where: Gateway = gateway) => {
      const { result } = await where.client().send(REFRESH, { input: { refreshToken } });
      if (result.__typename !== 'SessionTokensRefreshed') return result.reason;
      const pair = result.credential as { accessToken: string; refreshToken: string };
      refreshToken = pair.refreshToken;
      return refusal(where.client().bearing(pair.accessToken));
    };
    return { held, use };
  };

  test('is over when it was idle for the limit, and not a second before (expiryOf; without it, it lives)', async () => {
    const [one, two] = [await holder(), await holder()];
    expect(await one.use()).toBeNull();
    gateway.clock.advance(IDLE - SECOND);
    expect(await one.use()).toBeNull();
    gateway.clock.advance(SECOND);
    expect(await two.use()).toBe('EXPIRED');
    expect(await one.use()).toBeNull();
    gateway.clock.advance(IDLE);
    expect(await one.use()).toBe('EXPIRED');
    expect(await one.use(other)).toBe('EXPIRED');
  });

  test('is over at its absolute limit, however much it was used (use moves last_seen_at, never expires_at)', async () => {
    const { use, held } = await holder();
    const expiry = () => gateway.sql('SELECT expires_at FROM sessions WHERE id = $1', [held.sessionId]);
    const before = await expiry();
    for (let day = 0; day < 29; day += 1) {
      gateway.clock.advance(DAY);
      if (day % 5 === 0) expect(await use()).toBeNull();
    }
    expect(await use()).toBeNull();
    gateway.clock.advance(LIFETIME - 29 * DAY - SECOND);
    expect(await use()).toBeNull();
    expect(await use(other)).toBeNull();
    gateway.clock.advance(SECOND);
    expect(await use()).toBe('EXPIRED');
    expect(await use(other)).toBe('EXPIRED');
    expect(await expiry()).toEqual(before);
  });
});

describe('S04 the use of a session', () => {
  test('at another instance keeps it alive at this one (an expired memory is read again)', async () => {
    const held = await signUp(gateway.client(), newPerson());
    expect(await refusal(held.client)).toBeNull();
    gateway.clock.advance(IDLE - DAY);
    expect(await refusal(at(other, held))).toBeNull();
    gateway.clock.advance(2 * DAY);
    expect(await refusal(held.client)).toBeNull();
  });

  test('is written at most once a minute, and told at once (writtenAt; without it each use writes)', async () => {
    const held = await signUp(gateway.client(), newPerson());
    const version = async () =>
      (await gateway.sql<{ xmin: string }>('SELECT xmin::text FROM sessions WHERE id = $1', [held.sessionId]))[0]?.xmin;
    const versions = [await version()];
    for (let step = 0; step < 36; step += 1) {
      gateway.clock.advance(5 * SECOND);
      await Promise.all(Array.from({ length: 5 }, () => see(held.client)));
      expect(await lastSeen(held.client)).toBe(gateway.clock().getTime());
      versions.push(await version());
    }
    expect(new Set(versions).size).toBe(1 + 3);
  });

  test('that is refused is no use (nothing is noted before the session is known to live)', async () => {
    const held = await signUp(gateway.client(), newPerson());
    gateway.clock.advance(IDLE);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(await refusal(held.client)).toBe('EXPIRED');
      gateway.clock.advance(2 * MINUTE);
    }
    const [row] = await gateway.sql<{ moved: boolean }>(
      'SELECT last_seen_at > created_at AS moved FROM sessions WHERE id = $1',
      [held.sessionId],
    );
    expect(row?.moved).toBe(false);
  });
});

describe('S05 logging out', () => {
  test.each(KINDS)(
    'ends a session held as %s at once here, and elsewhere within a second (transact drops it here, the bus there)',
    async (kind) => {
      const held = await signUp(gateway.client(), newPerson(), kind);
      const { accessToken } = (await held.client.send(ISSUE_ACCESS_TOKEN)).result as unknown as { accessToken: string };
      const here = [held.client, gateway.client().bearing(accessToken)];
      const there = here.map(({ headers }) => new GraphQLClient(other.url, headers));
      for (const client of [...here, ...there]) expect(await refusal(client)).toBeNull();

      expect((await held.client.send(LOG_OUT)).result).toMatchObject({
        __typename: 'LoggedOut',
        sessionId: held.sessionId,
      });
      for (const client of here) expect(await refusal(client)).toBe('REVOKED');
      for (const client of there) expect(await refusedWithin(client, 2_000)).toBeLessThan(1_000);
      if (held.refreshToken) {
        const { result } = await other.client().send(REFRESH, { input: { refreshToken: held.refreshToken } });
        expect(result).toMatchObject({ __typename: 'Unauthenticated', reason: 'REVOKED' });
      }
    },
  );

  test('at the other instance is as good, and twice is once', async () => {
    const held = await signUp(gateway.client(), newPerson());
    expect(await refusal(held.client)).toBeNull();
    const answers = await Promise.all(Array.from({ length: 5 }, () => at(other, held).send(LOG_OUT)));
    expect(answers.some(({ result }) => result.__typename === 'LoggedOut')).toBe(true);
    expect(await refusedWithin(held.client, 2_000)).toBeLessThan(1_000);
    const events = await gateway.sql(`SELECT 1 FROM events WHERE kind = 'SessionEnded' AND session_id = $1`, [
      held.sessionId,
    ]);
    expect(events).toHaveLength(1);
  });

  test('is answered only once this instance forgot: not one of many requests afterwards is recognised', async () => {
    for (let round = 0; round < 5; round += 1) {
      const held = await signUp(gateway.client(), newPerson());
      const noise = Array.from({ length: 10 }, () => see(held.client));
      await held.client.send(LOG_OUT);
      const after = await Promise.all(Array.from({ length: 10 }, () => refusal(held.client)));
      expect(after).toEqual(after.map(() => 'REVOKED'));
      await Promise.all(noise);
    }
  });
});

describe('L12 S05 a change made by plain SQL', () => {
  test.each([
    ['of the sessions', `UPDATE sessions SET ended_at = now(), end_reason = 'REVOKED' WHERE user_id = $1`],
    ['that removes the sessions', 'DELETE FROM sessions WHERE user_id = $1'],
    ['that disables the account', 'UPDATE users SET disabled_at = now() WHERE id = $1'],
    ['that deletes the account', 'DELETE FROM users WHERE id = $1'],
  ])(
    '%s kills session token, cookie, JWT and refresh token at both instances (triggers and the bus; the refresh asks the rows)',
    async (_change, statement) => {
      const person = newPerson();
      const { userId, clients, refreshToken } = await everything(person);
      const everywhere = clients.flatMap((client) => [client, new GraphQLClient(other.url, client.headers)]);
      for (const client of everywhere) expect(await refusal(client)).toBeNull();
      await gateway.sql(statement, [userId]);
      const waits = await Promise.all(everywhere.map((client) => refusedWithin(client, 2_000)));
      expect(Math.max(...waits)).toBeLessThan(1_000);
      for (const where of [gateway, other]) {
        const { result } = await where.client().send(REFRESH, { input: { refreshToken } });
        expect(result.__typename).toBe('Unauthenticated');
      }
      if (statement.includes('users'))
        await expect(logIn(gateway.client(), person)).rejects.toThrow('InvalidCredentials');
    },
  );
});

describe('S05 S15 while the instance cannot hear of changes', () => {
  const busPid = async () => {
    const rows = await gateway.sql<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query IN ('LISTEN postern', 'SELECT 1')
       AND pid <> pg_backend_pid() ORDER BY backend_start`,
    );
    return rows.map(({ pid }) => pid);
  };
  const until = async (holds: () => boolean) => {
    while (!holds()) await sleep(2);
  };
  /** Has every instance remember a client: news of the sign-up itself may have undone the first reading. */
  const warm = async (client: GraphQLClient) => {
    for (let use = 0; use < 3; use += 1) {
      for (const { url } of [gateway, other]) expect(await refusal(new GraphQLClient(url, client.headers))).toBeNull();
      await sleep(20);
    }
  };
  const end = (sessionId: string) =>
    gateway.sql(`UPDATE sessions SET ended_at = now(), end_reason = 'REVOKED' WHERE id = $1`, [sessionId]);

  test('a killed connection serves nothing stale, neither while it is away nor after (isLive; dropAll on loss)', async () => {
    const [one, two] = [
      await signUp(gateway.client(), newPerson()),
      await signUp(gateway.client(), newPerson(), 'JWT'),
    ];
    const instances = [gateway, other];
    for (const { client } of [one, two]) await warm(client);
    for (const pid of await busPid()) await gateway.sql('SELECT pg_terminate_backend($1)', [pid]);
    await until(() => instances.every(({ app }) => !app.bus.isLive()));
    await end(one.sessionId);
    for (const where of instances) expect(await refusal(at(where, one))).toBe('REVOKED');
    for (const where of instances) expect(await refusal(at(where, two))).toBeNull();
    await end(two.sessionId);
    await until(() => instances.every(({ app }) => app.bus.isLive()));
    for (const where of instances)
      for (const held of [one, two]) expect(await refusal(at(where, held))).toBe('REVOKED');
    // And it hears again.
    const three = await signUp(gateway.client(), newPerson());
    expect(await refusal(at(other, three))).toBeNull();
    await end(three.sessionId);
    expect(await refusedWithin(at(other, three), 2_000)).toBeLessThan(1_000);
  });

  test('logging out is effective here at once, even while the news of it hangs (transact drops the session itself)', async () => {
    const held = await signUp(gateway.client(), newPerson());
    await warm(held.client);
    const pids = await busPid();
    try {
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      const begun = performance.now();
      expect((await held.client.send(LOG_OUT)).result.__typename).toBe('LoggedOut');
      expect(gateway.app.bus.isLive()).toBe(true);
      expect(await refusal(held.client)).toBe('REVOKED');
      expect(performance.now() - begun).toBeLessThan(900);
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
    await until(() => gateway.app.bus.isLive() && other.app.bus.isLive());
  });

  test('a connection that hangs without a word serves nothing that is older than a second (the heartbeat)', async () => {
    const held = await signUp(gateway.client(), newPerson());
    await warm(held.client);
    const pids = await busPid();
    expect(pids.length).toBeGreaterThanOrEqual(2);
    try {
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      await end(held.sessionId);
      expect(await refusedWithin(held.client, 2_000)).toBeLessThan(1_200);
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
    await until(() => gateway.app.bus.isLive() && other.app.bus.isLive());
    expect(await refusal(held.client)).toBe('REVOKED');
  });
});

describe('S08 a credential from before the login', () => {
  test('is never adopted, neither a made-up one nor somebody else’s (a login always makes its own token)', async () => {
    const mallory = await signUp(gateway.client(), newPerson(), 'COOKIE');
    for (const planted of [makeToken('session'), mallory.token, 'chosen']) {
      const held = await signUp(gateway.client({ cookie: `postern=${planted}` }), newPerson(), 'COOKIE');
      expect(held.token).not.toBe(planted);
      expect(await refusal(held.client)).toBeNull();
      expect(await refusal(gateway.client({ cookie: `postern=${planted}` }))).not.toBeNull();
    }
  });
});

describe('S09 two credentials', () => {
  test('are a 400 in all combinations, whoever they belong to (rawHeaders are counted; headers alone hide repeats)', async () => {
    const [ada, bob] = [newPerson(), newPerson()];
    const holders = [ada, bob, ada].entries();
    const sets: Record<string, string>[] = [];
    const known = new Set<string>();
    for (const [, person] of holders) {
      const enter = known.has(person.email) ? logIn : signUp;
      known.add(person.email);
      const token = await enter(gateway.client(), person, 'SESSION_TOKEN');
      const [cookie, jwt] = [
        await logIn(gateway.client(), person, 'COOKIE'),
        await logIn(gateway.client(), person, 'JWT'),
      ];
      sets.push({
        cookie: `Cookie: postern=${cookie.token}`,
        header: `X-Session-Token: ${token.token}`,
        bearer: `Authorization: Bearer ${token.token}`,
        jwt: `Authorization: bearer ${jwt.token}`,
      });
    }
    sets.push({
      cookie: 'Cookie: theme=dark; postern=none',
      header: 'x-session-token: none',
      bearer: 'AUTHORIZATION: BEARER none',
      jwt: `Authorization: Bearer ${makeToken('session')}`,
    });
    const [first = {}] = sets;
    for (const line of Object.values(first)) expect((await raw([line])).text).toContain('"User"');
    for (const one of Object.values(first)) {
      for (const two of sets.flatMap((set) => Object.values(set))) {
        for (const lines of [
          [one, two],
          [two, one],
        ]) {
          const { status, text } = await raw(lines);
          expect(`${status} ${lines.join(' | ')}`).toMatch(/^400 /);
          expect(text).not.toContain('"User"');
        }
      }
    }
  });

  test('count as two inside one Cookie header as well, and three are no better', async () => {
    const [one, two] = [
      await signUp(gateway.client(), newPerson(), 'COOKIE'),
      await signUp(gateway.client(), newPerson(), 'COOKIE'),
    ];
    const cases = [
      [`Cookie: postern=${one.token}; postern=${two.token}`],
      [`Cookie: postern=${one.token}; theme=dark; postern=${one.token}`],
      [`Cookie: postern=${one.token};postern=x`],
      [`Cookie: postern=${one.token}`, 'Cookie: theme=dark', `cookie: postern=${two.token}`],
      [`Cookie: postern=${one.token}`, 'Authorization: Bearer a', 'X-Session-Token: b'],
    ];
    for (const lines of cases) expect((await raw(lines)).status).toBe(400);
  });

  test('are not two when one of them is no credential of ours', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const cookie = `Cookie: postern=${held.token}`;
    const harmless = [
      'Authorization: Basic dXNlcjpwYXNz',
      'Cookie: postern2=x; xpostern=y; POSTERN=z; theme=postern=1',
      // No name and value at all: a browser may send it, and it names nothing.
      'Cookie: posternx',
      'Cookie: postern=',
      'X-Api-Key: postern',
    ];
    for (const line of harmless) expect((await raw([cookie, line])).text).toContain('"User"');
  });

  test('of one kind do not open another’s door: what is a cookie stays one (the session knows how it is held)', async () => {
    const [token, cookie, jwt] = await Promise.all(KINDS.map((kind) => signUp(gateway.client(), newPerson(), kind)));
    const doors = (value = '') => ({
      cookie: gateway.client({ cookie: `postern=${value}` }),
      header: gateway.client({ 'x-session-token': value }),
      bearer: gateway.client().bearing(value),
    });
    const open = async (value?: string) => {
      const entries = Object.entries(doors(value));
      const reasons = await Promise.all(entries.map(([, client]) => refusal(client)));
      return entries.map(([name]) => name).filter((_, index) => reasons[index] === null);
    };
    expect(await open(token?.token)).toEqual(['header', 'bearer']);
    expect(await open(cookie?.token)).toEqual(['cookie']);
    expect(await open(jwt?.token)).toEqual(['bearer']);
    expect(await open(jwt?.refreshToken ?? '')).toEqual([]);
  });
});

describe('S10 no answer', () => {
  test('may be kept by a cache, whatever became of the request (no-store is set before anything else)', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const query = encodeURIComponent('{ currentUser { __typename } }');
    const { headers } = held.client;
    const responses = await Promise.all([
      held.client.post(JSON.stringify({ query: CURRENT_USER })),
      held.client.post('no json'),
      held.client.post(JSON.stringify({ query: '{' })),
      held.client.post('{}', { 'content-type': 'text/plain' }),
      held.client.post('{}', { authorization: 'Bearer two' }),
      fetch(`${gateway.url}/graphql?query=${query}`, { headers }),
      fetch(`${gateway.url}/graphql`, { method: 'DELETE', headers }),
      fetch(`${gateway.url}/nowhere`, { headers }),
      fetch(`${gateway.url}/health/ready`, { headers }),
    ]);
    for (const response of responses) expect(response.headers.get('cache-control')).toBe('no-store');
    expect(held.answer.headers.get('cache-control')).toBe('no-store');
  });

  test('to logging out leaves the browser anything: the cookie goes, and what was stored of this origin', async () => {
    const held = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const { headers } = await held.client.send(LOG_OUT);
    expect(headers.get('clear-site-data')).toBe('"cache", "storage"');
    expect(headers.getSetCookie()).toEqual([expect.stringMatching(/^postern=; .*Expires=Thu, 01 Jan 1970/)]);
  });
});

describe('S12 of fifty sessions', () => {
  test('the oldest makes room for one more, everywhere (open ends what is beyond MAX_SESSIONS)', async () => {
    const person = newPerson();
    const sessions = [await signUp(gateway.client(), person)];
    for (let count = 1; count < 50; count += 1) {
      gateway.clock.advance(SECOND);
      sessions.push(await logIn(gateway.client(), person));
    }
    const [oldest, second] = sessions as [Held, Held];
    expect(await refusal(at(other, oldest))).toBeNull();
    expect(await refusal(oldest.client)).toBeNull();
    gateway.clock.advance(SECOND);
    sessions.push(await logIn(gateway.client(), person));
    expect(await refusal(oldest.client)).toBe('REVOKED');
    expect(await refusedWithin(at(other, oldest), 2_000)).toBeLessThan(1_000);
    expect(await refusal(second.client)).toBeNull();
    const [live] = await gateway.sql<{ count: number }>(
      'SELECT count(*)::int AS count FROM sessions WHERE user_id = $1 AND ended_at IS NULL',
      [oldest.userId],
    );
    expect(live?.count).toBe(50);
    const events = await gateway.sql(
      `SELECT data->>'reason' AS reason FROM events WHERE kind = 'SessionEnded' AND session_id = $1`,
      [oldest.sessionId],
    );
    expect(events).toEqual([{ reason: 'REVOKED' }]);
  });
});

describe('S13 of a thousand mutations of valid credentials', () => {
  test('none is accepted, and none is a fault (exact form and hash of the token, the signature of the JWT)', async () => {
    const held = await Promise.all(KINDS.map((kind) => signUp(gateway.client(), newPerson(), kind)));
    const valid = new Set(held.map(({ token }) => token));
    const lines = (value: string) => [
      `X-Session-Token: ${value}`,
      `Authorization: Bearer ${value}`,
      `Cookie: postern=${value}`,
    ];
    const anything = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }),
      fc.constantFrom('\0', '=', '.', '-', '_', '%00', '"', "'", '\t', '\u00e9', 'ps_', 'eyJ', ' ', '..', '{}'),
    );
    const mutation = fc.oneof(
      fc.record({
        token: fc.nat(2),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        remove: fc.nat(4),
        insert: anything,
      }),
      fc.record({ token: fc.nat(2), swap: fc.double({ min: 0, max: 0.99, noNaN: true }) }),
      fc.record({ token: fc.nat(2), repeat: fc.integer({ min: 2, max: 200 }) }),
      fc.record({ token: fc.nat(2), cut: fc.double({ min: 0, max: 0.99, noNaN: true }) }),
    );
    const mutate = (change: object): string => {
      const of = { at: 0, remove: 0, insert: '', swap: -1, repeat: 0, cut: -1, token: 0, ...change };
      const token = held[of.token]?.token ?? '';
      if (of.repeat > 0) return token.repeat(of.repeat).slice(0, 10_000);
      if (of.cut >= 0) return token.slice(0, Math.floor(of.cut * token.length));
      if (of.swap >= 0) {
        const index = Math.floor(of.swap * token.length);
        const character = token[index] ?? '';
        const swapped = character === character.toLowerCase() ? character.toUpperCase() : character.toLowerCase();
        return token.slice(0, index) + swapped + token.slice(index + 1);
      }
      const index = Math.floor(of.at * token.length);
      return token.slice(0, index) + of.insert + token.slice(index + of.remove);
    };
    // Blanks around a value are not part of it (RFC 9110 §5.5), and what ends a line or a cookie ends the value.
    const stands = (text: string) => text.split(/[\r\n;]/)[0]?.trim() ?? '';
    const mutants = fc
      .sample(mutation, { numRuns: 1_100, seed: 20_261_123 })
      .map(mutate)
      .filter((text) => !valid.has(text.trim()) && !valid.has(stands(text)))
      .slice(0, 1_000);
    expect(mutants).toHaveLength(1_000);
    for (let from = 0; from < mutants.length; from += 20) {
      const batch = mutants.slice(from, from + 20).map(async (mutant, index) => {
        const line = lines(mutant)[(from + index) % 3] ?? '';
        const { status, text } = await raw([line]);
        expect([200, 400, 431]).toContain(status);
        expect(text).not.toContain('"User"');
      });
      await Promise.all(batch);
    }
    for (const { client } of held) expect(await refusal(client)).toBeNull();
  });

  test('none comes of a malformed header either: it is nobody’s, or a 400', async () => {
    const { token } = await signUp(gateway.client(), newPerson());
    const malformed = [
      'Authorization:',
      'Authorization: Bearer',
      'Authorization: Bearer ',
      `Authorization: Bearer${token}`,
      `Authorization: Bearer,${token}`,
      `Authorization: Bearer=${token}`,
      `Authorization: Bearer "${token}"`,
      `Authorization: Bearer ${token},`,
      `Authorization: Bearer ${token} ${token}`,
      `Authorization: Bearer Bearer ${token}`,
      `Authorization: Token ${token}`,
      `Authorization: Basic ${Buffer.from(`:${token}`).toString('base64')}`,
      `Authorization: ${token}`,
      `Authorization: \u00a0Bearer ${token}`,
      `Authorization: Bearer\u00a0${token}`,
      `Authorization: Bearer ${token}\u00a0`,
      `Authorization: Bearer %${token}`,
      'Authorization: Bearer ..',
      'Authorization: Bearer {"not":""}',
      'X-Session-Token:',
      `X-Session-Token: Bearer ${token}`,
      `X-Session-Token: "${token}"`,
      'X-Session-Token[]: a',
      'Cookie:',
      'Cookie: ;;;',
      'Cookie: =',
      'Cookie: postern',
      'Cookie: postern=%',
      'Cookie: postern="',
      'Cookie: postern=__proto__',
      'Cookie: __proto__=postern',
      'Cookie: postern=j:{"not":""}',
      `Cookie: ${'a=b; '.repeat(2_000)}`,
      `Cookie: postern=${'x'.repeat(12_000)}`,
      `Cookie: ${'postern='.repeat(500)}`,
    ];
    for (const line of malformed) {
      const { status, text } = await raw([line]);
      expect([200, 400], line).toContain(status);
      expect(text, line).not.toContain('"User"');
    }
    expect((await raw([`Authorization: Bearer ${'x'.repeat(20_000)}`])).status).toBe(431);
  });
});

describe('S14 what was ended', () => {
  test('is still over for a gateway that starts afterwards, every form of it (it is kept in the database alone)', async () => {
    const { clients, refreshToken } = await everything();
    const [token, cookie] = clients as [GraphQLClient, GraphQLClient];
    const jwt = clients[2] as GraphQLClient;
    for (const client of [token, cookie, jwt]) expect((await client.send(LOG_OUT)).result.__typename).toBe('LoggedOut');
    const restarted = await gateway.another();
    for (const { headers } of clients) expect(await refusal(new GraphQLClient(restarted.url, headers))).toBe('REVOKED');
    const { result } = await restarted.client().send(REFRESH, { input: { refreshToken } });
    expect(result).toMatchObject({ __typename: 'Unauthenticated', reason: 'REVOKED' });
  });
});

describe('L10 a login', () => {
  test.each(KINDS)('with a session held as %s shown ends that one, and its own has another id', async (kind) => {
    const person = newPerson();
    const before = await signUp(gateway.client(), person, kind);
    expect(await refusal(at(other, before))).toBeNull();
    for (const next of ['JWT', kind] as const) {
      const after = await logIn(before.client, person, next);
      expect(after.sessionId).not.toBe(before.sessionId);
      expect(after.token).not.toBe(before.token);
      expect(await refusal(before.client)).toBe('REVOKED');
      expect(await refusedWithin(at(other, before), 2_000)).toBeLessThan(1_000);
      const opened =
        next === 'COOKIE'
          ? gateway.client({ cookie: after.client.headers.cookie ?? '' })
          : gateway.client().bearing(after.token);
      expect(await refusal(opened)).toBeNull();
    }
  });

  test('of somebody else in the same browser ends the first one’s session', async () => {
    const ada = await signUp(gateway.client(), newPerson(), 'COOKIE');
    const bob = await signUp(ada.client, newPerson(), 'COOKIE');
    expect(bob.userId).not.toBe(ada.userId);
    expect(await refusal(ada.client)).toBe('REVOKED');
  });

  test('that fails ends nothing', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    await expect(logIn(held.client, { ...person, password: 'not the right one' })).rejects.toThrow(
      'InvalidCredentials',
    );
    expect(await refusal(held.client)).toBeNull();
  });

  test('takes the cookie away where a token replaces it, so that the next request does not carry two', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person, 'COOKIE');
    const { answer } = await logIn(held.client, person, 'SESSION_TOKEN');
    expect(cookieOf(answer, 'postern')).toBe('');
  });
});

describe('S15 L09 a login that is still asked something', () => {
  const asking = { now: false, entered: 0 };
  const stage: Stage = {
    prompt: async (): Promise<Prompt | null> => (asking.now ? { kind: 'TestPrompt' } : null),
    enter: async () => {
      asking.entered += 1;
    },
  };
  let stopping: Gateway;
  beforeAll(async () => {
    stopping = await startGateway({ stages: { stage } });
  });
  afterAll(() => stopping.stop());

  const caller = (): Caller => ({
    viewer: { kind: 'anonymous', reason: 'NO_CREDENTIAL' },
    client: { ipAddress: newAddress(), userAgent: null },
    trustedDeviceToken: null,
  });

  /** A person whose second login is stopped by the stage. */
  async function stopped(credential: CredentialKind = 'SESSION_TOKEN') {
    const person = newPerson();
    asking.now = false;
    const { userId } = await signUp(stopping.client(), person);
    asking.now = true;
    const step = await logInWithPassword(stopping.app, caller(), { ...person, credential });
    const { kind, loginToken } = step as unknown as { kind: string; loginToken: string };
    expect(kind).toBe('TestPrompt');
    expect(loginToken).toMatch(/^pl_[A-Za-z0-9_-]{43}$/);
    return { person, userId, loginToken };
  }
  const sessionsOf = async (userId: string) =>
    (await stopping.sql('SELECT 1 FROM sessions WHERE user_id = $1', [userId])).length;
  const goOn = (loginToken: string) => stopping.client().send(CONTINUE_LOGIN, { input: { loginToken } });

  test('has a token that opens nothing, at whatever door (a token’s prefix names the one door it is for)', async () => {
    const { loginToken, userId } = await stopped();
    const clients = [
      stopping.client().bearing(loginToken),
      stopping.client({ 'x-session-token': loginToken }),
      stopping.client({ cookie: `postern=${loginToken}` }),
      stopping.client().bearing(loginToken.replace('pl_', 'ps_')),
      stopping.client({ 'x-session-token': loginToken.replace('pl_', 'ps_') }),
      stopping.client({ cookie: `postern=${loginToken.replace('pl_', 'ps_')}` }),
    ];
    for (const client of clients) {
      expect(await refusal(client)).toBe('INVALID_CREDENTIAL');
      expect((await client.send(ISSUE_ACCESS_TOKEN)).result.__typename).toBe('Unauthenticated');
    }
    for (const refreshToken of [loginToken, loginToken.replace('pl_', 'pr_')]) {
      const { result } = await stopping.client().send(REFRESH, { input: { refreshToken } });
      expect(result).toMatchObject({ __typename: 'Unauthenticated', reason: 'INVALID_CREDENTIAL' });
    }
    expect(await sessionsOf(userId)).toBe(1);
  });

  test('leaves no session, cookie or token behind, and asking to go on changes nothing (resumeLogin asks the stages)', async () => {
    const { loginToken, userId } = await stopped('COOKIE');
    const entered = asking.entered;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const again = await continueLogin(stopping.app, caller(), { loginToken });
      expect(again).toMatchObject({ kind: 'TestPrompt', loginToken });
      expect(await pendingLogin(stopping.app, caller(), loginToken)).toMatchObject({ kind: 'TestPrompt' });
      const answer = await goOn(loginToken);
      expect(answer.text).not.toMatch(/LoggedIn|ps_|eyJ/);
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    expect(await sessionsOf(userId)).toBe(1);
    expect(asking.entered).toBe(entered);
    const [row] = await stopping.sql<{ hash: Buffer }>(
      'SELECT token_hash AS hash FROM pending_logins WHERE user_id = $1',
      [userId],
    );
    expect(row?.hash.equals(hashToken(loginToken))).toBe(true);
  });

  test('gives one session to fifty who go on at once, when nothing is asked any more (complete is one conditional write)', async () => {
    const { loginToken, userId } = await stopped();
    asking.now = false;
    const answers = await Promise.all(Array.from({ length: 50 }, () => goOn(loginToken)));
    const kinds = answers.map(({ result }) => result.__typename).sort();
    expect(kinds).toEqual(['LoggedIn', ...Array(49).fill('LoginExpired')]);
    expect(await sessionsOf(userId)).toBe(2);
    expect((await goOn(loginToken)).result.__typename).toBe('LoginExpired');
  });

  test.each([
    ['the password was changed', `UPDATE passwords SET changed_at = changed_at + interval '1 s' WHERE user_id = $1`],
    ['the password was removed', 'DELETE FROM passwords WHERE user_id = $1'],
    ['the account was disabled', 'UPDATE users SET disabled_at = now() WHERE id = $1'],
    ['the account was deleted', 'DELETE FROM users WHERE id = $1'],
  ])('is over once %s (sessions.open compares both in the statement that opens)', async (_what, statement) => {
    const { loginToken, userId } = await stopped();
    await stopping.sql(statement, [userId]);
    asking.now = false;
    const before = await sessionsOf(userId);
    for (let attempt = 0; attempt < 2; attempt += 1)
      expect((await goOn(loginToken)).result.__typename).toBe('LoginExpired');
    expect(await sessionsOf(userId)).toBe(before);
  });

  test('is over after its lifetime, and not a second before', async () => {
    const [early, late] = [await stopped(), await stopped()];
    asking.now = false;
    stopping.clock.advance(15 * MINUTE - SECOND);
    expect((await goOn(early.loginToken)).result.__typename).toBe('LoggedIn');
    stopping.clock.advance(SECOND);
    expect((await goOn(late.loginToken)).result.__typename).toBe('LoginExpired');
    expect(await sessionsOf(late.userId)).toBe(1);
  });

  test('is not recognised by a token of another kind (a session’s, a refresh token, a mutation of its own)', async () => {
    const { loginToken, person } = await stopped();
    asking.now = false;
    const { token, refreshToken } = await logIn(stopping.client(), person, 'JWT');
    const session = await logIn(stopping.client(), person);
    for (const wrong of [
      token,
      refreshToken ?? '',
      session.token,
      loginToken.slice(0, -1),
      `${loginToken}\n`,
      '',
      '\0',
    ]) {
      expect((await goOn(wrong)).result.__typename).toBe('LoginExpired');
    }
    expect((await goOn(loginToken)).result.__typename).toBe('LoggedIn');
  });
});
