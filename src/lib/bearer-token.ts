/**
 * The token of an `Authorization: Bearer` header (RFC 6750 §2.1).
 * @returns the empty text for a header without one; null for other schemes, which belong to somebody else
 */
export function bearerToken(authorization: string): string | null {
  const text = trimBlanks(authorization);
  if (!/^bearer\b/i.test(text)) return null;
  const [, token = ''] = /^bearer[ \t]+(.*)$/i.exec(text) ?? [];
  return token;
}

// Only these two are blanks in a header (RFC 9110 §5.6.3); what else Unicode calls white space is part of a value.
// No regular expression: one for trailing blanks takes quadratic time for blanks in the middle.
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text[start])) start += 1;
  while (end > start && isBlank(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}
