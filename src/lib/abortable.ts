import { once } from 'node:events';

/** Values that come one after the other, until there are no more or nobody wants more. */
export type Stream<T> = AsyncGenerator<T, void, undefined>;

/**
 * Lets a stream be ended while somebody waits for its next value: a generator's own `return()` would wait for that value
 * as well, for good if it never comes.
 * @param controller its signal is what the stream looks at while it waits
 */
export function abortable<T>(stream: Stream<T>, controller: AbortController): Stream<T> {
  const end = stream.return.bind(stream);
  return Object.assign(stream, {
    return: () => {
      controller.abort();
      return end();
    },
  });
}

/** The values of a stream, each made into another. */
export async function* map<A, B>(stream: Stream<A>, change: (value: A) => B): Stream<B> {
  for await (const value of stream) yield change(value);
}

/** Waits until nobody wants more. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
