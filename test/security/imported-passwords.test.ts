import { pbkdf2Sync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { CHANGE_PASSWORD, marked, newPassword, REAUTHENTICATE, REPLACE_PASSWORD } from '../support/passwords.ts';
import { type Held, LOG_IN, logIn, newPerson, type Person, signUp } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

/** Somebody new whose password has a hash of another system, as if they had come along from there. */
async function imported(): Promise<Held & { readonly person: Person }> {
  const person = newPerson();
  const held = await signUp(gateway.client(), person);
  const key = pbkdf2Sync(person.password, 'salt', 100, 32, 'sha256').toString('base64');
  await gateway.sql('UPDATE passwords SET hash = $2, pepper_key_id = NULL WHERE user_id = $1', [
    held.userId,
    `pbkdf2_sha256$100$salt$${key}`,
  ]);
  return { ...held, person };
}

const hashOf = async (userId: string) =>
  (await gateway.sql<{ hash: string }>('SELECT hash FROM passwords WHERE user_id = $1', [userId]))[0]?.hash ?? '';

describe('a password with a hash of another system', () => {
  test('is asked for wherever a password is, and nothing else passes for it', async () => {
    const { client, person, userId } = await imported();
    const foreign = await hashOf(userId);
    for (const password of ['wrong', foreign, ''])
      expect((await client.send(REAUTHENTICATE, { input: { password } })).result.__typename).not.toBe(
        'Reauthenticated',
      );
    const right = await client.send(REAUTHENTICATE, { input: { password: person.password } });
    expect(right.result.__typename).toBe('Reauthenticated');
    const wrong = await client.send(CHANGE_PASSWORD, {
      input: { currentPassword: 'wrong', newPassword: newPassword() },
    });
    expect(wrong.result.__typename).toBe('InvalidCredentials');
    const changed = newPassword();
    const answer = await client.send(CHANGE_PASSWORD, {
      input: { currentPassword: person.password, newPassword: changed },
    });
    expect(answer.result.__typename).toBe('PasswordChanged');
    expect(await hashOf(userId)).toMatch(/^\$argon2id\$/);
    await logIn(gateway.client(), { ...person, password: changed });
  });

  test('that must be replaced is not replaced by itself', async () => {
    const held = await marked(gateway, await imported());
    const { person } = held as Held & { person: Person };
    const client = gateway.client();
    const { result } = await client.send(LOG_IN, { input: { ...person, credential: 'COOKIE' } });
    expect(result.__typename).toBe('PasswordChangeRequired');
    const input = { loginToken: result.loginToken, newPassword: person.password };
    const again = await client.send(REPLACE_PASSWORD, { input });
    expect(again.result).toMatchObject({ __typename: 'PasswordRejected', reasons: ['REFUSED'] });
  });

  test('counts its guesses, and is worn out by a hundred, like any other', async () => {
    const { person, userId } = await imported();
    await gateway.sql('UPDATE passwords SET consecutive_attempts = 99 WHERE user_id = $1', [userId]);
    const wrong = await gateway
      .client()
      .send(LOG_IN, { input: { ...person, password: 'wrong', credential: 'COOKIE' } });
    const right = await gateway.client().send(LOG_IN, { input: { ...person, credential: 'COOKIE' } });
    expect([wrong, right].map(({ result }) => result.__typename)).toEqual(['InvalidCredentials', 'InvalidCredentials']);
    await gateway.sql('DELETE FROM users WHERE id = $1', [userId]);
  });

  test('costs the refusal of anybody a foreign hash, and of nobody once there are none (evenOut)', async () => {
    await gateway.sql("DELETE FROM passwords WHERE hash NOT LIKE '$argon2id$%'");
    const own = newPerson();
    await signUp(gateway.client(), own);
    const spent: unknown[] = [];
    const reserve = gateway.app.passwords.reserve;
    const watched = vi.spyOn(gateway.app.passwords, 'reserve').mockImplementation(() => {
      const slot = reserve();
      if (!slot) return null;
      return {
        ...slot,
        evenOut: (password, stored, foreign) => {
          spent.push(foreign);
          return slot.evenOut(password, stored, foreign);
        },
      };
    });
    const refuse = async ({ email }: Person) => {
      const input = { email, password: 'wrong', credential: 'COOKIE' };
      expect((await gateway.client().send(LOG_IN, { input })).result.__typename).toBe('InvalidCredentials');
    };
    await refuse(own);
    const other = await imported();
    const foreign = await hashOf(other.userId);
    for (const person of [own, newPerson(), other.person]) await refuse(person);
    await logIn(gateway.client(), other.person);
    await refuse(other.person);
    watched.mockRestore();
    expect(spent).toEqual([null, foreign, foreign, foreign, null]);
  });
});
