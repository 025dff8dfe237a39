/** What a page of ours may do: nothing. GraphiQL, in development, has its own. */
const CONTENT_SECURITY_POLICY = "default-src 'none'; frame-ancestors 'none'";

/** Two years, as the preload lists ask; only meaningful, and only sent, where the gateway is reached over https. */
const STRICT_TRANSPORT_SECURITY = 'max-age=63072000; includeSubDomains';

/** The headers of every answer, errors included (OWASP ASVS 3.4). */
export function securityHeaders(publicUrl: string): ReadonlyMap<string, string> {
  const headers = new Map([
    ['Cache-Control', 'no-store'],
    ['Content-Security-Policy', CONTENT_SECURITY_POLICY],
    ['Cross-Origin-Resource-Policy', 'same-site'],
    ['Referrer-Policy', 'no-referrer'],
    ['Vary', 'Origin'],
    ['X-Content-Type-Options', 'nosniff'],
    ['X-Frame-Options', 'DENY'],
  ]);
  if (publicUrl.startsWith('https://')) headers.set('Strict-Transport-Security', STRICT_TRANSPORT_SECURITY);
  return headers;
}
