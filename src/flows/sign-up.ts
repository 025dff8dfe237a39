import { randomUUID } from 'node:crypto';
import type { App } from '../app.ts';
import { addressKey } from '../lib/client-address.ts';
import { domainOf, type EmailAddress, localPartOf, parseEmailAddress } from '../lib/email-address.ts';
import { parsePersonName } from '../lib/person-name.ts';
import { type PhoneNumber, parsePhoneNumber } from '../lib/phone-number.ts';
import type { FieldValues } from '../lib/user-fields/declaration.ts';
import { missingOnSignUp, onSignUp, parseFieldValues, withChanges } from '../lib/user-fields/values.ts';
import { parseUsername, type Username } from '../lib/username.ts';
import { announceSignUp, makeAccount, sealSignUp } from '../login/account.ts';
import { sendCode } from '../login/codes.ts';
import { makeInvited } from '../login/invitation.ts';
import { beginLogin, type LoginStep } from '../login/pipeline.ts';
import * as invitations from '../records/invitations.ts';
import type { CredentialKind } from '../records/sessions.ts';
import { transact, type Unit } from '../unit.ts';
import { type NamedPerson, phonesAreOn, usernamesAreOn } from './shared/identifier.ts';
import {
  type Caller,
  type InputIssue,
  type InvalidInput,
  type InvalidToken,
  invalidInput,
  loginContext,
  type PasswordRejected,
  type RateLimited,
  rateLimited,
  type SignUpClosed,
} from './shared/outcomes.ts';
import { BUSY_RETRY_SECONDS, refuseByRule } from './shared/password.ts';
import { cleanEmail, cleanUsername, decideSignUp, startWith } from './shared/sign-up-decisions.ts';

