import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as accounts from '../../src/administration/accounts.ts';
import { EVENT_KINDS, type EventKind, particularsOf } from '../../src/events.ts';
import { operate } from '../../src/operator.ts';
import {
  addVerified,
  DELETE_ACCOUNT,
  newPhone,
  REMOVE_EMAIL,
  REMOVE_PHONE,
  SET_PRIMARY_EMAIL,
  setVerifiedPhone,
  UPDATE_PROFILE,
  verifyPrimary,
} from '../support/account.ts';
import { CREATE_USER, DISABLE_USER, INVITE_USER, newAdministrator } from '../support/administration.ts';
import { SoftwareAuthenticator } from '../support/authenticator.ts';
import {
  BEGIN_PASSKEY_LOGIN,
  beginMfaLogin,
  enrollPasskey,
  FORGET_TRUSTED_DEVICES,
  GENERATE_RECOVERY_CODES,
  LOG_IN_WITH_PASSKEY,
  logInWithTotp,
  REMOVE_AUTHENTICATOR,
  RENAME_PASSKEY,
  type TotpHolder,
  totpCode,
  totpHolder,
  VERIFY_MFA,
  verifiedPerson,
} from '../support/factors.ts';
import { type Gateway, newAddress, startGateway } from '../support/gateway.ts';
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts';
import {
  askForReset,
  CHANGE_PASSWORD,
  newPassword,
  REAUTHENTICATE,
  resetWith,
  verified,
} from '../support/passwords.ts';
import {
  CHANGE_PENDING_EMAIL,
  CURRENT_USER,
  type Held,
  hold,
  LOG_IN,
  LOG_IN_WITH_CODE,
  LOG_OUT,
  logIn,
  newPerson,
  type Person,
  REFRESH,
  REQUEST_LOGIN_CODE,
  SIGN_UP,
  signUp,
} from '../support/people.ts';
import {
  APP,
  beginConnection,
  COMPLETE_PROVIDER_CONNECTION,
  codeOf,
  connectionsOf,
  DISCONNECT_PROVIDER,
  enterFrom,
  entryOf,
  goAndReturn,
  newAccount,
} from '../support/social.ts';
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

let receiver: WebhookReceiver;
let provider: HostileProvider;
/** Nobody has to verify anything. */
let gateway: Gateway;
/** Everybody has to verify their address. */
let strict: Gateway;
/** None of its mails arrives. */
let mute: Gateway;

beforeAll(async () => {
  receiver = await startReceiver();
  provider = await startHostileProvider();
  const webhooks = [{ id: 'all', url: receiver.url, secret: receiver.secret, events: 'all' }] as const;
  const mailer = { send: () => Promise.reject(new Error('there is no such mailbox')), close: async () => undefined };
  [gateway, strict, mute] = await Promise.all([
    startGateway({
      webhooks,
      sms: true,
      env: {
        POSTERN_LOGIN_IDENTIFIERS: 'email,username,phone',
        POSTERN_REDIRECT_URLS: `${APP}/*`,
        POSTERN_PROVIDERS: JSON.stringify([entryOf(provider)]),
      },
    }),
    startGateway({ webhooks, env: { POSTERN_EMAIL_VERIFICATION: 'mandatory' } }),
    startGateway({ webhooks, mailer }),
  ]);
});
afterAll(async () => {
  await Promise.all([gateway.stop(), strict.stop(), mute.stop()]);
  await Promise.all([receiver.close(), provider.close()]);
});

const someone = (person: Person = newPerson()): Promise<Held> => signUp(gateway.client(), person);

/** Somebody new, whose address somebody has signed up with. */
async function pendingPerson(): Promise<{ person: Person; userId: string; loginToken: string }> {
  const person = newPerson();
  const { result } = await strict.client().send(SIGN_UP, { input: { ...person, credential: 'SESSION_TOKEN' } });
  const [row] = await strict.sql<{ id: string }>('SELECT user_id AS id FROM emails WHERE address = $1', [person.email]);
  return { person, userId: row?.id ?? '', loginToken: String(result.loginToken) };
}

async function passkeyHolder(): Promise<Held & { authenticator: SoftwareAuthenticator; passkeyId: string }> {
  const held = await verifiedPerson(gateway);
  const { authenticator, id } = await enrollPasskey(held.client, new SoftwareAuthenticator());
  return { ...held, authenticator, passkeyId: id };
}

