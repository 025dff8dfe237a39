import type { App } from '../app.ts';
import { addressKey } from '../lib/client-address.ts';
import { type EmailAddress, parseEmailAddress } from '../lib/email-address.ts';
import { parsePersonName } from '../lib/person-name.ts';
import { hashToken, isToken } from '../lib/secrets.ts';
import {
  type FieldChanges,
  missingOnSignUp,
  onSignUp,
  parseFieldValues,
  withChanges,
} from '../lib/user-fields/values.ts';
import { parseUsername } from '../lib/username.ts';
import type { NewAccount } from '../login/account.ts';
import { identityOf, missingFrom } from '../login/identity.ts';
import { type LoginExpired, type LoginStep, lockLogin, promptOf, resumeLogin } from '../login/pipeline.ts';
import type { Invitation } from '../records/invitations.ts';
import * as invitations from '../records/invitations.ts';
import * as pendingLogins from '../records/pending-logins.ts';
import * as connections from '../records/social-connections.ts';
import { transact } from '../unit.ts';
import { usernamesAreOn } from './shared/identifier.ts';
import {
  type Caller,
  type InputIssue,
  type InvalidInput,
  type InvalidToken,
  invalidInput,
  loginContext,
  type RateLimited,
  rateLimited,
  type SignUpClosed,
} from './shared/outcomes.ts';
import { cleanEmail, cleanUsername, decideSignUp, type Start } from './shared/sign-up-decisions.ts';
import { aboutSignUp } from './shared/social-decisions.ts';
import { signUpAs, signUpFrom } from './shared/social-login.ts';

