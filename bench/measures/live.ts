import { join } from 'node:path';
import type { Bench, Measure } from '../bench.ts';
import { type Gateway, startGateway } from '../gateway.ts';
import { residentMemory } from '../memory.ts';
import { startPartner } from '../messages.ts';
import type { Race, RaceResult } from '../races.ts';
import { milliseconds, perSecond } from '../report.ts';
import { seedSessions } from '../seed.ts';
import type { Holder, Instants, SocketTask } from '../sockets.ts';
import { median, percentile } from '../statistics.ts';

const EVENTS = 'subscription { sessionEvents { __typename id } }';
/** Sessions of one person that may live at once are 50, and one is the keeper's. */
const REVOKED_AT_ONCE = 40;
const TELLINGS = 21;

/** What stays open: what it takes, how soon it is told, and how soon it is closed. */
export const measureLive: Measure = async (bench) => {
  const { databaseUrl, folder, gateway, pace } = bench;
  const other = await startGateway({
    dataDir: join(folder, 'live'),
    databaseUrl,
    // A thousand sockets of one person are none that a gateway lets in by itself.
    rateLimits: { connectionsPerAccount: 'off', connectionsPerAddress: 'off' },
    ownIssuer: true,
  });
  const sockets = startPartner<SocketTask, Instants>('./sockets.ts');
  const races = startPartner<Race, RaceResult>('./races.ts');
  try {
    const idle = await measureIdle(bench, other, sockets, Math.round(5_000 * Math.min(1, pace)));
    const told = await measureTelling(bench, other, sockets, Math.round(1_000 * Math.min(1, pace)));
    const revoked = await measureRevocations(bench, [gateway, other], races, Math.round(25 * Math.min(1, pace)));
    const checks = await measureVerifier(bench, other, races);
    return {
      rows: [...idle.rows, ...told.rows, ...revoked.rows, ...checks.rows],
      figures: { ...idle.figures, ...told.figures, ...revoked.figures, ...checks.figures },
    };
  } finally {
    await Promise.all([sockets.stop(), races.stop(), other.stop()]);
  }
};

type Sockets = ReturnType<typeof startPartner<SocketTask, Instants>>;
type Races = ReturnType<typeof startPartner<Race, RaceResult>>;

const addressOf = (index: number) => `10.77.${(index >> 8) & 255}.${index & 255}`;

async function measureIdle({ databaseUrl }: Bench, { port, pid }: Gateway, sockets: Sockets, count: number) {
  const sessions = await seedSessions(databaseUrl, Math.ceil(count / 10), 10);
  const holders: Holder[] = sessions.slice(0, count).map(({ token }, index) => ({ token, address: addressOf(index) }));
  const before = await residentMemory(pid);
  const begun = performance.now();
  await sockets.ask({ kind: 'open', port, holders, query: EVENTS });
  const seconds = (performance.now() - begun) / 1000;
  const after = await residentMemory(pid);
  await sockets.ask({ kind: 'close' });
  const kibibytes = before === null || after === null ? null : ((after - before) * 1024) / count;
  return {
    rows: [
      {
        what: `memory of an idle socket with its subscription, of ${count.toLocaleString('en')} (RSS)`,
        figure: kibibytes === null ? 'not told' : `${Math.round(kibibytes)} KiB`,
      },
      { what: 'sockets that open and subscribe', figure: perSecond(count / seconds) },
    ],
    figures: { socketKibibytes: kibibytes, socketsPerSecond: count / seconds },
  };
}

async function measureTelling({ databaseUrl, load }: Bench, { port }: Gateway, sockets: Sockets, count: number) {
  const [mine, ...more] = await seedSessions(databaseUrl, 1, 1 + TELLINGS);
  const holders = Array.from({ length: count }, (_, index) => ({
    token: mine?.token ?? '',
    address: addressOf(index),
  }));
  await sockets.ask({ kind: 'open', port, holders, query: EVENTS });
  const firsts: number[] = [];
  const lasts: number[] = [];
  for (const { token } of more) {
    const heard = sockets.ask({ kind: 'hear' });
    const work = {
      kind: 'logOut',
      people: [{ email: '', password: '', address: '10.78.0.1', sessionToken: token }],
    } as const;
    await load.ask({ port, work, seconds: 1, requests: 1, pace: { kind: 'closed', connections: 1 } });
    const acknowledged = performance.timeOrigin + performance.now();
    const instants = await heard;
    firsts.push(Math.min(...instants) - acknowledged);
    lasts.push(Math.max(...instants) - Math.min(...instants));
  }
  await sockets.ask({ kind: 'close' });
  const last = median(lasts);
  return {
    rows: [
      {
        what: `from the first to the last of a person's ${count.toLocaleString('en')} sockets that is told`,
        figure: milliseconds(last),
      },
    ],
    figures: { tellAllMs: last },
  };
}

async function measureRevocations(
  bench: Bench,
  [at, elsewhere]: readonly [Gateway, Gateway],
  races: Races,
  rounds: number,
) {
  const { databaseUrl, load, people } = bench;
  const times: number[] = [];
  const accepted: number[] = [];
  let wrong = 0;
  let over = false;
  const work = { kind: 'currentUser', people: people.slice(0, 200), by: 'sessionToken' } as const;
  const loading = (async () => {
    while (!over) await load.ask({ port: elsewhere.port, work, seconds: 1, pace: { kind: 'closed', connections: 4 } });
  })();
  for (let round = 0; round < rounds; round += 1) {
    const [first, ...sessions] = await seedSessions(databaseUrl, 1, 1 + REVOKED_AT_ONCE);
    const keeper = { email: '', password: '', address: '10.79.0.1', sessionToken: first?.token ?? '' };
    const result = await races.ask({ kind: 'revocations', at: at.port, elsewhere: elsewhere.port, keeper, sessions });
    times.push(...result.times);
    accepted.push(...result.acceptedAfter);
    wrong += result.wrong;
  }
  over = true;
  await loading;
  const sorted = Float64Array.from(times).sort();
  const [p50, p99] = [percentile(sorted, 0.5), percentile(sorted, 0.99)];
  const late = Math.max(...accepted);
  return {
    rows: [
      {
        what: `a revocation at one gateway, acknowledged, to the closed socket at another, ${times.length} times under load`,
        figure: `p50 ${milliseconds(p50)}, p99 ${milliseconds(p99)}`,
        aim: 'p99 ≤ 1 s',
        holds: p99 <= 1_000,
      },
      {
        what: 'the last request there that is accepted after it',
        figure: milliseconds(late),
        aim: '≤ 1 s',
        holds: late <= 1_000,
      },
      {
        what: 'told or accepted after the end, or not told of it',
        figure: String(wrong),
        aim: '0',
        holds: wrong === 0,
      },
    ],
    figures: { revokedP50: p50, revokedP99: p99, acceptedLate: late },
  };
}

async function measureVerifier({ people, load }: Bench, { port, issuer }: Gateway, races: Races) {
  const { people: holders } = await load.ask({
    port,
    work: { kind: 'logIn', people: people.slice(0, 20), credential: 'JWT' },
    seconds: 5,
    requests: 20,
    pace: { kind: 'closed', connections: 2 },
  });
  const tokens = holders.flatMap(({ accessToken }) => accessToken ?? []);
  const { count, seconds } = await races.ask({ kind: 'verify', issuer, tokens, seconds: 2 });
  return {
    rows: [{ what: 'checks of a JWT by `postern/verify`, in-process', figure: perSecond(count / seconds) }],
    figures: { verifierPerSecond: count / seconds },
  };
}
