import type { App, ProvenIdentity } from '../../app.ts';
import type { HookProviderWord, HookSignUp } from '../../hooks.ts';
import { parseUsername } from '../../lib/username.ts';
import { isUuid } from '../../lib/uuid.ts';
import { readHookPerson } from '../../login/hook-person.ts';
import { addressUse, type DecidedIdentity, type Identity, needsEmail, readIdentity } from '../../login/identity.ts';
import type { Provider } from '../../providers/provider.ts';
import * as emails from '../../records/emails.ts';
import type { Invitation } from '../../records/invitations.ts';
import * as users from '../../records/users.ts';
import { usernamesAreOn } from './identifier.ts';
import { cleanEmail, cleanUsername, decideSignUp, readHookFields, type Start } from './sign-up-decisions.ts';

// What an operator's hooks decide of somebody who comes from a provider. All of it is asked before the transaction.

/** Who came, by which provider. */
interface Arrival {
  readonly provider: Provider;
  readonly word: ProvenIdentity;
}

/** Asks the operator's hook, if there is one. */
export async function decideArrival(
  app: App,
  { provider, word }: Arrival,
  userId: string | null,
  purpose: 'LOG_IN' | 'CONNECT' = 'LOG_IN',
): Promise<string | null | 'refused'> {
  const { preSocialLogin } = app.hooks;
  if (!preSocialLogin) return null;
  const { database: db, userFields } = app;
  const found = await readHookPerson({ db, userFields }, userId ?? users.NOBODY);
  const person = userId === null ? null : found;
  const decision = await preSocialLogin({ purpose, person, ...wordForHooks(provider, word) });
  if (decision === null) return null;
  if ('refuse' in decision) return 'refused';
  // An id that is none is that of nobody, who is not let in.
  return isUuid(decision.userId) ? decision.userId : users.NOBODY;
}

/** Reads somebody whom nobody knows, as the operator's hooks see them. */
export async function readNewcomer(app: App, arrival: Arrival): Promise<Identity> {
  const { hooks } = app;
  const word = wordForHooks(arrival.provider, arrival.word);
  const { fields, ...names } = hooks.populateUser ? await hooks.populateUser(word) : {};
  const told = readWord(app, arrival, names);
  const own = readHookFields('populateUser', app.userFields, fields ?? {});
  const identity = { ...told, ...(await clean(app, told)), fields: own };
  const generate = usernamesAreOn(app) ? hooks.generateUsername : undefined;
  const decided: DecidedIdentity = {
    ...(generate ? { generatedUsername: await generate(word) } : {}),
    ...(hooks.linkingPolicy ? { linking: await decideLinking(app, hooks.linkingPolicy, word, identity) } : {}),
  };
  return { ...identity, decided };
}

/** Reads somebody who is known: nothing is made of it. */
export function readKnown(app: App, arrival: Arrival): Identity {
  return readWord(app, arrival, {});
}

/** What is refused counts as not told; an address that is not the one that the provider has seen is seen by nobody. */
async function clean(
  app: App,
  { email, emailVerified, username }: Identity,
): Promise<Pick<Identity, 'email' | 'emailVerified' | 'username'>> {
  const cleaned = email && (await cleanEmail(app, email));
  const name = parseUsername(username ?? '');
  const taken = usernamesAreOn(app) && typeof name === 'object' ? await cleanUsername(app, name) : null;
  return {
    email: cleaned,
    emailVerified: emailVerified && cleaned === email,
    username: taken?.username ?? null,
  };
}

/** What the operator makes of an account that has the same address, if both have verified it. */
async function decideLinking(
  { database: db, config, userFields }: App,
  ask: NonNullable<App['hooks']['linkingPolicy']>,
  word: HookProviderWord,
  identity: Identity,
): Promise<NonNullable<DecidedIdentity['linking']> | null> {
  if (!identity.email || (await addressUse({ db, config }, identity)) !== 'link') return null;
  const userId = await emails.holderOf(db, identity.email);
  if (userId === null) return null;
  const person = await readHookPerson({ db, userFields }, userId);
  return { userId, policy: (await ask({ ...word, person })) ?? config.social.linking };
}

/** What the account of a newcomer starts with, by the operator's word. */
export async function startOf(app: App, identity: Identity, invitation: Invitation | null): Promise<Start | 'refused'> {
  const { signUp, social } = app.config;
  if (signUp === 'closed') return 'refused';
  // Whoever has to say more first is asked about then.
  const lacksAddress = invitation === null && identity.email === null && needsEmail(app);
  const asksMore = !social.autoSignUp || lacksAddress || (signUp === 'invite' && invitation === null);
  const about = { ...identity, email: invitation?.email ?? identity.email };
  return asksMore ? {} : ((await decideSignUp(app, aboutSignUp(identity, about, invitation))) ?? 'refused');
}

/** What hooks hear of a sign-up at a provider. */
export function aboutSignUp(
  { provider, emailVerified, email: told }: Identity,
  { email, username, name }: { readonly [K in 'email' | 'username' | 'name']: string | null },
  invitation: Invitation | null,
): HookSignUp {
  const isVerified = invitation !== null || (emailVerified && email === told);
  return { email, emailVerified: isVerified, phone: null, username, name, provider };
}

function readWord(
  { config }: App,
  { provider, word }: Arrival,
  { name, username }: { readonly name?: string | null | undefined; readonly username?: string | null | undefined },
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
