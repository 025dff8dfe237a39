const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * Reads a duration as settings write it: a whole number and a unit (`500ms`, `30s`, `15m`, `12h`, `7d`), or `0`.
 * @returns milliseconds, or null for any other text
 */
export function parseDuration(text: string): number | null {
  if (text === '0') return 0;
  const [, amount, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  return amount && unit ? Number(amount) * UNITS[unit as keyof typeof UNITS] : null;
}
