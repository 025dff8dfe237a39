import type { Bench, Measure } from '../bench.ts';
import type { LoadResult } from '../load.ts';
import { isTyped, type Work } from '../operations.ts';
import { milliseconds, perSecond, ratio } from '../report.ts';
import { median } from '../statistics.ts';

const ROUNDS = 3;
const PROBES_PER_SECOND = 200;
const TIMES_TOO_MANY = 20;

/**
 * What people who are logged in notice of a flood of logins, and what is left of the logins: a steady, modest rate of
 * `currentUser`, in turns alone and while twenty times as many logins are offered as hashing can do.
 * @param peak logins and verifications a second, as they were measured without a flood
 */
export function measureFlood(peak: { logins: number; verifications: number }): Measure {
  const perSecondOffered = Math.round(peak.verifications * TIMES_TOO_MANY);
  return async (bench) => {
    const calm: LoadResult[] = [];
    const probes: LoadResult[] = [];
    const floods: LoadResult[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      calm.push(await probe(bench, 3 * bench.pace));
      const flooded = bench.load.ask({
        port: bench.gateway.port,
        work: { kind: 'logIn', people: bench.people, credential: 'SESSION_TOKEN' },
        warmUpSeconds: 1,
        seconds: 5 * bench.pace,
        pace: { kind: 'open', perSecond: perSecondOffered, connections: 1_000 },
      });
      probes.push(await probe(bench, 5 * bench.pace));
      floods.push(await flooded);
    }

    const over = (results: readonly LoadResult[], outcome: string, figure: 'p50' | 'p99') =>
      median(results.map(({ outcomes }) => outcomes[outcome]?.[figure] ?? Number.NaN));
    const perSecondOf = (outcome: string) =>
      median(floods.map(({ outcomes, seconds }) => (outcomes[outcome]?.count ?? 0) / seconds));
    const faults = [...calm, ...probes, ...floods]
      .flatMap(({ outcomes }) => Object.entries(outcomes))
      .filter(([outcome]) => !isTyped(outcome))
      .reduce((sum, [, { count }]) => sum + count, 0);

    const slowdown = over(probes, 'User', 'p99') / over(calm, 'User', 'p99');
    const goodput = perSecondOf('LoggedIn');
    const refusal = over(floods, 'RateLimited', 'p99');
    const offered = median(floods.map(({ offered, seconds }) => offered / seconds));
    const times = (results: readonly LoadResult[]) =>
      `p50 ${milliseconds(over(results, 'User', 'p50'))}, p99 ${milliseconds(over(results, 'User', 'p99'))}`;
    return {
      rows: [
        { what: `\`currentUser\`, ${PROBES_PER_SECOND} a second, alone`, figure: times(calm) },
        {
          what: `the same while ${perSecond(offered)} logins are offered`,
          figure: times(probes),
          beside: `p99 ${ratio(slowdown)} times the calm one`,
          aim: '≤ 2',
          holds: slowdown <= 2,
        },
        {
          what: 'logins that succeed meanwhile',
          figure: perSecond(goodput),
          beside: `${ratio(goodput / peak.logins)} of the peak`,
          aim: '≥ 0.80',
          holds: goodput >= 0.8 * peak.logins,
        },
        {
          what: 'logins that are refused meanwhile (RateLimited)',
          figure: `${perSecond(perSecondOf('RateLimited'))}, p50 ${milliseconds(over(floods, 'RateLimited', 'p50'))}, p99 ${milliseconds(refusal)}`,
          aim: 'p99 ≤ 100 ms',
          holds: refusal <= 100,
        },
        { what: 'answers that are no typed result', figure: String(faults), aim: '0', holds: faults === 0 },
      ],
      figures: {
        calmP50: over(calm, 'User', 'p50'),
        calmP99: over(calm, 'User', 'p99'),
        floodP50: over(probes, 'User', 'p50'),
        floodP99: over(probes, 'User', 'p99'),
        floodSlowdown: slowdown,
        floodOffered: offered,
        floodGoodput: goodput,
        floodGoodputToPeak: goodput / peak.logins,
        refusalP50: over(floods, 'RateLimited', 'p50'),
        refusalP99: refusal,
        faults,
        floodLoadCores: median(floods.map(({ cores }) => cores)),
      },
    };
  };
}

function probe({ gateway, probe, people }: Bench, seconds: number): Promise<LoadResult> {
  const work: Work = { kind: 'currentUser', people: people.slice(0, 400), by: 'sessionToken' };
  const pace = { kind: 'open', perSecond: PROBES_PER_SECOND, connections: 64 } as const;
  return probe.ask({ port: gateway.port, work, warmUpSeconds: 1, seconds, pace });
}
