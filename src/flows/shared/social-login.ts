import { randomUUID } from 'node:crypto';
import type { App, ProvenIdentity } from '../../app.ts';
import { addressKey } from '../../lib/client-address.ts';
import type { EmailAddress } from '../../lib/email-address.ts';
import type { FieldValues } from '../../lib/user-fields/declaration.ts';
import { announceSignUp, isVerifiedBy, makeAccount, type NewAccount, sealSignUp } from '../../login/account.ts';
import {
  addressUse,
  type Identity,
  linkingPolicy,
  missingFrom,
  noteIdentity,
  sealIdentity,
} from '../../login/identity.ts';
import { makeInvited } from '../../login/invitation.ts';
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
import { freeUsername } from './free-username.ts';
import {
  type Caller,
  type InvalidToken,
  loginContext,
  type RateLimited,
  rateLimited,
  type SignUpClosed,
} from './outcomes.ts';
import { noteFailure, type ProviderFailed, providerFailed } from './provider-flow.ts';
import { type Start, startWith } from './sign-up-decisions.ts';
import { decideArrival, readKnown, readNewcomer, startOf } from './social-decisions.ts';

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
  const decision = await decideArrival(app, arrival, known?.userId ?? null);
  if (decision === 'refused') {
    await noteFailure(app, caller, known?.userId ?? null);
    return providerFailed('DENIED');
  }
  const identity = known ? readKnown(app, arrival) : await readNewcomer(app, arrival);
  if (!known && app.config.signUp !== 'closed') {
    const wait = await app.limiter.count({ limit: 'signUpPerAddress', key: addressKey(caller.client.ipAddress) });
    if (wait !== null) return rateLimited(wait);
  }
  const token = known ? null : (arrival.invitation ?? null);
  const invitation = token === null ? null : await invitations.findByToken(app.database, token, app.clock());
  const start = known ? 'unasked' : await startOf(app, identity, invitation);
  return transact(app, caller.client, async (unit): Promise<SocialLoginResult> => {
    const result = await enter(app, caller, unit, { arrival, identity, linkTo: decision, start, invitation });
    if (result.kind === 'ProviderFailed') unit.emit({ kind: 'LoginFailed', userId: null, method: 'PROVIDER' });
    return result;
  });
}

interface Entering {
  readonly arrival: Arrival;
  readonly identity: Identity;
  /** Whose account the operator says it is; null if nothing was said. */
  readonly linkTo: string | null;
  /** What their account starts with if one is made. `unasked` of somebody who was known a moment ago. */
  readonly start: Start | 'refused' | 'unasked';
  /** What they came with, if it does. */
  readonly invitation: Invitation | null;
}

/** What an invitation has with it. */
const BROUGHT: ReadonlySet<string> = new Set(['email', 'invitation']);

async function enter(app: App, caller: Caller, unit: Unit, entering: Entering): Promise<SocialLoginResult> {
  const { db, config } = unit;
  const { arrival, identity, linkTo, start, invitation } = entering;
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
  // It was somebody's until a moment ago: of a newcomer more would have been asked.
  if (start === 'unasked') return providerFailed('REJECTED');
  const use = await addressUse(unit, identity);
  const holder = use === 'link' && identity.email ? await emails.holderOf(db, identity.email) : null;
  const owner = linkTo ?? (linkingPolicy(unit, identity, holder) === 'verified' ? holder : null);
  if (owner !== null) {
    if (!(await users.lockEnabled(db, owner))) return providerFailed('DENIED');
    return asSomebody(owner, sealIdentity(unit, identity));
  }
  if (use !== 'link' && start === 'refused') return { kind: 'SignUpClosed' };
  if (use !== 'link' && arrival.invitation && !invitation) return { kind: 'InvalidToken' };
  const missing = await missingFrom(unit, identity);
  const isComplete = invitation ? missing.every((name) => BROUGHT.has(name)) : missing.length === 0;
  if (use !== 'link' && config.social.autoSignUp && isComplete && start !== 'refused') {
    const { email, name, fields = {} } = identity;
    const person = { identity, email, name, username: null, fields, start, invitation };
    const signedUp = await signUpAs(app, unit, person);
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
  readonly fields: FieldValues;
  /** What the operator gives the account. */
  readonly start: Start;
  /** What they come with, if anything; the address is that of it then. */
  readonly invitation: Invitation | null;
}

/** Times that a user name is looked for which somebody else takes at the same moment. */
const MAX_NAMES = 3;

/** Signs somebody up with a user name that is free, if they are known by any and chose none. */
export async function signUpAs(app: App, unit: Unit, person: SocialSignUp): Promise<SignedUp | Uninvited> {
  if (person.username) return signUpFrom(unit, person);
  for (let tries = 1; ; tries += 1) {
    const username = await freeUsername(app, unit, person.identity);
    const signedUp = await signUpFrom(unit, { ...person, username });
    if (signedUp.kind !== 'taken' || signedUp.path !== 'username' || tries === MAX_NAMES) return signedUp;
  }
}

type SignedUp =
  | { readonly kind: 'signed up'; readonly login: SignedUpLogin }
  | { readonly kind: 'taken'; readonly path: string };

/** The invitation does no more. */
interface Uninvited {
  readonly kind: 'uninvited';
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
  { start, invitation, ...told }: SocialSignUp,
): Promise<SignedUp | Uninvited> {
  const person = startWith(told, start, invitation);
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
