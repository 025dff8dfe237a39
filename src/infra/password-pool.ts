import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Argon2Parameters } from '../lib/argon2.js';
import type { PasswordJob, PasswordJobResult } from './password-worker.js';

/** Threads that hash passwords, as many as there are cores, with a short queue before them. */
export interface HashingPool {
  /**
   * Takes a place, or null at once when workers and queue are full: the work of the places ahead is done in about a
   * quarter of a second, so asking the caller to come back after a second is enough. To be taken before any database
   * work, so that a refusal costs nothing.
   */
  reserve(): HashingSlot | null;
  /** Gives no more places, waits for the jobs that were begun, then ends the threads. */
  close(): Promise<void>;
  /** How many jobs may run at once. */
  readonly size: number;
  /** How many places there are, running and waiting. */
  readonly places: number;
  /** How many places are taken. */
  readonly reserved: number;
  /** How many jobs are being worked on. */
  readonly running: number;
  /** How many jobs wait for a thread. */
  readonly waiting: number;
}

/** A place in the pool, for one job at a time. Whoever takes one releases it, whatever happens. */
export interface HashingSlot {
  /** @returns the hash in PHC format */
  hash(password: string, parameters: Argon2Parameters, pepper?: Buffer): Promise<string>;
  /** False for a malformed hash as well. */
  verify(hash: string, password: string, pepper?: Buffer): Promise<boolean>;
  /** For a hash that another system made. False for a malformed one as well. */
  verifyForeign(hash: string, password: string): Promise<boolean>;
  /** Gives the place back, once a job that still runs is done. Doing so twice changes nothing. */
  release(): void;
}

/** What a pool may be made of. */
export interface HashingPoolOptions {
  /** Threads; the cores of the machine by default. */
  readonly size?: number;
  /** Places in the queue for each thread. */
  readonly waitingPerWorker?: number;
  /**
   * How far the threads stand back behind others (nice, 0 to 19). Linux only. At 5 a flood of refused logins leaves four
   * fifths of the peak to hashing, and the other requests their pace; at 10 it takes half of the hashing away.
   */
  readonly niceness?: number;
  /** The program of a thread. */
  readonly worker?: URL;
}

interface Task {
  readonly job: PasswordJob;
  readonly resolve: (value: string | boolean) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  task: Task | null;
}

/**
 * Makes a pool. Its threads are started when there is work for them, and do not keep the process alive while idle.
 *
 * Hashing has threads of its own, at a low priority, because argon2 fills a core and its memory bus for milliseconds:
 * in the event loop it would stop every request, in libuv's pool every file and name lookup.
 */
export function createHashingPool({
  size = availableParallelism(),
  waitingPerWorker = 8,
  niceness = 5,
  worker = new URL('./password-worker.js', import.meta.url),
}: HashingPoolOptions = {}): HashingPool {
  const places = size * (1 + waitingPerWorker);
  const threads = new Set<Thread>();
  const queue: Task[] = [];
  let reserved = 0;
  let closed: Promise<void> | null = null;
  let onIdle: () => void = () => {};

  const running = () => [...threads].filter((thread) => thread.task).length;

  function start(): Thread {
    // Flags of the process, such as a loader of the development tools, are not for these threads.
    const thread: Thread = { worker: new Worker(worker, { workerData: { niceness }, execArgv: [] }), task: null };
    thread.worker.on('message', (result: PasswordJobResult) => {
      const { task } = thread;
      thread.task = null;
      thread.worker.unref();
      if ('error' in result) task?.reject(new Error(`a password job failed: ${result.error}`));
      else task?.resolve(result.value);
      advance();
    });
    let cause: unknown;
    thread.worker.on('error', (error) => {
      cause = error;
    });
    thread.worker.on('exit', () => {
      threads.delete(thread);
      thread.task?.reject(new Error('a password worker stopped in the middle of its job', { cause }));
      advance();
    });
    threads.add(thread);
    return thread;
  }

  function idleThread(): Thread | null {
    for (const thread of threads) if (!thread.task) return thread;
    return threads.size < size ? start() : null;
  }

  function advance(): void {
    for (let task = queue[0]; task; task = queue[0]) {
      const thread = idleThread();
      if (!thread) return;
      queue.shift();
      thread.task = task;
      thread.worker.ref();
      thread.worker.postMessage(task.job);
    }
    if (running() === 0) onIdle();
  }

  function run(job: PasswordJob): Promise<string | boolean> {
    if (closed) return Promise.reject(new Error('the password pool is closed'));
    return new Promise((resolve, reject) => {
      queue.push({ job, resolve, reject });
      advance();
    });
  }

  async function shutDown(): Promise<void> {
    if (running() + queue.length > 0) {
      await new Promise<void>((resolve) => {
        onIdle = resolve;
      });
    }
    await Promise.all([...threads].map((thread) => thread.worker.terminate()));
  }

  return {
    size,
    places,
    get reserved() {
      return reserved;
    },
    get running() {
      return running();
    },
    get waiting() {
      return queue.length;
    },
    reserve() {
      if (closed || reserved >= places) return null;
      reserved += 1;
      return createSlot(run, () => {
        reserved -= 1;
      });
    },
    close() {
      closed ??= shutDown();
      return closed;
    },
  };
}

function createSlot(run: (job: PasswordJob) => Promise<string | boolean>, free: () => void): HashingSlot {
  let busy = false;
  let released = false;

  async function occupy(job: PasswordJob): Promise<string | boolean> {
    if (released) throw new Error('the place in the password pool was given back');
    if (busy) throw new Error('a place in the password pool does one job at a time');
    busy = true;
    try {
      return await run(job);
    } finally {
      busy = false;
      if (released) free();
    }
  }

  return {
    async hash(password, parameters, pepper) {
      return String(await occupy({ password, parameters, pepper }));
    },
    async verify(hash, password, pepper) {
      return (await occupy({ password, hash, pepper })) === true;
    },
    async verifyForeign(foreignHash, password) {
      return (await occupy({ password, foreignHash })) === true;
    },
    release() {
      if (released) return;
      released = true;
      if (!busy) free();
    },
  };
}
