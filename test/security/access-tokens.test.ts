import { createHmac, createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import {
  CompactEncrypt,
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  jwtVerify,
} from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { createLogger } from '../../src/infra/log.ts';
import { makeSigningKey } from '../../src/lib/access-token.ts';
import { createCipher } from '../../src/lib/cipher.ts';
import { makeToken } from '../../src/lib/secrets.ts';
import * as signingKeys from '../../src/records/signing-keys.ts';
import type { GraphQLClient } from '../support/client.ts';
import { type Gateway, type GatewayOptions, startGateway } from '../support/gateway.ts';
import { CURRENT_USER, type Held, ISSUE_ACCESS_TOKEN, LOG_OUT, newPerson, REFRESH, signUp } from '../support/people.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const ISSUER = 'http://auth.test';
const SECRET = 'the secret of these tests is long enough to be one';
const ENV = { POSTERN_PUBLIC_URL: ISSUER, POSTERN_ACCESS_TOKEN_AUDIENCE: 'http://api.test', POSTERN_SECRET: SECRET };

let gateway: Gateway;
let other: Gateway;
let held: Held;
/** The gateway's own signing key, opened as only its secret can. */
let own: { kid: string; publicJwk: JWK; privateJwk: JWK };
beforeAll(async () => {
  gateway = await startGateway({ env: ENV });
  other = await gateway.another();
  held = await signUp(gateway.client(), newPerson(), 'JWT');
  const [key] = await signingKeys.list(gateway.app.database);
  if (!key) throw new Error('there is no key');
  own = { kid: key.kid, publicJwk: key.publicJwk, privateJwk: signingKeys.openKey(key, createCipher([SECRET])) };
});
afterAll(() => gateway.stop());

type Part = Record<string, unknown>;
type Signer = (text: string) => Buffer;

const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
const byKey =
  (key: Parameters<typeof sign>[2], digest: string | null = 'sha256'): Signer =>
  (text) =>
    sign(digest, Buffer.from(text), key);
const es256 = (jwk: JWK): Signer => byKey({ key: jwk as never, format: 'jwk', dsaEncoding: 'ieee-p1363' });
const ours: Signer = (text) => es256(own.privateJwk)(text);

/** A token with the header and claims of a real one, changed, and signed by whomever. Undefined takes a member away. */
function forge(change: { header?: Part; claims?: Part; signer?: Signer } = {}): string {
  const header = { ...decodeProtectedHeader(held.token), ...change.header };
  const claims = { ...decodeJwt(held.token), jti: `0-${randomUUID()}`, ...change.claims };
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${(change.signer ?? ours)(text).toString('base64url')}`;
}

async function reasonOf(client: GraphQLClient): Promise<unknown> {
  const { result, status } = await client.send(CURRENT_USER);
  expect(status).toBe(200);
  return result.__typename === 'User' ? 'accepted' : result.reason;
}
const tried = (token: string, where = gateway) => reasonOf(where.client().bearing(token));
const jwksOf = async (where: Gateway): Promise<JSONWebKeySet> =>
  (await fetch(`${where.url}/.well-known/jwks.json`)).json() as Promise<JSONWebKeySet>;

test('a forgery that changes nothing is accepted, so that each of the following is refused for what it changes', async () => {
  expect(await tried(held.token)).toBe('accepted');
  expect(await tried(forge())).toBe('accepted');
});

describe('J01 the algorithm of a token', () => {
  test('is the key’s own: none, HMAC with anything public, RSA and another curve are refused (the list of algorithms, header.alg = key.algorithm, and keys imported for theirs alone)', async () => {
    const pem = createPublicKey({ key: own.publicJwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const jwk = JSON.stringify(own.publicJwk);
    const hmac =
      (key: string): Signer =>
      (text) =>
        createHmac('sha256', key).update(text).digest();
    const nothing: Signer = () => Buffer.alloc(0);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
    const k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey;
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
    const ed = generateKeyPairSync('ed25519').privateKey;
    const cases: [string, unknown, Signer][] = [
      ...['none', 'None', 'NONE', 'nOnE', ' none', 'none ', ''].map(
        (alg) => [alg, alg, nothing] as [string, unknown, Signer],
      ),
      ['none, signed', 'none', ours],
      ...['HS256', 'hs256', ' HS256'].flatMap((alg) =>
        [pem.toString(), pem.toString().trim(), ` ${pem}`, jwk, own.publicJwk.x ?? '', ''].map(
          (key) => [`${alg} with a public text`, alg, hmac(key)] as [string, unknown, Signer],
        ),
      ),
      ['HS256 with the key id', 'HS256', hmac(own.kid)],
      ['RS256', 'RS256', byKey(rsa)],
      ['PS256', 'PS256', byKey({ key: rsa, padding: 6 })],
      ['ES256K', 'ES256K', byKey({ key: k1, dsaEncoding: 'ieee-p1363' })],
      ['ES384', 'ES384', byKey({ key: p384, dsaEncoding: 'ieee-p1363' }, 'sha384')],
      ['EdDSA', 'EdDSA', byKey(ed, null)],
      ...['RS256', 'EdDSA', 'ES384', 'ES512', 'es256', 'ES256 ', undefined, null, ['ES256'], 256].map(
        (alg) => [`${alg}, signed by ES256`, alg, ours] as [string, unknown, Signer],
      ),
    ];
    for (const [name, alg, signer] of cases)
      expect(await tried(forge({ header: { alg }, signer })), name).toBe('INVALID_CREDENTIAL');
  });

  test('is one that the JWKS tells', async () => {
    expect(decodeProtectedHeader(held.token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: own.kid });
    expect((await jwksOf(gateway)).keys.map(({ alg }) => alg)).toEqual(['ES256']);
  });
});

describe('J02 the signature', () => {
  test('holds for every byte: none of a token can be flipped (jwtVerify, and one spelling of the signature)', async () => {
    const { token } = held;
    const [head, payload] = token.split('.');
    for (let from = 0; from < token.length; from += 25) {
      const indexes = Array.from({ length: Math.min(25, token.length - from) }, (_, offset) => from + offset);
      const flipped = indexes.map((index) => {
        const character = token[index] === 'A' ? 'B' : 'A';
        return token.slice(0, index) + character + token.slice(index + 1);
      });
      const reasons = await Promise.all(
        flipped.map((mutant) => gateway.app.accessTokens.verify(mutant, gateway.clock())),
      );
      expect(reasons).toEqual(flipped.map(() => 'invalid'));
    }
    // The same by the wire, for the lowest bit of each byte of the signature.
    const signature = Buffer.from(token.split('.')[2] ?? '', 'base64url');
    for (const index of signature.keys()) {
      const changed = Buffer.from(signature);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(await tried(`${head}.${payload}.${changed.toString('base64url')}`)).toBe('INVALID_CREDENTIAL');
    }
  });

  test('is never empty, zero, too short, too long, of another form or in another spelling', async () => {
    const [head = '', payload = '', signature = ''] = held.token.split('.');
    const der = byKey({ key: own.privateJwk as never, format: 'jwk' })(`${head}.${payload}`).toString('base64url');
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const signatures = [
      '',
      Buffer.alloc(64).toString('base64url'),
      Buffer.alloc(64, 255).toString('base64url'),
      Buffer.alloc(63).toString('base64url'),
      `${signature}AAAA`,
      signature.slice(0, -2),
      `${signature}=`,
      `${signature}==`,
      `=${signature}`,
      der,
      ...[...alphabet].filter((last) => last !== signature.at(-1)).map((last) => signature.slice(0, -1) + last),
    ];
    for (const wrong of signatures)
      expect(await tried(`${head}.${payload}.${wrong}`), wrong).toBe('INVALID_CREDENTIAL');
    for (const wrong of [
      `${head}.${payload}`,
      `${head}..${signature}`,
      `.${payload}.${signature}`,
      '..',
      '.',
      `${held.token}.`,
    ]) {
      expect(await tried(wrong)).toBe('INVALID_CREDENTIAL');
    }
  });

  test('of another token does not fit', async () => {
    const two = await signUp(gateway.client(), newPerson(), 'JWT');
    const [[head, payload], [, , signature]] = [held.token.split('.'), two.token.split('.')];
    expect(await tried(`${head}.${payload}.${signature}`)).toBe('INVALID_CREDENTIAL');
  });
});

describe('J03 a key that a token brings along', () => {
  test('is not used and not fetched: the listener sees no request (keys come from the ring alone)', async () => {
    let requests = 0;
    const attacker = await makeSigningKey('ES256');
    const listener = createServer((_request, response) => {
      requests += 1;
      response.end(JSON.stringify({ keys: [attacker.publicJwk] }));
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => listener.once('listening', resolve));
    const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/jwks.json`;
    try {
      const pem = await exportSPKI((await generateKeyPair('ES256', { extractable: true })).publicKey);
      const certificate = pem.replace(/-----[A-Z ]+-----|\n/g, '');
      for (const kid of [own.kid, attacker.kid, undefined, url]) {
        for (const header of [
          { jku: url },
          { jwk: attacker.publicJwk },
          { x5u: url },
          { x5c: [certificate] },
          { jku: url, jwk: attacker.publicJwk, x5u: url },
        ]) {
          const token = forge({ header: { ...header, kid }, signer: es256(attacker.privateJwk) });
          expect(await tried(token)).toBe('INVALID_CREDENTIAL');
        }
      }
      // Our own signature beside them changes nothing about that: nobody asks.
      await tried(forge({ header: { jku: url, x5u: url } }));
      expect(requests).toBe(0);
    } finally {
      listener.close();
    }
  });
});

