// A second factor: an authenticator app is set up, and asked for at the next login; then a recovery code instead.
import { generateSync } from 'otplib';
import { demand, LOGIN, somebody } from './client.ts';

const { email, password, token } = await somebody();

const { handle, secret } = await demand(
  'TotpStarted',
  'mutation ($input: BeginTotpInput!) { beginTotp(input: $input) { __typename ... on TotpStarted { handle secret } ... on Problem { message } } }',
  {},
  token,
);
/** What an authenticator app shows now; a code works once, so the next one is that of the next period. */
const codeAt = (epoch: number) => generateSync({ secret: String(secret), epoch });
const now = Math.floor(Date.now() / 1_000);
const { recoveryCodes } = await demand(
  'TotpEnabled',
  'mutation ($input: ConfirmTotpInput!) { confirmTotp(input: $input) { __typename ... on TotpEnabled { recoveryCodes } ... on Problem { message } } }',
  { handle, code: codeAt(now - 30) },
  token,
);

const LOG_IN = `mutation ($input: LogInWithPasswordInput!) { logInWithPassword(input: $input) { ${LOGIN} } }`;
const VERIFY = `mutation ($input: VerifyMfaInput!) { verifyMfa(input: $input) { ${LOGIN} } }`;

const first = await demand('MfaRequired', LOG_IN, { email, password });
const loggedIn = await demand('LoggedIn', VERIFY, { loginToken: first.loginToken, proof: { totp: codeAt(now) } });
console.log('by the app:', loggedIn.session);

const second = await demand('MfaRequired', LOG_IN, { email, password });
const [recoveryCode] = recoveryCodes as string[];
const recovered = await demand('LoggedIn', VERIFY, { loginToken: second.loginToken, proof: { recoveryCode } });
console.log('by a recovery code:', recovered.session);
