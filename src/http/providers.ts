import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { App } from '../app.ts';
import { returnFromProvider } from '../flows/return-from-provider.ts';
import { clientOf } from './client.ts';
import { html, inline, page, STYLE } from './html.ts';

/** What a provider sends with a browser is short. */
const MAX_BODY_BYTES = 16 * 1024;
const MAX_QUERY_LENGTH = 8 * 1024;

/** The request as Node has it, with its socket. */
interface Env {
  Bindings: HttpBindings;
}

const style = inline('style', STYLE);
const HEADERS = {
  'Content-Security-Policy': `default-src 'none'; style-src ${style.source}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
};

/**
 * Where providers send browsers back to: by a redirect, or by a form that is posted where the provider does that (OAuth
 * 2.0 Form Post Response Mode). Nothing of what comes is shown.
 */
export function providerRoutes(app: App): Hono<Env> {
  const routes = new Hono<Env>();

  async function answer(context: Context<Env>, parameters: URLSearchParams | null) {
    // Whoever only looks, such as a scanner of links, must not use up what the browser brings next.
    if (context.req.method === 'HEAD') return context.body(null, 204);
    const id = context.req.param('id') ?? '';
    const client = clientOf(context.env.incoming, app);
    const returned = await returnFromProvider(app, { client }, id, parameters ?? new URLSearchParams());
    switch (returned.kind) {
      case 'ReturnedFromProvider':
        // A form that was posted goes on by GET.
        return context.redirect(returned.url, 303);
      case 'RateLimited':
        return context.html(LIMITED, 429, { ...HEADERS, 'Retry-After': String(returned.retryAfter) });
      case 'ReturnNotExpected':
        return context.html(NOT_EXPECTED, 400, HEADERS);
    }
  }

  routes.get('/providers/:id/callback', (context) => answer(context, queryOf(context.req.url)));
  routes.post(
    '/providers/:id/callback',
    bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (context) => context.html(NOT_EXPECTED, 413, HEADERS) }),
    async (context) => answer(context, await formOf(app, context)),
  );
  return routes;
}

function queryOf(url: string): URLSearchParams | null {
  const query = url.includes('?') ? url.slice(url.indexOf('?') + 1) : '';
  return query.length > MAX_QUERY_LENGTH ? null : new URLSearchParams(query);
}

/** The form of a provider that posts one; of any other there is none. */
async function formOf({ config }: App, { req }: Context<Env>): Promise<URLSearchParams | null> {
  const posts = config.social.providers.some(({ id, formPost }) => formPost && id === req.param('id'));
  const isForm = /^application\/x-www-form-urlencoded *(?:;|$)/i.test(req.header('content-type') ?? '');
  return posts && isForm ? new URLSearchParams(await req.text()) : null;
}

const NOT_EXPECTED = page(
  'This login is over',
  style.tag,
  html`<main><h1>This login is over</h1>
<p>It was finished already, took too long, or did not begin here. Go back to where you wanted to log in, and begin again.</p></main>`,
);
const LIMITED = page(
  'Too many logins',
  style.tag,
  html`<main><h1>Too many logins</h1>
<p>There were too many logins from your network just now. Wait a minute, then begin again.</p></main>`,
);
