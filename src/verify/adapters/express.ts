import { linesOf } from '../credential.ts';
import { type AdapterOptions, checkRequest, noteIdentity } from '../request.ts';
import type { Verifier } from '../verifier.ts';
import { type NodeRequest, type NodeResponse, sendRefusal } from './node.ts';

/**
 * Middleware for Express; handlers find who asks by `identityOf(request)`.
 * @param options `require` answers whoever is not identified with 401
 */
export function forExpress(verifier: Verifier, options: AdapterOptions = {}) {
  return (request: NodeRequest, response: NodeResponse, next: (error?: unknown) => void): void => {
    checkRequest(verifier, linesOf(request), options).then((checked) => {
      if (checked.kind === 'Refusal') return sendRefusal(response, checked);
      noteIdentity(request, checked);
      next();
    }, next);
  };
}
