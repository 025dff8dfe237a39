import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HookRequestOrigin } from '../../src/hooks.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { faultsIn } from '../support/hooks.ts';
import { connectLive, WATCH_SESSION } from '../support/live.ts';
import { CURRENT_SESSION, type Held, LOG_IN, newPerson, signUp } from '../support/people.ts';

let gateway: Gateway;
let decide: (asked: HookRequestOrigin) => unknown;
let asked: HookRequestOrigin[] = [];
beforeAll(async () => {
  gateway = await startGateway({
    env: {
      POSTERN_RATE_LIMITS: '{"signUpPerAddress":"3/1h"}',
      POSTERN_PROVIDERS: '[{"id":"google","clientId":"x","clientSecret":"y"}]',
    },
    hooks: {
      clientAddress: (about) => {
        asked.push(about);
        return decide(about) as string;
      },
    },
  });
});
afterAll(() => gateway.stop());
beforeEach(() => {
  decide = ({ headers }) => headers['cf-connecting-ip'];
  asked = [];
});

let addresses = 0;
const newEdge = () => {
  addresses += 1;
  return { 'cf-connecting-ip': `192.0.2.${addresses}` };
};
const addressOf = async (held: Held) => (await held.client.send(CURRENT_SESSION)).result.ipAddress;

describe('clientAddress', () => {
  test('says what a request counts for, and what its session shows', async () => {
    const edge = newEdge();
    const held = await signUp(gateway.client(edge), newPerson());
    expect(await addressOf(held)).toBe(edge['cf-connecting-ip']);
    decide = () => '::ffff:203.0.113.7';
    expect(await addressOf(await signUp(gateway.client(), newPerson()))).toBe('203.0.113.7');
    decide = () => '2001:db8::1';
    expect(await addressOf(await signUp(gateway.client(), newPerson()))).toBe('2001:db8::1');
  });

  // Defence: CREDENTIALS in src/http/client.ts.
  test('hears the peer and the headers, and of no credential', async () => {
    const held = await signUp(gateway.client(newEdge()), newPerson(), 'COOKIE');
    const { token } = await signUp(gateway.client(newEdge()), newPerson());
    asked = [];
    await held.client.send(CURRENT_SESSION);
    await gateway.client({ 'x-session-token': token, 'proxy-authorization': 'Basic eA==' }).send(CURRENT_SESSION);
    await gateway.client().bearing(token).send(CURRENT_SESSION);
    expect(asked).toHaveLength(3);
    expect(asked[0]).toMatchObject({ peer: '127.0.0.1', headers: { 'content-type': 'application/json' } });
    for (const secret of ['cookie', 'authorization', token, 'Basic'])
      expect(JSON.stringify(asked)).not.toContain(secret);
  });

  test('is asked at every door: GraphQL, event streams, sockets, and where providers send back to', async () => {
    const held = await signUp(gateway.client(newEdge()), newPerson());
    const doors: Readonly<Record<string, () => Promise<unknown>>> = {
      GraphQL: () => held.client.send(CURRENT_SESSION),
      'an event stream': async () => {
        const stream = await fetch(`${gateway.url}/graphql`, {
          method: 'POST',
          headers: { ...held.client.headers, accept: 'text/event-stream', 'content-type': 'application/json' },
          body: JSON.stringify({ query: WATCH_SESSION }),
        });
        await stream.body?.cancel();
      },
      'a socket': async () => {
        const live = connectLive(gateway.url, { token: held.token });
        await live.follow(WATCH_SESSION).next();
        live.dispose();
      },
      'the callback': () => fetch(`${gateway.url}/providers/google/callback?state=x&code=y`),
    };
    for (const [door, knock] of Object.entries(doors)) {
      asked = [];
      await knock();
      expect(asked.length, door).toBeGreaterThan(0);
    }
  });

  test('limits go by it: what one address has used up, another has not', async () => {
    const [edge, other] = [newEdge(), newEdge()];
    const outcome = async (headers: Record<string, string>) =>
      (await gateway.client(headers).send(LOG_IN, { input: newPerson() })).result.__typename;
    expect(await outcome(edge)).toBe('InvalidCredentials');
    for (let nth = 0; nth < 3; nth += 1) await signUp(gateway.client(edge), newPerson());
    await expect(signUp(gateway.client(edge), newPerson())).rejects.toThrow('RateLimited');
    await signUp(gateway.client(other), newPerson());
  });

  // Defence: atOnce in src/hooks/guard.ts.
  test.each<readonly [string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['gives a promise', async () => '192.0.2.250'],
    ['gives a promise that is rejected', () => Promise.reject(new Error('no'))],
    ['gives no address', () => 'unknown'],
    ['gives an empty text', () => ''],
    ['gives a list', () => '192.0.2.250, 192.0.2.251'],
    ['gives an address with a port', () => '192.0.2.250:80'],
    ['gives an address with a zone', () => `fe80::1%${'x'.repeat(100)}`],
    ['gives a number', () => 3],
  ])('one that %s changes nothing: the request counts for what it counts for without it', async (_how, failing) => {
    decide = failing;
    const client = gateway.client();
    const held = await signUp(client, newPerson());
    expect(await addressOf(held)).toBe(client.headers['x-forwarded-for']);
    for (let nth = 0; nth < 2; nth += 1) await signUp(client, newPerson());
    await expect(signUp(client, newPerson())).rejects.toThrow('RateLimited');
  });

  test('null leaves a request to POSTERN_TRUSTED_PROXIES without a word, and a fault is told', async () => {
    const client = gateway.client();
    decide = () => null;
    const from = gateway.logs.length;
    expect(await addressOf(await signUp(client, newPerson()))).toBe(client.headers['x-forwarded-for']);
    expect(faultsIn(gateway, from)).toEqual([]);
    const told = faultsIn(gateway).filter((fault) => fault.startsWith('the hook clientAddress'));
    expect(told.length).toBeGreaterThan(0);
  });
});
