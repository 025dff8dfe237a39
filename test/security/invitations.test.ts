import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventsOf, newPhone } from '../support/account.ts';
import { INVITATIONS, INVITE_USER, REVOKE_INVITATION, SET_USER_ROLES } from '../support/administration.ts';
import type { Gateway } from '../support/gateway.ts';
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts';
import { CURRENT_USER, type Held, hold, newPerson, REQUEST_LOGIN_CODE, SIGN_UP, signUp } from '../support/people.ts';
import {
  COMPLETE_PROVIDER_SIGN_UP,
  enterFrom,
  LOG_IN_WITH_PROVIDER_TOKEN,
  newAccount,
  startSocialGateway,
} from '../support/social.ts';

let gateway: Gateway;
let provider: HostileProvider;
let admin: Held;
beforeAll(async () => {
  provider = await startHostileProvider();
  gateway = await startSocialGateway(provider, {
    env: { POSTERN_SIGN_UP: 'invite', POSTERN_LOGIN_IDENTIFIERS: 'email,username,phone', POSTERN_RATE_LIMITS: 'off' },
    sms: true,
  });
  const open = await gateway.another({ POSTERN_SIGN_UP: 'open', POSTERN_EMAIL_VERIFICATION: 'none' });
  const { token, ...held } = await signUp(open.client(), newPerson());
  admin = { ...held, token, client: gateway.client().bearing(token) };
  await open.stop();
  await gateway.sql('UPDATE emails SET verified_at = now() WHERE user_id = $1', [admin.userId]);
  await gateway.sql("UPDATE users SET roles = '{admin}' WHERE id = $1", [admin.userId]);
});
afterAll(async () => {
  await gateway.stop();
  await provider.close();
});

/** Invites somebody; the token stands in the mail alone. */
async function invited(roles: readonly string[] = ['staff'], by = admin) {
  const person = newPerson();
  const { result, text } = await by.client.send(INVITE_USER, { input: { email: person.email, roles } });
  expect(result.__typename).toBe('UserInvited');
  const { token } = await gateway.mails.next(person.email);
  expect(token).toMatch(/^pi_/);
  expect(text).not.toContain(token);
  return { person, token, id: (result.invitation as { id: string }).id };
}

async function countAccounts(): Promise<number> {
  const [row] = await gateway.sql<{ count: number }>('SELECT count(*)::int FROM users');
  return row?.count ?? 0;
}

// Defence: what each of these asks of config.signUp.
describe('without an invitation', () => {
  test('nothing makes an account', async () => {
    const before = await countAccounts();
    const client = gateway.client();
    expect((await client.send(SIGN_UP, { input: newPerson() })).result.__typename).toBe('SignUpClosed');
    const { email } = newPerson();
    await client.send(REQUEST_LOGIN_CODE, { input: { email } });
    const { result } = await enterFrom(gateway, provider, newAccount(), client);
    expect(result).toMatchObject({ __typename: 'ProviderSignUpRequired', missing: ['invitation'] });
    const { loginToken } = result;
    for (const input of [{ loginToken }, { loginToken, email }])
      expect((await client.send(COMPLETE_PROVIDER_SIGN_UP, { input })).result).toMatchObject({
        issues: [{ path: ['invitation'], code: 'REQUIRED' }],
      });
    provider.person = newAccount();
    const idToken = await provider.mint({ nonce: 'n' });
    const byToken = await client.send(LOG_IN_WITH_PROVIDER_TOKEN, { input: { provider: 'acme', idToken, nonce: 'n' } });
    expect(byToken.result.__typename).toBe('ProviderSignUpRequired');
    expect(await countAccounts()).toBe(before);
  });

  test('nothing tells whether an address was invited', async () => {
    const { person } = await invited();
    const client = gateway.client();
    const answers = await Promise.all(
      [person, newPerson()].map(async (each) => (await client.send(SIGN_UP, { input: each })).text),
    );
    expect(answers[0]).toBe(answers[1]);
  });
});

