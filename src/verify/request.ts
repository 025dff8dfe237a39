import { credentialIn, type HeaderLines, SEVERAL } from './credential.ts';
import { VerifierUnavailable } from './fetch-json.ts';
import type { Identity, Unidentified } from './identity.ts';
import type { Verifier } from './verifier.ts';

export interface AdapterOptions {
  /** Whether nobody gets through who is not identified: the adapter itself answers 401. */
  readonly require?: boolean;
}

/** An answer that an adapter gives by itself. */
export interface Refusal {
  readonly kind: 'Refusal';
  readonly status: 400 | 401 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly error: string };
}

/**
 * Finds out who asks. A bad credential is nobody, with the reason; more than one is refused, and so is everybody while
 * Postern has to be asked and does not answer.
 */
export async function checkRequest(
  verifier: Verifier,
  lines: HeaderLines,
  { require: isRequired = false }: AdapterOptions,
): Promise<Identity | Refusal> {
  const token = credentialIn(lines);
  if (token === SEVERAL) return refusal(400, 'invalid_request', bearer('invalid_request'));
  try {
    const identity = await verifier.verify(token);
    return isRequired && identity.kind === 'Unidentified' ? unauthorized(identity) : identity;
  } catch (error) {
    if (!(error instanceof VerifierUnavailable)) throw error;
    return refusal(503, 'temporarily_unavailable', { 'Retry-After': '1' });
  }
}

// RFC 6750 §3.1: whoever shows nothing is not told of an error.
function unauthorized({ reason }: Unidentified): Refusal {
  if (reason === 'NO_CREDENTIAL') return refusal(401, 'unauthorized', { 'WWW-Authenticate': 'Bearer realm="Postern"' });
  return refusal(401, 'invalid_token', bearer('invalid_token'));
}

function bearer(error: string) {
  return { 'WWW-Authenticate': `Bearer realm="Postern", error="${error}"` };
}

function refusal(status: Refusal['status'], error: string, headers: Record<string, string>): Refusal {
  return { kind: 'Refusal', status, headers: { ...headers, 'Cache-Control': 'no-store' }, body: { error } };
}

const identities = new WeakMap<object, Identity>();

/** Notes who asks, for {@link identityOf}. */
export function noteIdentity(request: object, identity: Identity): void {
  identities.set(request, identity);
}

/**
 * Who asks, as an adapter has found out.
 * @param request what the framework hands to a handler: the request of Express or Fastify, the context of Hono
 * @throws Error if no adapter has looked at it: nobody is let in because one was forgotten
 */
export function identityOf(request: object): Identity {
  const identity = identities.get(request);
  if (!identity) throw new Error('no adapter of postern/verify has looked at this request');
  return identity;
}
