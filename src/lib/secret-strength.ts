/**
 * Estimates how much chance went into a secret, in bits: what somebody has to guess who knows how people make up secrets.
 * An estimate from below for random texts, and generous to what people think of. What is repeated counts once, what
 * follows its neighbour in the alphabet one bit, words two bits a letter.
 */
export function estimateBits(secret: string): number {
  const text = secret.slice(0, periodOf(secret));
  // Chance writes capitals within words.
  if (/^\p{L}\p{Ll}*(?:[\s._-]+\p{L}\p{Ll}*)+\W*$/u.test(text)) return 2 * text.length;
  const codes = [...text].map((letter) => letter.codePointAt(0) ?? 0);
  const steps = codes.filter((code, index) => index > 0 && Math.abs(code - (codes[index - 1] ?? 0)) <= 1).length;
  return Math.round((codes.length - steps) * bitsPerLetter(codes) + steps);
}

/** Shannon's entropy of the letters, as often as they occur. */
function bitsPerLetter(codes: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  const shares = [...counts.values()].map((count) => count / codes.length);
  return shares.reduce((bits, share) => bits - share * Math.log2(share), 0);
}

/** The length of the shortest beginning that the whole text repeats. */
function periodOf(text: string): number {
  for (let length = 1; length <= text.length / 2; length += 1) {
    if (text.startsWith(text.slice(length)) && text.length >= 2 * length) return length;
  }
  return text.length;
}
