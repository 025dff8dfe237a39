import { type NumberType, ParseError, parsePhoneNumberWithError } from 'libphonenumber-js/max';
import { foldNumerals } from './numerals.ts';

declare const canonical: unique symbol;

/** A phone number in E.164 (`+12025550123`). Only {@link parsePhoneNumber} makes one. */
export type PhoneNumber = string & { readonly [canonical]: true };

// Fifteen digits (E.164 §6), with room for a pair of brackets and a sign or blank between any two.
const MAX_TYPED_LENGTH = 40;
const TYPED = /^\+[0-9 ().-]+$/;
const DASHES = /[\p{Pd}\u2212]/gu;
// No text message arrives there, or it costs the operator a fortune: a known fraud is to have codes sent to premium
// numbers of one's own.
const REFUSED: readonly NumberType[] = [
  'PREMIUM_RATE',
  'SHARED_COST',
  'TOLL_FREE',
  'PERSONAL_NUMBER',
  'VOICEMAIL',
  'UAN',
  'PAGER',
];

/**
 * Reads what a person typed as a phone number: a plus sign, the country code and the number, with blanks, dashes, dots
 * and brackets wherever they like. Digits of other scripts are folded; letters and extensions are refused.
 *
 * The `max` metadata costs 75 KB on disk more than `min`, and knows which numbers are handed out and what they are for,
 * where `min` mostly knows how long they are.
 * @returns null for anything that is not one number to which a text message may go
 */
export function parsePhoneNumber(typed: string): PhoneNumber | null {
  if (typed.length > MAX_TYPED_LENGTH) return null;
  const text = foldNumerals(typed.normalize('NFKC')).replace(/\s/gu, ' ').replace(DASHES, '-').trim();
  if (!TYPED.test(text)) return null;
  try {
    const number = parsePhoneNumberWithError(text, { extract: false });
    if (!number.isValid() || REFUSED.includes(number.getType())) return null;
    return number.number as string as PhoneNumber;
  } catch (error) {
    if (error instanceof ParseError) return null;
    throw error;
  }
}

/** A number of which only its owner knows the rest: the last two digits, neither its country nor its length. */
export function maskPhoneNumber(number: PhoneNumber): string {
  return `••••••${number.slice(-2)}`;
}
