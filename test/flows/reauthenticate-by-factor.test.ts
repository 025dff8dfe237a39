import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DELETE_ACCOUNT } from '../support/account.ts';
import { SoftwareAuthenticator } from '../support/authenticator.ts';
import { enrollPasskey, type TotpHolder, totpCode, totpHolder, verifiedPerson } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { BEGIN_REAUTHENTICATION, REAUTHENTICATE, withoutPassword } from '../support/passwords.ts';
import { CURRENT_SESSION, CURRENT_USER } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

async function stale(): Promise<TotpHolder> {
  const holder = await totpHolder(gateway);
  gateway.clock.advance(16 * 60_000);
  return holder;
}

describe('reauthenticate', () => {
  test('takes a code of the app, and the session says so', async () => {
    const { client, secret } = await stale();
    const totp = totpCode(secret, gateway.clock());
    const { result } = await client.send(REAUTHENTICATE, { input: { totp } });
    expect(result.__typename).toBe('Reauthenticated');
    const { result: session } = await client.send(CURRENT_SESSION);
    expect(session.freshUntil).not.toBeNull();
    expect((session.methods as { method: string }[]).at(-1)?.method).toBe('TOTP');
    gateway.clock.advance(30_000);
  });

  test('takes a recovery code, once', async () => {
    const { client, recoveryCodes } = await stale();
    const send = () => client.send(REAUTHENTICATE, { input: { recoveryCode: recoveryCodes[0] } });
    expect((await send()).result.__typename).toBe('Reauthenticated');
    expect((await send()).result).toMatchObject({ __typename: 'InvalidCode' });
  });

  test('takes a passkey, with options of its own', async () => {
    const held = await verifiedPerson(gateway);
    const { authenticator } = await enrollPasskey(held.client, new SoftwareAuthenticator({ verifiesUser: false }));
    gateway.clock.advance(16 * 60_000);
    const { result: begun } = await held.client.send(BEGIN_REAUTHENTICATION, { input: { method: 'PASSKEY' } });
    expect(begun).toMatchObject({ __typename: 'ReauthenticationStarted', handle: expect.stringMatching(/^ph_/) });
    const response = authenticator.get(begun.passkeyOptions);
    const passkey = { handle: begun.handle, response };
    expect((await held.client.send(REAUTHENTICATE, { input: { passkey } })).result.__typename).toBe('Reauthenticated');
  });

  test('tells how many tries are left, and then to wait', async () => {
    const { client } = await stale();
    const left: unknown[] = [];
    for (let n = 0; n < 10; n += 1) {
      const { result } = await client.send(REAUTHENTICATE, { input: { totp: '000000' } });
      left.push(result.attemptsLeft);
    }
    expect(left).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect((await client.send(REAUTHENTICATE, { input: { totp: '000000' } })).result.__typename).toBe('RateLimited');
  });

  test('takes nothing that the person does not have', async () => {
    const { client } = await verifiedPerson(gateway);
    for (const input of [{ totp: '123456' }, { recoveryCode: 'ABCD-EFGH-JKMN-PQRS' }]) {
      expect((await client.send(REAUTHENTICATE, { input })).result.__typename).toBe('InvalidCredentials');
    }
    for (const method of ['PASSKEY', 'TOTP', 'RECOVERY_CODE', 'PASSWORD', 'EMAIL_CODE']) {
      const { result } = await client.send(BEGIN_REAUTHENTICATION, { input: { method } });
      expect(result, method).toMatchObject({
        __typename: 'InvalidInput',
        issues: [{ path: ['method'], code: 'NOT_ALLOWED' }],
      });
    }
  });
});

describe('the ways to prove it are those that somebody has', () => {
  const methodsOf = async (client: TotpHolder['client']) => (await client.send(DELETE_ACCOUNT)).result.methods;

  test('with a password and an app', async () => {
    const { client } = await stale();
    expect(await methodsOf(client)).toEqual(['PASSWORD', 'TOTP', 'RECOVERY_CODE']);
  });

  test('with a passkey and no password', async () => {
    const held = await withoutPassword(gateway, await verifiedPerson(gateway));
    await enrollPasskey(held.client);
    gateway.clock.advance(16 * 60_000);
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ hasPassword: false, hasMfa: true });
    expect(await methodsOf(held.client)).toEqual(['PASSKEY', 'RECOVERY_CODE', 'EMAIL_CODE']);
  });
});
