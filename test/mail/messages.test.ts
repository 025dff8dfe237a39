import fc from 'fast-check';
import { simpleParser } from 'mailparser';
import { describe, expect, test } from 'vitest';
import type { Delivered, MailKind, RenderedMail, SmsKind } from '../../src/mail/message.ts';
import { mails, renderMail, renderText, texts } from '../../src/mail/messages.ts';
import { ACME, CHANGES, hostileText, LINK, linesOf, linksIn, MAILS, NOTICE, shown, TEXTS } from './examples.ts';

const KINDS = Object.keys(MAILS) as MailKind[];
const DELIVERED = ['VerifyEmail', 'ConfirmEmail', 'LoginCode', 'ResetPassword'] as const;
const WITH_CODE = [...DELIVERED, 'ReauthenticationCode'] as const;

const example = (kind: MailKind, brand = ACME) => renderMail({ mail: kind, data: MAILS[kind] }, brand);
const squeezed = (text: string) => text.replace(/\s+/g, ' ').trim();

describe.each(KINDS)('the mail %s', (kind) => {
  const mail = example(kind);

  test('has a subject of one line, without the code and without the name of the product', () => {
    expect(mail.subject).toMatch(/^[A-Z][A-Za-z ]{8,60}$/);
    expect(mail.subject).not.toContain('BCDF');
    expect(mail.subject).not.toContain('Acme');
  });

  test('greets, says which product it is about, and ends with where that is', () => {
    expect(mail.text).toMatch(/^Hello,\n\n/);
    expect(mail.text.split('\n\n').slice(1, -1).join()).toContain('Acme');
    expect(mail.text.endsWith('\n\nAcme\nhttps://app.acme.example\n')).toBe(true);
    expect(mail.text).toMatch(/\bIf (this|it) was not\b/);
  });

  test('says the same as text and as HTML', () => {
    const [, body = ''] = mail.html.split('</h1>');
    const asText = body
      .replace(/<a href="([^"]*)"[^>]*>([^<]*)<\/a>/g, (_link, target, label) =>
        target === label ? target : `${label}: ${target}`,
      )
      .replace(/<\/dt><dd[^>]*>/g, ': ');
    expect(squeezed(shown(asText))).toBe(squeezed(mail.text));
  });

  test('is a page that a screen reader can read: language, title, one heading, no picture without a name', () => {
    expect(mail.html).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(mail.html).toContain(`<title>${mail.subject}</title>`);
    expect(mail.html.match(/<h1[ >]/g)).toHaveLength(1);
    expect(mail.html).toContain(`>${mail.subject}</h1>`);
    expect(mail.html).not.toMatch(/<(img|table|script|style|link|iframe|form)\b/);
  });

  test('loads nothing, and links only to the link and the product', () => {
    const expected = 'link' in MAILS[kind] ? [LINK, ACME.url] : [ACME.url];
    expect([...new Set(linksIn(mail.html))]).toEqual(expected);
    expect(mail.html).not.toMatch(/src=|url\(|@import/);
    expect(mail.text.match(/https?:\S+/g)?.every((link) => expected.includes(link))).toBe(true);
  });

  test('shows the logo, where there is one, with the name of the product beside it for those who do not see it', () => {
    const { html } = example(kind, {
      ...ACME,
      name: 'A "quoted" <name>',
      logoUrl: 'https://acme.example/logo.png?a=1&b="',
    });
    expect(html.match(/<img [^>]*>/g)).toEqual([
      '<img src="https://acme.example/logo.png?a=1&amp;b=&quot;" alt="A &quot;quoted&quot; &lt;name&gt;" height="40" style="border:0">',
    ]);
  });

  test('is narrow enough to be read, and takes dark and light from the mail program', () => {
    expect(mail.html).toMatch(/max-width:\d+px/);
    expect(mail.html).toContain('<meta name="color-scheme" content="light dark">');
    expect(mail.html.match(/<body[^>]*>/)?.[0]).not.toContain('color');
  });
});

describe.each(WITH_CODE)('the code in the mail %s', (kind) => {
  test('stands on a line of its own, as it is, with how long it works', () => {
    const { text, html } = example(kind);
    expect(linesOf(text).filter((line) => line.includes('BCDF'))).toEqual(['BCDF-GHJK']);
    expect(html).toContain('>BCDF-GHJK</span>');
    for (const body of [text, shown(html)]) expect(body).toContain('works for 10 minutes');
  });
});

