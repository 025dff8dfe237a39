// Plain JavaScript, because a worker thread loads its file without the help of vitest, tsx or a build.
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { hash, verify } from '../lib/argon2.js';
import { verifyForeignHash } from '../lib/foreign-hash.js';

/**
 * One piece of work: with parameters to hash a password, with a hash of ours or a foreign one to verify it.
 * @typedef {{ readonly password: string, readonly pepper?: Uint8Array | undefined }
 *   & ({ readonly parameters: import('../lib/argon2.js').Argon2Parameters } | { readonly hash: string }
 *     | { readonly foreignHash: string })} PasswordJob
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
    return { value: await work(job) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * @param {PasswordJob} job
 * @returns {Promise<string | boolean>}
 */
function work(job) {
  if ('foreignHash' in job) return verifyForeignHash(job.foreignHash, job.password);
  return 'hash' in job ? verify(job.hash, job.password, job.pepper) : hash(job.password, job.parameters, job.pepper);
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
