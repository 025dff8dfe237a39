import { Hono } from 'hono';
import { type Html, html, page, STYLE } from './html.ts';

/** A mail that was not sent, because this is a development machine. */
interface KeptMail {
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** ISO 8601. */
  readonly sentAt: string;
}

/** Where those mails are kept. */
export interface KeptMails {
  /** The newest first. */
  list(): Promise<readonly KeptMail[]>;
  get(id: string): Promise<KeptMail | null>;
}

/**
 * Nothing runs here. A mail inside is bound by this, too, so it may have the styles that mails bring along, and its
 * pictures.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  'img-src https: http: data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'no-referrer',
};

const LOCAL: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);
/** What proxies say of who asks. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'] as const;

const OWN_STYLE = html`<style>${{
  markup: `${STYLE}
table { width: 100%; border-collapse: collapse; }
th, td { padding: .5rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; overflow-wrap: anywhere; }
time, dt { color: var(--faint); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.code { font: 600 1.5rem/1.25 ui-monospace, monospace; letter-spacing: .05em; user-select: all; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 2rem; }
pre { margin: 0; padding: 1rem; border: 1px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }
iframe { width: 100%; height: 42rem; border: 1px solid var(--line); background: Canvas; }`,
}}</style>`;

/** The mails that would have been sent, to read and to click. For development: whoever sees them can log in as anybody. */
export function outboxRoutes(outbox: KeptMails, publicUrl: string): Hono {
  const routes = new Hono();
  // Under another name it is not the developer who asks, but a page that had its own name point to this machine.
  const { protocol, hostname } = new URL(publicUrl);
  const isDeployed = protocol === 'https:' && !LOCAL.has(hostname);
  const ownNames = new Set([...LOCAL, ...(isDeployed ? [] : [hostname])]);
  routes.use('/outbox/*', async (context, next) => {
    const { req } = context;
    // A gateway that was deployed without a mail server must not show its codes to the whole world.
    const isForwarded = isDeployed && FORWARDED.some((name) => req.header(name) !== undefined);
    const isOwn = ownNames.has(new URL(req.url).hostname) && !isForwarded;
    return isOwn ? next() : context.text('421 Misdirected Request', 421);
  });
  routes.get('/outbox', async (context) => {
    const mails = await outbox.list();
    // For scripts and end-to-end tests: the same, to be read by programs.
    const asJson = context.req.header('accept')?.includes('application/json') ?? false;
    return asJson ? context.json({ mails }, 200, HEADERS) : context.html(listPage(mails), 200, HEADERS);
  });
  routes.get('/outbox/:id', async (context) => {
    const mail = await outbox.get(context.req.param('id'));
    return mail ? context.html(mailPage(mail), 200, HEADERS) : context.notFound();
  });
  return routes;
}

function listPage(mails: readonly KeptMail[]): string {
  const rows = mails.map(
    (
      mail,
    ) => html`<tr><td>${time(mail)}</td><td>${mail.to}</td><td><a href="outbox/${encodeURIComponent(mail.id)}">${mail.subject || 'No subject'}</a></td></tr>
`,
  );
  const table = html`<table>
<thead><tr><th scope="col">Sent</th><th scope="col">To</th><th scope="col">Subject</th></tr></thead>
<tbody>
${rows}</tbody>
</table>`;
  return page(
    'Outbox',
    OWN_STYLE,
    html`<main>
<h1>Outbox</h1>
<p>No mail server is configured, so mails are kept here instead of being sent. The newest comes first; load the page again for new ones.</p>
${mails.length > 0 ? table : html`<p>There are no mails yet.</p>`}
</main>`,
  );
}

function mailPage(mail: KeptMail): string {
  const codes = [...mail.text.matchAll(CODE)].map(
    ([, code = '']) => html`<dt>Code</dt><dd><span class="code">${code}</span></dd>
`,
  );
  const links = [...new Set(mail.text.match(LINK) ?? [])].map(
    (link) => html`<dt>Link</dt><dd><a href="${link}" target="_blank" rel="noopener noreferrer">${link}</a></dd>
`,
  );
  return page(
    `${mail.subject} – Outbox`,
    OWN_STYLE,
    html`<nav><a href="../outbox">All mails</a></nav>
<main>
<h1>${mail.subject || 'No subject'}</h1>
<dl>
<dt>To</dt><dd>${mail.to}</dd>
<dt>Sent</dt><dd>${time(mail)}</dd>
${codes}${links}</dl>
<div class="sides">
<section aria-labelledby="as-html">
<h2 id="as-html">As HTML</h2>
<iframe title="The mail as HTML" sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="${openingTabs(mail.html)}"></iframe>
</section>
<section aria-labelledby="as-text">
<h2 id="as-text">As text</h2>
<pre tabindex="0">${mail.text}</pre>
</section>
</div>
</main>`,
  );
}

/** A code stands on a line of its own: letters as BCDF-GHJK, or six digits. */
const CODE = /^[ \t]*([A-Z]{4}-[A-Z]{4}|\d{6})[ \t]*$/gm;
/** Only what a browser should follow. */
const LINK = /\bhttps?:\/\/[^\s<>"]+/g;

function time({ sentAt }: KeptMail): Html {
  return html`<time datetime="${sentAt}">${sentAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}</time>`;
}

// A page that a link would load into the frame is not the frame's business. After the doctype, which must come first.
function openingTabs(mail: string): string {
  const base = '<base target="_blank">';
  const [head] = /<head\b[^>]*>/i.exec(mail) ?? [];
  return head ? mail.replace(head, () => head + base) : base + mail;
}
