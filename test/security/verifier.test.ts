import { spawnSync } from 'node:child_process';
import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, type JWK } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeSigningKey } from '../../src/lib/access-token.ts';
import { createCipher } from '../../src/lib/cipher.ts';
import { makeToken } from '../../src/lib/secrets.ts';
import * as signingKeys from '../../src/records/signing-keys.ts';
import { createVerifier, type Verifier, VerifierUnavailable } from '../../src/verify/index.ts';
import { type Front, openFront } from '../support/front.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { ORDERS, SERVICES } from '../support/introspect.ts';
import { type Held, newPerson, signUp } from '../support/people.ts';

const SECRET = 'the secret of these tests is long enough to be one';
const KEYS = '/.well-known/jwks.json';
const INTROSPECT = '/introspect';
const AUDIENCE = 'http://api.test';

let front: Front;
let gateway: Gateway;
let verifier: Verifier;
let held: Held;
let own: { kid: string; publicJwk: JWK; privateJwk: JWK };
beforeAll(async () => {
  front = await openFront();
  const env = { POSTERN_PUBLIC_URL: front.url, POSTERN_SECRET: SECRET, POSTERN_ACCESS_TOKEN_AUDIENCE: AUDIENCE };
  gateway = await startGateway({ env: { ...SERVICES, ...env } });
  front.before(gateway.url);
  held = await signUp(gateway.client(), newPerson(), 'JWT');
  const [key] = await signingKeys.list(gateway.app.database);
  if (!key) throw new Error('there is no key');
  own = { kid: key.kid, publicJwk: key.publicJwk, privateJwk: signingKeys.openKey(key, createCipher([SECRET])) };
});
afterAll(async () => {
  await gateway.stop();
  await front.close();
});
beforeEach(() => {
  front.counts.clear();
  front.seen.length = 0;
  verifier = newVerifier();
});
afterEach(() => {
  front.answer = null;
});

function newVerifier(): Verifier {
  return createVerifier({ issuer: front.url, audience: AUDIENCE, service: ORDERS, clock: gateway.clock });
}

type Part = Record<string, unknown>;
type Signer = (text: string) => Buffer;

const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
const es256 =
  (jwk: JWK): Signer =>
  (text) =>
    sign('sha256', Buffer.from(text), { key: jwk as never, format: 'jwk', dsaEncoding: 'ieee-p1363' });
const hmac =
  (key: string): Signer =>
  (text) =>
    createHmac('sha256', key).update(text).digest();