export interface SignUpInput extends NamedPerson {
  readonly password?: string | null | undefined;
  readonly name?: string | null | undefined;
  /** The token of an invitation, which brings the address. */
  readonly invitation?: string | null | undefined;
  readonly credential: CredentialKind;
  /** The operator's own fields, by name. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export type SignUpResult = LoginStep | SignUpClosed | PasswordRejected | InvalidInput | InvalidToken | RateLimited;

/**
 * Makes an account for somebody new and logs them in, as far as their login asks nothing more.
 *
 * Where the address or number has to be verified before a session, one that is taken goes the same way: the same work,
 * the same answer, and its holder is told. Only where nothing stands between, it cannot be hidden. Nothing is hidden from
 * whoever was invited: the mail with the token has shown that the mailbox is theirs.
 */
export async function signUp(app: App, caller: Caller, input: SignUpInput): Promise<SignUpResult> {
  const token = input.invitation ?? null;
  if (app.config.signUp === 'closed' || (app.config.signUp === 'invite' && token === null))
    return { kind: 'SignUpClosed' };
  const typed = readPerson(app, input);
  if ('kind' in typed) return typed;

  const slot = app.passwords.reserve();
  if (!slot) return rateLimited(BUSY_RETRY_SECONDS);
  try {
    const wait = await app.limiter.count({ limit: 'signUpPerAddress', key: addressKey(caller.client.ipAddress) });
    if (wait !== null) return rateLimited(wait);
    const invitation = token === null ? null : await invitations.findByToken(app.database, token, app.clock());
    if (token !== null && !invitation) return { kind: 'InvalidToken' };
    if (invitation && typed.email && typed.email !== invitation.email)
      return invalidInput({ path: ['email'], code: 'NOT_ALLOWED' });
    // The address of an invitation is the administrator's word.
    const cleaned = await clean(app, invitation ? { ...typed, email: null } : typed);
    if ('kind' in cleaned) return cleaned;
    const emailVerified = invitation !== null;
    const asked = { ...namesIn({ ...cleaned, email: invitation?.email ?? cleaned.email }), emailVerified };
    const start = await decideSignUp(app, { ...asked, provider: null });
    if (!start) return { kind: 'SignUpClosed' };
    const person = startWith(cleaned, start, invitation);
    const refused = await refusePassword(app, person);
    if (refused) return refused;
    const password = person.password === null ? null : await slot.hash(person.password);

    return await transact(app, caller.client, async (unit) => {
      const account = { ...person, id: randomUUID(), password };
      const make = () => makeAccount(unit, account);
      const made = invitation ? await makeInvited(unit, invitation, account.id, make) : await make();
      if (!made) return { kind: 'InvalidToken' };
      if (made.kind === 'taken' && (invitation || !isHidden(made.path, unit)))
        return invalidInput({ path: [made.path], code: 'TAKEN' });
      const userId = made.kind === 'made' ? account.id : null;
      if (made.kind === 'made') announceSignUp(unit, account, made);
      else if (made.holder) unit.emit({ kind: 'SignUpRepeated', userId: made.holder });
      if (userId && person.email && !invitation && unit.config.emailVerification === 'OPTIONAL') {
        await sendCode(
          unit,
          { purpose: 'VERIFY_EMAIL', userId, channel: 'EMAIL', destination: person.email },
          { linkOnly: true },
        );
      }
      const step = await beginLogin(unit, loginContext(app, caller), {
        purpose: 'SIGN_UP',
        userId,
        credential: input.credential,
        methods: password ? [{ method: 'PASSWORD', at: unit.now.toISOString() }] : [],
        passwordChangedAt: password ? unit.now : null,
        email: person.email,
        phone: person.phone,
        // Of an invitation an account was made, or nothing.
        sealedSignUp: invitation ? null : sealSignUp(unit, account),
      });
      if (!step) throw new Error('an account that was made a moment ago refused its first login');
      return step;
    });
  } finally {
    slot.release();
  }
}

async function refusePassword(app: App, person: Person): Promise<PasswordRejected | null> {
  if (person.password === null) return null;
  const context = { minLength: app.config.password.minLength, words: wordsOf(person) };
  const reasons = await app.passwords.refuse(person.password, context);
  if (reasons.length > 0) return { kind: 'PasswordRejected', reasons };
  const { email, username, name } = namesIn(person);
  return refuseByRule(app, person.password, { userId: null, email, username, name });
}

/** What the operator's hooks make of an address and a user name. */
async function clean(app: App, person: Person): Promise<Person | InvalidInput> {
  const issues: InputIssue[] = [];
  const email = person.email && (await cleanEmail(app, person.email));
  if (person.email && !email) issues.push({ path: ['email'], code: 'NOT_ALLOWED' });
  const username = person.username && (await cleanUsername(app, person.username));
  if (person.username && !username) issues.push({ path: ['username'], code: 'NOT_ALLOWED' });
  return issues.length > 0 ? invalidInput(...issues) : { ...person, email, username };
}

function namesIn({ email, phone, username, name }: Person) {
  return { email, phone, username: username?.username ?? null, name };
}

// What must be verified before a session is verified by its holder, or never.
function isHidden(taken: 'email' | 'username' | 'phone' | 'identity', { config }: Unit): boolean {
  return taken === 'phone' || (taken === 'email' && config.emailVerification === 'MANDATORY');
}

interface Person {
  readonly email: EmailAddress | null;
  readonly phone: PhoneNumber | null;
  readonly username: { readonly username: Username; readonly key: string } | null;
  /** Null for a sign-up that ends with a passkey. */
  readonly password: string | null;
  readonly name: string | null;
  readonly fields: FieldValues;
}

function wordsOf({ email, username, name }: Person): string[] {
  const ofEmail = email ? [email, localPartOf(email), domainOf(email)] : [];
  return [...ofEmail, username?.username ?? '', name ?? ''];
}

function readPerson(app: App, input: SignUpInput): Person | InvalidInput {
  const issues: InputIssue[] = [];
  const [email, phone] = [input.email ?? '', input.phone ?? ''];
  const address = email ? parseEmailAddress(email) : null;
  const number = phone ? parsePhoneNumber(phone) : null;
  const isInvited = input.invitation != null;
  // An invitation is for an address; a number can be added later.
  const canUsePhone = phonesAreOn(app) && !isInvited;
  const needsEmail = !isInvited && (!canUsePhone || (app.config.loginIdentifiers.includes('EMAIL') && !phone));
  if (email && !address) issues.push({ path: ['email'], code: 'INVALID' });
  if (!email && needsEmail) issues.push({ path: ['email'], code: 'REQUIRED' });
  if (input.phone != null && !canUsePhone) issues.push({ path: ['phone'], code: 'NOT_ALLOWED' });
  if (phone && canUsePhone && !number) issues.push({ path: ['phone'], code: 'INVALID' });
  if (!phone && !email && !needsEmail && !isInvited) issues.push({ path: ['phone'], code: 'REQUIRED' });
  const username = readUsername(app, input.username ?? null, issues);
  const password = input.password ?? null;
  if (password === '' || (password === null && !app.config.passkeys.signUp))
    issues.push({ path: ['password'], code: 'REQUIRED' });
  const name = parsePersonName(input.name ?? '');
  if (name && typeof name === 'object') issues.push({ path: ['name'], code: name.problem });
  const own = parseFieldValues(onSignUp(app.userFields), input.fields, 'OWNER');
  issues.push(...own.issues, ...missingOnSignUp(app.userFields, input.fields));
  if (issues.length > 0) return invalidInput(...issues);
  const fields = withChanges({}, own.changes);
  return { email: address, phone: number, username, password, name: typeof name === 'string' ? name : null, fields };
}

function readUsername(app: App, typed: string | null, issues: InputIssue[]): Person['username'] {
  if (typed === null) return null;
  if (!usernamesAreOn(app)) issues.push({ path: ['username'], code: 'NOT_ALLOWED' });
  else if (typed) {
    const username = parseUsername(typed);
    if (typeof username !== 'string') return username;
    issues.push({ path: ['username'], code: username });
  }
  return null;
}
