import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deriveKeys } from '../../src/lib/cipher.ts';
import { hashToken, makeToken, successorOf } from '../../src/lib/secrets.ts';
import type { Answer } from '../support/client.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { endWindows } from '../support/limits.ts';
import { CURRENT_USER, type Held, LOG_OUT, logIn, newPerson, REFRESH, signUp } from '../support/people.ts';

const SECOND = 1_000;
const DAY = 24 * 60 * 60 * SECOND;
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

interface Pair {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly refreshTokenExpiresAt: string;
}

const send = (refreshToken: string, client = gateway.client()): Promise<Answer> =>
  client.send(REFRESH, { input: { refreshToken } });

/** Uses a token. Fails if it does not work. */
async function refresh(refreshToken: string, where = gateway): Promise<Pair> {
  const { result, text } = await send(refreshToken, where.client());
  if (result.__typename !== 'SessionTokensRefreshed') throw new Error(`not refreshed: ${text}`);
  return result.credential as Pair;
}

/** The reason for which a token is refused. */
async function refusal(refreshToken: string, where = gateway): Promise<unknown> {
  const { result, status } = await send(refreshToken, where.client());
  expect(status).toBe(200);
  return result.__typename === 'Unauthenticated' ? result.reason : result.__typename;
}

async function holder(): Promise<Held & { refreshToken: string }> {
  const held = await signUp(gateway.client(), newPerson(), 'JWT');
  return { ...held, refreshToken: held.refreshToken ?? '' };
}

const chainOf = (sessionId: string) =>
  gateway.sql<{ used: boolean; expires_at: Date }>(
    'SELECT used_at IS NOT NULL AS used, expires_at FROM refresh_tokens WHERE session_id = $1 ORDER BY used_at NULLS LAST',
    [sessionId],
  );
const endOf = async (sessionId: string) =>
  (
    await gateway.sql<{ reason: string | null }>('SELECT end_reason::text AS reason FROM sessions WHERE id = $1', [
      sessionId,
    ])
  )[0]?.reason;
const who = async (accessToken: string, where = gateway) =>
  (await where.client().bearing(accessToken).send(CURRENT_USER)).result;

describe('T01 a refresh token', () => {
  test('is replaced at each use', async () => {
    const held = await holder();
    const tokens = [held.refreshToken];
    for (let use = 0; use < 5; use += 1) {
      const pair = await refresh(tokens.at(-1) ?? '');
      expect((await who(pair.accessToken)).id).toBe(held.userId);
      tokens.push(pair.refreshToken);
    }
    expect(new Set(tokens).size).toBe(6);
    expect((await chainOf(held.sessionId)).map(({ used }) => used)).toEqual([true, true, true, true, true, false]);
  });

  test('that was used and comes back late ends the session and is announced (rotate says reused, endReused ends it)', async () => {
    const held = await holder();
    const first = await refresh(held.refreshToken);
    expect((await who(first.accessToken, other)).id).toBe(held.userId);
    gateway.clock.advance(11 * SECOND);
    expect(await refusal(held.refreshToken)).toBe('REVOKED');
    expect(await endOf(held.sessionId)).toBe('REFRESH_TOKEN_REUSED');
    expect(await refusal(first.refreshToken)).toBe('REVOKED');
    expect(await who(first.accessToken)).toMatchObject({ reason: 'REVOKED' });
    expect(await who(held.token)).toMatchObject({ reason: 'REVOKED' });
    await expect.poll(() => who(first.accessToken, other), { timeout: 1_000 }).toMatchObject({ reason: 'REVOKED' });
    const events = await gateway.sql(
      `SELECT user_id, data->>'reason' AS reason FROM events WHERE kind = 'SessionEnded' AND session_id = $1`,
      [held.sessionId],
    );
    expect(events).toEqual([{ user_id: held.userId, reason: 'REFRESH_TOKEN_REUSED' }]);
    // The successor is no way around it, and the theft is announced once.
    for (const token of [held.refreshToken, first.refreshToken]) expect(await refusal(token, other)).toBe('REVOKED');
    const again = await gateway.sql(`SELECT 1 FROM events WHERE kind = 'SessionEnded' AND session_id = $1`, [
      held.sessionId,
    ]);
    expect(again).toHaveLength(1);
  });

  test('whose successor was used has no grace left: who holds it still is somebody else (successor.usedAt)', async () => {
    const held = await holder();
    const first = await refresh(held.refreshToken);
    await refresh(first.refreshToken);
    expect(await refusal(held.refreshToken)).toBe('REVOKED');
    expect(await endOf(held.sessionId)).toBe('REFRESH_TOKEN_REUSED');
  });

  test('of long ago ends the session as well', async () => {
    const held = await holder();
    let { refreshToken } = held;
    for (let use = 0; use < 4; use += 1) {
      gateway.clock.advance(DAY);
      ({ refreshToken } = await refresh(refreshToken));
    }
    expect(await refusal(held.refreshToken)).toBe('REVOKED');
    expect(await refusal(refreshToken)).toBe('REVOKED');
  });

  test('that was reused ends its own session only', async () => {
    const person = newPerson();
    const one = await signUp(gateway.client(), person, 'JWT');
    const two = await logIn(gateway.client(), person, 'JWT');
    const three = await holder();
    await refresh(one.refreshToken ?? '');
    gateway.clock.advance(11 * SECOND);
    expect(await refusal(one.refreshToken ?? '')).toBe('REVOKED');
    expect(await refusal(two.refreshToken ?? '')).toBe('SessionTokensRefreshed');
    expect(await refusal(three.refreshToken)).toBe('SessionTokensRefreshed');
  });
});

