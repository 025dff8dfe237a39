import { linesOf } from '../credential.ts';
import type { Identity } from '../identity.ts';
import { type AdapterOptions, checkRequest, type Refusal } from '../request.ts';
import type { Verifier } from '../verifier.ts';

/** A request of node:http, as far as this needs one. */
export interface NodeRequest {
  readonly rawHeaders: readonly string[];
}

/** A response of node:http likewise. */
export interface NodeResponse {
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(body: string): unknown;
}

/**
 * For node:http: gives who asks, or null once the answer was given here.
 * @param options `require` answers whoever is not identified with 401
 */
export function forNode(verifier: Verifier, options: AdapterOptions = {}) {
  return async (request: NodeRequest, response: NodeResponse): Promise<Identity | null> => {
    const checked = await checkRequest(verifier, linesOf(request), options);
    if (checked.kind !== 'Refusal') return checked;
    sendRefusal(response, checked);
    return null;
  };
}

export function sendRefusal(response: NodeResponse, { status, headers, body }: Refusal): void {
  response.writeHead(status, { ...headers, 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}
