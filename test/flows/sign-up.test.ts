import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { CURRENT_USER, newPerson, SIGN_UP, signUp } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

describe('signUp', () => {
  test('makes an account and logs its owner in', async () => {
    const person = newPerson();
    const held = await signUp(gateway.client(), person);
    const { result } = await held.client.send(CURRENT_USER);
    expect(result).toMatchObject({
      __typename: 'User',
      id: held.userId,
      email: person.email,
      emailVerified: false,
      hasPassword: true,
      hasMfa: false,
    });
  });

  test.each(['COOKIE', 'SESSION_TOKEN', 'JWT'] as const)(
    'gives the credential that was asked for: %s',
    async (kind) => {
      const held = await signUp(gateway.client(), newPerson(), kind);
      expect((await held.client.send(CURRENT_USER)).result.id).toBe(held.userId);
    },
  );

  test('says which inputs need another look, all at once', async () => {
    const { result } = await gateway.client().send(SIGN_UP, { input: { email: 'nobody', username: 'x' } });
    expect(result).toMatchObject({
      __typename: 'InvalidInput',
      issues: [
        { path: ['email'], code: 'INVALID' },
        { path: ['username'], code: 'NOT_ALLOWED' },
        { path: ['password'], code: 'REQUIRED' },
      ],
    });
  });
});