/** A token with the header and claims of a real one, changed, and signed by whomever. Undefined takes a member away. */
function forge(change: { header?: Part; claims?: Part; signer?: Signer } = {}): string {
  const header = { ...decodeProtectedHeader(held.token), ...change.header };
  const claims = { ...decodeJwt(held.token), jti: `0-${randomUUID()}`, ...change.claims };
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${(change.signer ?? es256(own.privateJwk))(text).toString('base64url')}`;
}
const kindOf = async (token: string, by = verifier) => {
  const identity = await by.verify(token);
  return identity.kind === 'Identified' ? 'Identified' : identity.reason;
};

test('a forgery that changes nothing is accepted, so that each of the following is refused for what it changes', async () => {
  expect([await kindOf(held.token), await kindOf(forge())]).toEqual(['Identified', 'Identified']);
});

test('J01 J03 the algorithm and the key are those of the page, whatever a token says or brings along (verifyAccessToken)', async () => {
  const pem = createPublicKey({ key: own.publicJwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  const attacker = await makeSigningKey('ES256');
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
  const cases: [string, Parameters<typeof forge>[0]][] = [
    ...['none', 'None', 'nOnE', ''].map(
      (alg) => [alg, { header: { alg }, signer: () => Buffer.alloc(0) }] as [string, object],
    ),
    ...[String(pem), String(pem).trim(), JSON.stringify(own.publicJwk), own.publicJwk.x ?? ''].map(
      (key) => ['HS256 with a public text', { header: { alg: 'HS256' }, signer: hmac(key) }] as [string, object],
    ),
    ['RS256', { header: { alg: 'RS256' }, signer: (text) => sign('sha256', Buffer.from(text), rsa) }],
    ['EdDSA, signed by ES256', { header: { alg: 'EdDSA' } }],
    ['another key', { signer: es256(attacker.privateJwk) }],
    [
      'a key of its own',
      { header: { kid: attacker.kid, jwk: attacker.publicJwk }, signer: es256(attacker.privateJwk) },
    ],
    [
      'a page of its own',
      { header: { jku: `${front.url}/evil`, x5u: `${front.url}/evil` }, signer: es256(attacker.privateJwk) },
    ],
  ];
  for (const [name, change] of cases) expect(await kindOf(forge(change)), name).toBe('INVALID_CREDENTIAL');
  expect(front.count('/evil')).toBe(0);
});

test('J04 J05 J06 J07 the rest of a token is what Postern itself holds it to (verifyAccessToken)', async () => {
  const now = Math.floor(gateway.clock().getTime() / 1000);
  const changes: [Part, Part][] = [
    ...[undefined, null, 'JWT', 'id+jwt', 'at', ['at+jwt']].map((typ) => [{ typ }, {}] as [Part, Part]),
    ...[undefined, null, '', [own.kid], `${own.kid} `, '../../x', '__proto__', 'constructor'].map(
      (kid) => [{ kid }, {}] as [Part, Part],
    ),
    [{ crit: ['b64'], b64: false }, {}],
    ...[undefined, `${front.url}/`, 'http://evil.test', [front.url]].map((iss) => [{}, { iss }] as [Part, Part]),
    ...[undefined, front.url, `${AUDIENCE}/`, [AUDIENCE], [AUDIENCE, 'http://evil.test']].map(
      (aud) => [{}, { aud }] as [Part, Part],
    ),
    ...[undefined, 'x', 7].flatMap(
      (id) =>
        [
          [{}, { sub: id }],
          [{}, { sid: id }],
          [{}, { jti: id }],
        ] as [Part, Part][],
    ),
    ...[undefined, String(now + 60), now + 60.5, 1e99].map((exp) => [{}, { exp }] as [Part, Part]),
    [{}, { iat: now + 6 }],
    [{}, { nbf: now + 6 }],
    [{}, { amr: 'mfa' }],
  ];
  for (const [header, claims] of changes) {
    expect(await kindOf(forge({ header, claims })), JSON.stringify([header, claims])).toBe('INVALID_CREDENTIAL');
  }
  expect(await kindOf(forge({ claims: { exp: now - 5 } }))).toBe('EXPIRED');
});

test('J02 none of the bytes of a token can be flipped, and its signature has one spelling (jwtVerify, hasCanonicalSignature)', async () => {
  const { token } = held;
  const mutants = [...token].map(
    (character, at) => token.slice(0, at) + (character === 'A' ? 'B' : 'A') + token.slice(at + 1),
  );
  const reasons = new Set(
    await Promise.all([...mutants, `${token}=`, `${token}.`, ` ${token}`, `${token}\n`].map((each) => kindOf(each))),
  );
  expect(reasons).toEqual(new Set(['INVALID_CREDENTIAL']));
});

test('a token that was good is not taken for another one that begins, ends or sounds like it (digestOf)', async () => {
  expect(await kindOf(held.token)).toBe('Identified');
  const [head, , signature] = held.token.split('.');
  const claims = encode({ ...decodeJwt(held.token), sub: randomUUID() });
  expect(await kindOf(`${head}.${claims}.${signature}`)).toBe('INVALID_CREDENTIAL');
});

test('a flood of unknown key ids reads the page once in five seconds, and good tokens are good meanwhile (ASK_AGAIN_MS, readOnce)', async () => {
  expect(await kindOf(held.token)).toBe('Identified');
  const attacker = es256((await makeSigningKey('ES256')).privateJwk);
  const flood = Array.from({ length: 300 }, () =>
    forge({ header: { kid: randomBytes(32).toString('base64url') }, signer: attacker }),
  );
  const [reasons, good] = await Promise.all([
    Promise.all(flood.map((token) => kindOf(token))),
    Promise.all(flood.map(() => kindOf(held.token))),
  ]);
  expect([new Set(reasons), new Set(good)]).toEqual([new Set(['INVALID_CREDENTIAL']), new Set(['Identified'])]);
  expect(front.count(KEYS)).toBe(1);
  gateway.clock.advance(5_000);
  await Promise.all(flood.map((token) => kindOf(token)));
  for (const token of flood.slice(0, 50)) await kindOf(token);
  expect(front.count(KEYS)).toBe(2);
});

test('key ids that are none of ours do not even do that (KEY_ID)', async () => {
  expect(await kindOf(held.token)).toBe('Identified');
  gateway.clock.advance(5_000);
  for (const kid of ['x', 'x'.repeat(44), `${own.kid}=`, 'https://evil.test/keys'])
    await kindOf(forge({ header: { kid } }));
  expect(front.count(KEYS)).toBe(1);
});

test('while the page cannot be read, a flood of tokens asks for it once a second, and lets nobody by (RETRY_MS)', async () => {
  front.answer = (request) => request.socket.destroy();
  for (let second = 0; second < 3; second += 1) {
    const asked = await Promise.allSettled(Array.from({ length: 100 }, () => verifier.verify(forge())));
    expect(asked.every((each) => each.status === 'rejected' && each.reason instanceof VerifierUnavailable)).toBe(true);
    await expect(verifier.verify(forge())).rejects.toThrow(VerifierUnavailable);
    gateway.clock.advance(1_000);
  }
  expect(front.count(KEYS)).toBe(3);
});

test('a page is taken for the public signing keys in it, and for nothing else (readyKey)', async () => {
  const secret = { kty: 'oct', kid: own.kid, use: 'sig', alg: 'ES256', k: 'c2VjcmV0' };
  const jwk = own.publicJwk;
  const pages = [
    [secret],
    [{ ...secret, alg: 'HS256' }],
    [{ ...jwk, alg: undefined }],
    [{ ...jwk, alg: 'HS256' }],
    [{ ...jwk, alg: 'RS256' }],
    [{ ...jwk, use: 'enc' }],
    [{ ...jwk, kid: undefined }],
    [null, 7, 'x', {}],
    [],
  ];
  for (const keys of pages) {
    front.answer = (_request, response) => response.end(JSON.stringify({ keys }));
    const hs = forge({ header: { alg: 'HS256' }, signer: hmac('secret') });
    for (const token of [held.token, hs])
      expect(await kindOf(token, newVerifier()), JSON.stringify(keys)).toBe('INVALID_CREDENTIAL');
  }
  front.answer = (_request, response) => response.end(JSON.stringify({ keys: [null, { kty: 'new', kid: 'x' }, jwk] }));
  expect(await kindOf(held.token, newVerifier())).toBe('Identified');
});

test('nothing is sent anywhere that has not the exact form of a session token (isToken)', async () => {
  const session = makeToken('session');
  const others = [
    'x',
    'ps_',
    `${session}A`,
    session.slice(0, -1),
    ` ${session}`,
    `${session}\n`,
    session.replace('ps_', 'pr_'),
    session.toUpperCase(),
    makeToken('refresh'),
    makeToken('login'),
    held.refreshToken ?? '',
    'x'.repeat(100_000),
    `${'a'.repeat(9_000)}.b.c`,
    '{}',
    '..',
    '\0',
  ];
  for (const token of others) expect(await kindOf(token), token.slice(0, 60)).toBe('INVALID_CREDENTIAL');
  for (const odd of [7, {}, [session], { toString: () => session }]) {
    expect(await verifier.verify(odd as unknown as string)).toEqual({
      kind: 'Unidentified',
      reason: 'INVALID_CREDENTIAL',
    });
  }
  expect(front.seen).toEqual([]);
  await kindOf(session);
  expect(front.seen).toEqual([`${INTROSPECT} token=${session}`]);
});

test('neither secret nor token stands in an error, nor in what it was caused by', async () => {
  const token = makeToken('session');
  for (const status of [401, 404, 500]) {
    front.answer = (_request, response) => response.writeHead(status).end(token);
    const error: Error = await newVerifier()
      .verify(token)
      .then(
        () => new Error('answered'),
        (reason) => reason,
      );
    expect(error).toBeInstanceOf(VerifierUnavailable);
    expect(`${error.message} ${error.stack} ${error.cause}`).not.toMatch(new RegExp(`${token}|${ORDERS.secret}`));
  }
});

test('two thousand unknown tokens at once wait for a thousand answers at most (MAX_ASKED_AT_ONCE)', async () => {
  const waiting: (() => void)[] = [];
  front.answer = (_request, response) => void waiting.push(() => response.end('{"active":false}'));
  const asked = Array.from({ length: 2_000 }, () => kindOf(makeToken('session')).catch((error: Error) => error.name));
  const refused = await Promise.race(asked.slice(1_000));
  expect(refused).toBe('VerifierUnavailable');
  front.answer = (_request, response) => response.end('{"active":false}');
  for (const answer of waiting) answer();
  const reasons = await Promise.all(asked);
  expect(reasons.filter((reason) => reason === 'VerifierUnavailable').length).toBeGreaterThanOrEqual(1_000);
  expect(front.count(INTROSPECT)).toBeLessThanOrEqual(1_000);
});

test('memory stays flat under a hundred thousand tokens, half of them good (MAX_REMEMBERED)', {
  timeout: 120_000,
}, () => {
  const child = ['--expose-gc', '--import', 'tsx', 'test/support/verifier-child.ts'];
  const { stdout, stderr } = spawnSync(process.execPath, child, { encoding: 'utf8' });
  expect(stderr).toBe('');
  const { warm, after } = JSON.parse(stdout) as { warm: number; after: number };
  expect((after - warm) / 2 ** 20).toBeLessThan(64);
});

test('importing postern/verify in a process of its own loads no gateway and no database', () => {
  const program = `
    await import('./src/verify/index.ts');
    const loaded = Object.keys(process.getBuiltinModule('module').Module._cache ?? {});
    console.log(JSON.stringify(loaded.filter((file) => /node_modules\\/(pg|graphql|hono|pino|zod)\\//.test(file))));`;
  const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  expect(run).toMatchObject({ stderr: '', stdout: '[]\n' });
});