describe('J04 the key id', () => {
  test('is looked up among ours only, and must be a text (find of the ring)', async () => {
    const kids = [
      '../../dev/null',
      '/dev/null',
      'file:///etc/passwd',
      `' OR '1'='1`,
      `'; DROP TABLE signing_keys; --`,
      '%00',
      '\0',
      '',
      '__proto__',
      'constructor',
      undefined,
      null,
      [own.kid],
      { kid: own.kid },
      0,
      true,
      `${own.kid} `,
      ` ${own.kid}`,
      own.kid.toLowerCase(),
      own.kid.slice(1),
      'x'.repeat(5_000),
    ];
    for (const kid of kids)
      expect(await tried(forge({ header: { kid } })), String(kid).slice(0, 40)).toBe('INVALID_CREDENTIAL');
    expect(await jwksOf(gateway)).toMatchObject({ keys: [{ kid: own.kid }] });
  });
});

describe('J05 an access token', () => {
  test('says so by its type: the same claims under another type are refused (typ)', async () => {
    for (const typ of [
      undefined,
      null,
      '',
      'JWT',
      'jwt',
      'id+jwt',
      'at+jwt+x',
      'logout+jwt',
      'reset+jwt',
      'at',
      ['at+jwt'],
      1,
    ]) {
      expect(await tried(forge({ header: { typ } })), String(typ)).toBe('INVALID_CREDENTIAL');
    }
  });

  test('is the only thing that stands for one, and stands for nothing else', async () => {
    const session = await signUp(gateway.client(), newPerson());
    const others = [
      held.refreshToken ?? '',
      makeToken('session'),
      makeToken('login'),
      makeToken('refresh'),
      held.sessionId,
      held.userId,
    ];
    for (const token of others) expect(await tried(token)).toBe('INVALID_CREDENTIAL');
    for (const token of [held.token, forge()]) {
      expect(await reasonOf(gateway.client({ 'x-session-token': token }))).toBe('INVALID_CREDENTIAL');
      expect(await reasonOf(gateway.client({ cookie: `postern=${token}` }))).toBe('INVALID_CREDENTIAL');
      const { result } = await gateway.client().send(REFRESH, { input: { refreshToken: token } });
      expect(result).toMatchObject({ __typename: 'Unauthenticated', reason: 'INVALID_CREDENTIAL' });
    }
    expect(await reasonOf(session.client)).toBe('accepted');
  });

  test('is one whole claim set: what lacks a claim, or has it in another shape, is an ID token or worse', async () => {
    for (const name of ['sub', 'sid', 'jti', 'amr', 'auth_time']) {
      expect(await tried(forge({ claims: { [name]: undefined } })), name).toBe('INVALID_CREDENTIAL');
      for (const value of [null, '', [], {}, true].filter((value) => name !== 'amr' || !Array.isArray(value))) {
        expect(await tried(forge({ claims: { [name]: value } })), `${name} ${JSON.stringify(value)}`).toBe(
          'INVALID_CREDENTIAL',
        );
      }
    }
    const two = await signUp(gateway.client(), newPerson(), 'JWT');
    expect(await tried(forge({ claims: { sub: two.userId } }))).toBe('INVALID_CREDENTIAL');
    expect(await tried(forge({ claims: { sid: randomUUID() } }))).toBe('REVOKED');
  });
});