describe.each(DELIVERED)('the link in the mail %s', (kind) => {
  const lifetime = kind === 'ResetPassword' ? '30 minutes' : '24 hours';

  test('is a button, and a line of its own in the text, with how long it works', () => {
    const { text, html } = example(kind);
    expect(linesOf(text)).toContain(LINK);
    expect(linksIn(html)[0]).toBe(LINK);
    for (const body of [text, shown(html)]) expect(body).toContain(`works for ${lifetime}`);
  });

  test('stands alone where nobody waits for a code', () => {
    const data: Delivered = { ...MAILS[kind], code: null };
    const { subject, text, html } = renderMail({ mail: kind, data }, ACME);
    for (const body of [text, shown(html)]) {
      expect(body).toContain(`Open this link. It works for ${lifetime}.`);
      expect(body).not.toMatch(/10 minutes|null|\bcode\b/);
    }
    expect(subject).not.toContain('code');
    expect(linesOf(text)).toContain(LINK);
    expect(linksIn(html)[0]).toBe(LINK);
  });

  test('cannot be broken into lines or out of its attribute', () => {
    const link = 'https://app.acme.example/x?token="><b>\r\nhttps://evil.example';
    const { text, html } = renderMail({ mail: kind, data: { ...MAILS[kind], link } }, ACME);
    expect(linesOf(text)).toHaveLength(linesOf(example(kind).text).length);
    expect(html).not.toContain('<b>');
    expect(linksIn(html)[0]).toBe(link.replace('\r\n', ''));
  });
});

test.each(['AccountExists', 'EmailInUse', 'UnknownAccount'] as const)(
  'the mail %s leads to the product and says that nothing has happened',
  (kind) => {
    const { text, html } = example(kind);
    expect(linesOf(text).filter((line) => line === ACME.url)).toHaveLength(2);
    expect(linksIn(html)).toEqual([ACME.url, ACME.url]);
    expect(text).toContain('perhaps you');
    expect(text).toContain('If this was not you, nothing has happened');
  },
);

