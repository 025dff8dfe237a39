import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Algorithm, SoftwareAuthenticator } from '../support/authenticator.ts';
import type { GraphQLClient } from '../support/client.ts';
import {
  AUTHENTICATORS,
  BEGIN_PASSKEY,
  BEGIN_PASSKEY_LOGIN,
  beginMfaLogin,
  CONFIRM_PASSKEY,
  enrollPasskey,
  enrollTotp,
  LOG_IN_WITH_PASSKEY,
  REMOVE_AUTHENTICATOR,
  RENAME_PASSKEY,
  totpCode,
  VERIFY_MFA,
  verifiedPerson,
} from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  CONTINUE_LOGIN,
  type CredentialKind,
  CURRENT_SESSION,
  CURRENT_USER,
  hold,
  LOG_IN_WITH_CODE,
  logIn,
  newPerson,
  REQUEST_LOGIN_CODE,
  SIGN_UP,
  signUp,
  VERIFY_EMAIL,
} from '../support/people.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

async function logInWithPasskey(
  client: GraphQLClient,
  authenticator: SoftwareAuthenticator,
  credential: CredentialKind = 'SESSION_TOKEN',
  twist = {},
) {
  const { result: begun } = await client.send(BEGIN_PASSKEY_LOGIN, { input: { credential } });
  const response = authenticator.get(begun.options, twist);
  return client.send(LOG_IN_WITH_PASSKEY, { input: { loginToken: begun.loginToken, response } });
}

describe('a passkey', () => {
  test.each<Algorithm>(['ES256', 'EdDSA', 'RS256'])('of %s is added, and logs in by itself', async (algorithm) => {
    const { client, userId } = await verifiedPerson(gateway);
    const { authenticator } = await enrollPasskey(client, new SoftwareAuthenticator({ algorithm }), 'My key');
    const { result } = await client.send(AUTHENTICATORS);
    expect(result.hasMfa).toBe(true);
    expect(result.authenticators).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ __typename: 'Passkey', name: 'My key', passwordless: true, backedUp: false }),
      ]),
    );
    const browser = gateway.client();
    const held = hold(browser, await logInWithPasskey(browser, authenticator));
    expect(held.userId).toBe(userId);
    const { result: session } = await held.client.send(CURRENT_SESSION);
    expect((session.methods as { method: string }[]).map(({ method }) => method)).toEqual(['PASSKEY']);
  });

  test('logs in with each kind of credential', async () => {
    const { client, userId } = await verifiedPerson(gateway);
    const { authenticator } = await enrollPasskey(client);
    for (const credential of ['COOKIE', 'SESSION_TOKEN', 'JWT'] as const) {
      const browser = gateway.client();
      const held = hold(browser, await logInWithPasskey(browser, authenticator, credential));
      expect((await held.client.send(CURRENT_USER)).result.id).toBe(userId);
    }
  });

  test('that syncs says that it is backed up, and keeps saying how it stands', async () => {
    const { client } = await verifiedPerson(gateway);
    const { authenticator } = await enrollPasskey(client, new SoftwareAuthenticator({ synced: true }));
    const backedUp = async () => {
      const { result } = await client.send(AUTHENTICATORS);
      return (result.authenticators as { __typename: string; backedUp?: boolean; lastUsedAt: string | null }[]).find(
        (each) => each.__typename === 'Passkey',
      );
    };
    expect(await backedUp()).toMatchObject({ backedUp: true, lastUsedAt: null });
    await logInWithPasskey(gateway.client(), authenticator, 'SESSION_TOKEN', { backedUp: false });
    expect(await backedUp()).toMatchObject({ backedUp: false, lastUsedAt: gateway.clock().toISOString() });
  });

  test('is a second factor after a password', async () => {
    const { client, person, userId } = await verifiedPerson(gateway);
    const { authenticator } = await enrollPasskey(client, new SoftwareAuthenticator({ verifiesUser: false }));
    const browser = gateway.client();
    const { loginToken, factors, passkeyOptions } = await beginMfaLogin(browser, person);
    expect(factors).toEqual(['PASSKEY', 'RECOVERY_CODE']);
    const passkey = authenticator.get(passkeyOptions);
    const held = hold(browser, await browser.send(VERIFY_MFA, { input: { loginToken, proof: { passkey } } }));
    expect(held.userId).toBe(userId);
  });

  test('that does not verify its user is one factor: a second is asked for, and it is not that one again', async () => {
    const { client } = await verifiedPerson(gateway);
    const { authenticator } = await enrollPasskey(client, new SoftwareAuthenticator({ verifiesUser: false }));
    const { secret } = await enrollTotp(gateway, client);
    const browser = gateway.client();
    const { result } = await logInWithPasskey(browser, authenticator);
    expect(result).toMatchObject({ __typename: 'MfaRequired', factors: ['TOTP', 'PASSKEY', 'RECOVERY_CODE'] });
    const { loginToken } = result;
    for (const twist of [{}, { userVerified: true }]) {
      const passkey = authenticator.get(result.passkeyOptions, twist);
      const again = await browser.send(VERIFY_MFA, { input: { loginToken, proof: { passkey } } });
      expect(again.result.__typename).toBe('InvalidCode');
    }
    const totp = totpCode(secret, gateway.clock());
    const answer = await browser.send(VERIFY_MFA, { input: { loginToken, proof: { totp } } });
    expect(answer.result.__typename).toBe('LoggedIn');
  });

  test('that was made with its user verified and is used without is one factor as well', async () => {
    const { client } = await verifiedPerson(gateway);
    const { authenticator } = await enrollPasskey(client);
    const browser = gateway.client();
    const { result } = await logInWithPasskey(browser, authenticator, 'SESSION_TOKEN', { userVerified: false });
    expect(result.__typename).toBe('MfaRequired');
    const passkey = authenticator.get(result.passkeyOptions);
    const answer = await browser.send(VERIFY_MFA, { input: { loginToken: result.loginToken, proof: { passkey } } });
    expect(answer.result.__typename).toBe('LoggedIn');
  });

  test('has a name that its owner can change', async () => {
    const { client } = await verifiedPerson(gateway);
    const { id } = await enrollPasskey(client);
    const { result } = await client.send(RENAME_PASSKEY, { input: { id, name: ' The blue one ' } });
    expect(result).toMatchObject({ __typename: 'PasskeyRenamed', authenticator: { id, name: 'The blue one' } });
    for (const [name, code] of [
      ['', 'REQUIRED'],
      ['x'.repeat(1000), 'TOO_LONG'],
    ]) {
      const refused = await client.send(RENAME_PASSKEY, { input: { id, name } });
      expect(refused.result).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: ['name'], code }] });
    }
    const stranger = await verifiedPerson(gateway);
    const foreign = await stranger.client.send(RENAME_PASSKEY, { input: { id, name: 'Mine' } });
    expect(foreign.result.__typename).toBe('NotFound');
  });

  test('is one of several; the recovery codes come with the first and go with the last', async () => {
    const { client } = await verifiedPerson(gateway);
    const first = await enrollPasskey(client);
    expect(first.recoveryCodes).toHaveLength(10);
    const second = await enrollPasskey(client);
    expect(second.recoveryCodes).toBeNull();
    const one = await client.send(REMOVE_AUTHENTICATOR, { input: { id: first.id } });
    expect(one.result).toMatchObject({ __typename: 'AuthenticatorRemoved', user: { hasMfa: true } });
    const other = await client.send(REMOVE_AUTHENTICATOR, { input: { id: second.id } });
    expect(other.result).toMatchObject({ user: { hasMfa: false, authenticators: [] } });
    const { result } = await logInWithPasskey(gateway.client(), first.authenticator);
    expect(result.__typename).toBe('InvalidCredentials');
  });

  test('does not register twice with one authenticator: its id is told to be left out', async () => {
    const { client } = await verifiedPerson(gateway);
    const { authenticator } = await enrollPasskey(client);
    const { result } = await client.send(BEGIN_PASSKEY, { input: {} });
    const { excludeCredentials } = result.options as { excludeCredentials: { id: string }[] };
    expect(excludeCredentials.map(({ id }) => id)).toEqual(authenticator.credentials.map(({ id }) => id));
  });
});

