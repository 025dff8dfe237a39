import type { Protocol, Provider } from '../providers/provider.ts';
import type { ProviderAccount } from '../records/social-connections.ts';

/** The account at a provider of ours that an account at a provider of another system is, or why there is none. */
export type AccountAt = (
  foreignProvider: string,
  subject: string,
) => ProviderAccount | 'PROVIDER_UNKNOWN' | 'PROVIDER_NOT_PORTABLE';

/** What other systems call providers that we call otherwise. */
const CALLED: Readonly<Record<string, string>> = {
  'google.com': 'google',
  'google-oauth2': 'google',
  'github.com': 'github',
  'facebook.com': 'facebook',
  'apple.com': 'apple',
  'microsoft.com': 'microsoft',
  azure: 'microsoft',
  'twitter.com': 'x',
  twitter: 'x',
  twitter_oauth2: 'x',
  linkedin_oidc: 'linkedin',
};

/**
 * Where other systems know people by another id than we do: Microsoft's is one for each app, and they take that of its
 * Graph; Slack's comes with the team or without. Only an operator who names the provider has looked at that.
 */
const KNOWN_OTHERWISE: ReadonlySet<string> = new Set(['microsoft', 'slack']);

const MAX_SUBJECT_LENGTH = 255;

/**
 * Finds the providers of another system among those that are set up here.
 * @param named what the operator says is called otherwise: the provider there, and its id here
 */
export function createAccountAt(providers: readonly Provider[], named: ReadonlyMap<string, string>): AccountAt {
  return (foreignProvider, subject) => {
    const id = named.get(foreignProvider) ?? CALLED[foreignProvider] ?? foreignProvider;
    const provider = providers.find((each) => each.id === id);
    if (!provider) return 'PROVIDER_UNKNOWN';
    const issuer = issuerOf(provider.protocol);
    if (KNOWN_OTHERWISE.has(id) && !named.has(foreignProvider)) return 'PROVIDER_NOT_PORTABLE';
    if (issuer === null || subject === '' || subject.length > MAX_SUBJECT_LENGTH) return 'PROVIDER_NOT_PORTABLE';
    return { provider: provider.id, issuer, subject };
  };
}

/** By which an account is known at its first login (`infra/providers.ts`); null where only its ID token tells. */
function issuerOf(protocol: Protocol): string | null {
  if (protocol.kind === 'oauth2') return new URL(protocol.tokenEndpoint).origin;
  return SHARED.test(protocol.issuer) ? null : protocol.issuer;
}

/** Microsoft's issuers for more than one tenant. */
const SHARED = /^https:\/\/login\.microsoftonline\.com\/(?:common|organizations|consumers)\//;
