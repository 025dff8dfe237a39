import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BEGIN_TOTP, CONFIRM_TOTP, enrollTotp, totpCode } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { changingHooks } from '../support/hooks.ts';
import { verified } from '../support/passwords.ts';
import { CURRENT_USER, ISSUE_ACCESS_TOKEN, LOG_IN, logIn, newPerson, signUp } from '../support/people.ts';

// What these three do in full stands in test/flows/mfa-required.test.ts and test/flows/access-token-claims.test.ts.

const changing = changingHooks();
let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ hooks: changing.hooks, env: { POSTERN_RATE_LIMITS: 'off' } });
});
afterAll(() => gateway.stop());
beforeEach(() => {
  changing.now = {};
  changing.asked.length = 0;
});

async function member() {
  const person = newPerson();
  return { person, ...(await verified(gateway, await signUp(gateway.client(), person))) };
}

describe('requiresMfa', () => {
  test('is asked of each login, and holds it until there is a second factor', async () => {
    const { person, userId } = await member();
    changing.now.requiresMfa = ({ userId: asked }) => asked === userId;
    const { result } = await gateway.client().send(LOG_IN, { input: person });
    expect(result.__typename).toBe('MfaEnrollmentRequired');
    expect((await gateway.client().send(LOG_IN, { input: (await member()).person })).result.__typename).toBe(
      'LoggedIn',
    );
  });
});

describe('allowsEnrollment', () => {
  test('is asked before a factor joins an account, and refuses it', async () => {
    const { client, userId } = await member();
    changing.now.allowsEnrollment = () => false;
    const { result } = await client.send(BEGIN_TOTP, { input: {} });
    const code = totpCode(String(result.secret), gateway.clock());
    const refused = await client.send(CONFIRM_TOTP, { input: { handle: result.handle, code } });
    expect(refused.result.__typename).toBe('EnrollmentRefused');
    expect(changing.take('allowsEnrollment')).toMatchObject([{ factor: 'TOTP', person: { userId } }]);
    changing.now = {};
    await enrollTotp(gateway, client);
  });
});

describe('accessTokenClaims', () => {
  test('adds claims to a token, and to no other credential', async () => {
    const { person } = await member();
    changing.now.accessTokenClaims = () => ({ plan: 'team' });
    expect(decodeJwt((await logIn(gateway.client(), person, 'JWT')).token)).toMatchObject({ plan: 'team' });
    changing.take('accessTokenClaims');
    await logIn(gateway.client(), person, 'SESSION_TOKEN');
    expect(changing.take('accessTokenClaims')).toEqual([]);
  });

  // Defence: structuredClone in src/hooks/guard.ts. The person of a session is remembered.
  test('gives nobody a role by changing what it was told', async () => {
    const { client } = await member();
    changing.now.accessTokenClaims = ({ person }) => {
      (person.roles as string[]).push('admin');
      return null;
    };
    expect((await client.send(ISSUE_ACCESS_TOKEN)).result.__typename).toBe('AccessTokenIssued');
    expect((await client.send(CURRENT_USER)).result.roles).toEqual([]);
  });
});
