import { randomBytes } from 'node:crypto';

// Crockford's base 32: without the letters that look like digits, and without U.
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const FORM = /^[0-9A-HJKMNP-TV-Z]{16}$/;
const MAX_TYPED_LENGTH = 64;
// Blanks and dashes of any kind, and what is invisible.
const PUNCTUATION = /[\s\p{Pd}\p{Cf}\u2212]/gu;

/** Makes a code of 80 random bits, as people read it: `ABCD-EFGH-JKMN-PQRS`. */
export function makeRecoveryCode(): string {
  // Ten bytes are sixteen times five bits.
  const bits = BigInt(`0x${randomBytes(10).toString('hex')}`);
  const code = Array.from({ length: 16 }, (_, at) => ALPHABET[Number((bits >> BigInt(at * 5)) & 31n)]).join('');
  return code.replace(/(.{4})(?=.)/g, '$1-');
}

/**
 * Reads what a person typed as a recovery code into its canonical form: case, blanks and dashes do not matter, and O, I
 * and L are the digits that they look like.
 * @returns null for anything that cannot be a code
 */
export function readRecoveryCode(typed: string): string | null {
  if (typed.length > MAX_TYPED_LENGTH) return null;
  const code = typed
    .normalize('NFKC')
    .replace(PUNCTUATION, '')
    .toUpperCase()
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1');
  return FORM.test(code) ? code : null;
}

// What other systems hand out: letters, whose case matters to some, and digits.
const FOREIGN_FORM = /^[A-Za-z0-9]{6,40}$/;

/**
 * Reads a recovery code that another system made, as it was kept or as a person types it: blanks and dashes do not matter.
 * @returns null for anything that cannot be such a code
 */
export function readForeignRecoveryCode(typed: string): string | null {
  if (typed.length > MAX_TYPED_LENGTH) return null;
  const code = typed.normalize('NFKC').replace(PUNCTUATION, '');
  return FOREIGN_FORM.test(code) ? code : null;
}