describe('J06 issuer and audience', () => {
  test('are exactly ours (expectedIssuer, expectedAudience; a list is not ours although it contains us)', async () => {
    const variants = (value: string) => [
      undefined,
      null,
      '',
      `${value}/`,
      ` ${value}`,
      value.toUpperCase(),
      value.replace('http', 'https'),
      'http://evil.test',
      [value],
      [value, 'http://evil.test'],
      { url: value },
      `${value}.evil.test`,
      `${value}#`,
      0,
    ];
    for (const iss of variants(ISSUER))
      expect(await tried(forge({ claims: { iss } })), String(iss)).toBe('INVALID_CREDENTIAL');
    for (const aud of variants('http://api.test'))
      expect(await tried(forge({ claims: { aud } })), String(aud)).toBe('INVALID_CREDENTIAL');
    expect(await tried(forge({ claims: { aud: ISSUER } }))).toBe('INVALID_CREDENTIAL');
  });
});

describe('J07 the times of a token', () => {
  test('are whole numbers of seconds, and exp and iat are there (jwtVerify, and hasOurShape for what it lets by)', async () => {
    const now = Math.floor(gateway.clock().getTime() / 1000);
    for (const name of ['exp', 'iat'] as const) {
      for (const value of [
        undefined,
        null,
        '',
        String(now + 60),
        now + 60.5,
        1e99,
        Number.MAX_VALUE,
        [now + 60],
        {},
        true,
      ]) {
        expect(await tried(forge({ claims: { [name]: value } })), `${name} ${value}`).toBe('INVALID_CREDENTIAL');
      }
    }
    for (const nbf of ['', String(now - 60), [], {}, true])
      expect(await tried(forge({ claims: { nbf } }))).toBe('INVALID_CREDENTIAL');
  });

  test('say when it begins and ends, with a leeway of five seconds', async () => {
    const now = Math.floor(gateway.clock().getTime() / 1000);
    const rows: [Part, string][] = [
      [{ exp: now + 1 }, 'accepted'],
      [{ exp: now - 4 }, 'accepted'],
      [{ exp: now - 5 }, 'EXPIRED'],
      [{ exp: 0 }, 'EXPIRED'],
      [{ exp: -1 }, 'EXPIRED'],
      [{ iat: now + 5 }, 'accepted'],
      [{ iat: now + 6 }, 'INVALID_CREDENTIAL'],
      [{ iat: now + 3_600 }, 'INVALID_CREDENTIAL'],
      [{ nbf: now + 5 }, 'accepted'],
      [{ nbf: now + 6 }, 'INVALID_CREDENTIAL'],
      [{ nbf: now - 60 }, 'accepted'],
    ];
    for (const [claims, expected] of rows)
      expect(await tried(forge({ claims })), JSON.stringify(claims)).toBe(expected);
  });

  test('are looked at each time, though a signature is checked once (the memory of tokens keeps exp)', async () => {
    const { token } = await signUp(gateway.client(), newPerson(), 'JWT');
    expect(await tried(token)).toBe('accepted');
    gateway.clock.advance(5 * MINUTE + 4 * SECOND);
    expect(await tried(token)).toBe('accepted');
    gateway.clock.advance(2 * SECOND);
    expect(await tried(token)).toBe('EXPIRED');
    expect(await tried(token, other)).toBe('EXPIRED');
    held = await signUp(gateway.client(), newPerson(), 'JWT');
  });
});

