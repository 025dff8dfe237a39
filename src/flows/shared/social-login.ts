import { randomUUID } from 'node:crypto';
import type { App, ProvenIdentity } from '../../app.ts';
import type { PopulatedUser } from '../../hooks.ts';
import { addressKey } from '../../lib/client-address.ts';
import type { EmailAddress } from '../../lib/email-address.ts';
import type { FieldValues } from '../../lib/user-fields/declaration.ts';
import { parseFieldValues, withChanges } from '../../lib/user-fields/values.ts';
import { parseUsername } from '../../lib/username.ts';
import { isUuid } from '../../lib/uuid.ts';
import { announceSignUp, isVerifiedBy, makeAccount, type NewAccount, sealSignUp } from '../../login/account.ts';
import { readHookPerson } from '../../login/hook-person.ts';
import {
  addressUse,
  type Identity,
  missingFrom,
  noteIdentity,
  readIdentity,
  sealIdentity,
} from '../../login/identity.ts';
import { asInvited, makeInvited } from '../../login/invitation.ts';
import { type BegunLogin, beginLogin, type LoginStep } from '../../login/pipeline.ts';
import type { Provider } from '../../providers/provider.ts';
import * as emails from '../../records/emails.ts';
import type { Invitation } from '../../records/invitations.ts';
import * as invitations from '../../records/invitations.ts';
import * as passwords from '../../records/passwords.ts';
import type { AuthenticationMethod, CredentialKind } from '../../records/sessions.ts';
import * as connections from '../../records/social-connections.ts';
import * as users from '../../records/users.ts';
import { transact, type Unit } from '../../unit.ts';
import { usernamesAreOn } from './identifier.ts';
import {
  type Caller,
  type InvalidToken,
  loginContext,
  type RateLimited,
  rateLimited,
  type SignUpClosed,
} from './outcomes.ts';
import { noteFailure, type ProviderFailed, providerFailed } from './provider-flow.ts';

/** Who came, by which provider. */
export interface Arrival {
  readonly provider: Provider;
  readonly word: ProvenIdentity;
  readonly credential: CredentialKind;
  /** The token of an invitation that they came with, in case they are nobody yet. */
  readonly invitation?: string | null;
  /** Uses up what was shown, in the transaction of the login. False if it was used before. */
  readonly consume?: (unit: Unit) => Promise<boolean>;
}

export type SocialLoginResult = LoginStep | ProviderFailed | SignUpClosed | InvalidToken | RateLimited;

/**
 * Logs somebody in whom a provider has named. Whose account at the provider is known here is that person, and every stage
 * of the login still asks. For anybody else an account is made, if nothing is missing and no account has their address;
 * else they are asked.
 */
export async function logInFromProvider(app: App, caller: Caller, arrival: Arrival): Promise<SocialLoginResult> {
  const { provider } = arrival;
  const account = { provider: provider.id, issuer: arrival.word.issuer, subject: arrival.word.subject };
  const known = await connections.find(app.database, account);
  const decision = await decide(app, arrival, known?.userId ?? null);
  if (decision === 'refused') {
    await noteFailure(app, caller, known?.userId ?? null);
    return providerFailed('DENIED');
  }
  const identity = known ? readWord(app, arrival, {}) : await populate(app, arrival);
  if (!known && app.config.signUp !== 'closed') {
    const wait = await app.limiter.count({ limit: 'signUpPerAddress', key: addressKey(caller.client.ipAddress) });
    if (wait !== null) return rateLimited(wait);
  }
  return transact(app, caller.client, async (unit): Promise<SocialLoginResult> => {
    const result = await enter(app, caller, unit, { arrival, identity, linkTo: decision });
    if (result.kind === 'ProviderFailed') unit.emit({ kind: 'LoginFailed', userId: null, method: 'PROVIDER' });
    return result;
  });
}

interface Entering {
  readonly arrival: Arrival;
  readonly identity: Identity;
  /** Whose account the operator says it is; null if nothing was said. */
  readonly linkTo: string | null;
}

/** What an invitation has with it. */
const BROUGHT: ReadonlySet<string> = new Set(['email', 'invitation']);

