import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer } from '../support/client.ts';
import {
  beginMfaLogin,
  enrollPasskey,
  FORGET_TRUSTED_DEVICES,
  GENERATE_RECOVERY_CODES,
  type TotpHolder,
  totpCode,
  totpHolder,
  VERIFY_MFA,
} from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { CHANGE_PASSWORD } from '../support/passwords.ts';
import { type CredentialKind, cookieOf, LOG_IN } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

async function trust(holder: TotpHolder, credential: CredentialKind): Promise<Answer> {
  const client = gateway.client();
  const { loginToken } = await beginMfaLogin(client, holder.person, credential);
  const proof = { totp: totpCode(holder.secret, gateway.clock()) };
  const answer = await client.send(VERIFY_MFA, { input: { loginToken, proof, trustDevice: true } });
  gateway.clock.advance(30_000);
  expect(answer.result.__typename).toBe('LoggedIn');
  return answer;
}

const logInTrusted = (holder: TotpHolder, trustedDeviceToken: unknown, at: Gateway = gateway) =>
  at.client().send(LOG_IN, { input: { ...holder.person, trustedDeviceToken } });

describe('a trusted device', () => {
  test('of an app is known by a token, and need not show the second factor', async () => {
    const holder = await totpHolder(gateway);
    const { result, headers } = await trust(holder, 'SESSION_TOKEN');
    expect(result.trustedDeviceToken).toMatch(/^pd_[A-Za-z0-9_-]{43}$/);
    expect(headers.getSetCookie()).toEqual([]);
    expect((await logInTrusted(holder, result.trustedDeviceToken)).result.__typename).toBe('LoggedIn');
    // It opens nothing without the password.
    const wrong = await gateway.client().send(LOG_IN, {
      input: { email: holder.person.email, password: 'not it at all', trustedDeviceToken: result.trustedDeviceToken },
    });
    expect(wrong.result.__typename).toBe('InvalidCredentials');
  });

  test('of a browser is known by a cookie that no script can read', async () => {
    const holder = await totpHolder(gateway);
    const answer = await trust(holder, 'COOKIE');
    expect(answer.result.trustedDeviceToken).toBeNull();
    const line = answer.headers.getSetCookie().find((each) => each.startsWith('postern-device='));
    expect(line).toMatch(/; Path=\/; HttpOnly; SameSite=Lax; Expires=/);
    expect(answer.text).not.toContain(cookieOf(answer, 'postern-device'));
    const browser = gateway.client({ cookie: `postern-device=${cookieOf(answer, 'postern-device')}` });
    const { result } = await browser.send(LOG_IN, { input: { ...holder.person, credential: 'COOKIE' } });
    expect(result.__typename).toBe('LoggedIn');
  });

  test('is trusted by one person only', async () => {
    const [ada, eve] = [await totpHolder(gateway), await totpHolder(gateway)];
    const { result } = await trust(eve, 'SESSION_TOKEN');
    expect((await logInTrusted(ada, result.trustedDeviceToken)).result.__typename).toBe('MfaRequired');
  });

  test('is asked again after thirty days, and for whatever else it shows', async () => {
    const holder = await totpHolder(gateway);
    const { result } = await trust(holder, 'SESSION_TOKEN');
    const token = String(result.trustedDeviceToken);
    for (const shown of [
      '',
      'pd_',
      `${token}A`,
      token.slice(0, -1),
      token.toUpperCase(),
      `ps_${token.slice(3)}`,
      null,
    ]) {
      expect((await logInTrusted(holder, shown)).result.__typename, String(shown)).toBe('MfaRequired');
    }
    gateway.clock.advance(30 * 86_400_000);
    expect((await logInTrusted(holder, token)).result.__typename).toBe('MfaRequired');
  });

  test('is asked again once it is forgotten', async () => {
    const holder = await totpHolder(gateway);
    const tokens = [await trust(holder, 'SESSION_TOKEN'), await trust(holder, 'SESSION_TOKEN')];
    const { result } = await holder.client.send(FORGET_TRUSTED_DEVICES);
    expect(result).toMatchObject({ __typename: 'TrustedDevicesForgotten', count: 2 });
    for (const answer of tokens) {
      expect((await logInTrusted(holder, answer.result.trustedDeviceToken)).result.__typename).toBe('MfaRequired');
    }
    expect((await holder.client.send(FORGET_TRUSTED_DEVICES)).result).toMatchObject({ count: 0 });
  });

  test.each([
    [
      'another password',
      async (holder: TotpHolder) => {
        const input = { currentPassword: holder.person.password, newPassword: 'another ladder in the library' };
        const { result } = await holder.client.send(CHANGE_PASSWORD, { input });
        expect(result.__typename).toBe('PasswordChanged');
        return { ...holder, person: { ...holder.person, password: input.newPassword } };
      },
    ],
    ['another factor', async (holder: TotpHolder) => enrollPasskey(holder.client).then(() => holder)],
    [
      'other recovery codes',
      async (holder: TotpHolder) => holder.client.send(GENERATE_RECOVERY_CODES).then(() => holder),
    ],
  ])('is asked again after %s (without the binding it is not)', async (_what, change) => {
    const holder = await totpHolder(gateway);
    const { result } = await trust(holder, 'SESSION_TOKEN');
    const after = await change(holder);
    expect((await logInTrusted(after, result.trustedDeviceToken)).result.__typename).toBe('MfaRequired');
  });

  test('is only trusted by somebody who asks for that', async () => {
    const holder = await totpHolder(gateway);
    const client = gateway.client();
    const { loginToken } = await beginMfaLogin(client, holder.person);
    const proof = { totp: totpCode(holder.secret, gateway.clock()) };
    const answer = await client.send(VERIFY_MFA, { input: { loginToken, proof } });
    expect(answer.result).toMatchObject({ __typename: 'LoggedIn', trustedDeviceToken: null });
    gateway.clock.advance(30_000);
  });
});

test('where no device is trusted, none is', async () => {
  const strict = await gateway.another({ POSTERN_TRUSTED_DEVICE_LIFETIME: '0' });
  const holder = await totpHolder(gateway);
  const { result } = await trust(holder, 'SESSION_TOKEN');
  const asked = await logInTrusted(holder, result.trustedDeviceToken, strict);
  expect(asked.result).toMatchObject({ __typename: 'MfaRequired', canTrustDevice: false });
  const client = strict.client();
  const { loginToken } = await beginMfaLogin(client, holder.person);
  const proof = { totp: totpCode(holder.secret, gateway.clock()) };
  const answer = await client.send(VERIFY_MFA, { input: { loginToken, proof, trustDevice: true } });
  expect(answer.result).toMatchObject({ __typename: 'LoggedIn', trustedDeviceToken: null });
});
