import type { Factor } from './factor.ts';
import { factors } from './registry.ts';

export { factors };

export type FactorName = keyof typeof factors;

/** Their names. */
export const factorNames = Object.keys(factors) as readonly FactorName[];

/** The factor of a kind of authenticator; null for a kind that is not in the registry any more. */
export function factorOf(kind: string): Factor | null {
  return Object.hasOwn(factors, kind) ? factors[kind as FactorName] : null;
}

/** Whether a login asks for a second factor of somebody who holds something of these kinds. */
export function hasMfa(kinds: readonly string[]): boolean {
  return kinds.some((kind) => factorOf(kind)?.asked ?? false);
}

/** Those of the factors that a person holds something of, in the order of the registry. */
export function namesOf(kinds: readonly string[]): FactorName[] {
  return factorNames.filter((name) => kinds.includes(name));
}

/** The field of an input that holds the answer of a factor: `RECOVERY_CODE` is `recoveryCode`. */
export function fieldOf(name: string): string {
  return name.toLowerCase().replace(/_(.)/g, (_match, letter: string) => letter.toUpperCase());
}
