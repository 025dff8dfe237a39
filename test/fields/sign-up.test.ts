import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SoftwareAuthenticator } from '../support/authenticator.ts';
import type { GraphQLClient } from '../support/client.ts';
import { BEGIN_PASSKEY, CONFIRM_PASSKEY } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import {
  CHANGE_PENDING_EMAIL,
  CONTINUE_LOGIN,
  hold,
  LOG_IN_WITH_CODE,
  newPerson,
  REQUEST_LOGIN_CODE,
  SIGN_UP,
  VERIFY_EMAIL,
} from '../support/people.ts';
import { recordStatements } from '../support/statements.ts';
import { OWN_FIELDS, USER_FIELDS } from '../support/user-fields.ts';

const env = {
  POSTERN_EMAIL_VERIFICATION: 'mandatory',
  POSTERN_PASSWORDLESS_SIGN_UP: 'on',
  POSTERN_RATE_LIMITS: 'off',
};
const OWN = { phoneNumber: '+12025550123', onboarded: true };

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ userFields: USER_FIELDS, env });
});
afterAll(() => gateway.stop());

const signingUp = async (client: GraphQLClient, input: Record<string, unknown>) =>
  (await client.send(SIGN_UP, { input })).result;

async function verify(client: GraphQLClient, loginToken: unknown, email: string) {
  const { code } = await gateway.mails.next(email);
  return client.send(VERIFY_EMAIL, { input: { proof: { code: { handle: loginToken, code } } } });
}

const ownOf = async (client: GraphQLClient) => (await client.send(OWN_FIELDS)).result;

describe('what somebody signs up with', () => {
  test('is theirs once the address is verified', async () => {
    const [client, person] = [gateway.client(), newPerson()];
    const { loginToken } = await signingUp(client, { ...person, ...OWN });
    const held = hold(client, await verify(client, loginToken, person.email));
    expect(await ownOf(held.client)).toMatchObject(OWN);
  });

  test('is theirs where the sign-up ends with a passkey', async () => {
    const [client, { email }] = [gateway.client(), newPerson()];
    const { loginToken } = await signingUp(client, { email, ...OWN });
    expect((await verify(client, loginToken, email)).result.__typename).toBe('PasskeyRequired');
    const { result: started } = await client.send(BEGIN_PASSKEY, { input: { loginToken } });
    const response = new SoftwareAuthenticator().create(started.options);
    await client.send(CONFIRM_PASSKEY, { input: { handle: started.handle, response } });
    const held = hold(client, await client.send(CONTINUE_LOGIN, { input: { loginToken } }));
    expect(await ownOf(held.client)).toMatchObject(OWN);
  });

  test('waits, sealed, where the address was taken, and comes with the one that is put in its place', async () => {
    const taken = newPerson();
    const holder = gateway.client();
    const begun = await signingUp(holder, { ...taken });
    await verify(holder, begun.loginToken, taken.email);

    const [client, other] = [gateway.client(), newPerson()];
    const phoneNumber = '+12025550177';
    const { loginToken } = await signingUp(client, { ...taken, ...OWN, phoneNumber });
    const stored =
      JSON.stringify(await gateway.sql('SELECT * FROM pending_logins')) +
      JSON.stringify(await gateway.sql('SELECT * FROM users'));
    expect(stored).not.toContain('2025550177');
    const input = { loginToken, email: other.email };
    expect((await client.send(CHANGE_PENDING_EMAIL, { input })).result.__typename).toBe('EmailVerificationRequired');
    const held = hold(client, await verify(client, loginToken, other.email));
    expect(await ownOf(held.client)).toMatchObject({ ...OWN, phoneNumber });
    const ofHolder = await gateway.sql(
      'SELECT fields FROM users JOIN emails ON user_id = users.id WHERE address = $1',
      [taken.email],
    );
    expect(ofHolder).toEqual([{ fields: {} }]);
  });

  test('looks the same and costs the same, whether or not the address is taken', async () => {
    const observed = await startGateway({ userFields: USER_FIELDS, env });
    try {
      const statements = recordStatements(observed);
      const taken = newPerson();
      const signUpWith = async (email: string) => {
        await observed.mails.rest('');
        statements.take();
        const { status, text } = await observed.client().send(SIGN_UP, { input: { ...newPerson(), ...OWN, email } });
        const answer = text.replaceAll(/"(loginToken|expiresAt|resendAvailableAt|email)":"[^"]*"/g, '"$1":""');
        // What is done with the account is taken back in one case, and kept in the other.
        const work = statements.take().map((statement) => statement.replace(/^(RELEASE|ROLLBACK TO) SAVEPOINT/, 'END'));
        return { status, answer, work };
      };
      await signUpWith(taken.email);
      const [onTaken, onFree] = [await signUpWith(taken.email), await signUpWith(newPerson().email)];
      expect(onTaken).toEqual(onFree);
      expect(onFree.work.length).toBeGreaterThan(5);
    } finally {
      await observed.stop();
    }
  });
});

describe('a field that a sign-up must have', () => {
  let strict: Gateway;
  beforeAll(async () => {
    const { organization, ...others } = USER_FIELDS;
    const needed = { ...organization, write: 'OWNER', onSignUp: 'REQUIRED' } as const;
    strict = await startGateway({ userFields: { ...others, organization: needed } });
  });
  afterAll(() => strict.stop());

  test.each([[{}], [{ organization: null }], [{ organization: ' ' }]])('is asked for where it is %j', async (given) => {
    const { result } = await strict.client().send(SIGN_UP, { input: { ...newPerson(), ...given } });
    expect(result).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ path: ['organization'], code: 'REQUIRED' }],
    });
  });

  test('is kept, and cannot be taken away', async () => {
    const client = strict.client();
    const input = { ...newPerson(), organization: 'Acme' };
    const held = hold(client, await client.send(SIGN_UP, { input }));
    const { result } = await held.client.send(
      'mutation { updateProfile(input: { organization: null }) { __typename ... on InvalidInput { issues { path code } } } }',
    );
    expect(result).toMatchObject({ issues: [{ path: ['organization'], code: 'REQUIRED' }] });
    expect(await ownOf(held.client)).toMatchObject({ organization: 'Acme' });
  });
});

test('what an unproven stranger wrote of an account goes with the first proof of its mailbox, and what others wrote stays', async () => {
  const open = await startGateway({ userFields: USER_FIELDS });
  try {
    const person = newPerson();
    const stranger = open.client();
    const squatted = hold(stranger, await stranger.send(SIGN_UP, { input: { ...person, ...OWN } }));
    await open.sql(`UPDATE users SET fields = fields || '{"organization": "Acme"}' WHERE id = $1`, [squatted.userId]);
    const owner = open.client();
    const { result } = await owner.send(REQUEST_LOGIN_CODE, { input: { email: person.email } });
    const { code } = await open.mails.next(person.email);
    const answer = { code: { handle: result.loginToken, code } };
    const held = hold(owner, await owner.send(LOG_IN_WITH_CODE, { input: { proof: answer } }));
    expect(held.userId).toBe(squatted.userId);
    expect(await ownOf(held.client)).toMatchObject({ phoneNumber: null, onboarded: false, organization: 'Acme' });
  } finally {
    await open.stop();
  }
});
