import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process of ours that answers one question after another. */
export interface Partner<Q, A> {
  ask(question: Q): Promise<A>;
  stop(): Promise<void>;
}

/** Starts a partner from a TypeScript file of this folder, whose last line calls {@link answer}. */
export function startPartner<Q extends object, A>(file: string): Partner<Q, A> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), {
    execArgv: ['--import', 'tsx'],
    serialization: 'advanced',
  });
  return {
    async ask(question) {
      const answered = new AbortController();
      const { signal } = answered;
      child.send(question);
      try {
        const [reply] = (await Promise.race([once(child, 'message', { signal }), failure(child, file, signal)])) as [A];
        return reply;
      } finally {
        answered.abort();
      }
    },
    async stop() {
      if (!child.connected) return;
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

/** Answers the questions of the process that started this one, until it hangs up. */
export function answer<Q, A>(work: (question: Q) => Promise<A>): void {
  process.on('message', async (question) => {
    process.send?.(await work(question as Q));
  });
  process.on('disconnect', () => process.exit(0));
}

async function failure(child: ChildProcess, file: string, signal: AbortSignal): Promise<never> {
  const [code] = await once(child, 'exit', { signal });
  throw new Error(`${file} ended with ${code}`);
}
