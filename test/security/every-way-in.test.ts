import { GraphQLObjectType, GraphQLUnionType, getNamedType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { newPhone } from '../support/account.ts';
import type { SoftwareAuthenticator } from '../support/authenticator.ts';
import type { Answer, GraphQLClient } from '../support/client.ts';
import {
  BEGIN_PASSKEY_LOGIN,
  enrollPasskey,
  enrollTotp,
  LOG_IN_WITH_PASSKEY,
  totpCode,
  VERIFY_MFA,
} from '../support/factors.ts';
import type { Gateway } from '../support/gateway.ts';
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts';
import { askForReset, marked, newPassword, nextCode, REPLACE_PASSWORD, RESET_PASSWORD } from '../support/passwords.ts';
import {
  CONTINUE_LOGIN,
  hold,
  LOG_IN,
  LOG_IN_WITH_CODE,
  newPerson,
  type Person,
  REQUEST_LOGIN_CODE,
  RESEND_CODE,
  SIGN_UP,
  VERIFY_EMAIL,
  VERIFY_PHONE,
} from '../support/people.ts';
import {
  COMPLETE_PROVIDER_SIGN_UP,
  enterFrom,
  LINK_ACCOUNT,
  LOG_IN_WITH_PROVIDER_TOKEN,
  newAccount,
  startSocialGateway,
} from '../support/social.ts';

// Whichever way somebody comes in, they have shown the factor that they have, or set up the one that they must have
// (M14; ASVS 6.3.4). The ways are those of the schema: a new one fails here until it is tried.

let gateway: Gateway;
let provider: HostileProvider;
/** Whether everybody must have a second factor. */
let enforced = false;
beforeAll(async () => {
  provider = await startHostileProvider();
  gateway = await startSocialGateway(provider, {
    env: {
      POSTERN_LOGIN_IDENTIFIERS: 'email,phone',
      POSTERN_LOG_IN_AFTER_PASSWORD_RESET: 'on',
      POSTERN_RATE_LIMITS: 'off',
    },
    sms: true,
    hooks: { requiresMfa: () => enforced },
  });
});
afterAll(async () => {
  await gateway.stop();
  await provider.close();
});

type Situation = 'no factor' | 'TOTP' | 'a passkey' | 'none, but enforced';
const SITUATIONS: readonly Situation[] = ['no factor', 'TOTP', 'a passkey', 'none, but enforced'];

interface Subject {
  readonly person: Person;
  readonly userId: string;
  readonly secret: string;
  readonly passkey: SoftwareAuthenticator | null;
}

async function subject(situation: Situation): Promise<Subject> {
  enforced = false;
  const person = newPerson();
  const client = gateway.client();
  const { result } = await client.send(SIGN_UP, { input: person });
  const { code } = await nextCode(gateway, person.email);
  const proof = { code: { handle: result.loginToken, code } };
  const held = hold(client, await client.send(VERIFY_EMAIL, { input: { proof } }));
  const { secret } = situation === 'TOTP' ? await enrollTotp(gateway, held.client) : { secret: '' };
  const passkey = situation === 'a passkey' ? (await enrollPasskey(held.client)).authenticator : null;
  await gateway.mails.rest(person.email);
  enforced = situation === 'none, but enforced';
  return { person, userId: held.userId, secret, passkey };
}

type Way = (who: Subject, client: GraphQLClient) => Promise<Answer | null>;

/** How far each mutation takes somebody who does all that it asks, but shows no second factor. */
const WAYS: Readonly<Record<string, Way>> = {
  async signUp(_who, client) {
    // Whoever signs up has no factor yet.
    const person = newPerson();
    const { result } = await client.send(SIGN_UP, { input: person });
    const { code } = await nextCode(gateway, person.email);
    const proof = { code: { handle: result.loginToken, code } };
    return client.send(VERIFY_EMAIL, { input: { proof } });
  },
  logInWithPassword: ({ person }, client) => client.send(LOG_IN, { input: person }),
  async logInWithCode({ person: { email } }, client) {
    const { result } = await client.send(REQUEST_LOGIN_CODE, { input: { email } });
    const { code } = await nextCode(gateway, email);
    return client.send(LOG_IN_WITH_CODE, { input: { proof: { code: { handle: result.loginToken, code } } } });
  },
  async 'logInWithCode, by its link'({ person: { email } }, client) {
    await client.send(REQUEST_LOGIN_CODE, { input: { email } });
    const { token } = await nextCode(gateway, email);
    return gateway.client().send(LOG_IN_WITH_CODE, { input: { proof: { token } } });
  },
  async verifyEmail({ person, userId }, client) {
    await gateway.sql('UPDATE emails SET verified_at = NULL WHERE user_id = $1', [userId]);
    const { result } = await client.send(LOG_IN, { input: person });
    expect(result.__typename).toBe('EmailVerificationRequired');
    const { code } = await nextCode(gateway, person.email);
    return client.send(VERIFY_EMAIL, { input: { proof: { code: { handle: result.loginToken, code } } } });
  },
  async 'verifyEmail, by its link'({ person, userId }, client) {
    await gateway.sql('UPDATE emails SET verified_at = NULL WHERE user_id = $1', [userId]);
    const { result } = await client.send(LOG_IN, { input: person });
    const { token } = await nextCode(gateway, person.email);
    return client.send(VERIFY_EMAIL, { input: { proof: { token }, loginToken: result.loginToken } });
  },
  async continueLogin({ person, userId }, client) {
    await gateway.sql('UPDATE emails SET verified_at = NULL WHERE user_id = $1', [userId]);
    const { result } = await client.send(LOG_IN, { input: person });
    const { token } = await nextCode(gateway, person.email);
    const elsewhere = await gateway.client().send(VERIFY_EMAIL, { input: { proof: { token } } });
    expect(elsewhere.result.__typename).toBe('EmailVerified');
    return client.send(CONTINUE_LOGIN, { input: { loginToken: result.loginToken } });
  },
  async verifyPhone({ person: { password }, userId }, client) {
    const phone = newPhone();
    await gateway.sql('INSERT INTO phones (user_id, number, created_at) VALUES ($1, $2, now())', [userId, phone]);
    const { result } = await client.send(LOG_IN, { input: { phone, password } });
    expect(result.__typename).toBe('PhoneVerificationRequired');
    const { code } = await gateway.texts.next(phone);
    return client.send(VERIFY_PHONE, { input: { code: { handle: result.loginToken, code } } });
  },
  async resetPassword({ person: { email } }, client) {
    const { handle, mail } = await askForReset(gateway, email, client);
    const input = { proof: { code: { handle, code: mail.code } }, newPassword: newPassword() };
    return client.send(RESET_PASSWORD, { input });
  },
  async replacePassword({ person, userId }, client) {
    await marked(gateway, { userId } as Parameters<typeof marked>[1]);
    const asked = await client.send(LOG_IN, { input: person });
    // Who has a second factor shows it first: a password that others know is not for them to replace.
    if (asked.result.__typename !== 'PasswordChangeRequired') return asked;
    const input = { loginToken: asked.result.loginToken, newPassword: newPassword() };
    return client.send(REPLACE_PASSWORD, { input });
  },
  async logInWithPasskey({ passkey }, client) {
    if (!passkey) return null;
    const { result } = await client.send(BEGIN_PASSKEY_LOGIN, { input: {} });
    // One that verified nobody is one factor.
    const response = passkey.get(result.options, { userVerified: false });
    return client.send(LOG_IN_WITH_PASSKEY, { input: { loginToken: result.loginToken, response } });
  },
  async completeProviderLogin({ userId }, client) {
    return enterFrom(gateway, provider, await connected(userId), client);
  },
  async logInWithProviderToken({ userId }, client) {
    provider.person = await connected(userId);
    const idToken = await provider.mint({ nonce: 'n' });
    return client.send(LOG_IN_WITH_PROVIDER_TOKEN, { input: { provider: 'acme', idToken, nonce: 'n' } });
  },
  async completeProviderSignUp(_who, client) {
    // Whoever signs up has no factor yet.
    const { result } = await enterFrom(gateway, provider, newAccount({ email: undefined }), client);
    const { email } = newPerson();
    await client.send(COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken: result.loginToken, email } });
    const { code } = await nextCode(gateway, email);
    return client.send(VERIFY_EMAIL, { input: { proof: { code: { handle: result.loginToken, code } } } });
  },
  async linkAccount({ person }, client) {
    const { result } = await enterFrom(gateway, provider, newAccount({ email: person.email }), client);
    const input = { loginToken: result.loginToken, proof: { password: person.password } };
    return client.send(LINK_ACCOUNT, { input });
  },
  async 'linkAccount, by a mailed code'({ person }, client) {
    const { result } = await enterFrom(gateway, provider, newAccount({ email: person.email }), client);
    await client.send(RESEND_CODE, { input: { handle: result.loginToken } });
    const { code } = await nextCode(gateway, person.email);
    return client.send(LINK_ACCOUNT, { input: { loginToken: result.loginToken, proof: { emailCode: code } } });
  },
  async verifyMfa({ person, secret, passkey }, client) {
    if (!secret && !passkey) return null;
    const { result } = await client.send(LOG_IN, { input: person });
    const proof = { totp: totpCode(secret || 'A'.repeat(32), new Date(gateway.clock().getTime() + 300_000)) };
    const wrong = await client.send(VERIFY_MFA, { input: { loginToken: result.loginToken, proof } });
    expect(wrong.result.__typename).toBe('InvalidCode');
    return client.send(CONTINUE_LOGIN, { input: { loginToken: result.loginToken } });
  },
};

