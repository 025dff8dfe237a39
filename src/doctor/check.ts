import type { Facts, Reading } from './facts.ts';

/** `warning` is what may be meant so; `skipped` is what could not, or need not, be looked at. */
export type Verdict = 'ok' | 'warning' | 'failed' | 'skipped';

/** What a check has found. */
export interface Result {
  readonly verdict: Verdict;
  /** For the operator. */
  readonly reason: string;
  /** The setting or the step that mends it; null where there is nothing to mend. */
  readonly mend: string | null;
}

/** One thing that has to be right before strangers come. */
export interface Check {
  /** What is so where it is right. */
  readonly title: string;
  /**
   * What it is about: whatever does not fit in these settings fails it. Each setting belongs to one check at most, and
   * those of none to the one that says `others`.
   */
  readonly settings: readonly string[] | 'others';
  run(facts: Facts): Result | Promise<Result>;
}

export const ok = (reason: string): Result => ({ verdict: 'ok', reason, mend: null });
export const warning = (reason: string, mend: string): Result => ({ verdict: 'warning', reason, mend });
export const failed = (reason: string, mend: string): Result => ({ verdict: 'failed', reason, mend });
export const skipped = (reason: string): Result => ({ verdict: 'skipped', reason, mend: null });

const SEVERITY: readonly Verdict[] = ['failed', 'warning', 'ok', 'skipped'];

/** Of several results the worst ones, as one. */
export function worst(results: readonly Result[]): Result {
  const verdict = SEVERITY.find((each) => results.some((result) => result.verdict === each)) ?? 'skipped';
  const those = results.filter((result) => result.verdict === verdict);
  const mends = [...new Set(those.map(({ mend }) => mend).filter((mend) => mend !== null))];
  return {
    verdict,
    reason: [...new Set(those.map(({ reason }) => reason))].join('; '),
    mend: mends.length > 0 ? mends.join(', ') : null,
  };
}

/** Judges what was read, if it could be. */
export function judge<T>(reading: Reading<T>, by: (value: T) => Result): Result {
  return reading.kind === 'read' ? by(reading.value) : skipped(reading.reason);
}
