import { type AdapterOptions, checkRequest, noteIdentity } from '../request.ts';
import type { Verifier } from '../verifier.ts';

interface HonoContext {
  readonly req: { readonly raw: Request };
}

/**
 * Middleware for Hono; handlers find who asks by `identityOf(context)`.
 * @param options `require` answers whoever is not identified with 401
 */
export function forHono(verifier: Verifier, options: AdapterOptions = {}) {
  return async (context: HonoContext, next: () => Promise<void>): Promise<Response | undefined> => {
    const checked = await checkRequest(verifier, context.req.raw.headers, options);
    if (checked.kind === 'Refusal') {
      const { status, headers, body } = checked;
      return Response.json(body, { status, headers });
    }
    noteIdentity(context, checked);
    await next();
    return undefined;
  };
}
