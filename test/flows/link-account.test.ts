import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventsOf } from '../support/account.ts';
import { enrollTotp, totpCode, VERIFY_MFA } from '../support/factors.ts';
import type { Gateway } from '../support/gateway.ts';
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts';
import { CONTINUE_LOGIN, hold, newPerson, type Person, RESEND_CODE, SIGN_UP, VERIFY_EMAIL } from '../support/people.ts';
import {
  COMPLETE_PROVIDER_SIGN_UP,
  connectionsOf,
  enterFrom,
  LINK_ACCOUNT,
  newAccount,
  startSocialGateway,
} from '../support/social.ts';

let provider: HostileProvider;
let gateway: Gateway;
beforeAll(async () => {
  provider = await startHostileProvider();
  gateway = await startSocialGateway(provider, { env: { POSTERN_RATE_LIMITS: '{"signUpPerAddress":"off"}' } });
});
afterAll(async () => {
  await gateway.stop();
  await provider.close();
});

async function member(of: Gateway = gateway) {
  const person = newPerson();
  const client = of.client();
  const { result } = await client.send(SIGN_UP, { input: person });
  const { code } = await of.mails.next(person.email);
  const proof = { code: { handle: result.loginToken, code } };
  return { person, ...hold(client, await client.send(VERIFY_EMAIL, { input: { proof } })) };
}

/** Somebody comes from the provider with the address of a member. */
async function comeAs({ email }: Pick<Person, 'email'>, of: Gateway = gateway) {
  const account = newAccount({ email });
  const client = of.client();
  const { result } = await enterFrom(of, provider, account, client);
  return { account, client, asked: result, loginToken: String(result.loginToken) };
}

