/** Calls a function at most once in a while; what it is called with in between is dropped. */
export function atMostEvery<A>(milliseconds: number, work: (argument: A) => void): (argument: A) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (argument) => {
    const now = performance.now();
    if (now - last < milliseconds) return;
    last = now;
    work(argument);
  };
}
