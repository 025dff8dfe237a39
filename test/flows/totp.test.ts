import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  AUTHENTICATORS,
  BEGIN_TOTP,
  beginMfaLogin,
  CONFIRM_TOTP,
  enrollTotp,
  logInWithTotp,
  REMOVE_AUTHENTICATOR,
  totpCode,
  totpHolder,
  VERIFY_MFA,
  verifiedPerson,
} from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { CURRENT_SESSION, CURRENT_USER, hold, logIn, newPerson, signUp } from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { POSTERN_TOTP_ISSUER: 'Acme & Co' } });
});
afterAll(() => gateway.stop());

describe('setting an authenticator app up', () => {
  test('gives a secret, an otpauth URI and a picture of it; the first code switches the second factor on', async () => {
    const { client, person } = await verifiedPerson(gateway);
    const { result: begun } = await client.send(BEGIN_TOTP, { input: {} });
    expect(begun).toMatchObject({ __typename: 'TotpStarted', secret: expect.stringMatching(/^[A-Z2-7]{32}$/) });
    const uri = new URL(String(begun.uri));
    expect([uri.protocol, uri.host, decodeURIComponent(uri.pathname)]).toEqual([
      'otpauth:',
      'totp',
      `/Acme & Co:${person.email}`,
    ]);
    expect(Object.fromEntries(uri.searchParams)).toMatchObject({ secret: begun.secret, issuer: 'Acme & Co' });
    const [kind, picture] = String(begun.qrCode).split(';base64,');
    expect(kind).toBe('data:image/svg+xml');
    expect(Buffer.from(picture ?? '', 'base64').toString()).toMatch(
      /^<svg width="240" height="240" [^>]*>.*<path .*<\/svg>$/s,
    );
    expect((await client.send(CURRENT_USER)).result.hasMfa).toBe(false);

    const code = totpCode(String(begun.secret), gateway.clock());
    const { result } = await client.send(CONFIRM_TOTP, { input: { handle: begun.handle, code } });
    expect(result).toMatchObject({ __typename: 'TotpEnabled', authenticator: { lastUsedAt: null } });
    expect(result.recoveryCodes).toHaveLength(10);
    const { result: after } = await client.send(AUTHENTICATORS);
    expect(after).toMatchObject({
      hasMfa: true,
      authenticators: expect.arrayContaining([
        expect.objectContaining({ __typename: 'TotpAuthenticator' }),
        expect.objectContaining({ __typename: 'RecoveryCodes', total: 10, unused: 10 }),
      ]),
    });
    expect((after.authenticators as unknown[]).length).toBe(2);
  });

  test('names the account in the app by what it has, so that two can be told apart', async () => {
    const { client, userId } = await verifiedPerson(gateway);
    const number = '+4930123456';
    await gateway.sql('INSERT INTO phones (user_id, number, created_at, verified_at) VALUES ($1, $2, now(), now())', [
      userId,
      number,
    ]);
    await gateway.sql('DELETE FROM emails WHERE user_id = $1', [userId]);
    const { result } = await client.send(BEGIN_TOTP, { input: {} });
    expect(decodeURIComponent(new URL(String(result.uri)).pathname)).toBe(`/Acme & Co:${number}`);
  });

  test('takes a wrong code as a wrong code, five times', async () => {
    const { client } = await verifiedPerson(gateway);
    const { result: begun } = await client.send(BEGIN_TOTP, { input: {} });
    for (const left of [4, 3, 2, 1, 0]) {
      const { result } = await client.send(CONFIRM_TOTP, { input: { handle: begun.handle, code: '000000' } });
      expect(result).toMatchObject({ __typename: 'InvalidCode', attemptsLeft: left });
    }
    const code = totpCode(String(begun.secret), gateway.clock());
    const { result } = await client.send(CONFIRM_TOTP, { input: { handle: begun.handle, code } });
    expect(result.__typename).toBe('InvalidToken');
  });

  test('is refused a second time, and while no address is verified', async () => {
    const holder = await totpHolder(gateway);
    expect((await holder.client.send(BEGIN_TOTP, { input: {} })).result.__typename).toBe('AlreadyEnabled');
    const { client } = await signUp(gateway.client(), newPerson());
    expect((await client.send(BEGIN_TOTP, { input: {} })).result.__typename).toBe('EmailNotVerified');
    const anonymous = await gateway.client().send(BEGIN_TOTP, { input: {} });
    expect(anonymous.result).toMatchObject({ __typename: 'Unauthenticated', reason: 'NO_CREDENTIAL' });
  });

  test('takes ten minutes at most (M09: without the expiry a secret waits for ever)', async () => {
    const { client } = await verifiedPerson(gateway);
    const { result: begun } = await client.send(BEGIN_TOTP, { input: {} });
    gateway.clock.advance(10 * 60_000);
    const code = totpCode(String(begun.secret), gateway.clock());
    expect((await client.send(CONFIRM_TOTP, { input: { handle: begun.handle, code } })).result.__typename).toBe(
      'InvalidToken',
    );
  });
});

