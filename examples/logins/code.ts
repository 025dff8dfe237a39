// Logging in by a code that is mailed, and by the link of the same mail.
import { codeIn, demand, LOGIN, nextMail, somebody } from './client.ts';

const { email } = await somebody();
const REQUEST = `mutation ($input: RequestLoginCodeInput!) { requestLoginCode(input: $input) { __typename ... on PendingLogin { loginToken } } }`;
const LOG_IN = `mutation ($input: LogInWithCodeInput!) { logInWithCode(input: $input) { ${LOGIN} } }`;

const { loginToken } = await demand('LoginCodeRequired', REQUEST, { email });
const code = codeIn(await nextMail(email));
const byCode = await demand('LoggedIn', LOG_IN, { proof: { code: { handle: loginToken, code } } });
console.log('by the code:', byCode.session);

// A link logs in where it is opened, and ends the login that asked for it.
await demand('LoginCodeRequired', REQUEST, { email });
const token = new URL(/https?:\S+token=\S+/.exec(await nextMail(email))?.[0] ?? '').searchParams.get('token');
const byLink = await demand('LoggedIn', LOG_IN, { proof: { token } });
console.log('by the link:', byLink.session);
