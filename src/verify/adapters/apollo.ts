import { linesOf } from '../credential.ts';
import type { Identity } from '../identity.ts';
import { type AdapterOptions, checkRequest } from '../request.ts';
import type { Verifier } from '../verifier.ts';
import type { NodeRequest } from './node.ts';
import { RequestRefused } from './request-refused.ts';

/**
 * The `context` of Apollo Server; resolvers find who asks as `context.identity`.
 * @param options `require` answers whoever is not identified with 401
 */
export function forApollo(verifier: Verifier, options: AdapterOptions = {}) {
  return async ({ req }: { readonly req: NodeRequest }): Promise<{ identity: Identity }> => {
    const checked = await checkRequest(verifier, linesOf(req), options);
    // Apollo wants its headers as a Map.
    if (checked.kind === 'Refusal') throw new RequestRefused(checked, new Map(Object.entries(checked.headers)));
    return { identity: checked };
  };
}
