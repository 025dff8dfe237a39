import type { IncomingMessage, ServerResponse } from 'node:http';
import { EXAMPLES } from '../graphql/examples.ts';

/** The page runs scripts, styles and workers of its own and talks to this origin only. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
  "worker-src 'self' blob:",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * GraphiQL remembers its tabs and, at the next visit, hides them behind a new empty one. Without them each visit begins
 * with the conversation.
 */
const FORGET_TABS = "<script>try { localStorage.removeItem('graphiql:tabState'); } catch {}</script>";

/** Whether somebody opened the endpoint in a browser, rather than sending a query. */
export function wantsGraphiQL({ method, headers, url = '' }: IncomingMessage): boolean {
  return method === 'GET' && Boolean(headers.accept?.includes('text/html')) && !/[?&]query=/.test(url);
}

/** Shows GraphiQL with a conversation to play. It comes with the gateway: nothing is loaded from elsewhere. */
export async function sendGraphiQL(response: ServerResponse): Promise<void> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const page = renderGraphiQL({ title: 'Postern', defaultQuery: EXAMPLES, credentials: 'same-origin' });
  response.writeHead(200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': CONTENT_SECURITY_POLICY,
    // The page asks for its own origin's answers, and the browser names that origin only with a policy that lets it.
    'Referrer-Policy': 'same-origin',
  });
  response.end(page.replace('<head>', `<head>${FORGET_TABS}`));
}
