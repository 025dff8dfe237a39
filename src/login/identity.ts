import { type EmailAddress, localPartOf, parseEmailAddress } from '../lib/email-address.ts';
import { parsePersonName } from '../lib/person-name.ts';
import type { FieldValues } from '../lib/user-fields/declaration.ts';
import { missingOnSignUp } from '../lib/user-fields/values.ts';
import type { Provider } from '../providers/provider.ts';
import * as challenges from '../records/challenges.ts';
import * as emails from '../records/emails.ts';
import type { PendingLogin } from '../records/pending-logins.ts';
import type { ConnectionFacts, ProviderAccount, SocialConnection } from '../records/social-connections.ts';
import * as connections from '../records/social-connections.ts';
import * as users from '../records/users.ts';
import type { Unit } from '../unit.ts';

/** Who came back from a provider, read for us: an account there, and what it says of its person. Survives JSON. */
export interface Identity extends ProviderAccount {
  /** In canonical form; null if the provider told none that we could use. */
  readonly email: EmailAddress | null;
  /** Whether the provider has seen the mailbox. */
  readonly emailVerified: boolean;
  readonly name: string | null;
  readonly username: string | null;
  /** How the provider names the person: a name, else a handle, else an address. */
  readonly displayName: string;
  /** The provider's tokens as JSON, where they are kept. */
  readonly tokens: string | null;
  /** What the operator's hook makes of the provider's word, of the operator's own fields. */
  readonly fields?: FieldValues;
  /** What the operator's hooks decided of somebody whom nobody knew. */
  readonly decided?: DecidedIdentity;
}

/** What an operator's hooks decide of an identity that is nobody's, as long as it is. */
export interface DecidedIdentity {
  /** A user name for the account that is made of it. */
  readonly generatedUsername?: string | null;
  /** In the place of POSTERN_SOCIAL_LINKING, for the one account that was asked about; for any other it is `never`. */
  readonly linking?: { readonly userId: string; readonly policy: LinkingPolicy } | null;
}

type LinkingPolicy = Unit['config']['social']['linking'];

/** What a provider proved, as it wrote it. */
export interface ProviderWord extends ProviderAccount {
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly name: string | null;
  readonly username: string | null;
}

/** Letters that a provider's words about somebody may have. */
const MAX_DISPLAY_NAME = 100;

/** Reads what a provider says of somebody as we write it. */
export function readIdentity(word: ProviderWord, tokens: string | null): Identity {
  const { provider, issuer, subject } = word;
  const email = parseEmailAddress(word.email ?? '');
  const name = parsePersonName(word.name ?? '');
  const username = word.username?.slice(0, MAX_DISPLAY_NAME) ?? null;
  const readName = typeof name === 'string' ? name : null;
  return {
    provider,
    issuer,
    subject,
    email,
    emailVerified: email !== null && word.emailVerified && isSameMailbox(word.email ?? '', email),
    name: readName,
    username,
    displayName: readName ?? username ?? email ?? subject,
    tokens,
  };
}

/**
 * Whether an address that a provider has seen is the one that we read. Ours is folded, so that one address has one form;
 * a mailbox whose name only folds to it is somebody else's. Only the case of ASCII letters may differ.
 */
function isSameMailbox(written: string, read: EmailAddress): boolean {
  const local = written.slice(0, written.lastIndexOf('@')).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return local === localPartOf(read);
}

/** What an identity is sealed for. */
const SEALED_FOR = 'identity';

/** Seals an identity for a login that is not finished. */
export function sealIdentity({ cipher }: Unit, identity: Identity): string {
  return cipher.seal(JSON.stringify(identity), SEALED_FOR);
}

/** The identity that a login carries; null if it carries none, or no secret of ours opens it. */
export function identityOf(
  { cipher }: Pick<Unit, 'cipher'>,
  { sealedIdentity }: Pick<PendingLogin, 'sealedIdentity'>,
): Identity | null {
  const opened = sealedIdentity === null ? null : cipher.open(sealedIdentity, SEALED_FOR);
  return opened === null ? null : JSON.parse(opened);
}

/**
 * What can be done with the address of somebody whom nobody knows yet.
 * - `link`: its holder has shown that it is theirs, and so has whoever comes now: they may be joined.
 * - `free`: an account can be made with it.
 * - `taken`: it belongs to another account, which is not to be touched.
 * - `none`: the provider told none.
 */
export type AddressUse = 'link' | 'free' | 'taken' | 'none';

/**
 * Finds out what can be done with the address of an identity.
 *
 * An account whose address was never verified neither takes an identity in nor is taken over by one: whoever made it may
 * have waited for the owner of the address. Where everybody has to verify theirs, it has never had a session, and lets go
 * of the address; elsewhere it is somebody's who uses it, and keeps it. Of an address that the provider has not seen
 * nothing must be told where that can be avoided: there it is as free as for any sign-up.
 */
