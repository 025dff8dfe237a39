import type { Measure } from '../bench.ts';
import { type Row, ratio } from '../report.ts';
import { fillUp } from '../seed.ts';
import { measureCurrentUser } from './current-user.ts';
import { measureLive } from './live.ts';
import { measureTabs } from './tabs.ts';
import { measureRefreshes } from './tokens.ts';

const PEOPLE = 1_000_000;
const SESSIONS_EACH = 3;

/** What is compared, and whether more of it is better. */
const COMPARED = {
  sessionToYoga: ['`currentUser` by session token, of the bare Yoga', true],
  jwtToYoga: ['`currentUser` by JWT, of the bare Yoga', true],
  racingRefreshesPerSecond: ['refreshes by ten tabs', true],
  racingRefreshesP95: ['p95 of these', false],
  socketsPerSecond: ['sockets that open and subscribe', true],
  socketKibibytes: ['memory of an idle socket', false],
  tellAllMs: ["telling all of a person's sockets", false],
  revokedP99: ['p99 from a revocation to the closed socket', false],
} as const;

type Figures = Readonly<Record<string, number | null>>;

/** The same once more with a full database, beside what it was before. */
export const measureGrowth =
  (before: Figures): Measure =>
  async (bench) => {
    await fillUp(bench.databaseUrl, Math.round(PEOPLE * bench.pace), SESSIONS_EACH);
    const after: Record<string, number | null> = {};
    // The JWTs of the beginning have expired by now.
    await measureRefreshes(bench);
    for (const measure of [measureCurrentUser, measureTabs, measureLive])
      Object.assign(after, (await measure(bench)).figures);
    const people = Math.round(PEOPLE * bench.pace).toLocaleString('en');
    const rows: Row[] = Object.entries(COMPARED).flatMap(([name, [what, moreIsBetter]]) => {
      const [was, is] = [before[name], after[name]];
      if (!was || !is) return [];
      const share = moreIsBetter ? is / was : was / is;
      return [
        {
          what: `${what}, with ${people} people and three sessions each`,
          figure: `${ratio(share)} of as good as before`,
          aim: '≥ 0.90',
          holds: share >= 0.9,
        },
      ];
    });
    return {
      rows,
      figures: Object.fromEntries(Object.entries(after).map(([name, value]) => [`grown.${name}`, value])),
    };
  };