describe('T02 T08 fifty uses of one token at once', () => {
  let unlimited: Gateway[];
  beforeAll(async () => {
    const env = { POSTERN_RATE_LIMITS: '{"refreshPerSession":"off"}' };
    unlimited = [await gateway.another(env), await gateway.another(env)];
  });

  test('at two instances give everybody the same successor, and the chain one link more (one conditional write)', async () => {
    const held = await holder();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => send(held.refreshToken, unlimited[index % 2]?.client())),
    );
    const pairs = answers.map(({ result, text }) => {
      expect(result.__typename, text).toBe('SessionTokensRefreshed');
      return result.credential as Pair;
    });
    expect(new Set(pairs.map(({ refreshToken }) => refreshToken)).size).toBe(1);
    expect(new Set(pairs.map(({ refreshTokenExpiresAt }) => refreshTokenExpiresAt)).size).toBe(1);
    expect((await chainOf(held.sessionId)).map(({ used }) => used)).toEqual([true, false]);
    expect(await endOf(held.sessionId)).toBeNull();
    for (const { accessToken } of pairs.slice(0, 5)) expect((await who(accessToken)).id).toBe(held.userId);
    expect(await refusal(pairs[0]?.refreshToken ?? '')).toBe('SessionTokensRefreshed');
  });

  test('together with its reuse never make two chains, whichever comes first', async () => {
    const held = await holder();
    const first = await refresh(held.refreshToken);
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        send(index % 2 ? held.refreshToken : first.refreshToken, unlimited[index % 2]?.client()),
      ),
    );
    const successors = answers.flatMap(({ result }) =>
      result.__typename === 'SessionTokensRefreshed' ? [(result.credential as Pair).refreshToken] : [],
    );
    for (const { status } of answers) expect(status).toBe(200);
    // The one of the old token, the one of the new token, and no third.
    expect(new Set(successors).size).toBeLessThanOrEqual(2);
    expect((await chainOf(held.sessionId)).length).toBeLessThanOrEqual(3);
    expect((await chainOf(held.sessionId)).filter(({ used }) => !used).length).toBeLessThanOrEqual(1);
  });
});