describe('J08 J13 what a token says', () => {
  const CLAIMS = ['amr', 'aud', 'auth_time', 'exp', 'iat', 'iss', 'jti', 'sid', 'sub'];

  test('is on the list of claims, nothing personal, for five minutes (issue makes it from ids and instants alone)', async () => {
    const person = newPerson();
    const login = await signUp(gateway.client(), person, 'JWT');
    const issued = (await login.client.send(ISSUE_ACCESS_TOKEN)).result as unknown as {
      accessToken: string;
      expiresAt: string;
    };
    for (const token of [login.token, issued.accessToken]) {
      const claims = decodeJwt(token);
      expect(Object.keys(claims).sort()).toEqual(CLAIMS);
      expect(claims).toMatchObject({
        iss: ISSUER,
        aud: 'http://api.test',
        sub: login.userId,
        sid: login.sessionId,
        amr: ['pwd'],
      });
      expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(300);
      expect(JSON.stringify(claims)).not.toContain(person.email.split('@')[0]);
    }
    expect(Date.parse(issued.expiresAt)).toBe((decodeJwt(issued.accessToken).exp ?? 0) * 1000);
    expect(decodeJwt(login.token).jti).not.toBe(decodeJwt(issued.accessToken).jti);
  });

  test('never holds for longer than fifteen minutes, whatever an operator writes', () => {
    const load = () => loadConfig({ ...ENV, POSTERN_ACCESS_TOKEN_LIFETIME: '16m' });
    expect(load).toThrow('POSTERN_ACCESS_TOKEN_LIFETIME is longer than 15m');
  });
});

