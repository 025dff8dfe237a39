import { createProviders } from '../../infra/providers.ts';
import type { Provider } from '../../providers/provider.ts';
import { ask } from '../ask.ts';
import { type Check, failed, judge, ok, type Result, skipped, warning, worst } from '../check.ts';
import type { Facts } from '../facts.ts';
import { reasonOf } from '../reason.ts';

const NONE = skipped('no provider is set up');

export const providerRedirects: Check = {
  title: 'providers can send people back: their redirect URIs are https, and reach Postern',
  settings: [],
  async run({ config: { social, publicUrl } }) {
    if (social.providers.length === 0) return NONE;
    return worst(await Promise.all(social.providers.map((provider) => judgeCallback(publicUrl, provider))));
  },
};

async function judgeCallback(publicUrl: string, { id }: Provider): Promise<Result> {
  const url = `${publicUrl}/providers/${id}/callback`;
  if (!url.startsWith('https:')) return failed(`${url} is not https`, 'POSTERN_PUBLIC_URL');
  try {
    // Whoever only looks uses nothing up, and gets an answer that no other server would give.
    const { status } = await ask(url, { method: 'HEAD' });
    return status === 204
      ? ok('each of them is https, and answered')
      : failed(`${url} is answered with ${status}, and not by Postern`, 'POSTERN_PUBLIC_URL, or the proxy before it');
  } catch (error) {
    return failed(`${url}: ${reasonOf(error)}`, 'POSTERN_PUBLIC_URL, or the proxy before it');
  }
}

export const providerDiscovery: Check = {
  title: 'every provider is found, and is who it is expected to be',
  settings: ['POSTERN_PROVIDERS'],
  async run(facts) {
    const { providers } = facts.config.social;
    if (providers.length === 0) return NONE;
    return worst(await Promise.all(providers.map((provider) => judgeProvider(provider, facts))));
  },
};

async function judgeProvider(provider: Provider, { config, clock }: Facts): Promise<Result> {
  const { protocol, id } = provider;
  const endpoints =
    protocol.kind === 'oidc' ? [protocol.issuer] : [protocol.authorizationEndpoint, protocol.tokenEndpoint];
  if (endpoints.some((url) => url.startsWith('http:')))
    return failed(`${id}: what goes there can be read on the way, since it is not https`, 'POSTERN_PROVIDERS');
  // As a login begins; what is made for it is thrown away.
  const secrets = { state: 'doctor', nonce: 'doctor', codeVerifier: 'doctor'.padEnd(43, '-') };
  const begun = await createProviders({ clock }).authorizationUrl(
    provider,
    `${config.publicUrl}/providers/${id}/callback`,
    secrets,
  );
  return begun.kind === 'url'
    ? ok('their metadata could be read, where they have any')
    : failed(`${id}: ${reasonOf(begun.cause)}`, 'POSTERN_PROVIDERS');
}

export const providerTokens: Check = {
  title: 'the tokens of providers are kept on purpose, or not at all',
  settings: ['POSTERN_STORE_PROVIDER_TOKENS'],
  run({ config, database }) {
    if (config.social.storeTokens)
      return warning(
        'they are kept, sealed: whoever has the database and the secret acts as people at their providers; right only if your code calls providers in their name',
        'POSTERN_STORE_PROVIDER_TOKENS=off, unless your code needs them',
      );
    return judge(database.keptTokens, (kept) =>
      kept > 0
        ? warning(
            `none are kept from now on, but ${kept} connections still have some from before`,
            'UPDATE social_connections SET sealed_tokens = NULL',
          )
        : ok('none are kept'),
    );
  },
};
