import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { App } from '../app.ts';
import { type ActiveToken, introspectToken } from '../flows/introspect-token.ts';
import { authenticate } from '../flows/shared/authenticate.ts';
import { createServiceCheck, readBasicAuthorization, type ServiceCredential } from '../lib/service-credential.ts';

/** A token has at most 8 KiB. */
const MAX_BODY_BYTES = 64 * 1024;

/** Where services ask whose a token is (RFC 7662). */
export function introspectionRoutes(app: App): Hono {
  const routes = new Hono();
  const isService = createServiceCheck(app.config.services);

  routes.post(
    '/introspect',
    bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (context) => context.json({ error: 'invalid_request' }, 413) }),
    async (context) => {
      const form = await formOf(context);
      const service = form && serviceOf(context.req.header('authorization'), form);
      if (!form || !service) return context.json({ error: 'invalid_request' }, 400);
      if (service === 'nobody' || !isService(service)) {
        return context.json({ error: 'invalid_client' }, 401, { 'WWW-Authenticate': 'Basic realm="Postern"' });
      }
      const token = form.get('token');
      if (!token) return context.json({ error: 'invalid_request' }, 400);
      const viewer = await authenticate(app, { from: 'bearer', value: token });
      const result = await introspectToken(app, viewer, token);
      return context.json(result.kind === 'ActiveToken' ? claimsOf(app, result) : { active: false });
    },
  );
  return routes;
}

/** The parameters of a body; null if it is no form, or has one twice (RFC 6749 §3.2). */
async function formOf({ req }: Context): Promise<URLSearchParams | null> {
  if (!/^application\/x-www-form-urlencoded *(?:;|$)/i.test(req.header('content-type') ?? '')) return null;
  const form = new URLSearchParams(await req.text());
  return new Set(form.keys()).size === form.size ? form : null;
}

/**
 * Who asks, by `client_secret_basic` or `client_secret_post` (RFC 6749 §2.3.1).
 * @returns null for both at once
 */
function serviceOf(authorization: string | undefined, form: URLSearchParams): ServiceCredential | 'nobody' | null {
  const [id, secret] = [form.get('client_id'), form.get('client_secret')];
  if (authorization === undefined) return id === null || secret === null ? 'nobody' : { id, secret };
  if (secret !== null) return null;
  const service = readBasicAuthorization(authorization);
  // An id beside it may only say the same.
  return service && (id === null || id === service.id) ? service : 'nobody';
}

// RFC 7662 §2.2; times in seconds since the epoch.
function claimsOf({ config }: App, active: ActiveToken) {
  return {
    ...active.claims,
    active: true,
    sub: active.userId,
    sid: active.sessionId,
    iss: config.publicUrl,
    aud: config.accessToken.audience,
    iat: toSeconds(active.issuedAt),
    exp: toSeconds(active.expiresAt),
    auth_time: toSeconds(active.authenticatedAt),
    amr: active.methods,
    token_type: 'Bearer',
    roles: active.roles,
  };
}

function toSeconds(instant: Date): number {
  return Math.floor(instant.getTime() / 1000);
}
