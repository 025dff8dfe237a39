import { afterEach, describe, expect, test } from 'vitest';
import type { Hooks } from '../../src/hooks.ts';
import { SoftwareAuthenticator } from '../support/authenticator.ts';
import type { GraphQLClient } from '../support/client.ts';
import {
  AUTHENTICATORS,
  BEGIN_PASSKEY,
  BEGIN_TOTP,
  CONFIRM_PASSKEY,
  CONFIRM_TOTP,
  enrollTotp,
  REMOVE_AUTHENTICATOR,
  totpCode,
  verifiedPerson,
} from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  CONTINUE_LOGIN,
  CURRENT_USER,
  hold,
  LOG_IN,
  newPerson,
  SIGN_UP,
  signUp,
  VERIFY_EMAIL,
} from '../support/people.ts';

let gateway: Gateway;
afterEach(() => gateway.stop());

async function start(env: Record<string, string>, hooks: Hooks = {}): Promise<void> {
  gateway = await startGateway({ env, hooks });
}

async function setTotpUp(client: GraphQLClient, loginToken: unknown) {
  const { result: begun } = await client.send(BEGIN_TOTP, { input: { loginToken } });
  const code = totpCode(String(begun.secret), gateway.clock());
  return client.send(CONFIRM_TOTP, { input: { handle: begun.handle, code } });
}

describe('where everybody must have a second factor', () => {
  test('a sign-up sets one up before there is a session', async () => {
    await start({ POSTERN_MFA_REQUIRED: 'everyone', POSTERN_EMAIL_VERIFICATION: 'mandatory' });
    const person = newPerson();
    const client = gateway.client();
    const { result: first } = await client.send(SIGN_UP, { input: person });
    const { loginToken } = first;
    const mail = await gateway.mails.next(person.email);
    const code = { handle: loginToken, code: mail.code };
    const { result: asked } = await client.send(VERIFY_EMAIL, { input: { proof: { code } } });
    expect(asked).toMatchObject({ __typename: 'MfaEnrollmentRequired', factors: ['TOTP', 'PASSKEY'] });
    expect((await client.send(CONTINUE_LOGIN, { input: { loginToken } })).result.__typename).toBe(
      'MfaEnrollmentRequired',
    );
    const { result: enabled } = await setTotpUp(client, loginToken);
    expect(enabled.__typename).toBe('TotpEnabled');
    expect(enabled.recoveryCodes).toHaveLength(10);
    const held = hold(client, await client.send(CONTINUE_LOGIN, { input: { loginToken } }));
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ hasMfa: true });
    gateway.clock.advance(30_000);
    expect((await gateway.client().send(LOG_IN, { input: person })).result.__typename).toBe('MfaRequired');
  });

  test('a passkey does as well, and the last factor is kept', async () => {
    await start({ POSTERN_MFA_REQUIRED: 'everyone', POSTERN_EMAIL_VERIFICATION: 'mandatory' });
    const person = newPerson();
    const client = gateway.client();
    const { result: first } = await client.send(SIGN_UP, { input: person });
    const { loginToken } = first;
    const mail = await gateway.mails.next(person.email);
    await client.send(VERIFY_EMAIL, { input: { proof: { code: { handle: loginToken, code: mail.code } } } });
    const { result: begun } = await client.send(BEGIN_PASSKEY, { input: { loginToken } });
    const response = new SoftwareAuthenticator({ verifiesUser: false }).create(begun.options);
    const { result } = await client.send(CONFIRM_PASSKEY, { input: { handle: begun.handle, response } });
    const { id } = result.authenticator as { id: string };
    const held = hold(client, await client.send(CONTINUE_LOGIN, { input: { loginToken } }));
    expect((await held.client.send(REMOVE_AUTHENTICATOR, { input: { id } })).result.__typename).toBe('MfaKept');
    await enrollTotp(gateway, held.client);
    expect((await held.client.send(REMOVE_AUTHENTICATOR, { input: { id } })).result.__typename).toBe(
      'AuthenticatorRemoved',
    );
  });

  test('whoever was there before sets one up at the next login, and verifies an address first', async () => {
    await start({ POSTERN_EMAIL_VERIFICATION: 'none' });
    const person = newPerson();
    await signUp(gateway.client(), person);
    const strict = await gateway.another({ POSTERN_MFA_REQUIRED: 'everyone', POSTERN_EMAIL_VERIFICATION: 'none' });
    const client = strict.client();
    const { result: first } = await client.send(LOG_IN, { input: person });
    expect(first.__typename).toBe('EmailVerificationRequired');
    const early = await client.send(BEGIN_TOTP, { input: { loginToken: first.loginToken } });
    expect(early.result.__typename).toBe('LoginExpired');
  });

  test('a login that asks for it cannot be used after it is over, nor by somebody with a factor', async () => {
    await start({ POSTERN_MFA_REQUIRED: 'everyone', POSTERN_EMAIL_VERIFICATION: 'none' });
    const lax = await gateway.another({ POSTERN_MFA_REQUIRED: 'off' });
    const { person, client: session } = await verifiedPerson(lax);
    const client = gateway.client();
    const { result } = await client.send(LOG_IN, { input: person });
    expect(result.__typename).toBe('MfaEnrollmentRequired');
    // Begun by the login; meanwhile the person sets one up in a session they had.
    const { result: begun } = await client.send(BEGIN_TOTP, { input: { loginToken: result.loginToken } });
    await enrollTotp(lax, session);
    const code = totpCode(String(begun.secret), gateway.clock());
    const late = await client.send(CONFIRM_TOTP, { input: { handle: begun.handle, code } });
    expect(['AlreadyEnabled', 'InvalidToken']).toContain(late.result.__typename);
    const passkey = await client.send(BEGIN_PASSKEY, { input: { loginToken: result.loginToken } });
    expect(passkey.result.__typename).toBe('LoginExpired');
    const { result: next } = await client.send(CONTINUE_LOGIN, { input: { loginToken: result.loginToken } });
    expect(next.__typename).toBe('MfaRequired');
  });
});