async function logInWithPasskey({ authenticator }: { authenticator: SoftwareAuthenticator }, counter: number) {
  const client = gateway.client();
  const { result: begun } = await client.send(BEGIN_PASSKEY_LOGIN, { input: { credential: 'SESSION_TOKEN' } });
  const response = authenticator.get(begun.options, { counter });
  return client.send(LOG_IN_WITH_PASSKEY, { input: { loginToken: begun.loginToken, response } });
}

async function removeFactor({ client }: Held): Promise<void> {
  const { result } = await client.send(`{ currentUser { ... on User { authenticators { __typename id } } } }`);
  const held = result.authenticators as { __typename: string; id: string }[];
  const id = held.find(({ __typename }) => __typename !== 'RecoveryCodes')?.id;
  await client.send(REMOVE_AUTHENTICATOR, { input: { id } });
}

async function trustDevice(holder: TotpHolder): Promise<void> {
  const client = gateway.client();
  const { loginToken } = await beginMfaLogin(client, holder.person);
  const totp = totpCode(holder.secret, gateway.clock());
  hold(client, await client.send(VERIFY_MFA, { input: { loginToken, proof: { totp }, trustDevice: true } }));
}

async function answerWrongly({ person }: TotpHolder, times: number): Promise<void> {
  const client = gateway.client();
  const { loginToken } = await beginMfaLogin(client, person);
  for (let tries = 0; tries < times; tries += 1)
    await client.send(VERIFY_MFA, { input: { loginToken, proof: { totp: '000000' } } });
}

async function connect(held: Held): Promise<void> {
  provider.person = newAccount();
  const begun = await beginConnection(held.client, 'acme');
  const code = codeOf(await goAndReturn(gateway, provider, begun));
  await held.client.send(COMPLETE_PROVIDER_CONNECTION, { input: { flowToken: begun.flowToken, code } });
}

async function asOperator(userId: string, work: Parameters<typeof operate<unknown>>[3]): Promise<void> {
  await operate(gateway.app, userId, gateway.clock(), work);
}

async function addedEmail(held: Held): Promise<string> {
  return addVerified(gateway, held, newPerson().email);
}

