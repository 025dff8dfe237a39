import { createHash, createHmac, randomBytes } from 'node:crypto';

/**
 * The kinds of opaque tokens. The prefix names the kind, so that one kind is never looked up as another and a leaked
 * token can be told by a scanner. A `handle` is what a client holds while an answer is awaited, a `link` is what stands
 * in the link of a mail, a `device` is what a trusted device is known by. On the way to a provider and back, the client
 * keeps a `flow`, the provider brings back a `state`, and the browser brings on a `return`. An `invitation` stands in the
 * link of a mail that lets somebody sign up.
 */
export const TOKEN_PREFIX = {
  session: 'ps_',
  refresh: 'pr_',
  login: 'pl_',
  handle: 'ph_',
  link: 'pk_',
  device: 'pd_',
  flow: 'pf_',
  state: 'pt_',
  return: 'pc_',
  invitation: 'pi_',
} as const;
export type TokenKind = keyof typeof TOKEN_PREFIX;

const BODY = /^[A-Za-z0-9_-]{43}$/;

/** Makes a token of 256 random bits (`ps_` and 43 base64url characters). Only its {@link hashToken} is ever stored. */
export function makeToken(kind: TokenKind): string {
  return TOKEN_PREFIX[kind] + randomBytes(32).toString('base64url');
}

/** Whether a text has the exact form of a token of this kind. Says nothing about whether it is known. */
export function isToken(kind: TokenKind, text: string): boolean {
  const prefix = TOKEN_PREFIX[kind];
  return text.startsWith(prefix) && BODY.test(text.slice(prefix.length)) && isCanonical(text.slice(prefix.length));
}

/** SHA-256 of a token. Plain SHA-256 is enough for 256 random bits; it makes lookups by hash free of timing leaks. */
export function hashToken(token: string): Buffer<ArrayBuffer> {
  return createHash('sha256').update(token).digest();
}

/**
 * The one successor of a token, computed instead of stored: everybody who shows the same token gets the same successor,
 * and nobody can compute it without the key.
 * @param key at least 256 bits, not kept in the database
 */
export function successorOf(kind: TokenKind, token: string, key: Buffer): string {
  return TOKEN_PREFIX[kind] + createHmac('sha256', key).update(token).digest('base64url');
}

// 43 base64url characters hold 258 bits: the last two must be zero, or one token would have four spellings.
function isCanonical(body: string): boolean {
  return Buffer.from(body, 'base64url').toString('base64url') === body;
}