describe('J09 a token', () => {
  test.each<[string, (of: Held) => Promise<unknown>]>([
    ['logging out', ({ client }) => client.send(LOG_OUT)],
    [
      'ending its session by SQL',
      ({ sessionId: id }) =>
        gateway.sql(`UPDATE sessions SET ended_at = now(), end_reason = 'REVOKED' WHERE id = $1`, [id]),
    ],
    ['removing its session', ({ sessionId: id }) => gateway.sql('DELETE FROM sessions WHERE id = $1', [id])],
  ])('dies by %s, at both instances, though its signature holds (sid is looked up)', async (_how, end) => {
    const of = await signUp(gateway.client(), newPerson(), 'JWT');
    for (const where of [gateway, other]) expect(await tried(of.token, where)).toBe('accepted');
    await end(of);
    for (const where of [gateway, other]) {
      await expect.poll(() => tried(of.token, where), { timeout: 1_000, interval: 10 }).toBe('REVOKED');
      expect(await gateway.app.accessTokens.verify(of.token, gateway.clock())).toMatchObject({ sid: of.sessionId });
    }
  });
});

describe('J10 the JWKS', () => {
  test('has public members only, says what its keys are for, and may be kept for five minutes', async () => {
    const response = await fetch(`${gateway.url}/.well-known/jwks.json`);
    expect(response.headers.get('cache-control')).toBe('public, max-age=300');
    expect(response.headers.get('content-type')).toContain('application/json');
    const text = await response.text();
    for (const key of (JSON.parse(text) as JSONWebKeySet).keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
      expect(key).toMatchObject({ kty: 'EC', crv: 'P-256', use: 'sig', alg: 'ES256' });
    }
    expect(text).not.toContain(own.privateJwk.d);
  });

  test('is all that another service needs, and stays the same under load', async () => {
    const texts = await Promise.all(
      Array.from({ length: 100 }, async (_, index) =>
        (await fetch(`${(index % 2 ? gateway : other).url}/.well-known/jwks.json`)).text(),
      ),
    );
    expect(new Set(texts).size).toBe(1);
    const { payload } = await jwtVerify(held.token, createLocalJWKSet(await jwksOf(gateway)), {
      issuer: ISSUER,
      audience: 'http://api.test',
      typ: 'at+jwt',
      currentDate: gateway.clock(),
    });
    expect(payload.sub).toBe(held.userId);
    const discovery = await (await fetch(`${gateway.url}/.well-known/openid-configuration`)).json();
    expect(discovery).toMatchObject({ issuer: ISSUER, jwks_uri: `${ISSUER}/.well-known/jwks.json` });
  });
});

