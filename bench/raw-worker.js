// Plain JavaScript, because a worker thread loads its file without the help of tsx.
import { parentPort, workerData } from 'node:worker_threads';
import { hash, verify } from '../src/lib/argon2.js';

const PASSWORD = 'tall ladder in the library';
/** As the gateway has them by default. */
const PARAMETERS = { memoryKiB: 47_104, iterations: 1, parallelism: 1 };
const PEPPER = Buffer.alloc(32, 7);

const stored = await hash(PASSWORD, PARAMETERS, PEPPER);
const begun = performance.now();
let done = 0;
while (performance.now() - begun < workerData.seconds * 1000) {
  if (!(await verify(stored, PASSWORD, PEPPER))) throw new Error('it does not verify');
  done += 1;
}
parentPort?.postMessage((done * 1000) / (performance.now() - begun));
