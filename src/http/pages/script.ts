/**
 * What runs in the pages of {@link linkPages}: the same for all of them, so that there is one digest to allow. Every
 * word it writes is written as text.
 */
export const SCRIPT = `'use strict';
const operations = {
  'verify-email': 'mutation ($token: String!) { result: verifyEmail(input: { proof: { token: $token } }) { __typename ... on EmailVerified { email } ... on Problem { message } } }',
  'reset-password': 'mutation ($token: String!, $newPassword: String!) { result: resetPassword(input: { proof: { token: $token }, newPassword: $newPassword, credential: COOKIE }) { __typename ... on PasswordWasReset { sessionsEnded } ... on PasswordRejected { reasons } ... on Problem { message } } }',
  'accept-invitation': 'mutation ($token: String!, $newPassword: String!) { result: signUp(input: { invitation: $token, password: $newPassword, credential: COOKIE }) { __typename ... on LoggedIn { user { displayName } } ... on PasswordRejected { reasons } ... on Problem { message } } }',
  'log-in': 'mutation ($token: String!) { result: logInWithCode(input: { proof: { token: $token }, credential: COOKIE }) { __typename ... on LoggedIn { user { displayName } } ... on MfaRequired { factors } ... on PendingLogin { loginToken } ... on Problem { message } } }',
  'second-factor': 'mutation ($loginToken: String!, $proof: MfaProof!) { result: verifyMfa(input: { loginToken: $loginToken, proof: $proof }) { __typename ... on LoggedIn { user { displayName } } ... on PendingLogin { loginToken } ... on Problem { message } } }',
  'passkey-options': 'mutation ($loginToken: String!) { result: continueLogin(input: { loginToken: $loginToken }) { __typename ... on MfaRequired { passkeyOptions } ... on Problem { message } } }',
  start: 'mutation ($email: String!) { result: requestPasswordReset(input: { email: $email }) { __typename ... on CodeSent { expiresAt } ... on Problem { message } } }',
};
operations['confirm-email'] = operations['verify-email'];

const REASONS = {
  TOO_SHORT: 'It is too short.',
  TOO_LONG: 'It is too long.',
  COMMON: 'Many people use it, so it is among the first that are guessed.',
  BREACHED: 'It is known from a breach.',
  TOO_SIMILAR: 'It is too much like your address or name.',
  REFUSED: 'It cannot be used.',
};

const here = document.querySelector('main').dataset.page;
const form = document.getElementById('form');
const button = document.getElementById('button');
const password = document.getElementById('new-password');
const email = document.getElementById('email');
const secondFactor = document.getElementById('second-factor');
const code = document.getElementById('code');
const passkey = document.getElementById('passkey');
const outcome = document.getElementById('outcome');
const help = document.getElementById('help');
const token = new URLSearchParams(location.search).get('token');
// Of a login that asks for a second factor.
let loginToken = null;

// Out of the address bar, the history, and whatever is told the address of this page.
history.replaceState(null, '', location.pathname);
if (!token && !email) {
  finish('This page needs the whole link of your mail. Open that link once more.');
  help.hidden = false;
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  if (loginToken) await answer(() => ({ [/^[0-9\\s]{6,12}$/.test(code.value) ? 'totp' : 'recoveryCode']: code.value }));
  else await press(() => send(here, variables()));
});

if (passkey) passkey.addEventListener('click', () => answer(async () => {
  // Fresh ones: a challenge is signed within five minutes.
  const asked = await send('passkey-options', { loginToken });
  if (!asked.passkeyOptions) return null;
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(asked.passkeyOptions);
  return { passkey: (await navigator.credentials.get({ publicKey })).toJSON() };
}));

async function answer(prove) {
  await press(async () => {
    const proof = await Promise.resolve(prove()).catch(() => null);
    if (!proof) return { message: 'The passkey was not used. Try again, or type a code.' };
    return send('second-factor', { loginToken, proof });
  });
}

async function press(work) {
  button.disabled = true;
  say('One moment …');
  try {
    tell(await work());
  } catch {
    say('This could not be sent. Look whether you are online, and try again.');
  }
  button.disabled = false;
  // A button that is switched off loses the focus.
  if (document.activeElement === document.body) outcome.focus();
}

async function send(operation, variables) {
  const response = await fetch('graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query: operations[operation], variables }),
  });
  const { data, errors } = await response.json();
  return data ? data.result : { message: errors[0].message };
}

function variables() {
  if (email) return { email: email.value };
  return password ? { token, newPassword: password.value } : { token };
}

function tell(result) {
  // A problem says itself what is wrong. Only another password may be tried at once.
  if (result.__typename === 'PasswordRejected') {
    say([result.message].concat(result.reasons.map((reason) => REASONS[reason] || '')).join(' '));
    password.setAttribute('aria-invalid', 'true');
    password.focus();
  } else if (result.__typename === 'InvalidToken' || result.__typename === 'LoginExpired') {
    // It will never do again, so there is nothing left to press.
    finish(result.message);
    help.hidden = false;
  } else if (result.__typename === 'MfaRequired' && here === 'log-in') {
    loginToken = result.loginToken;
    secondFactor.hidden = false;
    passkey.hidden = !result.factors.includes('PASSKEY') || typeof PublicKeyCredential === 'undefined';
    code.required = true;
    code.focus();
    say('Your account has a second factor.');
  } else if (result.message !== undefined) say(result.message);
  else finish(success(result));
}

function success(result) {
  if (here === 'start') return 'If ' + email.value + ' has an account, a mail is on its way. Its link leads to a page for the new password.';
  if (result.__typename === 'EmailVerified')
    return result.email + ' is verified. You can close this page and go on where you began.';
  if (result.__typename === 'LoggedIn' && here === 'log-in') return 'You are logged in as ' + result.user.displayName + '.';
  if (result.__typename === 'LoggedIn' && here === 'accept-invitation') return 'Your account is made, and you are logged in as ' + result.user.displayName + '.';
  if (here === 'accept-invitation') return 'Your account is made. Log in with it: one more step is asked for there.';
  if (here === 'log-in') return 'Logging in needs one more step, which this page does not have. Log in once more where you began.';
  if (here === 'reset-password') return 'Your password is changed' + ended(result.sessionsEnded) + '. You can log in with it now.';
  return 'Your address is verified.';
}

function ended(sessions) {
  if (!sessions) return '';
  return sessions === 1 ? ', and you were logged out in one place' : ', and you were logged out in ' + sessions + ' places';
}

function say(text) {
  outcome.textContent = text;
}

function finish(text) {
  form.hidden = true;
  say(text);
  outcome.focus();
}
`;
