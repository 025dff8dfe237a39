// A login at a provider as command-line and desktop programs do it (RFC 8252 §7.3): the browser comes back to a port of
// this machine. The gateway needs the provider, and the page to come back to:
//   POSTERN_PROVIDERS='[{"id":"google","clientId":"…","clientSecret":"…"}]' POSTERN_REDIRECT_URLS=http://127.0.0.1:8400/
import { once } from 'node:events';
import { createServer } from 'node:http';
import { demand, LOGIN } from './client.ts';

const { PROVIDER = 'google', CALLBACK_PORT = '8400' } = process.env;

const server = createServer().listen(Number(CALLBACK_PORT), '127.0.0.1');
const { url, flowToken } = await demand(
  'ProviderRedirect',
  'mutation ($input: BeginProviderLoginInput!) { beginProviderLogin(input: $input) { __typename ... on ProviderRedirect { url flowToken } ... on Problem { message } } }',
  { provider: PROVIDER, redirectUrl: `http://127.0.0.1:${CALLBACK_PORT}/` },
);
console.log(`open ${url}`);

const [request, response] = await once(server, 'request');
response.end('You may close this page.');
server.close();
const returned = new URL(request.url, 'http://127.0.0.1').searchParams;
const loggedIn = await demand(
  'LoggedIn',
  `mutation ($input: CompleteProviderLoginInput!) { completeProviderLogin(input: $input) { ${LOGIN} ... on ProviderFailed { reason } } }`,
  { flowToken, code: returned.get('code') ?? returned.get('error') },
);
console.log('by the provider:', loggedIn.user, loggedIn.session);