/** How each of them comes about; gives whom it is about. One that is not here does not compile. */
const COMES_ABOUT: Readonly<Record<EventKind, () => Promise<string>>> = {
  SignedUp: async () => (await someone()).userId,
  async SignUpRepeated() {
    const { person, userId } = await pendingPerson();
    await strict.sql('UPDATE emails SET verified_at = now() WHERE user_id = $1', [userId]);
    await strict.client().send(SIGN_UP, { input: { ...person, credential: 'SESSION_TOKEN' } });
    return userId;
  },
  async LoggedIn() {
    const person = newPerson();
    await someone(person);
    return (await logIn(gateway.client(), person)).userId;
  },
  async LoginStepCompleted() {
    const holder = await totpHolder(gateway);
    await beginMfaLogin(gateway.client(), holder.person);
    return holder.userId;
  },
  async LoginFailed() {
    const person = newPerson();
    const { userId } = await someone(person);
    await gateway.client().send(LOG_IN, { input: { ...person, password: 'not it', credential: 'COOKIE' } });
    return userId;
  },
  async CodeSent() {
    const person = newPerson();
    const { userId } = await someone(person);
    await gateway.client().send(REQUEST_LOGIN_CODE, { input: { email: person.email, credential: 'SESSION_TOKEN' } });
    return userId;
  },
  async CodeRejected() {
    const person = newPerson();
    const { userId } = await someone(person);
    const client = gateway.client();
    const input = { email: person.email, credential: 'SESSION_TOKEN' };
    const { loginToken: handle } = (await client.send(REQUEST_LOGIN_CODE, { input })).result;
    await client.send(LOG_IN_WITH_CODE, { input: { proof: { code: { handle, code: 'BBBB-BBBB' } } } });
    return userId;
  },
  async LimitHit() {
    const person = newPerson();
    const { userId } = await someone(person);
    const client = gateway.client();
    for (let tries = 0; tries < 12; tries += 1)
      await client.send(LOG_IN, { input: { ...person, password: 'not it', credential: 'COOKIE' } });
    return userId;
  },
  async SessionEnded() {
    const { client, userId } = await someone();
    await client.send(LOG_OUT);
    return userId;
  },
  async SessionClientChanged() {
    const { client, userId } = await someone();
    await client.with({ 'user-agent': 'another browser', 'x-forwarded-for': newAddress() }).send(CURRENT_USER);
    return userId;
  },
  async Reauthenticated() {
    const person = newPerson();
    const { client, userId } = await someone(person);
    await client.send(REAUTHENTICATE, { input: { password: person.password } });
    return userId;
  },
  async PasswordChanged() {
    const person = newPerson();
    const { client, userId } = await someone(person);
    const input = { currentPassword: person.password, newPassword: newPassword() };
    await client.send(CHANGE_PASSWORD, { input });
    return userId;
  },
  async PasswordReset() {
    const person = newPerson();
    const { userId } = await verified(gateway, await someone(person));
    const { mail } = await askForReset(gateway, person.email);
    await resetWith(gateway.client(), mail.token);
    return userId;
  },
  async AccountReclaimed() {
    const person = newPerson();
    const { userId } = await someone(person);
    const { mail } = await askForReset(gateway, person.email);
    await resetWith(gateway.client(), mail.token);
    return userId;
  },
  async PendingEmailChanged() {
    const { userId, loginToken } = await pendingPerson();
    await strict.client().send(CHANGE_PENDING_EMAIL, { input: { loginToken, email: newPerson().email } });
    return userId;
  },
  async EmailVerified() {
    const held = await someone();
    await verifyPrimary(gateway, held);
    return held.userId;
  },
  async EmailAdded() {
    const held = await someone();
    await addedEmail(held);
    return held.userId;
  },
  async EmailRemoved() {
    const held = await someone();
    const id = await addedEmail(held);
    await held.client.send(REMOVE_EMAIL, { input: { id } });
    return held.userId;
  },
  async PrimaryEmailChanged() {
    const held = await someone();
    const id = await addedEmail(held);
    await held.client.send(SET_PRIMARY_EMAIL, { input: { id } });
    return held.userId;
  },
  async PhoneChanged() {
    const held = await someone();
    await setVerifiedPhone(gateway, held, newPhone());
    return held.userId;
  },
  async PhoneRemoved() {
    const held = await someone();
    await setVerifiedPhone(gateway, held, newPhone());
    await held.client.send(REMOVE_PHONE);
    return held.userId;
  },
  async UsernameChanged() {
    const { client, userId } = await someone();
    await client.send(UPDATE_PROFILE, { input: { username: `ada${userId.slice(0, 8)}` } });
    return userId;
  },
  async ProfileUpdated() {
    const { client, userId } = await someone();
    await client.send(UPDATE_PROFILE, { input: { name: 'Ada Lovelace' } });
    return userId;
  },
  MfaEnabled: async () => (await totpHolder(gateway)).userId,
  async MfaDisabled() {
    const holder = await totpHolder(gateway);
    await removeFactor(holder);
    return holder.userId;
  },
  AuthenticatorAdded: async () => (await totpHolder(gateway)).userId,
  async AuthenticatorRemoved() {
    const holder = await totpHolder(gateway);
    await removeFactor(holder);
    return holder.userId;
  },
  async PasskeyRenamed() {
    const { client, userId, passkeyId: id } = await passkeyHolder();
    await client.send(RENAME_PASSKEY, { input: { id, name: 'the one in the drawer' } });
    return userId;
  },
  async SecondFactorUsed() {
    const holder = await totpHolder(gateway);
    return (await logInWithTotp(gateway, holder)).userId;
  },
  async MfaAttemptsExhausted() {
    const holder = await totpHolder(gateway);
    await answerWrongly(holder, 5);
    return holder.userId;
  },
  async RecoveryCodeUsed() {
    const holder = await totpHolder(gateway);
    const client = gateway.client();
    const { loginToken } = await beginMfaLogin(client, holder.person);
    const [recoveryCode] = holder.recoveryCodes;
    hold(client, await client.send(VERIFY_MFA, { input: { loginToken, proof: { recoveryCode } } }));
    return holder.userId;
  },
  async RecoveryCodesGenerated() {
    const { client, userId } = await totpHolder(gateway);
    await client.send(GENERATE_RECOVERY_CODES);
    return userId;
  },
  async AuthenticatorDisabled() {
    const holder = await totpHolder(gateway);
    await gateway.sql('UPDATE authenticators SET consecutive_attempts = 99 WHERE user_id = $1', [holder.userId]);
    await answerWrongly(holder, 1);
    return holder.userId;
  },
  async PasskeyCounterRegressed() {
    const holder = await passkeyHolder();
    hold(gateway.client(), await logInWithPasskey(holder, 7));
    await logInWithPasskey(holder, 6);
    return holder.userId;
  },
  ProviderConnected: async () => hold(gateway.client(), await enterFrom(gateway, provider, newAccount())).userId,
  async ProviderUpdated() {
    const account = newAccount();
    const { userId } = hold(gateway.client(), await enterFrom(gateway, provider, account));
    await enterFrom(gateway, provider, { ...account, name: 'Rear Admiral Hopper' });
    return userId;
  },
  async ProviderDisconnected() {
    const held = await verifiedPerson(gateway);
    await connect(held);
    const [connection] = await connectionsOf(held.client);
    await held.client.send(DISCONNECT_PROVIDER, { input: { id: connection?.id } });
    return held.userId;
  },
  async DeviceTrusted() {
    const holder = await totpHolder(gateway);
    await trustDevice(holder);
    return holder.userId;
  },
  async TrustedDevicesForgotten() {
    const holder = await totpHolder(gateway);
    await trustDevice(holder);
    await holder.client.send(FORGET_TRUSTED_DEVICES);
    return holder.userId;
  },
  async AccountDeleted() {
    const { client, userId } = await someone();
    await client.send(DELETE_ACCOUNT);
    return userId;
  },
  async AccountDisabled() {
    const { userId } = await someone();
    await asOperator(userId, accounts.disable);
    return userId;
  },
  async AccountEnabled() {
    const { userId } = await someone();
    await asOperator(userId, accounts.disable);
    await asOperator(userId, accounts.enable);
    return userId;
  },
  async RolesChanged() {
    const { userId } = await someone();
    await asOperator(userId, (act) => accounts.setRoles(act, userId, ['staff']));
    return userId;
  },
  async AccountCreated() {
    const { client } = await newAdministrator(gateway);
    const { result } = await client.send(CREATE_USER, { input: { email: newPerson().email } });
    return (result.user as { id: string }).id;
  },
  async InvitationAccepted() {
    const { client } = await newAdministrator(gateway);
    const { email, password } = newPerson();
    await client.send(INVITE_USER, { input: { email, roles: [] } });
    const invitation = new URL(await gateway.mails.lastLink(email)).searchParams.get('token');
    const { result } = await gateway.client().send(SIGN_UP, { input: { password, invitation } });
    return (result.user as { id: string }).id;
  },
  async PasswordChangeDemanded() {
    const { userId } = await someone();
    await asOperator(userId, accounts.requirePasswordChange);
    return userId;
  },
  async FactorsReset() {
    const { userId } = await totpHolder(gateway);
    await asOperator(userId, accounts.resetFactors);
    return userId;
  },
  async SessionsRevoked() {
    const { userId } = await someone();
    await asOperator(userId, accounts.revokeSessions);
    return userId;
  },
  async AdministratorActed() {
    const { userId, client } = await newAdministrator(gateway);
    await client.send(DISABLE_USER, { input: { id: (await someone()).userId } });
    return userId;
  },
  async MessageNotDelivered() {
    const person = newPerson();
    const held = await verified(mute, await signUp(mute.client(), person));
    const input = { currentPassword: person.password, newPassword: newPassword() };
    await held.client.send(CHANGE_PASSWORD, { input });
    const failed = 'FROM graphile_worker.jobs WHERE last_error IS NOT NULL AND locked_at IS NULL';
    while ((await mute.sql(`SELECT 1 ${failed}`)).length === 0) await pause(20);
    await mute.sql('UPDATE graphile_worker._private_jobs SET attempts = max_attempts - 2, run_at = now()');
    return held.userId;
  },
};

