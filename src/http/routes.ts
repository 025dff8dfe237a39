import { setTimeout as pause } from 'node:timers/promises';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import type { App } from '../app.ts';
import type { Lifecycle } from './handler.ts';
import { hasuraRoutes } from './hasura.ts';
import { introspectionRoutes } from './introspection.ts';
import { outboxRoutes } from './outbox.ts';
import { linkPages } from './pages.ts';
import { providerRoutes } from './providers.ts';

/** Verifiers may keep the keys for so long; a new key stands here for twice that before it signs. */
const JWKS_MAX_AGE_SECONDS = 300;

/** A database that takes longer than this is none to send people to. */
const READY_WITHIN_MS = 2_000;

/** The routes beside GraphQL. */
export function createRoutes(app: App, lifecycle: Lifecycle): Hono<{ Bindings: HttpBindings }> {
  const routes = new Hono<{ Bindings: HttpBindings }>();

  routes.onError((error, context) => {
    const id = context.env.outgoing.getHeader('X-Request-Id');
    // A client that goes away in the middle of a request is no fault of ours.
    if (!context.env.incoming.errored) app.log.error({ err: error, requestId: id }, 'a request failed');
    return context.json({ error: 'temporarily_unavailable', id }, 503, { 'Retry-After': '1' });
  });

  routes.get('/health/live', (context) => context.json({ status: 'live' }));
  routes.get('/health/ready', async (context) => {
    const ready = !lifecycle.draining && (await isDatabaseReachable(app));
    return ready ? context.json({ status: 'ready' }) : context.json({ status: 'unavailable' }, 503);
  });

  const hasServices = app.config.services.length > 0;
  routes.get('/.well-known/jwks.json', (context) => context.json({ keys: app.keys.publicKeys() }, 200, cacheable));
  routes.get('/.well-known/openid-configuration', (context) =>
    context.json(
      {
        issuer: app.config.publicUrl,
        jwks_uri: `${app.config.publicUrl}/.well-known/jwks.json`,
        id_token_signing_alg_values_supported: [app.config.accessToken.algorithm],
        subject_types_supported: ['public'],
        ...(hasServices ? introspectionMetadata(app) : {}),
      },
      200,
      cacheable,
    ),
  );

  if (hasServices) routes.route('/', introspectionRoutes(app));
  if (app.config.hasura) routes.route('/', hasuraRoutes(app));
  routes.route('/', providerRoutes(app));
  if (app.outbox) routes.route('/', outboxRoutes(app.outbox, app.config.publicUrl));
  // The links of mails lead to the frontend; without one they lead here.
  if (app.config.frontendUrl === app.config.publicUrl) routes.route('/', linkPages(app.config.mail));

  // Another method on a path that is known; HEAD is answered above, as GET without its body.
  const known = [...routes.routes];
  for (const path of new Set(known.map((route) => route.path))) {
    const takes = (method: string) => known.some((route) => route.path === path && route.method === method);
    const Allow = [takes('GET') ? ['GET', 'HEAD'] : [], takes('POST') ? ['POST'] : []].flat().join(', ');
    routes.all(path, (context) => context.text('405 Method Not Allowed', 405, { Allow }));
  }
  return routes;
}

// RFC 8414 §2.
function introspectionMetadata({ config }: App) {
  return {
    introspection_endpoint: `${config.publicUrl}/introspect`,
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
  };
}

// Keys are for every verifier, browsers on other origins included.
const cacheable = {
  'Cache-Control': `public, max-age=${JWKS_MAX_AGE_SECONDS}`,
  'Access-Control-Allow-Origin': '*',
  'Cross-Origin-Resource-Policy': 'cross-origin',
};

async function isDatabaseReachable({ database }: App): Promise<boolean> {
  try {
    return await Promise.race([
      database.query`SELECT 1`.then(() => true),
      pause(READY_WITHIN_MS, false, { ref: false }),
    ]);
  } catch {
    return false;
  }
}
