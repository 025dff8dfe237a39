import { type Bench, type Measure, only, rate } from '../bench.ts';
import type { Work } from '../operations.ts';
import { milliseconds, perSecond, ratio } from '../report.ts';
import { median } from '../statistics.ts';

const ROUNDS = 4;
const CONNECTIONS = 16;

/** Who asks beside what a server takes that answers the same and looks at nobody, in turns. */
export const measureCurrentUser: Measure = async (bench) => {
  const { gateway, bare, people } = bench;
  const bySession: Work = { kind: 'currentUser', people: people.slice(0, 400), by: 'sessionToken' };
  const byJwt: Work = { kind: 'currentUser', people: people.slice(0, 400), by: 'accessToken' };
  const node = new Series(bench, bare.node, bySession);
  const yoga = new Series(bench, bare.yoga, bySession);
  const session = new Series(bench, gateway.port, bySession);
  const jwt = new Series(bench, gateway.port, byJwt);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const series of [node, yoga, session, jwt]) await series.measure();
  }

  const compare = (what: string, series: Series) => {
    const share = series.rate / yoga.rate;
    const beside = `${ratio(share)} of the bare Yoga`;
    return { what, figure: `${perSecond(series.rate)}, ${series.times}`, beside, aim: '≥ 0.80', holds: share >= 0.8 };
  };
  return {
    rows: [
      { what: 'a bare node:http, a constant', figure: `${perSecond(node.rate)}, ${node.times}` },
      { what: 'a bare Yoga, a constant', figure: `${perSecond(yoga.rate)}, ${yoga.times}` },
      compare('`currentUser` by session token', session),
      compare('`currentUser` by JWT', jwt),
    ],
    figures: {
      nodePerSecond: node.rate,
      yogaPerSecond: yoga.rate,
      yogaP50: yoga.p50,
      yogaP99: yoga.p99,
      currentUserBySessionPerSecond: session.rate,
      currentUserBySessionP50: session.p50,
      currentUserBySessionP99: session.p99,
      currentUserByJwtPerSecond: jwt.rate,
      currentUserByJwtP50: jwt.p50,
      currentUserByJwtP99: jwt.p99,
      sessionToYoga: session.rate / yoga.rate,
      jwtToYoga: jwt.rate / yoga.rate,
    },
  };
};

class Series {
  readonly #bench: Bench;
  readonly #port: number;
  readonly #work: Work;
  readonly #rates: number[] = [];
  readonly #p50s: number[] = [];
  readonly #p99s: number[] = [];

  constructor(bench: Bench, port: number, work: Work) {
    this.#bench = bench;
    this.#port = port;
    this.#work = work;
  }

  async measure(): Promise<void> {
    const { load, pace } = this.#bench;
    const result = await load.ask({
      port: this.#port,
      work: this.#work,
      warmUpSeconds: 0.4,
      seconds: 1.6 * pace,
      pace: { kind: 'closed', connections: CONNECTIONS },
    });
    only(result, 'User');
    this.#rates.push(rate(result, 'User'));
    this.#p50s.push(result.outcomes.User?.p50 ?? Number.NaN);
    this.#p99s.push(result.outcomes.User?.p99 ?? Number.NaN);
  }

  get rate(): number {
    return median(this.#rates);
  }

  get p50(): number {
    return median(this.#p50s);
  }

  get p99(): number {
    return median(this.#p99s);
  }

  get times(): string {
    return `p50 ${milliseconds(this.p50)}, p99 ${milliseconds(this.p99)}`;
  }
}