async function enter(app: App, caller: Caller, unit: Unit, entering: Entering): Promise<SocialLoginResult> {
  const { db, config } = unit;
  const { arrival, identity, linkTo } = entering;
  if (arrival.consume && !(await arrival.consume(unit))) return providerFailed('REJECTED');
  const begin = (begun: Omit<BegunLogin, 'credential' | 'methods'>) =>
    beginLogin(unit, loginContext(app, caller), {
      credential: arrival.credential,
      methods: [proofOf(unit, identity)],
      ...begun,
    });
  const asSomebody = async (userId: string, sealedIdentity: string | null): Promise<SocialLoginResult> => {
    const passwordChangedAt = await passwords.changedAt(db, userId);
    return (
      (await begin({ purpose: 'PROVIDER', userId, passwordChangedAt, sealedIdentity })) ?? providerFailed('DENIED')
    );
  };

  const held = await lockHolder(unit, identity);
  if (held === 'disabled') return providerFailed('DENIED');
  if (held) {
    await noteIdentity(unit, held, identity);
    return asSomebody(held.userId, null);
  }
  const use = await addressUse(unit, identity);
  const holder = use === 'link' && identity.email ? await emails.holderOf(db, identity.email) : null;
  const owner = linkTo ?? (config.social.linking === 'verified' ? holder : null);
  if (owner !== null) {
    if (!(await users.lockEnabled(db, owner))) return providerFailed('DENIED');
    return asSomebody(owner, sealIdentity(unit, identity));
  }
  if (use !== 'link' && config.signUp === 'closed') return { kind: 'SignUpClosed' };
  const token = arrival.invitation ?? null;
  const invitation = token === null ? null : await invitations.findByToken(db, token, unit.now);
  if (use !== 'link' && token !== null && !invitation) return { kind: 'InvalidToken' };
  const missing = await missingFrom(unit, identity);
  const isComplete = invitation ? missing.every((name) => BROUGHT.has(name)) : missing.length === 0;
  if (use !== 'link' && config.social.autoSignUp && isComplete) {
    const { email, name, fields = {} } = identity;
    const username = await freeUsername(app, unit, identity);
    const signedUp = await signUpFrom(unit, { identity, email, name, username, invitation, fields });
    if (signedUp.kind === 'uninvited') return { kind: 'InvalidToken' };
    if (signedUp.kind !== 'taken') {
      const step = await begin(signedUp.login);
      if (!step) throw new Error('an account that was made a moment ago refused its first login');
      return step;
    }
  }
  // Nobody yet: the first stages ask for a proof, or for what is missing.
  const step = await begin({
    purpose: 'PROVIDER',
    userId: null,
    passwordChangedAt: null,
    sealedIdentity: sealIdentity(unit, identity),
  });
  return step ?? providerFailed('DENIED');
}

/** What a login at a provider proves. */
export function proofOf({ now }: Pick<Unit, 'now'>, { provider }: Pick<Identity, 'provider'>): AuthenticationMethod {
  return { method: 'PROVIDER', at: now.toISOString(), provider };
}

/**
 * Finds whose an identity is, and locks them; or locks the identity, if it is nobody's, so that of two logins at once one
 * makes the account.
 */
async function lockHolder(
  { db }: Unit,
  identity: Identity,
): Promise<{ readonly id: string; readonly userId: string } | 'disabled' | null> {
  const seen = await connections.find(db, identity);
  // The person first, as everywhere.
  if (!seen) await connections.lock(db, identity);
  const found = seen ?? (await connections.find(db, identity));
  if (!found) return null;
  if (!(await users.lockEnabled(db, found.userId))) return 'disabled';
  const still = await connections.find(db, identity);
  if (still?.userId === found.userId) return still;
  await connections.lock(db, identity);
  return null;
}

/** What somebody is to be signed up with. */
export interface SocialSignUp {
  readonly identity: Identity;
  readonly email: EmailAddress | null;
  readonly name: string | null;
  readonly username: NewAccount['username'];
  /** What they come with, if anything; the address is that of it then. */
  readonly invitation?: Invitation | null;
  readonly fields: FieldValues;
}

/** What a login is once its person has signed up; or, where that must not show, looks like. */
type SignedUpLogin = Pick<
  BegunLogin & { readonly sealedSignUp: string | null; readonly email: EmailAddress | null },
  'purpose' | 'userId' | 'passwordChangedAt' | 'email' | 'sealedSignUp'
> & { readonly sealedIdentity: string | null };

/**
 * Makes the account of somebody who came from a provider. Where the address has to be verified before a session, one that
 * is taken goes the same way as for any sign-up: the same work, the same answer, and its holder is told.
 */
export async function signUpFrom(
  unit: Unit,
  { invitation = null, ...told }: SocialSignUp,
): Promise<
  | { readonly kind: 'signed up'; readonly login: SignedUpLogin }
  | { readonly kind: 'taken'; readonly path: string }
  | { readonly kind: 'uninvited' }
> {
  const person = { ...told, ...(invitation ? asInvited(invitation) : {}) };
  // What the provider has seen would be taken from whoever has it.
  if (isVerifiedBy(person.identity, person.email) && (await addressUse(unit, person.identity)) !== 'free')
    return { kind: 'taken', path: 'email' };
  const account: NewAccount = { ...person, id: randomUUID(), phone: null, password: null };
  const joinsAtOnce = isVerifiedBy(person.identity, person.email);
  // Whoever came from a provider before, and did not verify the address, left an account that nobody can get into.
  if (person.email && !joinsAtOnce) await users.removeAbandoned(unit.db, person.email, unit.now);
  const make = () => makeAccount(unit, account);
  const made = invitation ? await makeInvited(unit, invitation, account.id, make) : await make();
  if (!made) return { kind: 'uninvited' };
  if (made.kind === 'made') announceSignUp(unit, account, made);
  else {
    const hidden =
      !invitation &&
      made.path === 'email' &&
      unit.config.emailVerification === 'MANDATORY' &&
      !isVerifiedBy(person.identity, person.email);
    if (!hidden) return { kind: 'taken', path: made.path };
    if (made.holder) unit.emit({ kind: 'SignUpRepeated', userId: made.holder });
  }
  return {
    kind: 'signed up',
    login: {
      purpose: 'SIGN_UP',
      userId: made.kind === 'made' ? account.id : null,
      passwordChangedAt: null,
      email: person.email,
      // Of an invitation an account was made, or nothing.
      sealedSignUp: invitation ? null : sealSignUp(unit, account),
      sealedIdentity: joinsAtOnce ? null : sealIdentity(unit, person.identity),
    },
  };
}