describe('J12 what a token may not ask for', () => {
  test('critical extensions, unencoded payloads, compression and encryption are refused quickly', async () => {
    const publicKey = await importJWK(own.publicJwk, 'ECDH-ES');
    const encrypted = await new CompactEncrypt(Buffer.from(held.token))
      .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: own.kid, typ: 'at+jwt', cty: 'JWT' })
      .encrypt(publicKey);
    const direct = await new CompactEncrypt(Buffer.from(JSON.stringify(decodeJwt(held.token))))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: own.kid, zip: 'DEF' } as never)
      .encrypt(Buffer.alloc(32))
      .catch(() => 'a.b.c.d.e');
    const claims = decodeJwt(held.token);
    const unencoded = (header: Part) => {
      const text = `${encode({ ...decodeProtectedHeader(held.token), ...header })}.${JSON.stringify(claims)}`;
      return `${text}.${ours(text).toString('base64url')}`;
    };
    const tokens = [
      forge({ header: { crit: ['exp'], exp: 1 } }),
      forge({ header: { crit: ['postern'], postern: true } }),
      forge({ header: { crit: [] } }),
      forge({ header: { crit: 'b64', b64: true } }),
      forge({ header: { crit: ['b64'], b64: false } }),
      unencoded({ crit: ['b64'], b64: false }),
      unencoded({ b64: false }),
      encrypted,
      direct,
      ...['ES256', 'dir'].map((alg) => `${encode({ alg, enc: 'A256GCM' })}....`),
    ];
    for (const token of tokens) {
      const begun = performance.now();
      expect(await gateway.app.accessTokens.verify(token, gateway.clock())).toBe('invalid');
      expect(performance.now() - begun).toBeLessThan(100);
      expect(await tried(token)).toBe('INVALID_CREDENTIAL');
    }
  });
});

describe('J14 a flood of tokens', () => {
  test('that are too long stops at the door: more than 8 KiB is not looked at, more than 16 KiB not even read', async () => {
    const long = forge({ claims: { padding: 'x'.repeat(7_000) } });
    expect(long.length).toBeGreaterThan(8 * 1024);
    expect(await tried(long)).toBe('INVALID_CREDENTIAL');
    const { status } = await gateway.client().bearing('x'.repeat(20_000)).send(CURRENT_USER);
    expect(status).toBe(431);
    expect(await tried(forge({ claims: { padding: 'x'.repeat(5_000) } }))).toBe('accepted');
  });

  test('that are bad starves nobody, and is not remembered', async () => {
    const bad = fc.sample(fc.uint8Array({ minLength: 64, maxLength: 64 }), { numRuns: 600, seed: 1 }).map((bytes) => {
      const [head, payload] = held.token.split('.');
      return `${head}.${payload}.${Buffer.from(bytes).toString('base64url')}`;
    });
    const flood = Promise.all(bad.map((token) => tried(token)));
    const good: number[] = [];
    for (let count = 0; count < 10; count += 1) {
      const begun = performance.now();
      expect(await tried(held.token)).toBe('accepted');
      good.push(performance.now() - begun);
    }
    expect(new Set(await flood)).toEqual(new Set(['INVALID_CREDENTIAL']));
    expect(Math.max(...good)).toBeLessThan(5_000);
  });
});

