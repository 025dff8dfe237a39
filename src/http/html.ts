import { createHash } from 'node:crypto';
import { escapeHtml } from '../lib/escape-html.ts';

/** Markup that is safe to send: made by {@link html} alone. */
export interface Html {
  readonly markup: string;
}

/** Writes markup. Whatever is filled in is text, unless it was written by this, too. */
export function html(strings: TemplateStringsArray, ...values: readonly (string | Html | readonly Html[])[]): Html {
  const filled = values.map((value) => {
    if (typeof value === 'string') return escapeHtml(value);
    return 'markup' in value ? value.markup : value.map(({ markup }) => markup).join('');
  });
  return { markup: strings.reduce((before, after, index) => `${before}${filled[index - 1] ?? ''}${after}`) };
}

/** The style or script of a page, with the source expression by which a Content-Security-Policy allows it and no other. */
export function inline(tag: 'style' | 'script', text: string): { readonly tag: Html; readonly source: string } {
  const digest = createHash('sha256').update(text).digest('base64');
  return { tag: { markup: `<${tag}>${text}</${tag}>` }, source: `'sha256-${digest}'` };
}

/** A whole page. */
export function page(title: string, head: Html, body: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
${head}
</head>
<body>
${body}
</body>
</html>
`.markup;
}

/** What all pages look like. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1a1d21; --paper: #fff; --faint: #5b6470; --line: #d5dae0; --mark: #1d4ed8; --on-mark: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --paper: #16191d; --faint: #a3adb8; --line: #39414a; --mark: #93b4ff; --on-mark: #101828; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 2rem 1rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.5rem; line-height: 1.25; }
h2 { font-size: 1.125rem; margin-top: 2rem; }
a { color: var(--mark); overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
`;
