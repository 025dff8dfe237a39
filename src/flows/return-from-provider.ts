import type { App } from '../app.ts';
import { makeToken } from '../lib/secrets.ts';
import * as providerFlows from '../records/provider-flows.ts';
import type { Caller, RateLimited } from './shared/outcomes.ts';
import { findProvider, limitProviderSteps, sealResponse } from './shared/provider-flow.ts';

/** Where the browser goes on to. */
export interface ReturnedFromProvider {
  readonly kind: 'ReturnedFromProvider';
  readonly url: string;
}

/** Nobody of ours sent this browser there, or they came back already, or took too long. */
export interface ReturnNotExpected {
  readonly kind: 'ReturnNotExpected';
}

/** What a redirect may carry for us (RFC 6749 §4.1.2, RFC 9207, and `user` of Sign in with Apple). */
const PARAMETERS = ['state', 'code', 'iss', 'error', 'user'] as const;
const MAX_LENGTH: Readonly<Record<(typeof PARAMETERS)[number], number>> = {
  state: 128,
  code: 4_096,
  iss: 1_024,
  error: 64,
  user: 4_096,
};

/** The errors that clients are told by name; a provider's own words go no further (RFC 6749 §4.1.2.1, OpenID Connect Core 1.0 §3.1.2.6). */
const ERRORS = new Set([
  'access_denied',
  'account_selection_required',
  'consent_required',
  'interaction_required',
  'invalid_request',
  'invalid_scope',
  'login_required',
  'server_error',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_response_type',
]);

/**
 * Takes what a provider sent back with the browser, once, and sends the browser on to the client with a code of ours. What
 * it is worth is found out when the client asks: nothing that anybody sends here makes us call the provider.
 */
export async function returnFromProvider(
  app: App,
  caller: Pick<Caller, 'client'>,
  id: string,
  parameters: URLSearchParams,
): Promise<ReturnedFromProvider | ReturnNotExpected | RateLimited> {
  const limited = await limitProviderSteps(app, caller);
  if (limited) return limited;
  const provider = findProvider(app, id);
  const [state, ...states] = parameters.getAll('state');
  if (!provider || state === undefined || states.length > 0) return { kind: 'ReturnNotExpected' };

  const response = read(parameters);
  const code = response.error === undefined ? makeToken('return') : null;
  const redirectUrl = await providerFlows.noteReturn(
    app.database,
    { provider: provider.id, state, code, sealedResponse: sealResponse(app, response) },
    app.clock(),
  );
  if (redirectUrl === null) return { kind: 'ReturnNotExpected' };
  const url = new URL(redirectUrl);
  if (code === null)
    url.searchParams.set('error', ERRORS.has(response.error ?? '') ? (response.error ?? '') : 'server_error');
  else url.searchParams.set('code', code);
  return { kind: 'ReturnedFromProvider', url: url.href };
}

/** The parameters that mean something to us, each once and no longer than it may be; else an error in their place. */
function read(parameters: URLSearchParams): Readonly<Record<string, string>> {
  const response: Record<string, string> = {};
  for (const name of PARAMETERS) {
    const values = parameters.getAll(name);
    // Which of two is meant is not for us to guess.
    if (values.length > 1 || (values[0]?.length ?? 0) > MAX_LENGTH[name]) return { error: 'invalid_request' };
    if (values[0]) response[name] = values[0];
  }
  return response.error === undefined && response.code === undefined ? { error: 'invalid_request' } : response;
}