export async function addressUse(
  { db, config }: Pick<Unit, 'db' | 'config'>,
  identity: Pick<Identity, 'email' | 'emailVerified' | 'decided'>,
): Promise<AddressUse> {
  const { email, emailVerified } = identity;
  if (email === null) return 'none';
  const hides = config.emailVerification === 'MANDATORY';
  if (!emailVerified && hides) return 'free';
  const holder = await emails.holderOf(db, email);
  if (holder === null) return 'free';
  const verified = await emails.isVerifiedByAnother(db, users.NOBODY, email);
  if (!verified) return hides ? 'free' : 'taken';
  return emailVerified && linkingPolicy({ config }, identity, holder) !== 'never' ? 'link' : 'taken';
}

/**
 * What becomes of somebody whose address an account has, when both have verified it. The operator's hook has decided of one
 * account: whoever has the address meanwhile was not asked about. What the settings forbid it does not allow.
 */
export function linkingPolicy(
  { config }: Pick<Unit, 'config'>,
  { decided }: Pick<Identity, 'decided'>,
  holder: string | null,
): LinkingPolicy {
  const { linking } = config.social;
  if (linking === 'never' || decided?.linking === undefined) return linking;
  return decided.linking?.userId === holder ? decided.linking.policy : 'never';
}

/** The provider of an identity; null if it is not configured any more. */
export function providerOf(
  { config }: Pick<Unit, 'config'>,
  { provider }: Pick<Identity, 'provider'>,
): Pick<Provider, 'id' | 'name' | 'acceptsTokens'> | null {
  return config.social.providers.find(({ id }) => id === provider) ?? null;
}

/** Whether an account needs an address to be of use. */
export function needsEmail({ config, hooks }: Pick<Unit, 'config' | 'hooks'>): boolean {
  return config.loginIdentifiers.includes('EMAIL') || hooks.sendSms === undefined;
}

/** What somebody has to tell before an account can be made of what their provider told: fields of the input. */
export async function missingFrom(unit: Unit, identity: Identity): Promise<string[]> {
  const own = missingOnSignUp(unit.userFields, identity.fields ?? {}).map(({ path: [name] }) => name);
  // It brings the address.
  if (unit.config.signUp === 'invite') return ['invitation', ...own];
  const use = await addressUse(unit, identity);
  return use !== 'free' && needsEmail(unit) ? ['email', ...own] : own;
}

/** What joining works with. */
type JoiningUnit = Pick<Unit, 'db' | 'now' | 'config' | 'cipher' | 'emit'>;

/** An account at a provider that has joined a person. */
export interface Joined {
  readonly id: string;
  /** Whether it was theirs before. */
  readonly known: boolean;
}

/**
 * Joins the account at a provider with a person, who is locked.
 * @returns null if it is somebody else's
 */
export async function joinIdentity(unit: JoiningUnit, userId: string, identity: Identity): Promise<Joined | null> {
  const { db, now } = unit;
  await connections.lock(db, identity);
  const held = await connections.find(db, identity);
  if (held) {
    if (held.userId !== userId) return null;
    await noteIdentity(unit, held, identity);
    return { id: held.id, known: true };
  }
  const id = await connections.add(db, userId, identity, factsOf(identity), now);
  if (id === null) return null;
  await keepTokens(unit, id, identity);
  // A link that is on its way would add an address for whoever is connected from now on, by one press of its owner.
  await challenges.voidAll(db, userId, ['VERIFY_EMAIL', 'CONFIRM_EMAIL'], now);
  return { id, known: false };
}

/**
 * Tells that an account at a provider is a person's from now on.
 * @param options `signingUp` if the person's account was made from it
 */
export function announceConnection(
  { config, emit }: Pick<Unit, 'config' | 'emit'>,
  userId: string,
  connectionId: string,
  { provider, displayName }: Pick<Identity, 'provider' | 'displayName'>,
  { signingUp = false }: { readonly signingUp?: boolean } = {},
): void {
  const providerName = providerOf({ config }, { provider })?.name ?? provider;
  emit({ kind: 'ProviderConnected', userId, connectionId, provider, providerName, displayName, signingUp });
}

/** Tells that one is theirs no more. */
export function announceDisconnection(
  { config, emit }: Pick<Unit, 'config' | 'emit'>,
  userId: string,
  { id: connectionId, provider, displayName }: SocialConnection,
): void {
  const providerName = providerOf({ config }, { provider })?.name ?? provider;
  emit({ kind: 'ProviderDisconnected', userId, connectionId, provider, providerName, displayName });
}

/** Notes that somebody came by a connection. */
export async function noteIdentity(
  unit: JoiningUnit,
  { id: connectionId, userId }: { readonly id: string; readonly userId: string },
  identity: Identity,
): Promise<void> {
  const { changed } = await connections.noteUse(unit.db, connectionId, factsOf(identity), unit.now);
  await keepTokens(unit, connectionId, identity);
  if (!changed) return;
  const { provider, displayName } = identity;
  const providerName = providerOf(unit, identity)?.name ?? provider;
  unit.emit({ kind: 'ProviderUpdated', userId, connectionId, provider, providerName, displayName });
}

async function keepTokens({ db, cipher, config }: JoiningUnit, id: string, { tokens }: Identity): Promise<void> {
  if (tokens === null || !config.social.storeTokens) return;
  await connections.keepTokens(db, id, cipher.seal(tokens, connections.tokensSealedFor(id)));
}

function factsOf({ displayName, email }: Identity): ConnectionFacts {
  return { displayName, email };
}
