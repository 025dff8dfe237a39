import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { importKey, makeSigningKey, makeTokenId, signAccessToken } from '../../src/lib/access-token.ts';
import { makeToken } from '../../src/lib/secrets.ts';
import { createVerifier } from '../../src/verify/index.ts';

// Shows a verifier a hundred thousand tokens that it has not seen, and tells what it keeps of them in memory.
const TOKENS = 100_000;
/** As many as are remembered at all, of either kind. */
const REMEMBERED = 45_000;
const ID = '11111111-1111-4111-8111-111111111111';
const service = { id: 'orders', secret: 'k3TQ0nYw5m1zVb8uRf2sXc7dJh4gLp9aEi6o' };

const { kid, algorithm, publicJwk, privateJwk } = await makeSigningKey('ES256');
const privateKey = await importKey(privateJwk, algorithm);
const server = createServer((request, response) => {
  request.resume();
  response.end(JSON.stringify(request.url === '/introspect' ? { active: false } : { keys: [publicJwk] }));
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const verifier = createVerifier({ issuer, service });

async function show(index: number): Promise<void> {
  if (index % 2 === 0) {
    await verifier.verify(makeToken('session'));
    return;
  }
  const now = Math.floor(Date.now() / 1000);
  const times = { iat: now, exp: now + 300, auth_time: now };
  const claims = {
    iss: issuer,
    aud: issuer,
    sub: ID,
    sid: ID,
    jti: makeTokenId(0),
    ...times,
    amr: ['pwd'],
    org: 'x'.repeat(500),
  };
  const token = await signAccessToken(claims, { kid, algorithm, privateKey });
  if ((await verifier.verify(token)).kind !== 'Identified') throw new Error('a good token was refused');
}

async function showMany(count: number): Promise<number> {
  for (let from = 0; from < count; from += 50)
    await Promise.all(Array.from({ length: 50 }, (_, index) => show(from + index)));
  globalThis.gc?.();
  return process.memoryUsage().rss;
}

const warm = await showMany(REMEMBERED);
const after = await showMany(TOKENS - REMEMBERED);
process.stdout.write(JSON.stringify({ warm, after }));
server.closeAllConnections();
server.close();
