// Plain JavaScript, because it is a process of its own, also where TypeScript is read by a loader of the tests.
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { createServer } from 'node:net';
import { KEPT } from './kept.js';

/**
 * Runs PostgreSQL for as long as anybody holds on to it. A holder is a connection that says the token: it ends with its
 * process, by whatever cause, so nothing is left running after the last one.
 *
 * @typedef {object} KeeperJob what is asked of it, once
 * @property {string} program
 * @property {string[]} options
 * @property {import('node:child_process').SpawnOptions} how
 * @property {string} logFile where the words of the program go
 * @property {string} token what a holder says
 *
 * @typedef {object} KeeperReport what it answers
 * @property {number} port where holders come to
 * @property {number} pid of the program
 */

/** The next process of a test run comes within this time after the one before. */
const LINGER_MS = 1_500;
/** The first holder comes once the server is ready. */
const FIRST_HOLDER_MS = 60_000;
const SHUTDOWN_MS = 5_000;

process.once('message', (/** @type {KeeperJob} */ job) => keep(job));
// Whoever started it is gone, and asked for nothing.
process.once('disconnect', () => process.exit(0));
process.send?.('here');

/** @param {KeeperJob} job */
function keep({ program, options, how, logFile, token }) {
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(program, options, { ...how, stdio: ['ignore', log, log] });
  child.once('error', () => process.exit(1));
  child.once('exit', () => process.exit(0));

  /** @type {Set<import('node:net').Socket>} */
  const holders = new Set();
  let ending = false;
  /** @type {NodeJS.Timeout | undefined} */
  let timer;

  function end() {
    if (ending) return;
    ending = true;
    door.close();
    for (const holder of holders) holder.destroy();
    // As PostgreSQL wants to be ended: first fast, then immediate.
    child.kill('SIGINT');
    setTimeout(() => child.kill('SIGQUIT'), SHUTDOWN_MS);
  }
  /** @param {number} milliseconds */
  function endAfter(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(end, milliseconds);
  }

  const door = createServer((visitor) => {
    visitor.on('error', () => visitor.destroy());
    visitor.once('data', (said) => {
      if (ending || String(said) !== token) return visitor.destroy();
      holders.add(visitor);
      clearTimeout(timer);
      visitor.on('close', () => {
        holders.delete(visitor);
        if (holders.size === 0) endAfter(LINGER_MS);
      });
      visitor.write(KEPT);
    });
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, end);
  door.listen(0, '127.0.0.1', () => {
    process.removeAllListeners('disconnect');
    const { port } = /** @type {import('node:net').AddressInfo} */ (door.address());
    process.send?.({ port, pid: child.pid });
    endAfter(FIRST_HOLDER_MS);
  });
}
