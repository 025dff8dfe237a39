import { linesOf } from '../credential.ts';
import { type AdapterOptions, checkRequest, noteIdentity } from '../request.ts';
import type { Verifier } from '../verifier.ts';
import type { NodeRequest } from './node.ts';

interface FastifyRequest {
  readonly raw: NodeRequest;
}

interface FastifyReply {
  code(status: number): unknown;
  headers(headers: Record<string, string>): unknown;
  send(body: object): unknown;
}

/**
 * A hook for Fastify (`onRequest`); handlers find who asks by `identityOf(request)`.
 * @param options `require` answers whoever is not identified with 401
 */
export function forFastify(verifier: Verifier, options: AdapterOptions = {}) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const checked = await checkRequest(verifier, linesOf(request.raw), options);
    if (checked.kind === 'Refusal') {
      reply.code(checked.status);
      reply.headers(checked.headers);
      return reply.send(checked.body);
    }
    noteIdentity(request, checked);
    return undefined;
  };
}
