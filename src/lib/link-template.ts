declare const parsed: unique symbol;

/** The address of a page, with `{token}` where the token belongs. Only {@link parseLinkTemplate} makes one. */
export type LinkTemplate = string & { readonly [parsed]: true };

// The token stands behind the host: in it, it would be told to every name server on the way. Only an app may do without
// a host; of `https:///page` a browser makes `https://page`. Who reads `https://somebody@host` is easily mistaken about
// where it leads.
const WEB = /^https?:\/\/[^/?#@]+[/?#].*\{token\}/i;
const APP = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@]*[/?#].*\{token\}/i;
// Schemes that run what they carry, that name a file, or that a browser reads as it reads https.
const NO_APP = /^(?:https?|javascript|vbscript|data|blob|file|about|ftp|wss?):/i;

/**
 * Reads the template of a link as settings write it: an absolute http or https URL, or one of an app's own scheme
 * (`myapp://verify/{token}`), with `{token}` once. A leading `{frontend}` stands for where the app lives.
 * @returns null for any other text
 */
export function parseLinkTemplate(text: string): LinkTemplate | null {
  const template = withFrontend(text, 'https://frontend.example');
  const leads = WEB.test(template) || (APP.test(template) && !NO_APP.test(template));
  if (!leads || /[\s\p{Cc}"'<>\\^`|]/u.test(template)) return null;
  const filled = template.replace('{token}', 'x');
  return /[{}]/.test(filled) || !URL.canParse(filled) ? null : (text as LinkTemplate);
}

/** The template with the frontend's URL in place of `{frontend}`. */
export function withFrontend<T extends string>(template: T, frontendUrl: string): T {
  return template.replace(/^\{frontend\}(?=[/?#])/, () => frontendUrl) as T;
}

/** The link that carries this token. */
export function linkWith(template: LinkTemplate, token: string): string {
  return template.replace('{token}', () => encodeURIComponent(token));
}