describe('an account whose address somebody brings from a provider', () => {
  test('is linked by its password', async () => {
    const { person, userId } = await member();
    const { account, client, asked, loginToken } = await comeAs(person);
    expect(asked).toMatchObject({
      __typename: 'AccountLinkRequired',
      provider: { id: 'acme' },
      account: person.email,
      proofs: ['PASSWORD', 'EMAIL_CODE'],
    });
    await gateway.mails.none(person.email);
    const wrong = { loginToken, proof: { password: 'not that one at all' } };
    expect((await client.send(LINK_ACCOUNT, { input: wrong })).result.__typename).toBe('InvalidCredentials');
    const input = { loginToken, proof: { password: person.password } };
    const held = hold(client, await client.send(LINK_ACCOUNT, { input }));
    expect(held.userId).toBe(userId);
    expect(await connectionsOf(held.client)).toMatchObject([{ email: person.email }]);
    // Beside the notice of a device that was not seen before.
    const told = (await gateway.mails.rest(person.email)).map(({ subject }) => subject);
    expect(told.join()).toContain('A way to log in was added');
    expect((await eventsOf(gateway, userId)).map(({ kind }) => kind)).toContain('ProviderConnected');
    expect(hold(client, await enterFrom(gateway, provider, account)).userId).toBe(userId);
    expect((await client.send(LINK_ACCOUNT, { input })).result.__typename).toBe('LoginExpired');
  });

  test('is linked by a code that is mailed when it is asked for', async () => {
    const { person, userId } = await member();
    const { client, loginToken } = await comeAs(person);
    const { result: sent } = await client.send(RESEND_CODE, { input: { handle: loginToken } });
    expect(sent).toMatchObject({ __typename: 'CodeSent', handle: loginToken });
    const mail = await gateway.mails.next(person.email);
    expect(mail.subject).toContain('Code to connect your account');
    const wrong = { loginToken, proof: { emailCode: 'BBBB-BBBB' } };
    expect((await client.send(LINK_ACCOUNT, { input: wrong })).result).toMatchObject({
      __typename: 'InvalidCode',
      attemptsLeft: 4,
    });
    const input = { loginToken, proof: { emailCode: mail.code } };
    const held = hold(client, await client.send(LINK_ACCOUNT, { input }));
    expect(held.userId).toBe(userId);
    expect(await connectionsOf(held.client)).toHaveLength(1);
  });

  test('takes the code alone where a password needs one beside it', async () => {
    const strict = await startSocialGateway(provider, { env: { POSTERN_LOGIN_CODE_REQUIRED: 'on' } });
    const { person, userId } = await member(strict);
    const { asked, client, loginToken } = await comeAs(person, strict);
    expect(asked).toMatchObject({ __typename: 'AccountLinkRequired', proofs: ['EMAIL_CODE'] });
    const byPassword = { loginToken, proof: { password: person.password } };
    expect((await client.send(LINK_ACCOUNT, { input: byPassword })).result.__typename).toBe('InvalidCredentials');
    expect(await strict.sql('SELECT 1 FROM social_connections')).toEqual([]);
    await client.send(RESEND_CODE, { input: { handle: loginToken } });
    const { code } = await strict.mails.next(person.email);
    const byCode = { loginToken, proof: { emailCode: code } };
    expect(hold(client, await client.send(LINK_ACCOUNT, { input: byCode })).userId).toBe(userId);
    await strict.stop();
  });

  test('without a password takes the code alone', async () => {
    const first = newAccount();
    hold(gateway.client(), await enterFrom(gateway, provider, first));
    const { asked, client, loginToken } = await comeAs(first);
    expect(asked).toMatchObject({ __typename: 'AccountLinkRequired', proofs: ['EMAIL_CODE'] });
    const { result } = await client.send(LINK_ACCOUNT, { input: { loginToken, proof: { password: '' } } });
    expect(result.__typename).toBe('InvalidCredentials');
  });

  test('with a second factor is linked once that is shown, and not before', async () => {
    const { person, userId, client: own } = await member();
    const { secret } = await enrollTotp(gateway, own);
    const { client, loginToken } = await comeAs(person);
    const input = { loginToken, proof: { password: person.password } };
    expect((await client.send(LINK_ACCOUNT, { input })).result.__typename).toBe('MfaRequired');
    const linked = () => gateway.sql('SELECT 1 FROM social_connections WHERE user_id = $1', [userId]);
    expect(await linked(), 'a password alone adds no way in').toEqual([]);
    gateway.clock.advance(60_000);
    const proof = { totp: totpCode(secret, gateway.clock()) };
    hold(client, await client.send(VERIFY_MFA, { input: { loginToken, proof } }));
    expect(await linked()).toHaveLength(1);
  });

  test('takes five wrong codes, and the login is over', async () => {
    const { person } = await member();
    const { client, loginToken } = await comeAs(person);
    await client.send(RESEND_CODE, { input: { handle: loginToken } });
    const { code } = await gateway.mails.next(person.email);
    const show = async (emailCode: string) =>
      (await client.send(LINK_ACCOUNT, { input: { loginToken, proof: { emailCode } } })).result.__typename;
    for (let tries = 0; tries < 5; tries += 1) expect(await show('BBBB-BBBB')).toBe('InvalidCode');
    expect(await show(code)).toBe('LoginExpired');
  });

  test('counts wrong passwords like any login', async () => {
    const { person } = await member();
    const { client, loginToken } = await comeAs(person);
    const kinds = [];
    for (let tries = 0; tries < 11; tries += 1) {
      const input = { loginToken, proof: { password: `guess ${tries}` } };
      kinds.push((await client.send(LINK_ACCOUNT, { input })).result.__typename);
    }
    expect(kinds).toEqual([...Array(10).fill('InvalidCredentials'), 'RateLimited']);
  });

  test('is not made anew instead', async () => {
    const { person } = await member();
    const { client, loginToken } = await comeAs(person);
    const { result } = await client.send(COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken } });
    expect(result.__typename).toBe('AccountLinkRequired');
    const again = await client.send(CONTINUE_LOGIN, { input: { loginToken } });
    expect(again.result.__typename).toBe('AccountLinkRequired');
    const { result: seen } = await client.send(
      `query ($loginToken: String!) { pendingLogin(loginToken: $loginToken) { __typename } }`,
      { loginToken },
    );
    expect(seen.__typename).toBe('AccountLinkRequired');
  });

  test('that is gone meanwhile leaves the address free', async () => {
    const { person, userId } = await member();
    const { client, loginToken } = await comeAs(person);
    await gateway.sql('DELETE FROM users WHERE id = $1', [userId]);
    const { result } = await client.send(CONTINUE_LOGIN, { input: { loginToken } });
    expect(result).toMatchObject({ __typename: 'ProviderSignUpRequired', missing: [] });
    hold(client, await client.send(COMPLETE_PROVIDER_SIGN_UP, { input: { loginToken } }));
  });

  test('that is disabled is linked with nobody', async () => {
    const { person, userId } = await member();
    const { client, loginToken } = await comeAs(person);
    await gateway.sql('UPDATE users SET disabled_at = now() WHERE id = $1', [userId]);
    const input = { loginToken, proof: { password: person.password } };
    expect((await client.send(LINK_ACCOUNT, { input })).result.__typename).toBe('InvalidCredentials');
  });

  test('is linked with the first of two who prove it at once with the same account at the provider', async () => {
    const [one, two] = [await member(), await member()];
    const account = newAccount({ email: one.person.email });
    const first = gateway.client();
    const asked = await enterFrom(gateway, provider, account, first);
    const second = gateway.client();
    const other = await enterFrom(gateway, provider, { ...account, email: two.person.email }, second);
    const link = (client: typeof first, token: unknown, { password }: Person) =>
      client.send(LINK_ACCOUNT, { input: { loginToken: token, proof: { password } } });
    const answers = await Promise.all([
      link(first, asked.result.loginToken, one.person),
      link(second, other.result.loginToken, two.person),
    ]);
    expect(answers.map(({ result }) => result.__typename).sort()).toEqual(['LoggedIn', 'LoginExpired']);
    const connected = await gateway.sql('SELECT 1 FROM social_connections WHERE subject = $1', [account.sub]);
    expect(connected).toHaveLength(1);
  });
});

