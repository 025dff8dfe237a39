import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { App } from '../app.ts';
import { chooseHasuraRole } from '../flows/choose-hasura-role.ts';
import { authenticate } from '../flows/shared/authenticate.ts';
import { sessionCookie } from './cookie.ts';
import { presentedCredential, TOO_MANY_CREDENTIALS } from './credentials.ts';

/** By POST comes the operation too, which may be long. */
const MAX_BODY_BYTES = 256 * 1024;

/** In which role a client wants to act. */
const ROLE = 'x-hasura-role';

interface Env {
  Bindings: HttpBindings;
}

/**
 * Hasura's auth webhook. Hasura passes on what its client sent, as headers by GET and in the body by POST, and knows two
 * answers: 200 with session variables, and 401.
 */
export function hasuraRoutes(app: App): Hono<Env> {
  const routes = new Hono<Env>();
  const cookie = sessionCookie(app.config.publicUrl).name;
  const refuse = (context: Context) => context.json({ error: 'unauthorized' }, 401);

  async function answer(context: Context<Env>, rawHeaders: readonly string[] | null) {
    const asked = rawHeaders && askedBy(rawHeaders, cookie);
    if (!asked) return refuse(context);
    const viewer = await authenticate(app, asked.credential);
    const result = chooseHasuraRole(app, viewer, asked.role);
    if (result.kind === 'HasuraRoleRefused') return refuse(context);
    const seconds = Math.max(0, Math.floor((result.expiresAt.getTime() - app.clock().getTime()) / 1000));
    return context.json({ 'X-Hasura-User-Id': result.userId, 'X-Hasura-Role': result.role }, 200, {
      'Cache-Control': `private, max-age=${seconds}`,
      Expires: result.expiresAt.toUTCString(),
    });
  }

  routes.get('/hasura', (context) => answer(context, context.env.incoming.rawHeaders));
  routes.post('/hasura', bodyLimit({ maxSize: MAX_BODY_BYTES, onError: refuse }), async (context) =>
    answer(context, headersIn(await context.req.text())),
  );
  return routes;
}

/**
 * What a client showed Hasura.
 * @returns null for more than one credential or role, and for a cookie: a page of any origin can have a browser send
 * that to Hasura, which nobody asks about its origin as we do
 */
function askedBy(rawHeaders: readonly string[], cookieName: string) {
  const credential = presentedCredential({ rawHeaders: [...rawHeaders] }, cookieName);
  const roles = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === ROLE);
  if (credential === TOO_MANY_CREDENTIALS || credential?.from === 'cookie' || roles.length > 1) return null;
  return { credential, role: roles[0] ?? null };
}

/** The headers in a body, names and values in turn; null unless it is `{ headers: { … } }` with texts in it. */
function headersIn(body: string): string[] | null {
  try {
    const headers = Object.entries(JSON.parse(body).headers);
    return headers.length > 0 && headers.flat().every((text) => typeof text === 'string')
      ? (headers.flat() as string[])
      : null;
  } catch {
    return null;
  }
}
