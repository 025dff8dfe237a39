import type { IncomingHttpHeaders } from 'node:http';

/**
 * Whether a page of this origin may talk to us, whatever it sends: a login needs no cookie to be forged. Programs that
 * are no browsers send none of these headers and pass.
 *
 * Browsers name the origin with every POST and every cross-origin request; where they name none, Sec-Fetch-Site and at
 * last Referer tell (OWASP, Cross-Site Request Forgery Prevention).
 */
export function isAllowedOrigin(headers: IncomingHttpHeaders, allowed: readonly string[]): boolean {
  if (headers.origin !== undefined) return allowed.includes(headers.origin);
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  if (headers.referer !== undefined)
    return URL.canParse(headers.referer) && allowed.includes(new URL(headers.referer).origin);
  return true;
}

/** The CORS headers for an allowed origin (Fetch standard §3.3), names and values in turn; every answer varies by it. */
export function corsHeaders(origin: string | undefined, allowed: readonly string[]): readonly string[] {
  if (origin === undefined || !allowed.includes(origin)) return [];
  return [
    ...['Access-Control-Allow-Origin', origin],
    ...['Access-Control-Allow-Credentials', 'true'],
    ...['Access-Control-Expose-Headers', 'X-Request-Id'],
  ];
}

/** What a preflight of an allowed origin is told, names and values in turn. */
export const PREFLIGHT_HEADERS: readonly string[] = [
  ...['Access-Control-Allow-Methods', 'GET, POST'],
  ...['Access-Control-Allow-Headers', 'Content-Type, Authorization, X-Session-Token, Accept'],
  ...['Access-Control-Max-Age', '600'],
];
