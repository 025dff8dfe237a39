// Plain JavaScript, because a worker thread loads its file without the help of vitest, tsx or a build.
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { hash, verify } from '../lib/argon2.js';

/**
 * One piece of work: with parameters to hash a password, with a hash to verify it.
 * @typedef {{ readonly password: string, readonly pepper: Uint8Array | undefined }
 *   & ({ readonly parameters: import('../lib/argon2.js').Argon2Parameters } | { readonly hash: string })} PasswordJob
 */

/** @typedef {{ readonly value: string | boolean } | { readonly error: string }} PasswordJobResult */

lowerPriority();

parentPort?.on('message', async (/** @type {PasswordJob} */ job) => {
  parentPort?.postMessage(await run(job));
});

/**
 * @param {PasswordJob} job
 * @returns {Promise<PasswordJobResult>}
 */
async function run(job) {
  try {
    const value =
      'hash' in job
        ? await verify(job.hash, job.password, job.pepper)
        : await hash(job.password, job.parameters, job.pepper);
    return { value };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

function lowerPriority() {
  // On Linux, and only there, priorities belong to threads: 0 means this one, not the process.
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, workerData.niceness);
  } catch {
    // A sandbox may forbid it; then hashing competes as an equal.
  }
}