test('a browser gets new options when the old ones are too old', async () => {
  const { client, person } = await verifiedPerson(gateway);
  const { authenticator } = await enrollPasskey(client);
  const browser = gateway.client();
  const { loginToken, passkeyOptions } = await beginMfaLogin(browser, person);
  gateway.clock.advance(301_000);
  const late = authenticator.get(passkeyOptions);
  const refused = await browser.send(VERIFY_MFA, { input: { loginToken, proof: { passkey: late } } });
  expect(refused.result.__typename).toBe('InvalidCode');
  const { result } = await browser.send(CONTINUE_LOGIN, { input: { loginToken } });
  expect(result.__typename).toBe('MfaRequired');
  const passkey = authenticator.get(result.passkeyOptions);
  const answer = await browser.send(VERIFY_MFA, { input: { loginToken, proof: { passkey } } });
  expect(answer.result.__typename).toBe('LoggedIn');
});

describe('signing up without a password', () => {
  let passwordless: Gateway;
  beforeAll(async () => {
    passwordless = await startGateway({
      env: {
        POSTERN_EMAIL_VERIFICATION: 'mandatory',
        POSTERN_PASSWORDLESS_SIGN_UP: 'on',
      },
    });
  });
  afterAll(() => passwordless.stop());

  test('verifies the address, then makes the passkey, then opens the session', async () => {
    const { email } = newPerson();
    const client = passwordless.client();
    expect((await client.send('{ authConfig { passkeySignUp passkeyLogin } }')).result).toMatchObject({
      passkeySignUp: true,
      passkeyLogin: true,
    });
    const { result: begun } = await client.send(SIGN_UP, { input: { email } });
    expect(begun.__typename).toBe('EmailVerificationRequired');
    const { loginToken } = begun;
    // Not before the address is verified.
    const early = await client.send(BEGIN_PASSKEY, { input: { loginToken } });
    expect(early.result.__typename).toBe('LoginExpired');
    const mail = await passwordless.mails.next(email);
    const code = { handle: loginToken, code: mail.code };
    const { result: asked } = await client.send(VERIFY_EMAIL, { input: { proof: { code } } });
    expect(asked).toMatchObject({ __typename: 'PasskeyRequired', loginToken });

    const { result: started } = await client.send(BEGIN_PASSKEY, { input: { loginToken } });
    expect(started.options).toMatchObject({
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      user: { name: email },
    });
    // One that cannot stand alone does not do.
    const weak = new SoftwareAuthenticator({ verifiesUser: false }).create(started.options);
    const refused = await client.send(CONFIRM_PASSKEY, { input: { handle: started.handle, response: weak } });
    expect(refused.result.__typename).toBe('PasskeyRejected');
    const authenticator = new SoftwareAuthenticator();
    const response = authenticator.create(started.options);
    const { result: added } = await client.send(CONFIRM_PASSKEY, { input: { handle: started.handle, response } });
    expect(added).toMatchObject({ __typename: 'PasskeyAdded', authenticator: { passwordless: true } });
    expect(added.recoveryCodes).toHaveLength(10);

    const held = hold(client, await client.send(CONTINUE_LOGIN, { input: { loginToken } }));
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ hasPassword: false, hasMfa: true, email });
    const browser = passwordless.client();
    expect(hold(browser, await logInWithPasskey(browser, authenticator)).userId).toBe(held.userId);
  });

  test('goes on only where the mailbox was proven: its link, opened by whoever gets the mail, ends it', async () => {
    const { email } = newPerson();
    const client = passwordless.client();
    const { result: begun } = await client.send(SIGN_UP, { input: { email } });
    const { token } = await passwordless.mails.next(email);
    const owner = passwordless.client();
    const opened = await owner.send(VERIFY_EMAIL, { input: { proof: { token } } });
    expect(opened.result.__typename).toBe('EmailVerified');
    const gone = await client.send(CONTINUE_LOGIN, { input: { loginToken: begun.loginToken } });
    expect(gone.result.__typename).toBe('LoginExpired');
  });

  test('goes on by its link where that is opened', async () => {
    const { email } = newPerson();
    const client = passwordless.client();
    const { loginToken } = (await client.send(SIGN_UP, { input: { email } })).result;
    const { token } = await passwordless.mails.next(email);
    const opened = await client.send(VERIFY_EMAIL, { input: { proof: { token }, loginToken } });
    expect(opened.result.__typename).toBe('PasskeyRequired');
  });

  test('asks for the passkey by whatever way the person comes to their first session', async () => {
    const { email } = newPerson();
    const client = passwordless.client();
    const { loginToken } = (await client.send(SIGN_UP, { input: { email } })).result;
    const code = { handle: loginToken, code: (await passwordless.mails.next(email)).code };
    await client.send(VERIFY_EMAIL, { input: { proof: { code } } });
    const { result: again } = await client.send(REQUEST_LOGIN_CODE, { input: { email } });
    const mailed = { handle: again.loginToken, code: (await passwordless.mails.next(email)).code };
    const { result: asked } = await client.send(LOG_IN_WITH_CODE, { input: { proof: { code: mailed } } });
    expect(asked.__typename).toBe('PasskeyRequired');
    const { result: started } = await client.send(BEGIN_PASSKEY, { input: { loginToken: asked.loginToken } });
    const response = new SoftwareAuthenticator().create(started.options);
    await client.send(CONFIRM_PASSKEY, { input: { handle: started.handle, response } });
    const held = hold(client, await client.send(CONTINUE_LOGIN, { input: { loginToken: asked.loginToken } }));
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ email, hasMfa: true });
  });

  test('with a taken address looks the same, and tells its holder', async () => {
    const person = newPerson();
    const client = passwordless.client();
    const { result: first } = await client.send(SIGN_UP, { input: person });
    const mail = await passwordless.mails.next(person.email);
    await client.send(VERIFY_EMAIL, { input: { proof: { code: { handle: first.loginToken, code: mail.code } } } });
    const { result } = await passwordless.client().send(SIGN_UP, { input: { email: person.email } });
    expect(result.__typename).toBe('EmailVerificationRequired');
    await passwordless.mails.rest('');
    expect(passwordless.mails.all.filter(({ to }) => to === person.email).at(-1)?.subject).toMatch(/already/i);
  });

  test('is not possible where it is switched off', async () => {
    const { result } = await gateway.client().send(SIGN_UP, { input: { email: newPerson().email } });
    expect(result).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: ['password'], code: 'REQUIRED' }] });
  });
});

test('somebody without any factor is asked for none', async () => {
  const person = newPerson();
  await signUp(gateway.client(), person);
  const held = await logIn(gateway.client(), person);
  expect((await held.client.send(CURRENT_USER)).result.hasMfa).toBe(false);
});