test.each(EVENT_KINDS)('%s', async (kind) => {
  const userId = await COMES_ABOUT[kind]();
  const message = await receiver.until(() => receiver.of(userId).find(({ type }) => type === kind));
  const always = ['id', 'userId', 'ipAddress', 'userAgent'];
  expect(Object.keys(message.data).sort()).toEqual([...always, ...particularsOf(kind)].sort());
  expect(message.body).not.toMatch(/"p[a-z]_|whsec_/);
});

test('what is asked for in the name of nobody tells of nobody, and not what was typed', async () => {
  const { email } = newPerson();
  const before = receiver.received.length;
  const client = gateway.client();
  const { result } = await client.send(REQUEST_LOGIN_CODE, { input: { email, credential: 'SESSION_TOKEN' } });
  await client.send(LOG_IN_WITH_CODE, {
    input: { proof: { code: { handle: result.loginToken, code: 'BBBB-BBBB' } } },
  });
  for (let tries = 0; tries < 11; tries += 1)
    await client.send(LOG_IN, { input: { email, password: 'not it', credential: 'COOKIE' } });
  const here = () => receiver.received.slice(before).filter(({ data }) => data.userId === null);
  for (const kind of ['CodeSent', 'CodeRejected', 'LoginFailed', 'LimitHit']) {
    const { data } = await receiver.until(() => here().find(({ type }) => type === kind));
    const traced = kind === 'LoginFailed' || kind === 'LimitHit';
    expect(data.ipAddress, kind).toBe(traced ? client.headers['x-forwarded-for'] : null);
  }
  expect(receiver.received.filter(({ body }) => body.includes(email))).toEqual([]);
});

test('a limit tells of the first refusal of its window, and of no other, on whichever instance', async () => {
  const person = newPerson();
  const { userId } = await someone(person);
  const second = await gateway.another();
  const client = gateway.client();
  const clients = [client, second.client(client.headers)];
  await Promise.all(
    Array.from({ length: 30 }, (_, n) =>
      clients[n % 2]?.send(LOG_IN, { input: { ...person, password: 'not it', credential: 'COOKIE' } }),
    ),
  );
  await receiver.until(() => receiver.of(userId).some(({ type }) => type === 'LimitHit'));
  await second.stop();
  const hits = await gateway.sql(`SELECT data FROM events WHERE user_id = $1 AND kind = 'LimitHit'`, [userId]);
  expect(hits).toEqual([{ data: { limit: 'passwordPerAccount' } }]);
});

test('a session of another client tells once an hour, however often it changes hands', async () => {
  const { client, userId, sessionId } = await someone();
  const [first] = await gateway.sql<{ ip: string }>('SELECT ip_address AS ip FROM sessions WHERE id = $1', [sessionId]);
  const elsewhere = client.with({ 'x-forwarded-for': newAddress(), 'user-agent': 'a phone' });
  const changes = () =>
    gateway.sql<{ ip: string; from: unknown }>(
      `SELECT ip_address AS ip, data->'from' AS from FROM events WHERE user_id = $1 AND kind = 'SessionClientChanged'`,
      [userId],
    );
  for (let n = 0; n < 5; n += 1) {
    await elsewhere.send(CURRENT_USER);
    await client.send(CURRENT_USER);
    gateway.clock.advance(5 * 60_000);
  }
  expect(await changes()).toEqual([
    { ip: elsewhere.headers['x-forwarded-for'], from: { ipAddress: first?.ip, userAgent: 'node' } },
  ]);
  gateway.clock.advance(3_600_000);
  await client.send(CURRENT_USER);
  expect(await changes()).toHaveLength(2);
});

test('of a session that is held as a JWT whoever refreshes it tells, and not whoever shows the JWT', async () => {
  const { client, userId, refreshToken } = await signUp(gateway.client(), newPerson(), 'JWT');
  const changes = () =>
    gateway.sql(`SELECT 1 FROM events WHERE user_id = $1 AND kind = 'SessionClientChanged'`, [userId]);
  const elsewhere = client.with({ 'x-forwarded-for': newAddress() });
  expect((await elsewhere.send(CURRENT_USER)).result.__typename).toBe('User');
  expect(await changes()).toEqual([]);
  const { result } = await gateway.client().send(REFRESH, { input: { refreshToken } });
  expect(result.__typename).toBe('SessionTokensRefreshed');
  expect(await changes()).toHaveLength(1);
});
