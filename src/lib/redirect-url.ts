/** Where a browser may be sent back to: one URL, or every page of an origin. */
export type RedirectRule =
  | { readonly kind: 'exact'; readonly url: string }
  | { readonly kind: 'origin'; readonly origin: string };

/** Schemes whose URLs run or show something themselves. */
const UNFIT_SCHEMES = new Set([
  'javascript:',
  'data:',
  'blob:',
  'file:',
  'vbscript:',
  'about:',
  'view-source:',
  'ws:',
  'wss:',
  'ftp:',
]);
const MAX_LENGTH = 2_048;

/**
 * Reads a rule as the setting writes it: `https://app.example/welcome`, `https://app.example/*`, `com.example.app:/done`.
 * @returns null if it is neither a URL nor an origin followed by `/*`
 */
export function parseRedirectRule(text: string): RedirectRule | null {
  const origin = /^(.*)\/\*$/.exec(text)?.[1];
  const url = readUrl(origin === undefined ? text : `${origin}/`);
  if (!url || (origin !== undefined && (url.search !== '' || /[*]/.test(origin)))) return null;
  if (origin === undefined) return url.href.includes('*') ? null : { kind: 'exact', url: url.href };
  return url.host !== '' && url.pathname === '/' ? { kind: 'origin', origin: originOf(url) } : null;
}

/**
 * Whether a browser may be sent to a URL: it is compared whole, after the same parser that browsers use has read it, and
 * no spelling that parsers read differently is taken (OWASP ASVS 10.4.1).
 * @returns the URL; null if no rule names it
 */
export function allowedRedirect(rules: readonly RedirectRule[], text: string): URL | null {
  const url = readUrl(text);
  const allowed =
    url && rules.some((rule) => (rule.kind === 'exact' ? rule.url === url.href : rule.origin === originOf(url)));
  return allowed ? url : null;
}

/**
 * Reads a URL that no rule has to name, if somebody answers for it: https, http of this machine, or an app's own scheme,
 * which has a dot in it (RFC 8252 §7.1): so it is none that a system opens something else with.
 */
export function conceivableRedirect(text: string): URL | null {
  const url = readUrl(text);
  if (!url || url.protocol === 'https:') return url;
  if (url.protocol === 'http:') return LOOPBACK.test(url.hostname) ? url : null;
  return url.protocol.includes('.') ? url : null;
}

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

function readUrl(text: string): URL | null {
  // What is cut off, folded or taken for a slash by some parser means another place to another one.
  if (text.length > MAX_LENGTH || /[\s\\\p{C}#]/u.test(text) || !/^[a-z][a-z0-9+.-]*:/i.test(text)) return null;
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const isWeb = url.protocol === 'https:' || url.protocol === 'http:';
  if (UNFIT_SCHEMES.has(url.protocol) || url.username !== '' || url.password !== '' || url.hash !== '') return null;
  return isWeb && !/^https?:\/\/[^/]/i.test(text) ? null : url;
}

/** Of an app's own scheme too, for which `origin` is opaque. */
function originOf({ protocol, host }: URL): string {
  return `${protocol}//${host}`;
}
