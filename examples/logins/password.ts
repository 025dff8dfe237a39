// Signing up, logging in by a password, asking who it is, logging out.
import { demand, LOGIN, somebody, tokenOf } from './client.ts';

const { email, password } = await somebody();

const loggedIn = await demand(
  'LoggedIn',
  `mutation ($input: LogInWithPasswordInput!) { logInWithPassword(input: $input) { ${LOGIN} } }`,
  { email, password },
);
const token = tokenOf(loggedIn);
const CURRENT_USER = '{ currentUser { __typename ... on User { email hasMfa } ... on Unauthenticated { reason } } }';
console.log(await demand('User', CURRENT_USER, undefined, token));

await demand('LoggedOut', 'mutation { logOut { __typename } }', undefined, token);
console.log(await demand('Unauthenticated', CURRENT_USER, undefined, token));
