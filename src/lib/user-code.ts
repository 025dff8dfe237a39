import { createHmac, randomInt, timingSafeEqual } from 'node:crypto';
import { foldNumerals } from './numerals.ts';

/** What a code is made of: eight letters for mails, six digits for text messages. */
export type CodeAlphabet = 'letters' | 'digits';

// RFC 8628 §6.1: without vowels a code spells no word, and letters alone are typed without changing the keyboard.
const LETTERS = { characters: 'BCDFGHJKLMNPQRSTVWXZ', length: 8, form: /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/i };
const DIGITS = { characters: '0123456789', length: 6, form: /^[0-9]{6}$/ };
const CODES = { letters: LETTERS, digits: DIGITS } as const;

// A code with a space after each character still fits. What is longer is not even normalized.
const MAX_TYPED_LENGTH = 64;
// Blanks, dashes, the minus sign, the long vowel that Japanese keyboards give for a dash, and what is invisible, such
// as the marks of direction that come with a copy from a mail.
const PUNCTUATION = /[\s\p{Pd}\p{Cf}\u2212\u30fc]/gu;

/** Makes a code that a person can type, each as likely as any other. */
export function makeCode(alphabet: CodeAlphabet): string {
  const { characters, length } = CODES[alphabet];
  return Array.from({ length }, () => characters.charAt(randomInt(characters.length))).join('');
}

/** A code as people read it: `BCDF-GHJK`, and digits as they are. */
export function showCode(code: string): string {
  return LETTERS.form.test(code) ? `${code.slice(0, 4)}-${code.slice(4)}` : code;
}

/**
 * Reads what a person typed as a code into its canonical form: case, blanks and dashes of any kind do not matter, nor
 * do full-width letters and the digits of other scripts.
 * @returns null for anything that cannot be a code
 */
export function readCode(typed: string): string | null {
  if (typed.length > MAX_TYPED_LENGTH) return null;
  const code = foldNumerals(typed.normalize('NFKC')).replace(PUNCTUATION, '');
  return LETTERS.form.test(code) || DIGITS.form.test(code) ? code.toUpperCase() : null;
}

// At least 20 bits, and no more than is typed (NIST SP 800-63B-4 §3.1.3.2).
const OWN_FORM = /^[0-9A-Z]{6,16}$/;

/** Whether a text can be a code that an operator's hook makes: 6 to 16 digits and capital letters of ASCII. */
export function isOwnCode(text: string): boolean {
  return OWN_FORM.test(text);
}

/** Reads what a person typed, as {@link readCode} does, into a code that an operator's hook may have made. */
export function readOwnCode(typed: string): string | null {
  if (typed.length > MAX_TYPED_LENGTH) return null;
  const code = foldNumerals(typed.normalize('NFKC')).replace(PUNCTUATION, '').toUpperCase();
  return isOwnCode(code) ? code : null;
}

/**
 * What is stored of a code: HMAC-SHA-256 of the code and of what it is for. A plain hash would hide nothing: six digits
 * are a million guesses, eight letters 35 bits, which one graphics card goes through in seconds. With a key that is not
 * in the database, somebody who reads the database learns nothing, and a hash fits no other context.
 * @param code in the form of {@link readCode}
 * @param context the one thing that this code is for, such as the id of its challenge
 * @param key at least 256 bits, not kept in the database
 */
export function hashCode(code: string, context: string, key: Buffer): Buffer<ArrayBuffer> {
  // As JSON, no two pairs are one text.
  return createHmac('sha256', key)
    .update(JSON.stringify([context, code]))
    .digest();
}

/**
 * Whether a code is the one that was stored, under any of the keys. The time it takes tells neither how much of the
 * code is right nor which key it was.
 */
export function matchesCode(code: string, context: string, keys: readonly Buffer[], expected: Uint8Array): boolean {
  return keys.map((key) => isSame(hashCode(code, context, key), expected)).includes(true);
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
