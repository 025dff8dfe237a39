import type { Measure } from '../bench.ts';
import { startPartner } from '../messages.ts';
import type { Race, RaceResult } from '../races.ts';
import { milliseconds, perSecond } from '../report.ts';
import { percentile } from '../statistics.ts';

const TABS = 10;
/** What one session may be refreshed in five minutes is thirty times. */
const ROUNDS = 2;

/** Ten tabs of each person that refresh with the same token at once. */
export const measureTabs: Measure = async ({ gateway, load, people, pace }) => {
  const some = people.slice(-Math.round(200 * pace));
  const { people: holders } = await load.ask({
    port: gateway.port,
    work: { kind: 'logIn', people: some, credential: 'JWT' },
    seconds: (some.length / 80) * 1.5,
    requests: some.length,
    pace: { kind: 'closed', connections: 4 },
  });
  const races = startPartner<Race, RaceResult>('./races.ts');
  try {
    const racing = holders.filter(({ refreshToken }) => refreshToken);
    const race = { kind: 'tabs', port: gateway.port, people: racing, tabs: TABS, atOnce: 4, rounds: ROUNDS } as const;
    const { count, seconds, times, wrong } = await races.ask(race);
    const p95 = percentile(Float64Array.from(times).sort(), 0.95);
    return {
      rows: [
        {
          what: 'refreshes by ten tabs that race with one token',
          figure: `${perSecond(count / seconds)}, p95 ${milliseconds(p95)}`,
        },
        { what: 'tabs that are logged out by it', figure: String(wrong), aim: '0', holds: wrong === 0 },
      ],
      figures: { racingRefreshesPerSecond: count / seconds, racingRefreshesP95: p95 },
    };
  } finally {
    await races.stop();
  }
};