describe('T03 a refresh token', () => {
  test('and its session end at the absolute limit, however often it was used (expires_at is capped by the session’s)', async () => {
    const held = await holder();
    const end = gateway.clock().getTime() + LIFETIME;
    let { refreshToken } = held;
    const step = async (milliseconds: number) => {
      gateway.clock.advance(milliseconds);
      const pair = await refresh(refreshToken);
      expect(Date.parse(pair.refreshTokenExpiresAt)).toBeLessThanOrEqual(end);
      refreshToken = pair.refreshToken;
    };
    for (let count = 0; count < 5; count += 1) await step(5 * DAY);
    await step(5 * DAY - SECOND);
    gateway.clock.advance(SECOND);
    expect(await refusal(refreshToken)).toBe('EXPIRED');
    expect(await refusal(refreshToken, other)).toBe('EXPIRED');
  });

  test('ends at its own limit where that is shorter, and not a second before', async () => {
    const short = await gateway.another({ POSTERN_REFRESH_TOKEN_LIFETIME: '1h' });
    const [one, two] = [
      await signUp(short.client(), newPerson(), 'JWT'),
      await signUp(short.client(), newPerson(), 'JWT'),
    ];
    short.clock.advance(3_600 * SECOND - SECOND);
    const { refreshToken } = await refresh(one.refreshToken ?? '', short);
    short.clock.advance(SECOND);
    expect(await refusal(two.refreshToken ?? '', short)).toBe('EXPIRED');
    // An expired one is no theft.
    expect(await endOf(two.sessionId)).toBeNull();
    expect(await refusal(refreshToken, short)).toBe('SessionTokensRefreshed');
  });

  test('of a session that was idle for too long does not bring it back', async () => {
    const held = await holder();
    gateway.clock.advance(IDLE);
    for (let attempt = 0; attempt < 2; attempt += 1) expect(await refusal(held.refreshToken)).toBe('EXPIRED');
    expect(await who(held.token)).toMatchObject({ reason: 'EXPIRED' });
  });
});

describe('T04 a refresh token', () => {
  test('has 256 bits, and neither it nor its successor stands in the database (hashes alone do)', async () => {
    const held = await holder();
    const { refreshToken: successor } = await refresh(held.refreshToken);
    const tables = await gateway.sql<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
    );
    const needles = [held.refreshToken, successor].flatMap((token) => {
      expect(token).toMatch(/^pr_[A-Za-z0-9_-]{43}$/);
      const body = token.slice(3);
      return [body, Buffer.from(token).toString('hex'), Buffer.from(body, 'base64url').toString('hex')];
    });
    const texts = await Promise.all(
      tables.map(
        async ({ name }) =>
          (await gateway.sql<{ all: string }>(`SELECT string_agg(t::text, ' ') AS all FROM "${name}" t`))[0],
      ),
    );
    const dump = texts.map((row) => row?.all ?? '').join('\n');
    for (const needle of needles) expect(dump).not.toContain(needle);
    for (const token of [held.refreshToken, successor]) expect(dump).toContain(hashToken(token).toString('hex'));
    const logs = gateway.logs.join('\n');
    for (const token of [held.refreshToken, successor, held.token]) expect(logs).not.toContain(token);
  });

  test('is not computed from another one without the secret (successorOf is keyed)', async () => {
    const held = await holder();
    const { refreshToken } = await refresh(held.refreshToken);
    const successorBy = (secret: string) =>
      deriveKeys([secret], 'refresh token successor').map(({ key }) => successorOf('refresh', held.refreshToken, key));
    expect(successorBy(gateway.app.config.secrets[0] ?? '')).toEqual([refreshToken]);
    expect(successorBy('another secret that is as long as one must be')).not.toEqual([refreshToken]);
    expect(successorBy('')).not.toEqual([refreshToken]);
    expect(refreshToken.slice(3)).not.toBe(hashToken(held.refreshToken).toString('base64url'));
  });
});