/** An account at the provider that is this person's. */
async function connected(userId: string): Promise<HostileProvider['person']> {
  const account = newAccount();
  await gateway.sql(
    `INSERT INTO social_connections (id, user_id, provider, issuer, subject, display_name, created_at)
     VALUES (gen_random_uuid(), $1, 'acme', $2, $3, 'Grace', now())`,
    [userId, provider.issuer, account.sub],
  );
  return account;
}

const nameOf = (way: string) => way.split(',')[0] ?? '';

test('every mutation of the schema that can log in is tried here', () => {
  const fields = Object.values(schema.getMutationType()?.getFields() ?? {});
  const waysIn = fields.filter(({ type }) => {
    const union = getNamedType(type);
    return union instanceof GraphQLUnionType && union.getTypes().some(({ name }) => name === 'LoggedIn');
  });
  expect(schema.getType('LoggedIn')).toBeInstanceOf(GraphQLObjectType);
  expect([...new Set(Object.keys(WAYS).map(nameOf))].sort()).toEqual(waysIn.map(({ name }) => name).sort());
});

describe.each(Object.entries(WAYS))('%s', (way, take) => {
  test.each(SITUATIONS)('by somebody with %s', async (situation) => {
    const who = await subject(situation);
    const { result: before } = await counted(who.userId);
    const answer = await take(who, gateway.client());
    enforced = false;
    if (!answer) return;
    const isNew = nameOf(way) === 'signUp' || nameOf(way) === 'completeProviderSignUp';
    const expected = {
      'no factor': 'LoggedIn',
      TOTP: isNew ? 'LoggedIn' : 'MfaRequired',
      'a passkey': isNew ? 'LoggedIn' : 'MfaRequired',
      'none, but enforced': 'MfaEnrollmentRequired',
    }[situation];
    expect(answer.result.__typename, answer.text).toBe(expected);
    const { result: after } = await counted(who.userId);
    if (expected !== 'LoggedIn') expect(after, 'no session was opened').toBe(before);
  });
});

async function counted(userId: string): Promise<{ result: number }> {
  const [row] = await gateway.sql<{ result: number }>(
    'SELECT count(*)::int AS result FROM sessions WHERE user_id = $1',
    [userId],
  );
  return { result: row?.result ?? 0 };
}

test('a passkey that verified its user is both factors, and asked for nothing more', async () => {
  const { passkey } = await subject('a passkey');
  const client = gateway.client();
  const { result } = await client.send(BEGIN_PASSKEY_LOGIN, { input: {} });
  const response = (passkey as SoftwareAuthenticator).get(result.options);
  const answer = await client.send(LOG_IN_WITH_PASSKEY, { input: { loginToken: result.loginToken, response } });
  expect(answer.result.__typename).toBe('LoggedIn');
});
