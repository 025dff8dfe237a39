import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeUserFields } from '../../src/flows/write-user-fields.ts';
import type { HookPerson, Hooks } from '../../src/hooks.ts';
import { enrollTotp, verifiedPerson } from '../support/factors.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { introspect, SERVICES } from '../support/introspect.ts';
import { ISSUE_ACCESS_TOKEN, logIn, newPerson, REFRESH, signUp } from '../support/people.ts';
import { USER_FIELDS, write } from '../support/user-fields.ts';

let gateway: Gateway;
let asked: HookPerson[] = [];
let claims: Record<string, unknown> = {};
beforeAll(async () => {
  const note = (person: HookPerson) => asked.push(person);
  const hooks: Hooks = {
    requiresMfa: (person) => {
      note(person);
      return null;
    },
    allowsEnrollment: ({ person }) => {
      note(person);
      return true;
    },
    accessTokenClaims: ({ person }) => {
      note(person);
      return claims;
    },
  };
  gateway = await startGateway({ userFields: USER_FIELDS, env: SERVICES, hooks });
});
afterAll(() => gateway.stop());

const PLAN = 'https://example.com/plan';

describe('an access token', () => {
  test('tells those fields that are declared so, by whatever way it comes, and an introspection as well', async () => {
    const person = newPerson();
    const { userId, client } = await signUp(gateway.client(), person);
    await writeUserFields(gateway.app, userId, { organization: 'Acme', plan: 'PRO', phoneNumber: '+12025550123' });
    const held = await logIn(gateway.client(), person, 'JWT');
    const refreshed = await held.client.send(REFRESH, { input: { refreshToken: held.refreshToken } });
    const { accessToken } = refreshed.result.credential as { accessToken: string };
    const issued = (await client.send(ISSUE_ACCESS_TOKEN)).result.accessToken;
    for (const token of [held.token, accessToken, String(issued)]) {
      const told = decodeJwt(token);
      expect(told).toMatchObject({ sub: userId, organization: 'Acme', [PLAN]: 'PRO' });
      expect(JSON.stringify(told)).not.toMatch(/2025550123|onboarded|memberNumber|phoneNumber/);
      expect((await introspect(gateway, { token })).body).toMatchObject({ organization: 'Acme', [PLAN]: 'PRO' });
    }
    await writeUserFields(gateway.app, userId, { organization: null, plan: 'FREE' });
    const after = decodeJwt(String((await client.send(ISSUE_ACCESS_TOKEN)).result.accessToken));
    expect([after.organization, after[PLAN]]).toEqual([undefined, 'FREE']);
  });

  test('is not made where the hook would say something else of a field', async () => {
    const { client } = await signUp(gateway.client(), newPerson());
    claims = { organization: 'Other' };
    const { errors } = await client.send(ISSUE_ACCESS_TOKEN);
    claims = {};
    expect(errors[0]?.extensions?.code).toBe('UNAVAILABLE');
    expect(gateway.logs.join('')).toContain('the hook accessTokenClaims gave the claim organization');
  });
});

test('hooks are told of the fields of whom they are asked about', async () => {
  const { person, ...held } = await verifiedPerson(gateway);
  await write(held, { onboarded: true });
  await writeUserFields(gateway.app, held.userId, { organization: 'Acme' });
  asked = [];
  const again = await logIn(gateway.client(), person);
  await again.client.send(ISSUE_ACCESS_TOKEN);
  await enrollTotp(gateway, again.client);
  const fields = { phoneNumber: null, organization: 'Acme', onboarded: true, memberNumber: null, plan: null };
  expect(asked.length).toBeGreaterThanOrEqual(3);
  for (const told of asked) expect(told).toMatchObject({ userId: held.userId, fields });
});
