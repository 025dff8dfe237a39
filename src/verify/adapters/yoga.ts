import { type HeaderLines, linesOf } from '../credential.ts';
import type { Identity } from '../identity.ts';
import { type AdapterOptions, checkRequest } from '../request.ts';
import type { Verifier } from '../verifier.ts';
import type { NodeRequest } from './node.ts';
import { RequestRefused } from './request-refused.ts';

/** What Yoga knows of the server beneath it: on Node, the request as it came. */
interface ServerContext {
  readonly req?: NodeRequest;
}

interface RequestHook {
  readonly request: Request;
  readonly serverContext?: ServerContext | undefined;
  readonly fetchAPI: { readonly Response: typeof Response };
  endResponse(response: Response): void;
}

interface ContextHook {
  readonly context: ServerContext & { readonly request?: Request };
  extendContext(more: { readonly identity: Identity }): void;
}

/**
 * A plugin for Yoga, and for Envelop where the context has the `request`; resolvers find who asks as `context.identity`.
 * @param options `require` answers whoever is not identified with 401
 */
export function forYoga(verifier: Verifier, options: AdapterOptions = {}) {
  const seen = new WeakMap<Request, Identity>();
  return {
    async onRequest({ request, serverContext, fetchAPI, endResponse }: RequestHook): Promise<void> {
      const checked = await checkRequest(verifier, linesFrom(request, serverContext), options);
      if (checked.kind !== 'Refusal') {
        seen.set(request, checked);
        return;
      }
      const { status, headers, body } = checked;
      endResponse(fetchAPI.Response.json(body, { status, headers }));
    },
    async onContextBuilding({ context, extendContext }: ContextHook): Promise<void> {
      // An operation that came without a request, by a WebSocket, is whoever its connection is.
      const { request } = context;
      if (!request) return;
      const checked = seen.get(request) ?? (await checkRequest(verifier, linesFrom(request, context), options));
      if (checked.kind === 'Refusal') throw new RequestRefused(checked, { ...checked.headers });
      extendContext({ identity: checked });
    },
  };
}

// Node's own headers, which Yoga makes its request of, lack what came twice.
function linesFrom(request: Request, server: ServerContext | undefined): HeaderLines {
  return server?.req ? linesOf(server.req) : request.headers;
}
