import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { GraphQLClient } from '../support/client.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { hold, LOG_IN, newPerson, signUp } from '../support/people.ts';

// The one line that a factor needs beside its own file: its name in the registry.
vi.mock('../../src/factors/registry.ts', async (original) => {
  const { factors } = await original<typeof import('../../src/factors/registry.ts')>();
  const { watchword } = await import('../support/watchword.ts');
  return { factors: { ...factors, WATCH_WORD: watchword } };
});

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

const VERIFY = `mutation Verify($input: VerifyMfaInput!) {
  verifyMfa(input: $input) {
    __typename
    ... on LoggedIn {
      user { id } session { id methods { method } } credential { __typename ... on SessionToken { token } }
    }
    ... on InvalidCode { attemptsLeft }
    ... on LoginExpired { message }
  }
}`;

async function begin(client: GraphQLClient, person: object) {
  const { result } = await client.send(LOG_IN, { input: person });
  expect(result).toMatchObject({ __typename: 'MfaRequired', factors: ['WATCH_WORD'] });
  return String(result.loginToken);
}

test('a factor that is new in the registry is in the schema, is asked for, counted, and used once', async () => {
  const schema = await gateway.client().send(`{
    __schema { queryType { name } }
    factors: __type(name: "MfaFactor") { enumValues { name } }
    proof: __type(name: "MfaProof") { inputFields { name type { name } } }
    reauthentication: __type(name: "ReauthenticateInput") { inputFields { name } }
    methods: __type(name: "ReauthenticationMethod") { enumValues { name } }
    type: __type(name: "Watchword") { interfaces { name } }
  }`);
  const { data } = JSON.parse(schema.text);
  expect(data.factors.enumValues).toContainEqual({ name: 'WATCH_WORD' });
  expect(data.proof.inputFields).toContainEqual({ name: 'watchWord', type: { name: 'String' } });
  expect(data.reauthentication.inputFields).toContainEqual({ name: 'watchWord' });
  expect(data.methods.enumValues).toContainEqual({ name: 'WATCH_WORD' });
  expect(data.type.interfaces).toEqual([{ name: 'Authenticator' }]);

  const person = newPerson();
  const { userId } = await signUp(gateway.client(), person);
  await gateway.sql(
    `INSERT INTO authenticators (id, user_id, kind, data, created_at)
     VALUES (gen_random_uuid(), $1, 'WATCH_WORD', '{"word": "rosebud", "uses": 1}', now())`,
    [userId],
  );
  const client = gateway.client();
  const loginToken = await begin(client, person);
  const verify = async (token: string, watchWord: string) =>
    client.send(VERIFY, { input: { loginToken: token, proof: { watchWord } } });
  expect((await verify(loginToken, 'citizen')).result).toMatchObject({ __typename: 'InvalidCode', attemptsLeft: 4 });
  const held = hold(client, await verify(loginToken, 'rosebud'));
  const { result } = await held.client.send(`{ currentUser { ... on User {
    hasMfa authenticators { __typename lastUsedAt } sessions { methods { method } }
  } } }`);
  expect(result).toMatchObject({
    hasMfa: true,
    authenticators: [{ __typename: 'Watchword', lastUsedAt: expect.any(String) }],
  });
  expect((await verify(await begin(client, person), 'rosebud')).result.__typename).toBe('InvalidCode');
});
