import { Hono } from 'hono';
import { hexColor, textColorOn } from '../lib/color.ts';
import { type Html, html, inline, page, STYLE } from './html.ts';
import { SCRIPT } from './pages/script.ts';

const script = inline('script', SCRIPT);

/** Whose pages these are, as people see it. */
export interface PageBrand {
  readonly product: string;
  /** `#rrggbb` */
  readonly color: string;
}

const styleOf = ({ color }: PageBrand) =>
  inline(
    'style',
    `${STYLE}
.product { margin: 0; font-weight: 600; color: var(--faint); }
main { max-width: 28rem; margin: 10vh auto 0; }
label { display: block; font-weight: 600; }
input { width: 100%; margin: .25rem 0 1rem; padding: .6rem .75rem; font: inherit; color: inherit; background: transparent; border: 1px solid var(--faint); border-radius: .375rem; }
button { padding: .6rem 1.25rem; font: inherit; font-weight: 600; color: ${textColorOn(color)}; background: ${hexColor(color)}; border: 0; border-radius: .375rem; cursor: pointer; }
button:disabled { opacity: .6; cursor: progress; }
`,
  );

/** One script and one style, which are known by their digest; answers from this origin; nothing else. */
const policyOf = (style: { readonly source: string }) =>
  [
    "default-src 'none'",
    `script-src ${script.source}`,
    `style-src ${style.source}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

const HEADERS = {
  // The address holds a token.
  'Cache-Control': 'no-store',
  // The token goes to nobody else, and this origin is told where the mutation comes from: with a stricter policy the
  // browser names no origin, which is refused.
  'Referrer-Policy': 'same-origin',
};

interface LinkPage {
  readonly path: string;
  readonly title: string;
  readonly explanation: string;
  readonly button: string;
  readonly fields?: Html;
  /** What to do where the link does not do any more. */
  readonly help?: Html;
}

const PAGES: readonly LinkPage[] = [
  {
    // Where the mails lead that tell of a change.
    path: '/',
    title: 'Your account',
    explanation: 'Was something changed that you did not change, or is your password forgotten? Choose a new one:',
    button: 'Send me the mail',
    fields: html`<label for="email">Email address</label>
<input id="email" name="email" type="email" autocomplete="username" aria-describedby="outcome" required>
`,
  },
  {
    path: '/verify-email',
    title: 'Verify your email address',
    explanation: 'Press the button to show that this address is yours. You get on where you began, not here.',
    button: 'Verify',
    help: html`Go back to where you signed up or logged in, and ask for another mail there.`,
  },
  {
    path: '/confirm-email',
    title: 'Confirm your new email address',
    explanation: 'Press the button to confirm that this address is yours and belongs to your account.',
    button: 'Confirm',
    help: html`Log in, and have another mail sent to this address there.`,
  },
  {
    path: '/reset-password',
    title: 'Choose a new password',
    explanation: 'Wherever you are logged in now, you will have to log in again.',
    button: 'Set the password',
    help: html`<a href="./">Ask for another mail</a>.`,
    fields: html`<label for="new-password">New password</label>
<input id="new-password" name="new-password" type="password" autocomplete="new-password" aria-describedby="outcome" required>
`,
  },
  {
    path: '/accept-invitation',
    title: 'Your invitation',
    explanation: 'Choose a password to make your account.',
    button: 'Make my account',
    help: html`Ask whoever invited you for another invitation. If you have an account by now, <a href="./">choose a new password</a>.`,
    fields: html`<label for="new-password">Password</label>
<input id="new-password" name="new-password" type="password" autocomplete="new-password" aria-describedby="outcome" required>
`,
  },
  {
    path: '/log-in',
    title: 'Log in',
    explanation: 'Press the button to log in with the link of your mail.',
    button: 'Log in',
    // Shown to whoever has a second factor, once the link has turned out to be good.
    fields: html`<div id="second-factor" hidden><label for="code">Code from your authenticator app, or a recovery code</label>
<input id="code" name="code" autocomplete="one-time-code" aria-describedby="outcome">
</div>
<button id="passkey" type="button" hidden>Use a passkey</button>
`,
    help: html`Ask for another mail where you wanted to log in. If you forgot your password, <a href="./">choose a new one</a>.`,
  },
];

/**
 * Where the links of mails lead if the operator has no pages of their own. To open one changes nothing, for scanners
 * of mails open them all: a person presses a button, and the page sends the mutation.
 */
export function linkPages(brand: PageBrand): Hono {
  const routes = new Hono();
  const style = styleOf(brand);
  const headers = { ...HEADERS, 'Content-Security-Policy': policyOf(style) };
  for (const each of PAGES) {
    const whole = render(each, brand, style.tag);
    routes.get(each.path, (context) => context.html(whole, 200, headers));
  }
  return routes;
}

// The same for everybody: the token is never seen here, only by the script.
function render({ path, title, explanation, button, fields, help }: LinkPage, brand: PageBrand, style: Html): string {
  return page(
    `${title} – ${brand.product}`,
    style,
    html`<main data-page="${path.slice(1) || 'start'}">
<p class="product">${brand.product}</p>
<h1>${title}</h1>
<form id="form">
<p>${explanation}</p>
${fields ?? html``}<button id="button" type="submit">${button}</button>
</form>
<p id="outcome" role="status" tabindex="-1"></p>
<p id="help" hidden>${help ?? html``}</p>
<noscript><p>This page needs JavaScript. You can also type the code of the mail where you began.</p></noscript>
</main>
${script.tag}`,
  );
}
