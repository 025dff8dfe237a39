import type { App } from '../app.ts';
import type { LoginExpired } from '../login/pipeline.ts';
import type { CredentialKind } from '../records/sessions.ts';
import * as usedIdTokens from '../records/used-id-tokens.ts';
import type { Caller } from './shared/outcomes.ts';
import {
  type BegunAtProvider,
  beginAtProvider,
  completeAtProvider,
  failed,
  findProvider,
  limitProviderSteps,
  noteFailure,
  type ProviderFailed,
  type ProviderNotFound,
  providerFailed,
} from './shared/provider-flow.ts';
import { logInFromProvider, type SocialLoginResult } from './shared/social-login.ts';

export type BeginProviderLoginResult = BegunAtProvider;
export type CompleteProviderLoginResult = SocialLoginResult | LoginExpired;
export type LogInWithProviderTokenResult = SocialLoginResult | ProviderNotFound;

/** Begins a login at a provider: says where the browser goes, and what the client keeps until it comes back. */
export async function beginProviderLogin(
  app: App,
  caller: Caller,
  input: { readonly provider: string; readonly redirectUrl: string; readonly credential: CredentialKind },
): Promise<BeginProviderLoginResult> {
  return beginAtProvider(app, caller, { purpose: 'LOG_IN', ...input });
}

/** Takes a login on whose browser has come back: for who holds its flow token and the code that the browser brought. */
export async function completeProviderLogin(
  app: App,
  caller: Caller,
  {
    flowToken,
    code,
    invitation = null,
  }: { readonly flowToken: string; readonly code: string; readonly invitation?: string | null | undefined },
): Promise<CompleteProviderLoginResult> {
  const limited = await limitProviderSteps(app, caller);
  if (limited) return limited;
  const came = await completeAtProvider(app, { purpose: 'LOG_IN', flowToken, code, sessionId: null });
  if (!came) return { kind: 'LoginExpired' };
  if (came.kind === 'ProviderFailed') return noted(app, caller, came);
  const { provider, word, credential } = came;
  if (!credential) throw new Error('a login at a provider was begun without a credential');
  return logInFromProvider(app, caller, { provider, word, credential, invitation });
}

export interface LogInWithProviderTokenInput {
  readonly provider: string;
  readonly idToken: string;
  readonly accessToken?: string | null | undefined;
  /** As the app gave it to the provider. */
  readonly nonce?: string | null | undefined;
  readonly credential: CredentialKind;
  /** The token of an invitation that they came with. */
  readonly invitation?: string | null | undefined;
}

/**
 * Logs somebody in with the ID token that an app got from the provider by itself. It must have been made for this operator's
 * clients, for the nonce that the app says, and is taken once.
 */
export async function logInWithProviderToken(
  app: App,
  caller: Caller,
  {
    provider: id,
    idToken,
    accessToken = null,
    nonce = null,
    credential,
    invitation = null,
  }: LogInWithProviderTokenInput,
): Promise<LogInWithProviderTokenResult> {
  const limited = await limitProviderSteps(app, caller);
  if (limited) return limited;
  const provider = findProvider(app, id);
  if (!provider) return { kind: 'ProviderNotFound' };
  if (!provider.acceptsTokens) return noted(app, caller, providerFailed('REJECTED'));
  const word = await app.providers.proveToken(provider, { idToken, nonce, accessToken });
  if (word.kind === 'fault') return noted(app, caller, failed(app, provider, word));
  const { digest, expiresAt } = word.use;
  return logInFromProvider(app, caller, {
    provider,
    word,
    credential,
    invitation,
    consume: ({ db }) => usedIdTokens.use(db, digest, expiresAt),
  });
}

async function noted(app: App, caller: Caller, failure: ProviderFailed): Promise<ProviderFailed> {
  await noteFailure(app, caller);
  return failure;
}
