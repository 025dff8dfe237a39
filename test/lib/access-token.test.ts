import fc from 'fast-check';
import { calculateJwkThumbprint, decodeProtectedHeader, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  ACCESS_TOKEN_ALGORITHMS,
  type AccessTokenClaims,
  CLOCK_LEEWAY_SECONDS,
  type ExpectedToken,
  importKey,
  KeysUnavailable,
  makeSigningKey,
  signAccessToken,
  verifyAccessToken,
} from '../../src/lib/access-token.ts';

const NOW = Date.UTC(2026, 0, 15, 12);
const CLAIMS: AccessTokenClaims = {
  iss: 'https://auth.example',
  aud: 'https://api.example',
  sub: '11111111-1111-4111-8111-111111111111',
  sid: '22222222-2222-4222-8222-222222222222',
  jti: '0-33333333-3333-4333-8333-333333333333',
  iat: NOW / 1000,
  exp: NOW / 1000 + 300,
  auth_time: NOW / 1000 - 60,
  amr: ['pwd'],
};

type Algorithm = (typeof ACCESS_TOKEN_ALGORITHMS)[number];
type Ready = Awaited<ReturnType<typeof readyKey>>;

async function readyKey(algorithm: Algorithm) {
  const pair = await makeSigningKey(algorithm);
  return {
    ...pair,
    publicKey: await importKey(pair.publicJwk, algorithm),
    privateKey: await importKey(pair.privateJwk, algorithm),
  };
}

let key: Ready;
beforeAll(async () => {
  key = await readyKey('ES256');
});

function expectation(of: Ready, now = NOW): ExpectedToken {
  return {
    expectedIssuer: CLAIMS.iss,
    expectedAudience: CLAIMS.aud,
    now: new Date(now),
    keyFor: (kid) => (kid === of.kid ? of : null),
  };
}

describe.each(ACCESS_TOKEN_ALGORITHMS)('a key for %s', (algorithm) => {
  test('is named by its RFC 7638 thumbprint, and its public half holds no private member', async () => {
    const { kid, publicJwk } = await makeSigningKey(algorithm);
    const { alg, use, kid: named, ...bare } = publicJwk;
    expect({ alg, use, named }).toEqual({ alg: algorithm, use: 'sig', named: kid });
    expect(await calculateJwkThumbprint(bare)).toBe(kid);
    expect(
      Object.keys(bare).filter((member) => ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth'].includes(member)),
    ).toEqual([]);
  });

  test('signs what its public half verifies, and another key does not', async () => {
    const own = await readyKey(algorithm);
    const token = await signAccessToken(CLAIMS, own);
    expect(decodeProtectedHeader(token)).toEqual({ alg: algorithm, typ: 'at+jwt', kid: own.kid });
    expect(await verifyAccessToken(token, expectation(own))).toEqual(CLAIMS);
    const other = { ...(await readyKey(algorithm)), kid: own.kid };
    expect(await verifyAccessToken(token, expectation(other))).toBe('invalid');
  });
});

describe('verifyAccessToken', () => {
  test('says expired from the leeway on, and not a second before', async () => {
    const token = await signAccessToken(CLAIMS, key);
    const end = (CLAIMS.exp + CLOCK_LEEWAY_SECONDS) * 1000;
    expect(await verifyAccessToken(token, expectation(key, end - 1_000))).toEqual(CLAIMS);
    expect(await verifyAccessToken(token, expectation(key, end))).toBe('expired');
  });

  test('does not tell that a token which is not ours has expired', async () => {
    const forged = await signAccessToken(CLAIMS, { ...(await readyKey('ES256')), kid: key.kid });
    expect(await verifyAccessToken(forged, expectation(key, NOW + 3_600_000))).toBe('invalid');
  });

  test('takes a token of the next seconds, as a clock of another service may make it, and none later', async () => {
    const from = (iat: number) => signAccessToken({ ...CLAIMS, iat }, key);
    expect(await verifyAccessToken(await from(CLAIMS.iat + CLOCK_LEEWAY_SECONDS), expectation(key))).toBeTypeOf(
      'object',
    );
    expect(await verifyAccessToken(await from(CLAIMS.iat + CLOCK_LEEWAY_SECONDS + 1), expectation(key))).toBe(
      'invalid',
    );
  });

  test('takes one spelling of a signature only, though sixteen decode to the same bytes', async () => {
    const token = await signAccessToken(CLAIMS, key);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const accepted: string[] = [];
    const spellings = [...alphabet].map((last) => token.slice(0, -1) + last);
    for (const other of [
      ...spellings,
      `${token}=`,
      `${token}==`,
      `${token} `,
      `${token}\n`,
      token.replace(/.$/, ' $&'),
    ]) {
      if ((await verifyAccessToken(other, expectation(key))) !== 'invalid') accepted.push(other);
    }
    expect(accepted).toEqual([token]);
  });

  test('holds each claim to its shape, whatever JSON stands in its place', async () => {
    const claim = fc.constantFrom(...(Object.keys(CLAIMS) as (keyof AccessTokenClaims)[]));
    await fc.assert(
      fc.asyncProperty(claim, fc.option(fc.jsonValue(), { nil: undefined }), async (name, value) => {
        fc.pre(typeof value !== typeof CLAIMS[name] || typeof value === 'object');
        fc.pre(!(name === 'amr' && Array.isArray(value)));
        const { [name]: _, ...others } = CLAIMS;
        const payload = value === undefined ? others : { ...others, [name]: value };
        const token = await new SignJWT(payload as Record<string, unknown>)
          .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: key.kid })
          .sign(key.privateKey);
        expect(await verifyAccessToken(token, expectation(key))).toBe('invalid');
      }),
    );
  });

  test('waits for a key that has to be looked up, and does not take one that cannot be for one that is not there', async () => {
    const token = await signAccessToken(CLAIMS, key);
    const expected = expectation(key);
    expect(await verifyAccessToken(token, { ...expected, keyFor: async (kid) => expected.keyFor(kid) })).toEqual(
      CLAIMS,
    );
    const keyFor = () => Promise.reject(new KeysUnavailable());
    await expect(verifyAccessToken(token, { ...expected, keyFor })).rejects.toThrow(KeysUnavailable);
  });

  test('answers invalid to any text, and never throws', async () => {
    const token = await signAccessToken(CLAIMS, key);
    const part = fc.constantFrom(...token.split('.'), '', 'e30', 'bnVsbA', 'W10', 'IiI', '%', '\0');
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(part, { maxLength: 6 }).map((parts) => parts.join('.')),
    );
    await fc.assert(
      fc.asyncProperty(text, async (other) => {
        fc.pre(other !== token);
        expect(await verifyAccessToken(other, expectation(key))).toBe('invalid');
      }),
      { numRuns: 200 },
    );
  });

  test('refuses a token of more than 8 KiB without asking for its key', async () => {
    const claims = { ...CLAIMS, sub: 'x'.repeat(8_000) };
    await expect(signAccessToken(claims, key)).rejects.toThrow(/which nobody takes/);
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: key.kid })
      .sign(key.privateKey);
    let asked = 0;
    const expected = expectation(key);
    const keyFor = (kid: string) => {
      asked += 1;
      return expected.keyFor(kid);
    };
    expect(await verifyAccessToken(token, { ...expected, keyFor })).toBe('invalid');
    expect(asked).toBe(0);
  });
});