describe('J11 a rotation of the keys', () => {
  const cipher = createCipher([SECRET]);
  const policy = { algorithm: 'ES256', keyLifetime: 90 * 24 * 60 * MINUTE, tokenLifetime: 5 * MINUTE } as const;
  const rotate = (force?: 'soon' | 'now') =>
    gateway.app.database.transaction((db) => signingKeys.rotate(db, cipher, policy, gateway.clock(), force));
  const kidsOf = async (where: Gateway) => (await jwksOf(where)).keys.map(({ kid }) => kid);
  const bothHave = async (count: number) => {
    for (const where of [gateway, other]) {
      await expect.poll(async () => (await kidsOf(where)).length, { timeout: 2_000, interval: 5 }).toBe(count);
    }
    expect(await kidsOf(gateway)).toEqual(await kidsOf(other));
  };
  const issue = async (where: Gateway, token: string) => {
    const { result } = await where.client().bearing(token).send(ISSUE_ACCESS_TOKEN);
    return String(result.accessToken);
  };
  const kidOf = (token: string) => decodeProtectedHeader(token).kid;

  test('publishes a key before it signs, keeps the old one until its last token is over, and refuses nobody meanwhile', async () => {
    const session = await signUp(gateway.client(), newPerson());
    const [oldKid] = await kidsOf(gateway);
    await rotate('soon');
    await bothHave(2);
    const [, newKid] = await kidsOf(gateway);

    // Published, but not signing: verifiers have ten minutes to notice.
    gateway.clock.advance(10 * MINUTE - SECOND);
    for (const where of [gateway, other]) expect(kidOf(await issue(where, session.token))).toBe(oldKid);
    const last = await issue(other, session.token);
    gateway.clock.advance(SECOND);
    const tokens = [last];
    for (const where of [gateway, other]) {
      const fresh = await issue(where, session.token);
      expect(kidOf(fresh)).toBe(newKid);
      tokens.push(fresh);
    }
    for (const token of tokens)
      for (const where of [gateway, other]) expect(await tried(token, where)).toBe('accepted');

    // The old one stays for its last token.
    gateway.clock.advance(5 * MINUTE + 3 * SECOND);
    await rotate();
    await bothHave(2);
    expect(await tried(last)).toBe('accepted');
    gateway.clock.advance(2 * MINUTE);
    await rotate();
    await bothHave(1);
    expect(await kidsOf(gateway)).toEqual([newKid]);
    expect(await tried(last)).not.toBe('accepted');
  });

  test('under traffic refuses no token that is good', async () => {
    const session = await signUp(gateway.client(), newPerson());
    const reasons: unknown[] = [];
    let running = true;
    const traffic = [gateway, other].map(async (where) => {
      while (running) reasons.push(await tried(await issue(where, session.token), where === gateway ? other : gateway));
    });
    for (let rotation = 0; rotation < 2; rotation += 1) {
      await rotate('soon');
      // In steps that are shorter than a token lives, or one that is under way would rightly expire.
      for (let minute = 0; minute < 11; minute += 1) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        gateway.clock.advance(MINUTE);
      }
    }
    running = false;
    await Promise.all(traffic);
    expect(reasons.length).toBeGreaterThan(10);
    expect(new Set(reasons)).toEqual(new Set(['accepted']));
  });

  test('that is forced signs with the new key at once, and what a removed key signed is refused at once (forget)', async () => {
    const session = await signUp(gateway.client(), newPerson());
    const before = await issue(gateway, session.token);
    for (const where of [gateway, other]) expect(await tried(before, where)).toBe('accepted');
    const known = await kidsOf(gateway);
    await rotate('now');
    for (const where of [gateway, other]) {
      const isNew = async () => (await kidsOf(where)).some((kid) => !known.includes(kid));
      await expect.poll(isNew, { timeout: 2_000, interval: 5 }).toBe(true);
    }
    const after = await issue(gateway, session.token);
    expect(known).not.toContain(kidOf(after));
    await gateway.sql('DELETE FROM signing_keys WHERE id = $1', [kidOf(before)]);
    for (const where of [gateway, other]) {
      await expect.poll(() => tried(before, where), { timeout: 1_000, interval: 10 }).toBe('INVALID_CREDENTIAL');
      expect(await tried(after, where)).toBe('accepted');
    }
  });

  test('that ten instances do at once makes one key (the advisory lock)', async () => {
    gateway.clock.advance(policy.keyLifetime);
    const before = (await signingKeys.list(gateway.app.database)).length;
    await Promise.all(Array.from({ length: 10 }, () => rotate()));
    const after = await signingKeys.list(gateway.app.database);
    expect(after.filter(({ createdAt }) => createdAt >= gateway.clock())).toHaveLength(1);
    expect(after.length).toBeLessThanOrEqual(before + 1);
  });

  test('between two algorithms, as two deployments may want, gives each its turn and not a key each minute', async () => {
    const before = (await signingKeys.list(gateway.app.database)).length;
    for (let minute = 0; minute < 9; minute += 1) {
      for (const algorithm of ['EdDSA', 'ES256'] as const) {
        await gateway.app.database.transaction((db) =>
          signingKeys.rotate(db, cipher, { ...policy, algorithm }, gateway.clock()),
        );
      }
      gateway.clock.advance(MINUTE);
    }
    expect((await signingKeys.list(gateway.app.database)).length).toBeLessThanOrEqual(before + 2);
  });
});

