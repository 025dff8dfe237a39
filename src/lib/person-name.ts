const MAX_LENGTH = 200;

/** Reads what a person typed as their name: in NFC, surrounding blanks gone. Null: no name at all. */
export function parsePersonName(typed: string): string | null | { readonly problem: 'TOO_LONG' | 'INVALID' } {
  // Normalizing takes time that grows with the square of a run of combining marks: only what may fit is normalized.
  if (typed.length > 8 * MAX_LENGTH) return { problem: 'TOO_LONG' };
  const name = typed.normalize('NFC').trim();
  if ([...name].length > MAX_LENGTH) return { problem: 'TOO_LONG' };
  // Control and invisible formatting characters forge lines in mails and logs; lone surrogates are no text.
  if (/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(name) || !name.isWellFormed())
    return { problem: 'INVALID' };
  // Something has to be seen of it.
  if (name !== '' && /^[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]*$/u.test(name)) return { problem: 'INVALID' };
  return name || null;
}
