import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashToken, isToken, makeToken, successorOf, TOKEN_PREFIX, type TokenKind } from '../../src/lib/secrets.ts';

const KINDS = Object.keys(TOKEN_PREFIX) as TokenKind[];
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const kind = fc.constantFrom(...KINDS);
const body = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64url'));

describe('makeToken', () => {
  test('gives 256 bits that are never the same twice', () => {
    const tokens = Array.from({ length: 1_000 }, () => makeToken('session'));
    expect(new Set(tokens).size).toBe(1_000);
    for (const token of tokens) expect(Buffer.from(token.slice(3), 'base64url')).toHaveLength(32);
  });

  test.each(KINDS)('makes a token of the kind %s, and of no other', (made) => {
    const token = makeToken(made);
    expect(KINDS.filter((other) => isToken(other, token))).toEqual([made]);
  });
});

describe('the kinds of tokens', () => {
  test('are told by their first three characters, each by its own', () => {
    expect(TOKEN_PREFIX).toEqual({
      ...{ session: 'ps_', refresh: 'pr_', login: 'pl_', handle: 'ph_', link: 'pk_', device: 'pd_' },
      ...{ flow: 'pf_', state: 'pt_', return: 'pc_', invitation: 'pi_' },
    });
    expect(new Set(Object.values(TOKEN_PREFIX)).size).toBe(KINDS.length);
  });

  test('of handle and link survive a URL unchanged', () => {
    for (const made of [makeToken('handle'), makeToken('link'), makeToken('return')])
      expect(encodeURIComponent(made)).toBe(made);
  });
});

describe('isToken', () => {
  test('takes one spelling of a token only, though four decode to the same bits', () => {
    fc.assert(
      fc.property(kind, body, (of, text) => {
        const spellings = [...ALPHABET]
          .map((last) => text.slice(0, -1) + last)
          .filter((other) => Buffer.from(other, 'base64url').equals(Buffer.from(text, 'base64url')));
        expect(spellings).toHaveLength(4);
        expect(spellings.filter((other) => isToken(of, TOKEN_PREFIX[of] + other))).toEqual([text]);
      }),
    );
  });

  test('takes nothing longer, shorter, padded, wrapped or of another alphabet', () => {
    fc.assert(
      fc.property(kind, body, fc.nat(46), fc.string({ minLength: 1, unit: 'binary' }), (of, text, at, extra) => {
        const token = TOKEN_PREFIX[of] + text;
        expect(isToken(of, token)).toBe(true);
        expect(isToken(of, token.slice(0, at) + extra + token.slice(at))).toBe(false);
        expect(isToken(of, token.slice(0, at % token.length))).toBe(false);
        expect(isToken(of, text)).toBe(false);
        expect(isToken(of, TOKEN_PREFIX[of].toUpperCase() + text)).toBe(false);
      }),
    );
    for (const extra of ['\n', '\r\n', ' ', '\0', '=', '==', '.']) {
      expect(isToken('session', makeToken('session') + extra)).toBe(false);
      expect(isToken('session', extra + makeToken('session'))).toBe(false);
    }
  });
});

describe('hashToken', () => {
  test('is the SHA-256 of the whole token, with its prefix', () => {
    const token = makeToken('login');
    expect(hashToken(token)).toEqual(createHash('sha256').update(token, 'utf8').digest());
    expect(hashToken(`ps_${token.slice(3)}`)).not.toEqual(hashToken(token));
  });
});

describe('successorOf', () => {
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));

  test('is always the same for the same token and key, and has the form of a token', () => {
    fc.assert(
      fc.property(body, key, (text, secret) => {
        const token = TOKEN_PREFIX.refresh + text;
        const successor = successorOf('refresh', token, secret);
        expect(isToken('refresh', successor)).toBe(true);
        expect(successor).not.toBe(token);
        expect(successorOf('refresh', token, secret)).toBe(successor);
      }),
    );
  });

  test('is another one for another token or another key', () => {
    fc.assert(
      fc.property(fc.uniqueArray(body, { minLength: 2, maxLength: 2 }), key, ([one = '', two = ''], secret) => {
        const other = Buffer.from(secret.map((byte) => byte ^ 1));
        expect(successorOf('refresh', one, secret)).not.toBe(successorOf('refresh', two, secret));
        expect(successorOf('refresh', one, secret)).not.toBe(successorOf('refresh', one, other));
      }),
    );
  });
});
