import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linkWith, parseLinkTemplate, withFrontend } from '../../src/lib/link-template.ts';

function link(text: string, token: string): string {
  const template = parseLinkTemplate(text);
  if (!template) throw new Error(`${text} is no template`);
  return linkWith(withFrontend(template, 'https://app.example'), token);
}

test('a link carries the token where the template says', () => {
  expect(link('{frontend}/verify?token={token}', 'pk_a-b')).toBe('https://app.example/verify?token=pk_a-b');
  expect(link('http://localhost:3000/#/verify/{token}?x=1', 'pk_a')).toBe('http://localhost:3000/#/verify/pk_a?x=1');
  expect(link('myapp://verify?token={token}', 'pk_a')).toBe('myapp://verify?token=pk_a');
  expect(link('my.app+1:///verify/{token}', 'pk_a')).toBe('my.app+1:///verify/pk_a');
});

test('no token changes where a link leads', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (token) => {
      const url = new URL(link('{frontend}/verify?token={token}&end=1#top', token));
      expect([url.origin, url.pathname, url.searchParams.get('end'), url.hash]).toEqual([
        'https://app.example',
        '/verify',
        '1',
        '#top',
      ]);
      expect(url.searchParams.get('token')).toBe(token);
    }),
  );
  expect(link('{frontend}/{token}', '$&$`{token}')).toBe('https://app.example/%24%26%24%60%7Btoken%7D');
});

test('what is refused is no template, and what is taken leads to one place', () => {
  const piece = fc.constantFrom(
    '{token}',
    '{frontend}',
    'https://',
    'myapp:',
    '//',
    '/',
    '?',
    '#',
    '@',
    'a.example',
    '{',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 2 })), { maxLength: 6 }), (pieces) => {
      const template = parseLinkTemplate(pieces.join(''));
      if (template === null) return;
      const [one, other] = ['x', 'y'].map(
        (token) => new URL(linkWith(withFrontend(template, 'https://b.example'), token)),
      );
      expect([one?.protocol, one?.host, one?.username]).toEqual([other?.protocol, other?.host, '']);
      expect(one?.href).not.toBe(other?.href);
    }),
    { numRuns: 5_000 },
  );
});
