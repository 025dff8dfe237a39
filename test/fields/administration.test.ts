import { afterAll, beforeAll, expect, test } from 'vitest';
import { newAdministrator, trailOf, USER } from '../support/administration.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { newPerson, signUp } from '../support/people.ts';
import { USER_FIELDS } from '../support/user-fields.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ userFields: USER_FIELDS });
});
afterAll(() => gateway.stop());

const UPDATE = `mutation ($input: UpdateUserInput!) { updateUser(input: $input) {
  __typename
  ... on UserAdministered { changed user { id name phoneNumber organization onboarded } }
  ... on InvalidInput { issues { path code } }
  ... on Problem { message }
} }`;

test('an administrator writes what owners and administrators may, and sees all of it', async () => {
  const { client } = await newAdministrator(gateway);
  const ada = await signUp(gateway.client(), newPerson());
  const input = { id: ada.userId, name: 'Ada', organization: 'Engines', onboarded: true };
  const { result } = await client.send(UPDATE, { input });
  expect(result).toMatchObject({ changed: true, user: { name: 'Ada', organization: 'Engines', onboarded: true } });
  expect((await client.send(UPDATE, { input })).result.changed).toBe(false);

  const { result: seen } = await ada.client.send(
    '{ currentUser { __typename ... on User { name organization onboarded } } }',
  );
  expect(seen).toMatchObject({ name: 'Ada', organization: 'Engines', onboarded: true });
  const details = await client.send(USER, { id: ada.userId });
  expect(trailOf(details.result).map(({ kind }) => kind)).toContain('ProfileUpdated');
});

test('what does not do is refused as a whole', async () => {
  const { client } = await newAdministrator(gateway);
  const ada = await signUp(gateway.client(), newPerson());
  const input = { id: ada.userId, phoneNumber: '12', organization: 'Engines' };
  const { result } = await client.send(UPDATE, { input });
  expect(result).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: ['phoneNumber'], code: 'INVALID' }] });
  const { result: after } = await client.send(UPDATE, { input: { id: ada.userId } });
  expect(after).toMatchObject({ changed: false, user: { organization: null } });
});

test('nobody else does', async () => {
  const [ada, eve] = [await signUp(gateway.client(), newPerson()), await signUp(gateway.client(), newPerson())];
  const { result } = await eve.client.send(UPDATE, { input: { id: ada.userId, organization: 'Engines' } });
  expect(result.__typename).toBe('NotAdministrator');
});