describe('T05 a refresh token dies', () => {
  test.each<[string, (held: Held) => Promise<unknown>]>([
    ['with logging out', (held) => held.client.send(LOG_OUT)],
    ['with a login that takes the place of its session', (held) => signUp(held.client, newPerson())],
    [
      'with its session',
      ({ sessionId: id }) =>
        gateway.sql(`UPDATE sessions SET ended_at = now(), end_reason = 'REVOKED' WHERE id = $1`, [id]),
    ],
    [
      'with a disabled account',
      ({ userId: id }) => gateway.sql('UPDATE users SET disabled_at = now() WHERE id = $1', [id]),
    ],
    ['with a deleted account', ({ userId: id }) => gateway.sql('DELETE FROM users WHERE id = $1', [id])],
  ])('%s, with its successors, at once, everywhere (the refresh asks the session’s row)', async (_how, end) => {
    const held = await holder();
    const { refreshToken } = await refresh(held.refreshToken);
    await end(held);
    for (const where of [gateway, other]) {
      for (const token of [refreshToken, held.refreshToken]) {
        expect(['REVOKED', 'INVALID_CREDENTIAL']).toContain(await refusal(token, where));
      }
    }
  });
});

describe('T06 a refresh', () => {
  test('changes neither what was proven nor when (the claims are read from the session’s methods)', async () => {
    const held = await holder();
    const { iat: _iat, exp: _exp, jti: _jti, ...before } = decodeJwt(held.token);
    let { refreshToken } = held;
    for (let use = 0; use < 3; use += 1) {
      gateway.clock.advance(DAY);
      const pair = await refresh(refreshToken, use % 2 ? other : gateway);
      const { iat, exp, jti, ...after } = decodeJwt(pair.accessToken);
      expect(after).toEqual(before);
      expect(after.auth_time).toBeLessThan(iat ?? 0);
      refreshToken = pair.refreshToken;
    }
    const [row] = await gateway.sql<{ methods: unknown[] }>('SELECT methods FROM sessions WHERE id = $1', [
      held.sessionId,
    ]);
    expect(row?.methods).toHaveLength(1);
  });
});

describe('T07 a refresh token', () => {
  test('recognises nobody, as whatever credential it is shown (each kind has its prefix and is looked up in its own table)', async () => {
    const { refreshToken } = await holder();
    for (const token of [refreshToken, refreshToken.replace('pr_', 'ps_'), refreshToken.slice(3)]) {
      const clients = [
        gateway.client().bearing(token),
        gateway.client({ 'x-session-token': token }),
        gateway.client({ cookie: `postern=${token}` }),
      ];
      for (const client of clients) {
        expect((await client.send(CURRENT_USER)).result).toMatchObject({ reason: 'INVALID_CREDENTIAL' });
      }
    }
    expect(await refusal(refreshToken)).toBe('SessionTokensRefreshed');
  });

  test('is the only thing that refreshes: no other token does, and no mutation of it', async () => {
    const person = newPerson();
    const session = await signUp(gateway.client(), person);
    const held = await holder();
    const { refreshToken } = held;
    const last = refreshToken.at(-1) ?? '';
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const mutations = [
      ...[...alphabet]
        .filter((character) => character !== last)
        .map((character) => refreshToken.slice(0, -1) + character),
      ...['', '\0', 'pr_', ` ${refreshToken}`, `${refreshToken}\n`, `${refreshToken}=`, refreshToken.toLowerCase()],
      ...[session.token, held.token, session.token.replace('ps_', 'pr_'), makeToken('refresh'), makeToken('login')],
    ];
    for (const wrong of mutations) expect(await refusal(wrong), wrong).toBe('INVALID_CREDENTIAL');
    expect(await refusal(refreshToken)).toBe('SessionTokensRefreshed');
  });
});