describe('with an invitation', () => {
  test('somebody signs up with its address, verified, and its roles, and is logged in', async () => {
    const { person, token, id } = await invited(['staff', 'clerk']);
    const client = gateway.client();
    const answer = await client.send(SIGN_UP, { input: { password: person.password, invitation: token } });
    const held = hold(client, answer);
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({
      email: person.email,
      emailVerified: true,
      roles: ['staff', 'clerk'],
    });
    const events = await eventsOf(gateway, held.userId);
    expect(events).toContainEqual({
      kind: 'InvitationAccepted',
      data: { invitationId: id, roles: ['staff', 'clerk'], by: admin.userId },
    });
    await gateway.mails.none(person.email);
  });

  test('by a provider, whatever address that tells', async () => {
    const { person, token } = await invited();
    const account = newAccount();
    const client = gateway.client();
    const { result } = await enterFrom(gateway, provider, account, client);
    const completed = await client.send(COMPLETE_PROVIDER_SIGN_UP, {
      input: { loginToken: result.loginToken, invitation: token },
    });
    const held = hold(client, completed);
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ email: person.email, roles: ['staff'] });
    const again = hold(gateway.client(), await enterFrom(gateway, provider, account, gateway.client()));
    expect(again.userId).toBe(held.userId);
  });

  test('by a provider, in one step', async () => {
    const { person, token } = await invited();
    provider.person = newAccount();
    const client = gateway.client();
    const idToken = await provider.mint({ nonce: 'n' });
    const input = { provider: 'acme', idToken, nonce: 'n', invitation: token };
    const held = hold(client, await client.send(LOG_IN_WITH_PROVIDER_TOKEN, { input }));
    expect((await held.client.send(CURRENT_USER)).result).toMatchObject({ email: person.email, emailVerified: true });
  });

  // Defence: the conditional write of invitations.accept.
  test('one account is made, of fifty who come with it at once', async () => {
    const { person, token } = await invited();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        gateway.client().send(SIGN_UP, {
          input: { password: `${person.password} ${index}`, invitation: token, credential: 'SESSION_TOKEN' },
        }),
      ),
    );
    const kinds = answers.map(({ result }) => result.__typename);
    expect(kinds.filter((kind) => kind === 'LoggedIn')).toHaveLength(1);
    expect(kinds.every((kind) => ['LoggedIn', 'InvalidToken', 'RateLimited'].includes(kind))).toBe(true);
    expect(await gateway.sql('SELECT 1 FROM emails WHERE address = $1', [person.email])).toHaveLength(1);
  });

  test.each([
    ['another address', { email: 'somebody.else@example.com' }, { path: ['email'], code: 'NOT_ALLOWED' }],
    ['a number', { phone: newPhone() }, { path: ['phone'], code: 'NOT_ALLOWED' }],
  ])('nobody signs up with %s', async (_what, more, issue) => {
    const { person, token } = await invited();
    const input = { password: person.password, invitation: token, ...more };
    const { result } = await gateway.client().send(SIGN_UP, { input });
    expect(result).toMatchObject({ __typename: 'InvalidInput', issues: [issue] });
  });

  test('what is typed wrong costs no invitation', async () => {
    const taken = 'ada.lovelace';
    await gateway.sql('UPDATE users SET username = $1, username_key = $1 WHERE id = $2', [taken, admin.userId]);
    const { person, token } = await invited();
    const input = { password: person.password, invitation: token };
    const send = async (more: object) =>
      (await gateway.client().send(SIGN_UP, { input: { ...input, ...more } })).result;
    expect(await send({ username: taken })).toMatchObject({ issues: [{ path: ['username'], code: 'TAKEN' }] });
    expect((await send({ password: person.email })).__typename).toBe('PasswordRejected');
    expect((await send({})).__typename).toBe('LoggedIn');
  });
});

test('the token stands nowhere in the database', async () => {
  const { token } = await invited();
  const rows = await gateway.sql<{ row: string }>('SELECT t::text AS row FROM invitations t');
  expect(rows.length).toBeGreaterThan(0);
  for (const { row } of rows) expect(row).not.toContain(token.slice(3));
  const { text } = await admin.client.send(INVITATIONS);
  expect(text).toContain('nodes');
  expect(text).not.toContain(token);
});

// Defence: the condition of invitations.findByToken and invitations.accept.
describe('an invitation is good for nothing', () => {
  const refused = async (token: string) => {
    const input = { password: newPerson().password, invitation: token };
    expect((await gateway.client().send(SIGN_UP, { input })).result.__typename).toBe('InvalidToken');
  };

  test('that is none', async () => {
    for (const token of ['', 'x', `pi_${'A'.repeat(43)}`, `ps_${'A'.repeat(43)}`]) await refused(token);
  });

  test('once it is revoked', async () => {
    const { token, id } = await invited();
    const revoke = async () => (await admin.client.send(REVOKE_INVITATION, { input: { id } })).result.__typename;
    expect([await revoke(), await revoke()]).toEqual(['InvitationRevoked', 'NotFound']);
    await refused(token);
  });

  test('once another one was sent to the same address', async () => {
    const { person, token } = await invited();
    await admin.client.send(INVITE_USER, { input: { email: person.email, roles: [] } });
    const next = await gateway.mails.next(person.email);
    await refused(token);
    const input = { password: person.password, invitation: next.token };
    expect((await gateway.client().send(SIGN_UP, { input })).result.__typename).toBe('LoggedIn');
  });

  // Defence: invitations.revokeBy, when somebody administrates no more.
  test('once who sent it administrates no more', async () => {
    const { person, token } = await invited(['admin']);
    const client = gateway.client();
    const input = { password: person.password, invitation: token };
    const second = hold(client, await client.send(SIGN_UP, { input }));
    const left = await invited(['admin'], second);
    await admin.client.send(SET_USER_ROLES, { input: { id: second.userId, roles: [] } });
    await refused(left.token);
  });

  test('once it is too old', async () => {
    const { token } = await invited();
    gateway.clock.advance(7 * 24 * 3_600_000);
    await refused(token);
  });
});
