/** The value in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

/**
 * Mann–Whitney U of two samples, by its normal approximation.
 * @returns `auc`, how often one of the first is above one of the second (0.5: nobody can tell them apart), and `p`, how
 * likely a difference of this size is by chance
 */
export function mannWhitney(first: readonly number[], second: readonly number[]): { auc: number; p: number } {
  const [n, m] = [first.length, second.length];
  const above = first.map((one) => second.filter((other) => other < one).length);
  const equal = first.map((one) => second.filter((other) => other === one).length);
  const u = above.reduce((sum, count, index) => sum + count + (equal[index] ?? 0) / 2, 0);
  const z = (u - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12);
  return { auc: u / (n * m), p: 2 * (1 - normal(Math.abs(z))) };
}

// Abramowitz and Stegun, formula 26.2.17.
function normal(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const tail = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429].reduceRight(
    (sum, factor) => (sum + factor) * t,
    0,
  );
  return 1 - (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * tail;
}
