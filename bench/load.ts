import { setTimeout as pause } from 'node:timers/promises';
import { Connection } from './http-client.ts';
import { answer } from './messages.ts';
import { type Errands, errandsFor, outcomeOf, type Person, type Work } from './operations.ts';
import { percentile } from './statistics.ts';

/** A load: what to ask for, at which port, and how hard. */
export interface Load {
  readonly port: number;
  readonly work: Work;
  readonly seconds: number;
  /** Not more requests than these. */
  readonly requests?: number;
  /** Before that time has passed, answers do not count. */
  readonly warmUpSeconds?: number;
  readonly pace:
    | { readonly kind: 'closed'; readonly connections: number }
    /** Whether or not earlier ones were answered: the time of a request counts from when it was due. */
    | { readonly kind: 'open'; readonly perSecond: number; readonly connections: number };
}

/** How long answers of one kind took, in milliseconds. */
export interface Outcome {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
}

export interface LoadResult {
  readonly seconds: number;
  /** Requests that were due. */
  readonly offered: number;
  readonly outcomes: Readonly<Record<string, Outcome>>;
  readonly people: readonly Person[];
  /** The share of a core that the load itself took. */
  readonly cores: number;
}

/** Longer than the gateway lets anything take. */
const ANSWER_WITHIN_MS = 12_000;

/** Runs a load. */
export async function run(load: Load): Promise<LoadResult> {
  const errands = errandsFor(load.work);
  const tally = new Tally();
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const countsFrom = begun + (load.warmUpSeconds ?? 0) * 1000;
  const until = countsFrom + load.seconds * 1000;
  const offered = await (load.pace.kind === 'closed' ? closedLoop : openLoop)(load, errands, tally, countsFrom, until);
  const seconds = (Math.min(performance.now(), until) - countsFrom) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    seconds,
    offered,
    outcomes: tally.outcomes(),
    people: errands.people,
    cores: (user + system) / 1000 / (performance.now() - begun),
  };
}

type Loop = (load: Load, errands: Errands, tally: Tally, countsFrom: number, until: number) => Promise<number>;

/** Each connection asks again as soon as it was answered. */
const closedLoop: Loop = async (
  { port, pace, requests = Number.POSITIVE_INFINITY },
  errands,
  tally,
  countsFrom,
  until,
) => {
  let offered = 0;
  const converse = async () => {
    const connection = new Connection(port);
    while (performance.now() < until && offered < requests) {
      const errand = errands.next();
      if (!errand) break;
      const begun = performance.now();
      if (begun >= countsFrom) offered += 1;
      const reply = await connection.send(errand.request);
      errand.onReply?.(reply.body);
      const ended = performance.now();
      if (begun >= countsFrom && ended <= until) tally.add(outcomeOf(reply), ended - begun);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: pace.connections }, converse));
  return offered;
};

/** Asks at a steady pace. Requests that find no free connection wait for one, and their waiting counts. */
const openLoop: Loop = async ({ port, pace }, errands, tally, countsFrom, until) => {
  if (pace.kind !== 'open') return 0;
  const every = 1000 / pace.perSecond;
  const free = Array.from({ length: pace.connections }, () => new Connection(port));
  const all = [...free];
  const due: number[] = [];
  let firstDue = 0;
  let offered = 0;
  let open = 0;

  const send = (connection: Connection, at: number) => {
    const errand = errands.next();
    if (!errand) return;
    open += 1;
    connection.send(errand.request).then((reply) => {
      open -= 1;
      errand.onReply?.(reply.body);
      if (at >= countsFrom) tally.add(outcomeOf(reply), performance.now() - at);
      const next = due[firstDue];
      if (next === undefined) free.push(connection);
      else {
        firstDue += 1;
        send(connection, next);
      }
    });
  };

  for (let at = performance.now(); at < until; ) {
    for (const now = performance.now(); at <= now; at += every) {
      if (at >= countsFrom) offered += 1;
      const connection = free.pop();
      if (connection) send(connection, at);
      else due.push(at);
    }
    await pause(1);
  }
  // What was due is answered, however late; but not for ever.
  for (const patience = until + ANSWER_WITHIN_MS; open > 0 && performance.now() < patience; ) await pause(5);
  if (open > 0) tally.add('no answer', Number.POSITIVE_INFINITY, open);
  for (const connection of all) connection.close();
  return offered;
};

class Tally {
  readonly #times = new Map<string, number[]>();

  add(outcome: string, milliseconds: number, count = 1): void {
    const times = this.#times.get(outcome) ?? [];
    for (let n = 0; n < count; n += 1) times.push(milliseconds);
    this.#times.set(outcome, times);
  }

  outcomes(): Record<string, Outcome> {
    return Object.fromEntries(
      [...this.#times].map(([name, times]) => {
        const sorted = Float64Array.from(times).sort();
        return [
          name,
          {
            count: sorted.length,
            p50: percentile(sorted, 0.5),
            p99: percentile(sorted, 0.99),
            worst: sorted.at(-1) ?? Number.NaN,
          },
        ];
      }),
    );
  }
}

answer(run);
