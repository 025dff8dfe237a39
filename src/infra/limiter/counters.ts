import type { Db } from '../database.ts';

/** One counter, and how long the window is that its first attempt begins. */
export interface Counter {
  /** The limit, and a digest of what it counts for. */
  readonly key: string;
  readonly windowMs: number;
}

/** What a counter stands at. */
export interface Counted {
  readonly key: string;
  readonly points: number;
  /** When its window ends, in milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Where the counters of all instances are kept. */
export interface Counters {
  /**
   * Adds one to each, at once and for good: of two that add at the same moment, one sees the other's.
   * @param db a transaction that the counting belongs to, where counters can belong to one
   * @returns what each stands at; once more for every other place where it is counted as well
   */
  add(counters: readonly Counter[], db?: Db): Promise<readonly Counted[]>;
  /** Takes points back from those whose window goes on. None falls below zero. */
  takeBack(points: ReadonlyMap<string, number>): Promise<void>;
  /** Forgets what was counted. */
  remove(keys: readonly string[]): Promise<void>;
  /** What one stands at; 0 if its window is over. */
  read(key: string): Promise<number>;
  close(): Promise<void>;
}
