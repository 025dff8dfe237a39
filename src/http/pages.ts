import { Hono } from 'hono';
import { type Html, html, inline, page, STYLE } from './html.ts';
import { SCRIPT } from './pages/script.ts';

const script = inline('script', SCRIPT);
const style = inline(
  'style',
  `${STYLE}
main { max-width: 28rem; margin: 10vh auto 0; }
label { display: block; font-weight: 600; }
input { width: 100%; margin: .25rem 0 1rem; padding: .6rem .75rem; font: inherit; color: inherit; background: transparent; border: 1px solid var(--faint); border-radius: .375rem; }
button { padding: .6rem 1.25rem; font: inherit; font-weight: 600; color: var(--on-mark); background: var(--mark); border: 0; border-radius: .375rem; cursor: pointer; }
button:disabled { opacity: .6; cursor: progress; }
`,
);

/** One script and one style, which are known by their digest; answers from this origin; nothing else. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `script-src ${script.source}`,
  `style-src ${style.source}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
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
}

const PAGES: readonly LinkPage[] = [
  {
    // Where the mails lead that tell of a change.
    path: '/',
    title: 'Your account',
    explanation: 'Was something changed that you did not change, or is your password forgotten? Choose a new one:',
    button: 'Send me the mail',
    fields: html`<label for="email">E-mail address</label>
<input id="email" name="email" type="email" autocomplete="username" aria-describedby="outcome" required>
`,
  },
  {
    path: '/verify-email',
    title: 'Confirm your e-mail address',
    explanation: 'Press the button to confirm that this address is yours.',
    button: 'Confirm',
  },
  {
    path: '/confirm-email',
    title: 'Confirm your new e-mail address',
    explanation: 'Press the button to confirm that this address is yours and belongs to your account.',
    button: 'Confirm',
  },
  {
    path: '/reset-password',
    title: 'Choose a new password',
    explanation: 'Wherever you are logged in now, you will have to log in again.',
    button: 'Set the password',
    fields: html`<label for="new-password">New password</label>
<input id="new-password" name="new-password" type="password" autocomplete="new-password" aria-describedby="outcome" required>
`,
  },
  {
    path: '/log-in',
    title: 'Log in',
    explanation: 'Press the button to log in with the link of your mail.',
    button: 'Log in',
  },
];

/**
 * Where the links of mails lead if the operator has no pages of their own. To open one changes nothing, for scanners
 * of mails open them all: a person presses a button, and the page sends the mutation.
 */
export function linkPages(): Hono {
  const routes = new Hono();
  for (const each of PAGES) {
    const whole = render(each);
    routes.get(each.path, (context) => context.html(whole, 200, HEADERS));
  }
  return routes;
}

// The same for everybody: the token is never seen here, only by the script.
function render({ path, title, explanation, button, fields }: LinkPage): string {
  return page(
    title,
    style.tag,
    html`<main data-page="${path.slice(1) || 'start'}">
<h1>${title}</h1>
<form id="form">
<p>${explanation}</p>
${fields ?? html``}<button id="button" type="submit">${button}</button>
</form>
<p id="outcome" role="status" tabindex="-1"></p>
<noscript><p>This page needs JavaScript. You can also type the code of the mail where you began.</p></noscript>
</main>
${script.tag}`,
  );
}