describe('the private key', () => {
  test('is sealed in the database: no raw member, nothing that its parts could be told from (the cipher seals it)', async () => {
    const rows = await gateway.sql<{ id: string; sealed: string; all: string }>(
      'SELECT id, sealed_private_jwk AS sealed, k::text AS all FROM signing_keys k',
    );
    for (const { sealed, all } of rows) {
      expect(sealed).toMatch(/^v1\.[0-9a-f]{8}\.[A-Za-z0-9_-]+$/);
      expect(all).not.toContain(own.privateJwk.d);
      expect(all).not.toMatch(/"d"/);
    }
    // Moved to another row, a sealed key does not open.
    const [key] = await signingKeys.list(gateway.app.database);
    const moved = { ...key, kid: 'another' } as signingKeys.SigningKey;
    expect(() => signingKeys.openKey(moved, createCipher([SECRET]))).toThrow(/does not open/);
  });

  test('opens with the secret that sealed it, first or second in the list, and the start fails clearly without', async () => {
    const { config, databaseUrl, clock } = { ...gateway, config: gateway.app.config };
    const start = (secrets: readonly string[]) =>
      createApp({ ...config, databaseUrl, secrets }, createLogger('silent'), { clock });
    const newer = 'a newer secret that is at least 32 bytes long';
    await expect(start([newer])).rejects.toThrow(/POSTERN_SECRET does not open the signing key .* after the new one/);
    await expect(start([newer])).rejects.not.toThrow(SECRET);
    const app = await start([newer, SECRET]);
    try {
      expect(app.keys.publicKeys()).toEqual(gateway.app.keys.publicKeys());
      const { accessToken } = await app.accessTokens.issue(
        {
          userId: held.userId,
          sessionId: held.sessionId,
          generation: 0,
          authenticatedAt: clock(),
          expiresAt: new Date(clock().getTime() + 3_600_000),
          methods: ['pwd'],
          claims: {},
        },
        clock(),
      );
      expect(await gateway.app.accessTokens.verify(accessToken, clock())).toMatchObject({ sid: held.sessionId });
    } finally {
      await app.close();
    }
  });
});

describe.each(['EdDSA', 'RS256'] as const)('POSTERN_ACCESS_TOKEN_ALG=%s', (algorithm) => {
  let own: Gateway;
  beforeAll(async () => {
    const options: GatewayOptions = { env: { ...ENV, POSTERN_ACCESS_TOKEN_ALG: algorithm } };
    own = await startGateway(options);
  });
  afterAll(() => own.stop());

  test('signs with it, and any verifier reads it by the JWKS', async () => {
    const login = await signUp(own.client(), newPerson(), 'JWT');
    expect(decodeProtectedHeader(login.token)).toMatchObject({ alg: algorithm, typ: 'at+jwt' });
    expect(await reasonOf(login.client)).toBe('accepted');
    const { keys } = await jwksOf(own);
    const members = { EdDSA: ['crv', 'x'], RS256: ['e', 'n'] }[algorithm];
    expect(keys.map((key) => Object.keys(key).sort())).toEqual([['alg', 'kid', 'kty', 'use', ...members].sort()]);
    const verified = await jwtVerify(login.token, createLocalJWKSet({ keys }), { currentDate: own.clock() });
    expect(verified.payload.sub).toBe(login.userId);
  });

  test('takes no token that another algorithm signed under its key id', async () => {
    const login = await signUp(own.client(), newPerson(), 'JWT');
    const { keys } = await jwksOf(own);
    const attacker = await makeSigningKey('ES256');
    const [, payload] = login.token.split('.');
    for (const alg of ['ES256', 'HS256', 'none', 'RS512', 'Ed25519']) {
      const text = `${encode({ alg, typ: 'at+jwt', kid: keys[0]?.kid })}.${payload}`;
      const hmac = createHmac('sha256', JSON.stringify(keys[0])).update(text).digest();
      const signature = alg === 'HS256' ? hmac : alg === 'none' ? Buffer.alloc(0) : es256(attacker.privateJwk)(text);
      expect(await tried(`${text}.${signature.toString('base64url')}`, own)).toBe('INVALID_CREDENTIAL');
    }
  });

  test('takes over from another one as a rotation does, and the tokens of both are good meanwhile', async () => {
    const login = await signUp(own.client(), newPerson(), 'JWT');
    const next = await own.another({ POSTERN_ACCESS_TOKEN_ALG: 'ES256' });
    await expect.poll(async () => (await jwksOf(own)).keys.length, { timeout: 2_000 }).toBe(2);
    own.clock.advance(10 * MINUTE + SECOND);
    const { result } = await next.client().send(REFRESH, { input: { refreshToken: login.refreshToken } });
    const { accessToken } = result.credential as { accessToken: string };
    expect(decodeProtectedHeader(accessToken).alg).toBe('ES256');
    for (const where of [own, next]) expect(await tried(accessToken, where)).toBe('accepted');
    const exported = await exportJWK(await importJWK(own.app.keys.publicKeys()[0] as JWK));
    expect(exported).not.toHaveProperty('d');
  });
});
