import { randomBytes } from 'node:crypto';
import type { App, FlowSecrets, ProvenIdentity, ProviderFault } from '../../app.ts';
import type { Config } from '../../config.ts';
import { addressKey } from '../../lib/client-address.ts';
import { allowedRedirect, conceivableRedirect } from '../../lib/redirect-url.ts';
import { makeToken } from '../../lib/secrets.ts';
import type { Provider } from '../../providers/provider.ts';
import type { ProviderFlowPurpose } from '../../records/provider-flows.ts';
import * as providerFlows from '../../records/provider-flows.ts';
import type { CredentialKind } from '../../records/sessions.ts';
import { transact } from '../../unit.ts';
import { type Caller, type InvalidInput, invalidInput, type RateLimited, rateLimited } from './outcomes.ts';

/** Where the browser goes, and what its client keeps meanwhile. */
export interface ProviderRedirect {
  readonly kind: 'ProviderRedirect';
  readonly flowToken: string;
  readonly expiresAt: Date;
  readonly url: string;
}

export interface ProviderNotFound {
  readonly kind: 'ProviderNotFound';
}

/**
 * Nobody came back.
 * - `CANCELLED`: the person said no there.
 * - `DENIED`: a rule of this operator, or of the account, lets them in no more.
 * - `UNREACHABLE`: the provider does not answer, or not as one does.
 * - `REJECTED`: what came back does not hold.
 */
export interface ProviderFailed {
  readonly kind: 'ProviderFailed';
  readonly reason: 'CANCELLED' | 'DENIED' | 'UNREACHABLE' | 'REJECTED';
}

export type BegunAtProvider = ProviderRedirect | ProviderNotFound | ProviderFailed | InvalidInput | RateLimited;

/** Milliseconds for the way there and back (OWASP ASVS 10.1.2). */
const FLOW_MS = 600_000;
const SECRETS = 'provider flow';
const RESPONSE = 'provider response';

/** The redirect URI of a provider, as it is registered there. */
export function callbackUrl({ publicUrl }: Pick<Config, 'publicUrl'>, { id }: Pick<Provider, 'id'>): string {
  return `${publicUrl}/providers/${id}/callback`;
}

export function providerFailed(reason: ProviderFailed['reason']): ProviderFailed {
  return { kind: 'ProviderFailed', reason };
}

/** Finds a provider that is switched on. */
export function findProvider({ config }: Pick<App, 'config'>, id: string): Provider | null {
  return config.social.providers.find((provider) => provider.id === id) ?? null;
}

/** How people know a provider, also one that is switched off by now. */
export function providerNamed(app: Pick<App, 'config'>, id: string): Pick<Provider, 'id' | 'name' | 'acceptsTokens'> {
  return findProvider(app, id) ?? { id, name: id, acceptsTokens: false };
}

/** Counts a step of a way to a provider and back. Null: it may go on. */
export async function limitProviderSteps(app: App, { client }: Pick<Caller, 'client'>): Promise<RateLimited | null> {
  const wait = await app.limiter.count({ limit: 'providerPerAddress', key: addressKey(client.ipAddress) });
  return wait === null ? null : rateLimited(wait);
}

/** Begins a way to a provider: nothing that comes back later is taken but for it, by this client, once. */
export async function beginAtProvider(
  app: App,
  caller: Caller,
  asked: {
    readonly purpose: ProviderFlowPurpose;
    readonly provider: string;
    readonly redirectUrl: string;
    readonly credential?: CredentialKind;
    readonly sessionId?: string;
  },
): Promise<BegunAtProvider> {
  const limited = await limitProviderSteps(app, caller);
  if (limited) return limited;
  const provider = findProvider(app, asked.provider);
  if (!provider) return { kind: 'ProviderNotFound' };
  const redirectUrl = await safeRedirect(app, asked.redirectUrl);
  if (!redirectUrl)
    return invalidInput({ path: ['redirectUrl'], code: asked.redirectUrl === '' ? 'REQUIRED' : 'NOT_ALLOWED' });

  const secrets: FlowSecrets = {
    state: makeToken('state'),
    nonce: randomBytes(32).toString('base64url'),
    codeVerifier: randomBytes(32).toString('base64url'),
  };
  const sent = await app.providers.authorizationUrl(provider, callbackUrl(app.config, provider), secrets);
  if (sent.kind === 'fault') return failed(app, provider, sent);
  const now = app.clock();
  const expiresAt = new Date(now.getTime() + FLOW_MS);
  const flowToken = await providerFlows.begin(
    app.database,
    {
      purpose: asked.purpose,
      provider: provider.id,
      state: secrets.state,
      redirectUrl: redirectUrl.href,
      credential: asked.credential ?? null,
      sessionId: asked.sessionId ?? null,
      sealedSecrets: app.cipher.seal(JSON.stringify(secrets), SECRETS),
      expiresAt,
    },
    now,
  );
  return { kind: 'ProviderRedirect', flowToken, expiresAt, url: sent.url };
}