describe('the colour of the product', () => {
  const luminance = (hex: string) => {
    const [r = 0, g = 0, b = 0] = [1, 3, 5]
      .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const buttonOf = (color: string) =>
    /background-color:([^;]*);color:([^;]*);/.exec(example('VerifyEmail', { ...ACME, color }).html)?.slice(1) ?? [];

  test('always leaves the button readable: a contrast of 4.5 to 1 at least', () => {
    const channel = fc.integer({ min: 0, max: 255 }).map((value) => value.toString(16).padStart(2, '0'));
    fc.assert(
      fc.property(fc.tuple(channel, channel, channel), (channels) => {
        const color = `#${channels.join('')}`;
        const [background = '', text = ''] = buttonOf(color);
        expect(background).toBe(color);
        const [dark = 0, light = 0] = [luminance(background), luminance(text)].sort((a, b) => a - b);
        expect((light + 0.05) / (dark + 0.05)).toBeGreaterThanOrEqual(4.5);
      }),
    );
    expect(buttonOf('#fff')).toEqual(['#ffffff', '#000000']);
    expect(buttonOf('#000')).toEqual(['#000000', '#ffffff']);
    expect(buttonOf('#0A7')).toEqual(['#00aa77', '#000000']);
  });

  test('is a hex colour, or none of it gets into a style', () => {
    fc.assert(
      fc.property(hostileText, (color) => {
        expect(buttonOf(color)[0]).toMatch(/^#[0-9a-f]{6}$/);
      }),
    );
    expect(buttonOf('red;background:url(https://evil.example)')).toEqual(['#1f2937', '#ffffff']);
  });
});

describe('what other people choose', () => {
  const notice = fc.record({
    change: fc.constantFrom(...CHANGES),
    at: fc.constant(NOTICE.at),
    ipAddress: hostileText,
    userAgent: hostileText,
    subject: hostileText,
  });
  const tagsOf = (html: string) => html.match(/<[^>]*>/g);

  test('never makes a new line, tag or attribute (without oneLine or escapeHtml it does)', () => {
    fc.assert(
      fc.property(notice, hostileText, (data, name) => {
        const mail = renderMail({ mail: 'SecurityNotice', data }, { ...ACME, name });
        const plain = renderMail({ mail: 'SecurityNotice', data: { ...NOTICE, change: data.change } }, ACME);
        expect(mail.subject).toBe(plain.subject);
        expect(linesOf(mail.text)).toHaveLength(linesOf(plain.text).length);
        expect(linesOf(mail.html)).toHaveLength(linesOf(plain.html).length);
        expect(tagsOf(mail.html)).toEqual(tagsOf(plain.html));
        expect(`${mail.text}${mail.html}`.replace(/\n/g, '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
      }),
      { numRuns: 500 },
    );
  });

  test.each(KINDS)('and a hostile name of the product never makes a new line, tag or attribute in %s', (kind) => {
    fc.assert(
      fc.property(hostileText, (name) => {
        const [mail, plain] = [example(kind, { ...ACME, name }), example(kind)];
        expect(linesOf(mail.text)).toHaveLength(linesOf(plain.text).length);
        expect(tagsOf(mail.html)).toEqual(tagsOf(plain.html));
        expect(linesOf(mail.subject)).toHaveLength(1);
      }),
    );
  });

  // A real mail program's rules: those of mailparser, which makes links of all that looks like one.
  test('never becomes a link, not even in a program that makes links of what looks like one (without inert, deviceName or networkAddress it does)', async () => {
    await fc.assert(
      fc.asyncProperty(notice, async (data) => {
        const { text, html } = renderMail({ mail: 'SecurityNotice', data }, ACME);
        const allowed = [ACME.url, `mailto:${data.subject.trim()}`];
        expect(linksIn(html)).toEqual([ACME.url, ACME.url]);
        for (const body of [text, shown(html)])
          for (const link of await linksThatAreMadeOf(body)) expect(allowed).toContain(link);
      }),
      { numRuns: 300 },
    );
    expect(await linksThatAreMadeOf('see evil.com')).toEqual(['http://evil.com']);
  });

  test('is cut to a length that leaves the mail readable (without cut it is not)', () => {
    const data = { ...NOTICE, userAgent: 'x'.repeat(5_000), subject: 'y'.repeat(5_000), ipAddress: '1'.repeat(5_000) };
    const { text } = renderMail({ mail: 'SecurityNotice', data }, { ...ACME, name: '🗝'.repeat(5_000) });
    for (const line of linesOf(text)) expect([...line].length).toBeLessThan(400);
    expect(text.isWellFormed()).toBe(true);
  });

  test('is shown as it is when it is what people usually have', () => {
    const textFor = (subject: string) =>
      renderMail({ mail: 'SecurityNotice', data: { ...NOTICE, subject } }, ACME).text;
    for (const subject of [
      'ada.lovelace+x@analytical.example',
      'jörg@xn--bcher-kva.example',
      '+493012345678',
      'ada_l-1',
    ])
      expect(textFor(subject)).toContain(` ${subject} `);
    expect(textFor('evil.com')).toContain(' evil[.]com ');
    expect(textFor('www.evil.com/x@acme.example')).toContain(' www[.]evil[.]com/x[@]acme[.]example ');
  });
});

describe('an operator', () => {
  const own: RenderedMail = { subject: 'Ours', text: 'Ours', html: '<p>Ours</p>' };

  test('may replace any mail, and the others stay', () => {
    for (const kind of KINDS) {
      const replaced = { [kind]: () => own };
      for (const other of KINDS)
        expect(renderMail({ mail: other, data: MAILS[other] }, ACME, replaced)).toEqual(
          other === kind ? own : example(other),
        );
    }
  });

  test('gets what the mail is about, and the brand', () => {
    const told: unknown[] = [];
    renderMail({ mail: 'SecurityNotice', data: NOTICE }, ACME, {
      SecurityNotice: (...given) => {
        told.push(...given);
        return own;
      },
    });
    expect(told).toEqual([NOTICE, ACME]);
  });

  test('may wrap ours', () => {
    const mail = renderMail({ mail: 'Goodbye', data: {} }, ACME, {
      Goodbye: (data, brand) => ({ ...mails.Goodbye(data, brand), subject: 'Farewell' }),
    });
    expect(mail).toEqual({ ...example('Goodbye'), subject: 'Farewell' });
  });

  test('cannot let a line break into a subject (without oneLine in renderMail it can)', () => {
    fc.assert(
      fc.property(hostileText, (subject) => {
        const replaced = { Goodbye: () => ({ ...own, subject: `Goodbye ${subject}` }) };
        expect(renderMail({ mail: 'Goodbye', data: {} }, ACME, replaced).subject).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      }),
    );
  });

  test('may replace any text message, and the others stay', () => {
    for (const kind of Object.keys(TEXTS) as SmsKind[]) {
      const replaced = { [kind]: () => 'Ours' };
      for (const other of Object.keys(TEXTS) as SmsKind[]) {
        const text = renderText({ sms: other, data: TEXTS[other] }, ACME, replaced);
        expect(text).toBe(other === kind ? 'Ours' : renderText({ sms: other, data: TEXTS[other] }, ACME));
      }
    }
  });
});

describe.each(Object.keys(TEXTS) as SmsKind[])('the text message %s', (kind) => {
  const text = (name: string) => renderText({ sms: kind, data: TEXTS[kind] }, { ...ACME, name });

  test('is one short line of letters that every phone has', () => {
    const long = text('Twenty Letters Long!');
    expect(long).toMatch(/^[A-Za-z0-9 .,:!']{1,160}$/);
    expect(long).toContain('Twenty Letters Long!');
  });

  test('is one line whatever the product is called', () => {
    fc.assert(
      fc.property(hostileText, (name) => {
        expect(text(name)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
      }),
    );
  });

  test('begins with the code, if it is about one, and says how long it works', () => {
    if ('code' in TEXTS[kind]) expect(text('Acme')).toMatch(/^123456 is your Acme .*\. It works for 10 minutes\. /);
    else expect(text('Acme')).not.toMatch(/\d/);
  });
});

test('the text messages are told apart by what they are for', () => {
  expect(
    new Set((Object.keys(texts) as SmsKind[]).map((sms) => renderText({ sms, data: TEXTS[sms] }, ACME))).size,
  ).toBe(5);
});

async function linksThatAreMadeOf(text: string): Promise<string[]> {
  const body = Buffer.from(text).toString('base64');
  const raw = `Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n${body}`;
  const { textAsHtml = '' } = await simpleParser(raw);
  return linksIn(textAsHtml);
}
