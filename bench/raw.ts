import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import argon2 from 'argon2';
import { answer } from './messages.ts';

const PASSWORD = 'tall ladder in the library';

/** Verifications alone, for so long, with the parameters that the gateway has by default. */
export interface RawTask {
  readonly seconds: number;
  /** The gateway's own code in its threads, or so many calls at once of the package `argon2` as programs use it. */
  readonly by: 'gateway' | { readonly package: 'argon2'; readonly atOnce: number };
}

/** Verifications a second. */
function measure({ seconds, by }: RawTask): Promise<number> {
  return by === 'gateway' ? measureThreads(seconds) : measurePackage(seconds, by.atOnce);
}

async function measurePackage(seconds: number, atOnce: number): Promise<number> {
  const stored = await argon2.hash(PASSWORD, { memoryCost: 47_104, timeCost: 1, parallelism: 1 });
  const begun = performance.now();
  let done = 0;
  const verify = async () => {
    while (performance.now() - begun < seconds * 1000) {
      if (!(await argon2.verify(stored, PASSWORD))) throw new Error('it does not verify');
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, verify));
  return (done * 1000) / (performance.now() - begun);
}

async function measureThreads(seconds: number): Promise<number> {
  const file = new URL('./raw-worker.js', import.meta.url);
  const threads = Array.from(
    { length: availableParallelism() },
    () => new Worker(file, { workerData: { seconds }, execArgv: [] }),
  );
  const rates = await Promise.all(threads.map((thread) => once(thread, 'message')));
  return rates.reduce((sum, [rate]) => sum + Number(rate), 0);
}

answer(measure);
