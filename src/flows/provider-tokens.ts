import { setTimeout as pause } from 'node:timers/promises';
import type { App, ProviderTokens } from '../app.ts';
import { isUuid } from '../lib/uuid.ts';
import type { KeptTokens } from '../records/social-connections.ts';
import * as connections from '../records/social-connections.ts';
import { failed, findProvider } from './shared/provider-flow.ts';

/** Milliseconds before its end from which on a token is renewed: it is to last for the call it is taken for. */
const RENEW_BEFORE_MS = 60_000;
/** Milliseconds within which another instance that has used a refresh token up writes down what it got. */
const ANOTHER_WRITES_MS = 500;

/** Tokens that are being renewed by this process. Each refresh token works once. */
const renewals = new Map<string, Promise<string | null>>();

/**
 * A token for calls to a provider in the name of a person, renewed if it is about to end. For the operator's own code:
 * no client gets to see one.
 * @returns null if none is kept, or the provider takes none of it any more
 */
export async function providerAccessToken(
  app: App,
  of: { readonly userId: string; readonly provider: string },
): Promise<string | null> {
  if (!isUuid(of.userId)) return null;
  const [kept] = await connections.tokensOf(app.database, of.userId, of.provider);
  const tokens = kept && open(app, kept);
  if (!kept || !tokens) return null;
  if (!isEnding(app, tokens)) return tokens.accessToken;
  const running = renewals.get(kept.sealedTokens);
  if (running) return running;
  const renewal = renew(app, kept, tokens).finally(() => renewals.delete(kept.sealedTokens));
  renewals.set(kept.sealedTokens, renewal);
  return renewal;
}

async function renew(app: App, kept: KeptTokens, { refreshToken }: ProviderTokens): Promise<string | null> {
  const provider = findProvider(app, kept.provider);
  if (!provider || refreshToken === null) return null;
  const renewed = await app.providers.refresh(provider, refreshToken);
  if (renewed.kind === 'fault') {
    // Another instance may have used the refresh token up, and be about to write down what it got.
    await pause(ANOTHER_WRITES_MS);
    const theirs = await current(app, kept);
    if (theirs === null) failed(app, provider, renewed);
    return theirs;
  }
  const { kind: _, ...tokens } = renewed;
  const sealed = app.cipher.seal(JSON.stringify(tokens), connections.tokensSealedFor(kept.id));
  const replaced = await connections.replaceTokens(app.database, kept.id, kept.sealedTokens, sealed);
  return replaced ? tokens.accessToken : current(app, kept);
}

/** What is kept by now; null if it is no more than it was. */
async function current(app: App, { id, sealedTokens }: KeptTokens): Promise<string | null> {
  const kept = await connections.tokensOfConnection(app.database, id);
  return kept && kept.sealedTokens !== sealedTokens ? (open(app, kept)?.accessToken ?? null) : null;
}

function open({ cipher }: App, { id, sealedTokens }: KeptTokens): ProviderTokens | null {
  const opened = cipher.open(sealedTokens, connections.tokensSealedFor(id));
  return opened === null ? null : JSON.parse(opened);
}

function isEnding({ clock }: App, { expiresAt }: ProviderTokens): boolean {
  return expiresAt !== null && Date.parse(expiresAt) - RENEW_BEFORE_MS <= clock().getTime();
}
