/** Writes the decimal digits of every script as 0 to 9: keyboards for Arabic, Hindi or Bengali type their own. */
export function foldNumerals(text: string): string {
  return text.replace(/[^\P{Nd}0-9]/gu, (digit) => String(decimalOf(digit)));
}

// Unicode keeps the ten digits of a script together and in order, so a digit's value is its place.
function decimalOf(digit: string): number {
  const code = digit.codePointAt(0) ?? 0;
  let first = code;
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first--;
  return (code - first) % 10;
}
