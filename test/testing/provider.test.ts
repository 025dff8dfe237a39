import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MockProvider, startMockProvider } from '../../src/testing/provider.ts';

const CALLBACK = 'http://127.0.0.1:9/callback';
const VERIFIER = 'a verifier of the one who began, which is long enough';

let provider: MockProvider;

beforeAll(async () => {
  provider = await startMockProvider();
  provider.will({ sub: '1815', email: 'mary@example.com' });
});

afterAll(() => provider.stop());

/** Where a browser is sent that begins a login. */
async function begin(more: Record<string, string> = {}): Promise<URL> {
  const url = new URL(`${provider.issuer}/authorize`);
  const challenge = createHash('sha256').update(VERIFIER).digest('base64url');
  const asked = { response_type: 'code', client_id: 'postern', redirect_uri: CALLBACK, state: 'of the client' };
  const pkce = { code_challenge: challenge, code_challenge_method: 'S256' };
  url.search = new URLSearchParams({ ...asked, ...pkce, ...more }).toString();
  const response = await fetch(url, { redirect: 'manual' });
  return new URL(response.headers.get('location') ?? 'none:');
}

/** What a code is exchanged for. */
async function exchange(code: string | null, more: Record<string, string> = {}): Promise<Record<string, unknown>> {
  const { clientId, clientSecret = '' } = provider.entry;
  const given = { code: code ?? '', redirect_uri: CALLBACK, code_verifier: VERIFIER, client_id: clientId };
  const body = new URLSearchParams({ ...given, client_secret: clientSecret, ...more });
  return (await fetch(`${provider.issuer}/token`, { method: 'POST', body })).json();
}

test('a code is good once, for the client that began, and for nobody else', async () => {
  const code = (await begin()).searchParams.get('code');
  expect(await exchange(code)).toMatchObject({ token_type: 'Bearer' });
  expect(await exchange(code)).toEqual({ error: 'invalid_grant' });

  const wrong: readonly Record<string, string>[] = [
    { code_verifier: 'of somebody else' },
    { redirect_uri: `${CALLBACK}/elsewhere` },
  ];
  for (const more of wrong) {
    expect(await exchange((await begin()).searchParams.get('code'), more)).toEqual({ error: 'invalid_grant' });
  }
  const stranger = { client_secret: 'a guess' };
  expect(await exchange((await begin()).searchParams.get('code'), stranger)).toEqual({ error: 'invalid_client' });
});

test('a login without PKCE is refused, and says so to the client', async () => {
  const { searchParams } = await begin({ code_challenge_method: 'plain' });
  expect(searchParams.get('error')).toBe('invalid_request');
  expect(searchParams.get('state')).toBe('of the client');
  expect(searchParams.get('code')).toBeNull();
});

test('without a word of who comes, nobody does', async () => {
  const silent = await startMockProvider({ id: 'silent' });
  try {
    const url = `${silent.issuer}/authorize?client_id=postern&redirect_uri=${encodeURIComponent(CALLBACK)}`;
    await expect(silent.visit(url)).rejects.toThrow('provider.will');
  } finally {
    await silent.stop();
  }
});