describe('POSTERN_SOCIAL_LINKING', () => {
  test('verified links at once where both sides verified the address, and asks for the second factor', async () => {
    const linking = await startSocialGateway(provider, { env: { POSTERN_SOCIAL_LINKING: 'verified' } });
    const { person, userId, client: own } = await member(linking);
    const client = linking.client();
    const answer = await enterFrom(linking, provider, newAccount({ email: person.email }), client);
    expect(hold(client, answer).userId).toBe(userId);
    await enrollTotp(linking, own);
    const { asked } = await comeAs(person, linking);
    expect(asked.__typename).toBe('MfaRequired');
    const connected = await linking.sql('SELECT 1 FROM social_connections WHERE user_id = $1', [userId]);
    expect(connected, 'the second account at the provider waits for the factor').toHaveLength(1);
    const unseen = await enterFrom(linking, provider, newAccount({ email: person.email, email_verified: false }));
    expect(unseen.result.__typename).toBe('EmailVerificationRequired');
    await linking.stop();
  });

  test('never links, and asks for another address', async () => {
    const never = await startSocialGateway(provider, { env: { POSTERN_SOCIAL_LINKING: 'never' } });
    const { person, userId } = await member(never);
    const { asked, client, loginToken } = await comeAs(person, never);
    expect(asked).toMatchObject({ __typename: 'ProviderSignUpRequired', suggested: null, missing: ['email'] });
    const linked = await client.send(LINK_ACCOUNT, { input: { loginToken, proof: { password: person.password } } });
    expect(linked.result.__typename).toBe('LoginExpired');
    expect(await never.sql('SELECT 1 FROM social_connections WHERE user_id = $1', [userId])).toEqual([]);
    await never.stop();
  });
});
