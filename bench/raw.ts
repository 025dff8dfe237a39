import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { answer } from './messages.ts';

/** How long to verify, with the library and the parameters that the gateway has by default. */
export interface RawTask {
  readonly seconds: number;
}

/** Verifications a second of as many threads as the gateway hashes in, and of nothing else. */
async function measure({ seconds }: RawTask): Promise<number> {
  const file = new URL('./raw-worker.js', import.meta.url);
  const threads = Array.from(
    { length: availableParallelism() },
    () => new Worker(file, { workerData: { seconds }, execArgv: [] }),
  );
  const rates = await Promise.all(threads.map((thread) => once(thread, 'message')));
  return rates.reduce((sum, [rate]) => sum + Number(rate), 0);
}

answer(measure);