/** What is left out stays as the provider said it. */
export interface CompleteProviderSignUpInput {
  readonly loginToken: string;
  readonly email?: string | null | undefined;
  readonly username?: string | null | undefined;
  readonly name?: string | null | undefined;
  /** The token of an invitation, which brings the address. */
  readonly invitation?: string | null | undefined;
  /** The operator's own fields, by name. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export type CompleteProviderSignUpResult =
  | LoginStep
  | LoginExpired
  | InvalidInput
  | InvalidToken
  | SignUpClosed
  | RateLimited;

/**
 * Makes the account of somebody who came from a provider, of what it said and what they add. An address that the provider
 * has not seen is verified like any other.
 */
export async function completeProviderSignUp(
  app: App,
  caller: Caller,
  input: CompleteProviderSignUpInput,
): Promise<CompleteProviderSignUpResult> {
  if (app.config.signUp === 'closed') return { kind: 'SignUpClosed' };
  const typed = read(app, input);
  if ('kind' in typed) return typed;
  const wait = await app.limiter.count({ limit: 'signUpPerAddress', key: addressKey(caller.client.ipAddress) });
  if (wait !== null) return rateLimited(wait);
  const token = input.invitation ?? null;
  const invitation = token === null ? null : await invitations.findByToken(app.database, token, app.clock());
  if (token !== null && !invitation) return { kind: 'InvalidToken' };
  if (invitation && typed.email && typed.email !== invitation.email)
    return invalidInput({ path: ['email'], code: 'NOT_ALLOWED' });
  const decided = await decide(app, input.loginToken, typed, invitation);
  if (decided.kind !== 'decided') return decided;
  const { start } = decided;

  return transact(app, caller.client, async (unit): Promise<CompleteProviderSignUpResult> => {
    const login = await lockLogin(unit, input.loginToken);
    const asked = login && (await promptOf(unit, app.stages, login));
    const identity = login && identityOf(unit, login);
    // Its address has become that of an account meanwhile: the login says what to do.
    if (asked === 'AccountLinkRequired') return resumeLogin(unit, loginContext(app, caller), input.loginToken);
    if (!login || !identity || asked !== 'ProviderSignUpRequired') return { kind: 'LoginExpired' };
    // It has become somebody's meanwhile, in another tab perhaps: an account that is made now would be nobody's.
    await connections.lock(unit.db, identity);
    if (await connections.find(unit.db, identity)) return { kind: 'LoginExpired' };
    const missing = await missingFrom(unit, identity);
    if (!invitation && missing.includes('invitation')) return invalidInput({ path: ['invitation'], code: 'REQUIRED' });
    const email = decided.email ?? (missing.includes('email') ? null : identity.email);
    const issues: InputIssue[] = missingOnSignUp(app.userFields, { ...identity.fields, ...typed.fields });
    if (!invitation && missing.includes('email') && decided.email === null)
      issues.unshift({ path: ['email'], code: 'REQUIRED' });
    if (issues.length > 0) return invalidInput(...issues);
    const fields = withChanges(identity.fields ?? {}, typed.fields);
    const name = typed.name ?? identity.name;
    const person = { identity, email, name, username: decided.username, fields, start, invitation };
    // Who chose no name stays without, unless names are generated.
    const signedUp = await (identity.decided?.generatedUsername
      ? signUpAs(app, unit, person)
      : signUpFrom(unit, person));
    if (signedUp.kind === 'uninvited') return { kind: 'InvalidToken' };
    if (signedUp.kind === 'taken') return isField(signedUp.path) ? taken(signedUp.path) : { kind: 'LoginExpired' };
    return (await pendingLogins.decide(unit.db, login.id, signedUp.login))
      ? resumeLogin(unit, loginContext(app, caller), input.loginToken)
      : giveUp();
  });
}

interface Typed {
  readonly email: EmailAddress | null;
  readonly username: NewAccount['username'];
  /** Undefined: as the provider said it. */
  readonly name: string | null | undefined;
  readonly fields: FieldChanges;
}

interface Decided extends Pick<Typed, 'email' | 'username'> {
  readonly kind: 'decided';
  readonly start: Start;
}

/** Asks the operator's hooks, before the transaction and before anything but the login itself is looked up. */
async function decide(
  app: App,
  loginToken: string,
  typed: Typed,
  invitation: Invitation | null,
): Promise<Decided | InvalidInput | SignUpClosed | LoginExpired> {
  const issues: InputIssue[] = [];
  // The address of an invitation is the administrator's word.
  const email = invitation ? invitation.email : typed.email && (await cleanEmail(app, typed.email));
  if (typed.email && !email) issues.push({ path: ['email'], code: 'NOT_ALLOWED' });
  const username = typed.username && (await cleanUsername(app, typed.username));
  if (typed.username && !username) issues.push({ path: ['username'], code: 'NOT_ALLOWED' });
  if (issues.length > 0) return invalidInput(...issues);
  if (!app.hooks.allowsSignUp && !app.hooks.newAccount) return { kind: 'decided', email, username, start: {} };
  const login = isToken('login', loginToken)
    ? await pendingLogins.find(app.database, hashToken(loginToken), app.clock())
    : null;
  const identity = login && identityOf(app, login);
  if (!identity) return { kind: 'LoginExpired' };
  const about = {
    email: invitation?.email ?? email ?? identity.email,
    username: username?.username ?? null,
    name: typed.name ?? identity.name,
  };
  const start = await decideSignUp(app, aboutSignUp(identity, about, invitation));
  return start ? { kind: 'decided', email, username, start } : { kind: 'SignUpClosed' };
}

function read(app: App, input: CompleteProviderSignUpInput): Typed | InvalidInput {
  const issues: InputIssue[] = [];
  const email = input.email ? parseEmailAddress(input.email) : null;
  if (input.email && !email) issues.push({ path: ['email'], code: 'INVALID' });
  const username = input.username ? readUsername(app, input.username, issues) : null;
  const name = parsePersonName(input.name ?? '');
  if (name && typeof name === 'object') issues.push({ path: ['name'], code: name.problem });
  const own = parseFieldValues(onSignUp(app.userFields), input.fields, 'OWNER');
  issues.push(...own.issues);
  if (issues.length > 0) return invalidInput(...issues);
  return { email, username, name: typeof name === 'string' ? name : undefined, fields: own.changes };
}

function readUsername(app: App, typed: string, issues: InputIssue[]): NewAccount['username'] {
  const username = usernamesAreOn(app) ? parseUsername(typed) : 'NOT_ALLOWED';
  if (typeof username !== 'string') return username;
  issues.push({ path: ['username'], code: username });
  return null;
}

function isField(path: string): path is 'email' | 'username' {
  return path === 'email' || path === 'username';
}

function taken(path: 'email' | 'username'): InvalidInput {
  return invalidInput({ path: [path], code: 'TAKEN' });
}

/** The login is locked: nobody else can have decided it. */
function giveUp(): never {
  throw new Error('a login that was locked was decided by somebody else');
}