/** The user name that the provider knows somebody by, if it does for us and is nobody's. */
async function freeUsername(app: App, { db }: Unit, { username }: Identity): Promise<NewAccount['username']> {
  const parsed = usernamesAreOn(app) && username ? parseUsername(username) : null;
  if (!parsed || typeof parsed === 'string') return null;
  return (await users.hasUsername(db, parsed.key, users.NOBODY)) ? null : parsed;
}

/** Asks the operator's hook, if there is one. */
export async function decide(
  app: App,
  { provider, word }: Pick<Arrival, 'provider' | 'word'>,
  userId: string | null,
  purpose: 'LOG_IN' | 'CONNECT' = 'LOG_IN',
): Promise<string | null | 'refused'> {
  const { preSocialLogin } = app.hooks;
  if (!preSocialLogin) return null;
  const { database: db, userFields } = app;
  const found = await readHookPerson({ db, userFields }, userId ?? users.NOBODY);
  const person = userId === null ? null : found;
  const decision = (await preSocialLogin({ purpose, person, ...wordForHooks(provider, word) })) ?? null;
  return readDecision(decision);
}

// Hooks come from a file that nothing has type-checked, and one with a typing error must not let anybody in.
function readDecision(decision: unknown): string | null | 'refused' {
  if (decision === null) return null;
  const { refuse, userId, ...more } = (typeof decision === 'object' ? decision : { more: decision }) as Record<
    string,
    unknown
  >;
  const isKnown = Object.keys(more).length === 0 && (refuse === undefined) !== (userId === undefined);
  if (isKnown && typeof refuse === 'boolean') return refuse ? 'refused' : null;
  // An id that is none is that of nobody, who is not let in.
  if (isKnown && typeof userId === 'string') return isUuid(userId) ? userId : users.NOBODY;
  throw new Error('the hook preSocialLogin decided neither { refuse: true } nor { userId } nor null');
}

function readPopulated(populated: unknown): PopulatedUser {
  const { name, username, fields } = (populated ?? {}) as Record<string, unknown>;
  const fits = [name, username].every((text) => text === undefined || text === null || typeof text === 'string');
  if (typeof (populated ?? {}) !== 'object' || typeof (fields ?? {}) !== 'object' || !fits)
    throw new Error('the hook populateUser gave no { name, username, fields }');
  return populated ?? {};
}

/** Of what the hook says those that do. A name that is none is a mistake; a value that does not do the provider's word. */
function readPopulatedFields({ userFields }: App, given: PopulatedUser['fields']): FieldValues {
  const populatable = userFields.filter(({ index }) => index !== 'UNIQUE');
  const names = new Set(populatable.map(({ name }) => name));
  const other = Object.keys(given ?? {}).find((name) => !names.has(name));
  if (other !== undefined)
    throw new Error(`the hook populateUser gave ${other}, which is no field that a sign-up may have`);
  return withChanges({}, parseFieldValues(populatable, given ?? {}, 'CODE').changes);
}

async function populate(app: App, arrival: Arrival): Promise<Identity> {
  const { provider, word } = arrival;
  const populated = readPopulated(await app.hooks.populateUser?.(wordForHooks(provider, word)));
  return { ...readWord(app, arrival, populated), fields: readPopulatedFields(app, populated.fields) };
}

function readWord(
  { config }: App,
  { provider, word }: Arrival,
  { name, username }: Pick<PopulatedUser, 'name' | 'username'>,
): Identity {
  const tokens = config.social.storeTokens && word.tokens ? JSON.stringify(word.tokens) : null;
  const ours = {
    name: name === undefined ? word.name : name,
    username: username === undefined ? word.username : username,
  };
  // How the provider names them stays its own word.
  const { displayName } = readIdentity({ ...word, provider: provider.id }, null);
  return { ...readIdentity({ ...word, ...ours, provider: provider.id }, tokens), displayName };
}

function wordForHooks(
  { id }: Provider,
  { issuer, subject, email, emailVerified, name, username, claims, tokens }: ProvenIdentity,
) {
  const accessToken = tokens?.accessToken ?? null;
  return { provider: id, issuer, subject, email, emailVerified, name, username, claims, accessToken };
}