/** Where the browser may come back to: by the settings, unless the operator's hook knows better. */
async function safeRedirect({ config, hooks }: App, text: string): Promise<URL | null> {
  const listed = allowedRedirect(config.social.redirects, text);
  const asked = listed ?? conceivableRedirect(text);
  if (!hooks.isSafeRedirect || !asked) return listed;
  const safe = await hooks.isSafeRedirect({ url: asked.href, listed: listed !== null });
  return (safe ?? listed !== null) ? asked : null;
}

/** Seals what a provider sent back with the browser, until its client asks for it. */
export function sealResponse({ cipher }: Pick<App, 'cipher'>, response: Readonly<Record<string, string>>): string {
  return cipher.seal(JSON.stringify(response), RESPONSE);
}

/** Somebody came back from a provider, and it says who. */
export interface CameBack {
  readonly kind: 'came back';
  readonly provider: Provider;
  readonly word: ProvenIdentity;
  readonly credential: CredentialKind | null;
}

/**
 * Ends a way to a provider, for the client that began it and shows what the browser brought. It is used up before the
 * provider is asked, so that of fifty at once one asks.
 * @returns null if there is none to be ended
 */
export async function completeAtProvider(
  app: App,
  shown: Parameters<typeof providerFlows.complete>[1],
): Promise<CameBack | ProviderFailed | null> {
  const flow = await providerFlows.complete(app.database, shown, app.clock());
  const provider = flow && findProvider(app, flow.provider);
  if (!flow) return null;
  // It was switched off meanwhile.
  if (!provider) return providerFailed('DENIED');
  const secrets = app.cipher.open(flow.sealedSecrets, SECRETS);
  const response = app.cipher.open(flow.sealedResponse, RESPONSE);
  if (secrets === null || response === null) return null;
  const { error, ...parameters }: Record<string, string> = JSON.parse(response);
  if (error !== undefined) {
    const reason = reasonOf(error);
    app.log.warn({ provider: provider.id, reason, because: [error] }, 'a provider let nobody through');
    return providerFailed(reason);
  }
  const word = await app.providers.prove(provider, callbackUrl(app.config, provider), JSON.parse(secrets), parameters);
  if (word.kind === 'fault') return failed(app, provider, word);
  return { kind: 'came back', provider, word, credential: flow.credential };
}

/** Notes for the operator why a provider let nobody through; the client is told no more than the reason. */
export function failed({ log }: Pick<App, 'log'>, { id }: Provider, { reason, cause }: ProviderFault): ProviderFailed {
  log.warn({ err: cause, provider: id, reason, because: messagesOf(cause) }, 'a provider let nobody through');
  return providerFailed(reason);
}

/** Notes a login that came to nothing. */
export async function noteFailure(app: App, { client }: Caller, userId: string | null = null): Promise<void> {
  await transact(app, client, async ({ emit }) => emit({ kind: 'LoginFailed', userId, method: 'PROVIDER' }));
}

/**
 * What it says itself, and the provider's error by its registered name (RFC 6749 §5.2). What a parser says quotes what it
 * read, which may be a token.
 */
function messagesOf(fault: unknown): string[] {
  const messages: string[] = [];
  for (let cause = fault; cause instanceof Error && messages.length < 5; cause = cause.cause) {
    messages.push(cause instanceof SyntaxError ? 'not JSON' : cause.message);
    const { error, expected, body, attribute } = { ...cause, ...(cause.cause as object | undefined) } as Record<
      string,
      unknown
    >;
    if (typeof error === 'string' && /^[a-z_]{1,64}$/.test(error)) messages.push(error);
    if (attribute === 'issuer')
      messages.push(`${expected} was expected, and came ${(body as { issuer?: unknown }).issuer}`);
  }
  return messages;
}

const CANCELLED = new Set(['access_denied', 'user_cancelled_authorize', 'user_cancelled_login', 'user_denied']);
const BUSY = new Set(['server_error', 'temporarily_unavailable']);

function reasonOf(error: string): ProviderFailed['reason'] {
  if (CANCELLED.has(error)) return 'CANCELLED';
  return BUSY.has(error) ? 'UNREACHABLE' : 'REJECTED';
}
