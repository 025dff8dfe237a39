import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds that take in what differs between an account and none, and that nobody who waits for a mail notices. */
const EVEN_MS = 30;

/**
 * Does work whose result must not tell whether there is an account, and answers at a set time rather than when it is
 * done. Both ways take the same statements; this hides what is left, such as the check of a foreign key.
 */
export async function evenly<R>(work: () => Promise<R>): Promise<R> {
  const [result] = await Promise.all([work(), pause(EVEN_MS)]);
  return result;
}
