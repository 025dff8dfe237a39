import { randomUUID } from 'node:crypto';
import type { App } from '../app.ts';
import { type EmailAddress, parseEmailAddress } from '../lib/email-address.ts';
import { hashToken, isToken } from '../lib/secrets.ts';
import { announceSignUp, makeAccount, openSignUp } from '../login/account.ts';
import { sendCodeToAnother } from '../login/codes.ts';
import { describeLogin, type LoginExpired, lockLogin } from '../login/pipeline.ts';
import type { LoginPrompt } from '../login/stages/index.ts';
import * as challenges from '../records/challenges.ts';
import * as emails from '../records/emails.ts';
import type { StoredLogin } from '../records/pending-logins.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as users from '../records/users.ts';
import type { Unit } from '../unit.ts';
import { limitMailRequests, transactMailRequest } from './shared/mail-request.ts';
import { type Caller, type InvalidInput, invalidInput, type RateLimited } from './shared/outcomes.ts';
import { cleanEmail, decideSignUp, type Start, startWith } from './shared/sign-up-decisions.ts';

type EmailVerificationRequired = Extract<LoginPrompt, { kind: 'EmailVerificationRequired' }>;
export type ChangePendingEmailResult = EmailVerificationRequired | LoginExpired | InvalidInput | RateLimited;

/**
 * Corrects the address that a login waits for. Whether the old one or the new one is somebody else's makes no
 * difference to see: where the sign-up could not become an account under the old one, it does now, and where the new
 * one is taken, its holder is told and nobody can answer.
 */
export async function changePendingEmail(
  app: App,
  caller: Caller,
  input: { readonly loginToken: string; readonly email: string },
): Promise<ChangePendingEmailResult> {
  const typed = parseEmailAddress(input.email);
  if (!typed) return invalidInput({ path: ['email'], code: input.email ? 'INVALID' : 'REQUIRED' });
  const limited = await limitMailRequests(app, caller);
  if (limited) return limited;
  const email = await cleanEmail(app, typed);
  const start = email && (await decideAnew(app, input.loginToken, email));
  if (!email || !start) return invalidInput({ path: ['email'], code: 'NOT_ALLOWED' });

  return transactMailRequest(app, caller, async (unit) => {
    const login = await lockLogin(unit, input.loginToken);
    const sent = login?.stage === 'verifyEmail' && (await challenges.findByLogin(unit.db, login.id, 'VERIFY_EMAIL'));
    if (!sent) return { kind: 'LoginExpired' };
    const own = await emails.list(unit.db, login.userId ?? users.NOBODY);
    // With an address that is verified already there would be nothing left to wait for.
    if (own.some(({ address: held, verified }) => verified && held === email)) return { kind: 'LoginExpired' };
    if (login.email !== email) {
      const owner = await giveAddress(unit, login, email, start);
      await sendCodeToAnother(unit, sent, { destination: email, userId: owner });
    }
    const now = await describeLogin(unit, app.stages, input.loginToken);
    return now.kind === 'EmailVerificationRequired' ? now : { kind: 'LoginExpired' };
  });
}

/**
 * Asks the operator's hooks once more about the sign-up, as it is with the other address: or else one address would get
 * somebody in, and another one stay.
 * @returns null if they refuse it
 */
async function decideAnew(app: App, loginToken: string, email: EmailAddress): Promise<Start | null> {
  if (!app.hooks.allowsSignUp && !app.hooks.newAccount) return {};
  const login = isToken('login', loginToken)
    ? await pendingLogins.find(app.database, hashToken(loginToken), app.clock())
    : null;
  // There is nothing to correct, as is found out below.
  if (!login) return {};
  const sealed = login.sealedSignUp === null ? null : openSignUp(app, login.sealedSignUp);
  const known = sealed ? null : await users.namesOf(app.database, login.userId ?? users.NOBODY);
  const start = await decideSignUp(app, {
    email,
    emailVerified: false,
    phone: sealed?.phone ?? known?.phone ?? null,
    username: sealed?.username?.username ?? known?.username ?? null,
    name: sealed?.name ?? known?.name ?? null,
    provider: sealed?.identity?.provider ?? null,
  });
  // Roles that the first address brought go with it.
  return start && app.hooks.newAccount ? { roles: [], ...start } : start;
}

/**
 * Gives the address to the account of a login, or makes the account with it. Both are done, whichever counts: who signed
 * up must not be able to tell which it was.
 * @returns whose the address is then; null if it is somebody else's
 */
async function giveAddress(unit: Unit, login: StoredLogin, email: EmailAddress, start: Start): Promise<string | null> {
  const { db, now, config, emit } = unit;
  const known = login.userId ?? users.NOBODY;
  const from = await emails.primaryOf(db, known);
  const sealed = login.sealedSignUp === null ? null : openSignUp(unit, login.sealedSignUp);
  const id = randomUUID();
  // What is typed here is verified here, also if the provider that somebody came from has seen it.
  const identity = sealed?.identity ? { ...sealed.identity, emailVerified: false } : null;
  // Nor does an invitation, or what it gives, go over to another address; and by no detour is a closed sign-up open.
  const plain = sealed && { ...sealed, id, email, identity, mailboxIsProven: false, fields: sealed.fields ?? {} };
  const account = plain && startWith(plain, start, null);
  const mayMake = login.userId === null && config.signUp === 'open';
  const made = account && (await makeAccount(unit, account, { keep: mayMake }));
  // Back to the one that the account has had all along, there is nothing to correct.
  const corrected = (await emails.correct(db, known, from ?? email, email)) || from === email;
  if (start.roles) await users.setUnprovenRoles(db, known, start.roles);
  const isNew = account !== null && mayMake && made?.kind === 'made';
  const owner = isNew ? id : corrected ? login.userId : null;
  if (isNew) announceSignUp(unit, account, made);
  else if (owner) emit({ kind: 'PendingEmailChanged', userId: owner });
  else if (made?.kind === 'taken' && made.holder) emit({ kind: 'SignUpRepeated', userId: made.holder });
  await pendingLogins.setEmail(db, login.id, {
    email,
    userId: login.userId ?? owner,
    passwordChangedAt: isNew && sealed?.password ? now : login.passwordChangedAt,
  });
  return owner;
}