describe('where some must have a second factor', () => {
  test('it is asked of the roles that are named, and of nobody else', async () => {
    await start({ POSTERN_MFA_REQUIRED: 'role:admin,role:staff' });
    const [admin, guest] = [await verifiedPerson(gateway), await verifiedPerson(gateway)];
    await gateway.sql(`UPDATE users SET roles = '{editor,staff}' WHERE id = $1`, [admin.userId]);
    await gateway.sql(`UPDATE users SET roles = '{editor}' WHERE id = $1`, [guest.userId]);
    const outcome = async (person: object) =>
      (await gateway.client().send(LOG_IN, { input: person })).result.__typename;
    expect(await outcome(admin.person)).toBe('MfaEnrollmentRequired');
    expect(await outcome(guest.person)).toBe('LoggedIn');
  });

  test('a hook decides for one person, and may leave it to the setting', async () => {
    const asked: unknown[] = [];
    await start(
      { POSTERN_MFA_REQUIRED: 'role:admin' },
      {
        requiresMfa: (person) => {
          asked.push(person);
          return person.email?.startsWith('ada') ? (person.roles.includes('exempt') ? false : null) : true;
        },
      },
    );
    const { person, userId } = await verifiedPerson(gateway);
    const outcome = async () => (await gateway.client().send(LOG_IN, { input: person })).result.__typename;
    expect(await outcome()).toBe('LoggedIn');
    expect(asked).toContainEqual({ userId, email: person.email, roles: [], fields: {} });
    await gateway.sql(`UPDATE users SET roles = '{admin}' WHERE id = $1`, [userId]);
    expect(await outcome()).toBe('MfaEnrollmentRequired');
    await gateway.sql(`UPDATE users SET roles = '{admin,exempt}' WHERE id = $1`, [userId]);
    expect(await outcome()).toBe('LoggedIn');
  });
});

test('a hook that never decides lets nobody in, and the gateway goes on (guardHooks)', async () => {
  await start({}, { requiresMfa: ({ email }) => (email?.startsWith('slow') ? new Promise(() => undefined) : false) });
  const person = newPerson();
  await signUp(gateway.client(), person);
  const slow = Array.from({ length: 6 }, (_, n) => ({ ...person, email: `slow${n}.${person.email}` }));
  const answers = await Promise.all(slow.map((input) => gateway.client().send(SIGN_UP, { input })));
  expect(answers.filter(({ status }) => status < 500)).toEqual([]);
  const { result } = await gateway.client().send(LOG_IN, { input: person });
  expect(result.__typename).toBe('LoggedIn');
  expect(gateway.logs.join()).toContain('the hook requiresMfa took longer than 2 s');
});

test('a hook may refuse a factor, whoever sets it up', async () => {
  const asked: unknown[] = [];
  await start(
    {},
    {
      allowsEnrollment: (enrollment) => {
        asked.push(enrollment);
        return enrollment.factor === 'TOTP' || enrollment.passkey?.userVerified === true;
      },
    },
  );
  const { client, userId } = await verifiedPerson(gateway);
  const add = async (authenticator: SoftwareAuthenticator) => {
    const { result } = await client.send(BEGIN_PASSKEY, { input: {} });
    const response = authenticator.create(result.options);
    return (await client.send(CONFIRM_PASSKEY, { input: { handle: result.handle, response } })).result.__typename;
  };
  expect(await add(new SoftwareAuthenticator({ verifiesUser: false }))).toBe('EnrollmentRefused');
  expect((await client.send(AUTHENTICATORS)).result).toMatchObject({ hasMfa: false, authenticators: [] });
  expect(await add(new SoftwareAuthenticator())).toBe('PasskeyAdded');
  await enrollTotp(gateway, client);
  expect(asked).toMatchObject([
    { factor: 'PASSKEY', person: { userId }, passkey: { userVerified: false } },
    { factor: 'PASSKEY', passkey: { userVerified: true } },
    { factor: 'TOTP' },
  ]);
});

test('what is switched off is not set up', async () => {
  await start({ POSTERN_MFA_FACTORS: 'passkey' });
  const { client } = await verifiedPerson(gateway);
  expect((await client.send(BEGIN_TOTP, { input: {} })).result.__typename).toBe('EnrollmentRefused');
  const { result } = await client.send('{ authConfig { mfaFactors passkeyLogin passkeySignUp } }');
  expect(result).toEqual({ mfaFactors: ['PASSKEY'], passkeyLogin: true, passkeySignUp: false });
});
