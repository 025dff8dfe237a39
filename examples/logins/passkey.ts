// A passkey: set up by somebody signed in, then a login by it alone. In a browser, navigator.credentials.create and .get
// take the options and give the responses; here an authenticator in software does.
import { createVirtualAuthenticator } from 'postern/testing';
import { demand, LOGIN, somebody, url } from './client.ts';

const authenticator = createVirtualAuthenticator({ origin: process.env.APP_ORIGIN ?? url });
const { token } = await somebody();

const { handle, options } = await demand(
  'PasskeyStarted',
  'mutation ($input: BeginPasskeyInput!) { beginPasskey(input: $input) { __typename ... on PasskeyStarted { handle options } ... on Problem { message } } }',
  {},
  token,
);
await demand(
  'PasskeyAdded',
  'mutation ($input: ConfirmPasskeyInput!) { confirmPasskey(input: $input) { __typename ... on PasskeyAdded { authenticator { id } } ... on Problem { message } } }',
  { handle, response: authenticator.create(options), name: 'This computer' },
  token,
);

const begun = await demand(
  'PasskeyLoginStarted',
  'mutation ($input: BeginPasskeyLoginInput!) { beginPasskeyLogin(input: $input) { __typename ... on PasskeyLoginStarted { loginToken options } ... on Problem { message } } }',
  {},
);
const loggedIn = await demand(
  'LoggedIn',
  `mutation ($input: LogInWithPasskeyInput!) { logInWithPasskey(input: $input) { ${LOGIN} } }`,
  { loginToken: begun.loginToken, response: authenticator.get(begun.options) },
);
console.log('by the passkey:', loggedIn.session);