describe('T08 a lost answer', () => {
  test.each(['the same instance', 'another instance'])(
    'is asked for again at %s within ten seconds, and gives the same successor (it is computed, not stored)',
    async (where) => {
      const held = await holder();
      const { refreshToken: lost } = await refresh(held.refreshToken);
      gateway.clock.advance(10 * SECOND);
      const retried = await refresh(held.refreshToken, where === 'another instance' ? other : gateway);
      expect(retried.refreshToken).toBe(lost);
      expect((await who(retried.accessToken)).id).toBe(held.userId);
      expect(await chainOf(held.sessionId)).toHaveLength(2);
      expect((await refresh(retried.refreshToken)).refreshToken).not.toBe(lost);
    },
  );

  test('is lost for good a millisecond later: the grace has an end (REUSE_GRACE_MS)', async () => {
    const held = await holder();
    await refresh(held.refreshToken);
    gateway.clock.advance(10 * SECOND + 1);
    expect(await refusal(held.refreshToken)).toBe('REVOKED');
  });

  test('does not lengthen the grace by being asked for again', async () => {
    const held = await holder();
    await refresh(held.refreshToken);
    for (let retry = 0; retry < 3; retry += 1) {
      gateway.clock.advance(3 * SECOND);
      await refresh(held.refreshToken);
    }
    gateway.clock.advance(1_001);
    expect(await refusal(held.refreshToken)).toBe('REVOKED');
  });

  test('of a client that hangs up does not matter: the token was used, and can be shown again', async () => {
    const held = await holder();
    const abort = new AbortController();
    const gone = fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: REFRESH, variables: { input: { refreshToken: held.refreshToken } } }),
      signal: abort.signal,
    }).catch(() => null);
    await expect
      .poll(async () => (await chainOf(held.sessionId)).length, { interval: 1 })
      .toBe(2)
      .catch(() => undefined);
    abort.abort();
    await gone;
    expect((await who((await refresh(held.refreshToken)).accessToken)).id).toBe(held.userId);
    expect(await chainOf(held.sessionId)).toHaveLength(2);
  });
});

describe('T09 refreshing is limited', () => {
  test('for a session, wherever it comes from, and the token that was refused is not used up (counted before rotate)', async () => {
    const held = await holder();
    let { refreshToken } = held;
    for (let use = 0; use < 30; use += 1) ({ refreshToken } = await refresh(refreshToken, use % 2 ? other : gateway));
    for (const where of [gateway, other]) {
      const { result } = await send(refreshToken, where.client());
      expect(result).toMatchObject({ __typename: 'RateLimited', retryAfter: expect.any(Number) });
      expect(result.retryAfter).toBeGreaterThan(200);
      expect(result.retryAfter).toBeLessThanOrEqual(300);
    }
    expect((await chainOf(held.sessionId)).filter(({ used }) => !used)).toHaveLength(1);
    await endWindows(gateway);
    // A refusal is remembered for a second.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await refusal(refreshToken)).toBe('SessionTokensRefreshed');
    // Nobody else was limited by it.
    expect(await refusal((await holder()).refreshToken)).toBe('SessionTokensRefreshed');
  });

  test('for an address, right or wrong, at all instances together', async () => {
    const env = { POSTERN_RATE_LIMITS: '{"refreshPerAddress":"20/5m"}' };
    const limited = [await gateway.another(env), await gateway.another(env)];
    const client = gateway.client();
    const from = (where: Gateway | undefined) => where?.client({ ...client.headers }) ?? client;
    const wrong = await Promise.all(
      Array.from({ length: 40 }, (_, index) => send(makeToken('refresh'), from(limited[index % 2]))),
    );
    const kinds = wrong.map(({ result }) => result.__typename);
    expect(kinds.filter((kind) => kind === 'Unauthenticated')).toHaveLength(20);
    expect(kinds.filter((kind) => kind === 'RateLimited')).toHaveLength(20);
    const held = await holder();
    expect((await send(held.refreshToken, from(limited[0]))).result.__typename).toBe('RateLimited');
    expect((await chainOf(held.sessionId)).map(({ used }) => used)).toEqual([false]);
    expect((await send(held.refreshToken, limited[1]?.client())).result.__typename).toBe('SessionTokensRefreshed');
  });
});
