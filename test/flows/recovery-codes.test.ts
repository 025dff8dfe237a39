import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  AUTHENTICATORS,
  beginMfaLogin,
  GENERATE_RECOVERY_CODES,
  totpHolder,
  VERIFY_MFA,
  verifiedPerson,
} from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { hold } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_RECOVERY_CODES: '3' } });
});
afterAll(() => gateway.stop());

async function unusedOf(client: Parameters<typeof beginMfaLogin>[0]): Promise<number | undefined> {
  const { result } = await client.send(AUTHENTICATORS);
  return (result.authenticators as { unused?: number }[]).find(({ unused }) => unused !== undefined)?.unused;
}

describe('a recovery code', () => {
  test('stands in for the app, once, and its owner is told', async () => {
    const holder = await totpHolder(gateway);
    expect(holder.recoveryCodes).toHaveLength(3);
    const [recoveryCode = ''] = holder.recoveryCodes;
    const client = gateway.client();
    const { loginToken } = await beginMfaLogin(client, holder.person);
    const proof = { recoveryCode: recoveryCode.toLowerCase().replaceAll('-', ' ') };
    const held = hold(client, await client.send(VERIFY_MFA, { input: { loginToken, proof } }));
    expect(await unusedOf(held.client)).toBe(2);
    const mails = await gateway.mails.rest(holder.person.email);
    expect(mails.find(({ subject }) => subject === 'A recovery code of your account was used')?.text).toContain(
      '2 are left',
    );

    const again = gateway.client();
    const second = await beginMfaLogin(again, holder.person);
    const refused = await again.send(VERIFY_MFA, { input: { loginToken: second.loginToken, proof } });
    expect(refused.result).toMatchObject({ __typename: 'InvalidCode', attemptsLeft: 4 });
  });

  test('of an earlier sheet does not do any more', async () => {
    const holder = await totpHolder(gateway);
    const { result } = await holder.client.send(GENERATE_RECOVERY_CODES);
    const fresh = result.recoveryCodes as string[];
    expect(fresh).toHaveLength(3);
    expect(await unusedOf(holder.client)).toBe(3);
    const client = gateway.client();
    const { loginToken } = await beginMfaLogin(client, holder.person);
    const send = (recoveryCode?: string) => client.send(VERIFY_MFA, { input: { loginToken, proof: { recoveryCode } } });
    expect((await send(holder.recoveryCodes[0])).result.__typename).toBe('InvalidCode');
    expect((await send(fresh[0])).result.__typename).toBe('LoggedIn');
  });

  test('is for people with a second factor only', async () => {
    const { client } = await verifiedPerson(gateway);
    expect((await client.send(GENERATE_RECOVERY_CODES)).result.__typename).toBe('MfaNotEnabled');
    expect((await gateway.client().send(GENERATE_RECOVERY_CODES)).result.__typename).toBe('Unauthenticated');
  });
});

test('they are not offered once all are used', async () => {
  const few = await startGateway({ env: { POSTERN_RECOVERY_CODES: '4' } });
  const holder = await totpHolder(few);
  const offered = async () => {
    const client = few.client();
    return { client, ...(await beginMfaLogin(client, holder.person)) };
  };
  for (const recoveryCode of holder.recoveryCodes) {
    const { client, loginToken, factors } = await offered();
    expect(factors).toEqual(['TOTP', 'RECOVERY_CODE']);
    await client.send(VERIFY_MFA, { input: { loginToken, proof: { recoveryCode } } });
  }
  expect((await offered()).factors).toEqual(['TOTP']);
  few.clock.advance(16 * 60_000);
  const { result } = await holder.client.send(GENERATE_RECOVERY_CODES);
  expect(result).toMatchObject({ __typename: 'ReauthenticationRequired', methods: ['TOTP'] });
  const { result: user } = await holder.client.send(AUTHENTICATORS);
  expect(user.authenticators).toContainEqual(expect.objectContaining({ total: 4, unused: 0 }));
  await few.stop();
});

test('there are none where they are switched off', async () => {
  const without = await gateway.another({ POSTERN_MFA_FACTORS: 'totp' });
  const holder = await totpHolder(without);
  expect(holder.recoveryCodes).toEqual([]);
  expect((await holder.client.send(GENERATE_RECOVERY_CODES)).result.__typename).toBe('MfaNotEnabled');
  expect((await beginMfaLogin(without.client(), holder.person)).factors).toEqual(['TOTP']);
});