describe('a login of somebody with an authenticator app', () => {
  test('asks for its code, and says in the session what was proven', async () => {
    const holder = await totpHolder(gateway);
    const client = gateway.client();
    const { loginToken, factors } = await beginMfaLogin(client, holder.person);
    expect(factors).toEqual(['TOTP', 'RECOVERY_CODE']);
    const wrong = await client.send(VERIFY_MFA, { input: { loginToken, proof: { totp: '000000' } } });
    expect(wrong.result).toMatchObject({ __typename: 'InvalidCode', attemptsLeft: 4 });
    const totp = totpCode(holder.secret, gateway.clock());
    const held = hold(client, await client.send(VERIFY_MFA, { input: { loginToken, proof: { totp } } }));
    const { result } = await held.client.send(CURRENT_SESSION);
    expect((result.methods as { method: string }[]).map(({ method }) => method)).toEqual(['PASSWORD', 'TOTP']);
    gateway.clock.advance(30_000);
  });

  test('goes on as whatever kind of credential it was begun', async () => {
    const holder = await totpHolder(gateway);
    for (const credential of ['COOKIE', 'SESSION_TOKEN', 'JWT'] as const) {
      const held = await logInWithTotp(gateway, holder, credential);
      expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ id: holder.userId, hasMfa: true });
    }
  });

  test('takes a code with a blank in it, as apps show it', async () => {
    const holder = await totpHolder(gateway);
    const client = gateway.client();
    const { loginToken } = await beginMfaLogin(client, holder.person);
    const code = totpCode(holder.secret, gateway.clock());
    const totp = `${code.slice(0, 3)} ${code.slice(3)}`;
    const { result } = await client.send(VERIFY_MFA, { input: { loginToken, proof: { totp } } });
    expect(result.__typename).toBe('LoggedIn');
    gateway.clock.advance(30_000);
  });

  test('asks for nothing more once the app is removed', async () => {
    const holder = await totpHolder(gateway);
    const { result } = await holder.client.send(AUTHENTICATORS);
    const [app] = (result.authenticators as { id: string; __typename: string }[]).filter(
      (each) => each.__typename === 'TotpAuthenticator',
    );
    const removed = await holder.client.send(REMOVE_AUTHENTICATOR, { input: { id: app?.id } });
    expect(removed.result).toMatchObject({
      __typename: 'AuthenticatorRemoved',
      id: app?.id,
      user: { hasMfa: false, authenticators: [] },
    });
    await logIn(gateway.client(), holder.person);
  });
});

test('period and digits are settings, and an app keeps those that it was given', async () => {
  const other = await gateway.another({ POSTERN_TOTP_PERIOD: '60s', POSTERN_TOTP_DIGITS: '8' });
  const { client, person } = await verifiedPerson(other);
  const { result: begun } = await client.send(BEGIN_TOTP, { input: {} });
  expect(Object.fromEntries(new URL(String(begun.uri)).searchParams)).toMatchObject({ period: '60', digits: '8' });
  const options = { period: 60, digits: 8 } as const;
  const code = totpCode(String(begun.secret), gateway.clock(), options);
  const { result } = await client.send(CONFIRM_TOTP, { input: { handle: begun.handle, code } });
  expect(result.__typename).toBe('TotpEnabled');
  gateway.clock.advance(60_000);
  const elsewhere = gateway.client();
  const { loginToken } = await beginMfaLogin(elsewhere, person);
  const totp = totpCode(String(begun.secret), gateway.clock(), options);
  const answer = await elsewhere.send(VERIFY_MFA, { input: { loginToken, proof: { totp } } });
  expect(answer.result.__typename).toBe('LoggedIn');
});

test('an app that was set up on one instance is asked for on another', async () => {
  const other = await gateway.another();
  const { client, person } = await verifiedPerson(gateway);
  await enrollTotp(gateway, client);
  expect((await beginMfaLogin(other.client(), person)).factors).toContain('TOTP');
});
