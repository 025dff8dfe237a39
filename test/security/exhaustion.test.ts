import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import { countCounters } from '../support/limits.ts';
import { CURRENT_USER, ISSUE_ACCESS_TOKEN, LOG_IN, logIn, newPerson, SIGN_UP, signUp } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

/** A run of combining marks, which takes normalization a time that grows with its square. */
const MARKS = '\u0307'.repeat(14_000) + '\u0323'.repeat(14_000);

describe('a text that would take long to normalize (without the bound on its length it stops the event loop)', () => {
  test.each([
    ['the name of a sign-up', SIGN_UP, { name: MARKS }, 'InvalidInput'],
    ['the password of a sign-up', SIGN_UP, { password: MARKS }, 'PasswordRejected'],
    ['the address of a sign-up', SIGN_UP, { email: `${MARKS}@example.com` }, 'InvalidInput'],
    ['the password of a login', LOG_IN, { password: MARKS }, 'InvalidCredentials'],
    ['the address of a login', LOG_IN, { email: `${MARKS}@example.com` }, 'InvalidInput'],
  ])('as %s is refused without being normalized', async (_where, operation, input, kind) => {
    const normalize = vi.spyOn(String.prototype, 'normalize');
    const { result } = await gateway.client().send(operation, { input: { ...newPerson(), ...input } });
    const longest = Math.max(0, ...normalize.mock.contexts.map((text) => String(text).length));
    normalize.mockRestore();
    expect(result.__typename).toBe(kind);
    expect(longest).toBeLessThanOrEqual(2_048);
  });
});

test('variables of more than a few hundred values are refused before anything looks at them (without the count each takes the engine a tenth of a second)', async () => {
  const many = Object.fromEntries(Array.from({ length: 4_000 }, (_, index) => [index, 1]));
  for (const variables of [{ input: many }, { input: { ...newPerson(), name: Array(500).fill(1) } }, many]) {
    const answer = await gateway.client().send(SIGN_UP, variables);
    expect([answer.status, answer.text.length < 300]).toEqual([400, true]);
  }
  // What just fits is answered shortly too.
  const fitting = Object.fromEntries(Array.from({ length: 290 }, (_, index) => [`key${index}`, 1]));
  const answer = await gateway.client().send(SIGN_UP, { input: fitting });
  expect(answer.status).toBe(400);
  expect(answer.errors.length).toBeLessThanOrEqual(4);
});

test('whoever is refused by their address does not count against accounts any more (L06: without the memory of refusals one address locks out everybody)', async () => {
  const owner = newPerson();
  await signUp(gateway.client(), owner);
  const blocked = gateway.client({ 'x-forwarded-for': newAddress() });
  const guess = (email: string) => blocked.send(LOG_IN, { input: { email, password: 'a guess that is wrong' } });
  for (let time = 0; time < 61; time += 1) await guess(newPerson().email);
  const before = await countCounters(gateway);
  for (let time = 0; time < 30; time += 1) expect((await guess(owner.email)).result.__typename).toBe('RateLimited');
  expect(await countCounters(gateway)).toBe(before);
  await logIn(gateway.client(), owner);
});

test('a JWT cannot make itself last: what it is traded for ends when it does (without the bound a stolen one lasts as long as the session)', async () => {
  const held = await signUp(gateway.client(), newPerson(), 'JWT');
  const { exp } = decodeJwt(held.token);
  gateway.clock.advance(200_000);
  const { result } = await held.client.send(ISSUE_ACCESS_TOKEN);
  expect(decodeJwt(String(result.accessToken)).exp).toBe(exp);
  gateway.clock.advance(110_000);
  const late = await gateway.client().bearing(String(result.accessToken)).send(CURRENT_USER);
  expect(late.result.reason).toBe('EXPIRED');
});
