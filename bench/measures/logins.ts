import { type Measure, only, rate } from '../bench.ts';
import { perSecond, ratio } from '../report.ts';
import { median } from '../statistics.ts';

const ROUNDS = 5;
const CONNECTIONS = 8;

/** Logins beside the hashing that they cannot do without, in turns. */
export const measureLogins: Measure = async ({ gateway, load, raw, people, pace }) => {
  const verifications: number[] = [];
  const byPackage: number[] = [];
  const logins: number[] = [];
  const p50s: number[] = [];
  const p99s: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    verifications.push(await raw.ask({ seconds: 2 * pace, by: 'gateway' }));
    byPackage.push(await raw.ask({ seconds: 2 * pace, by: { package: 'argon2', atOnce: CONNECTIONS } }));
    const result = only(
      await load.ask({
        port: gateway.port,
        work: { kind: 'logIn', people, credential: 'SESSION_TOKEN' },
        warmUpSeconds: 0.5,
        seconds: 2.5 * pace,
        pace: { kind: 'closed', connections: CONNECTIONS },
      }),
      'LoggedIn',
    );
    logins.push(rate(result, 'LoggedIn'));
    p50s.push(result.outcomes.LoggedIn?.p50 ?? Number.NaN);
    p99s.push(result.outcomes.LoggedIn?.p99 ?? Number.NaN);
  }
  const [verificationsPerSecond, loginsPerSecond] = [median(verifications), median(logins)];
  const packagePerSecond = median(byPackage);
  const [share, packageShare] = [loginsPerSecond / verificationsPerSecond, loginsPerSecond / packagePerSecond];
  return {
    rows: [
      { what: 'argon2id verifications alone, a thread for each core', figure: perSecond(verificationsPerSecond) },
      { what: `\`argon2.verify\` of the package argon2, ${CONNECTIONS} at once`, figure: perSecond(packagePerSecond) },
      {
        what: `password logins, ${CONNECTIONS} at once`,
        figure: perSecond(loginsPerSecond),
        beside: `${ratio(share)} of the verifications alone`,
        aim: '≥ 0.90',
        holds: share >= 0.9,
      },
      {
        what: 'the same beside `argon2.verify`',
        figure: perSecond(loginsPerSecond),
        beside: `${ratio(packageShare)} of it`,
        aim: '≥ 0.90',
        holds: packageShare >= 0.9,
      },
    ],
    figures: {
      verificationsPerSecond,
      loginsPerSecond,
      loginsToVerifications: share,
      argon2PackagePerSecond: packagePerSecond,
      loginsToArgon2Package: packageShare,
      loginP50: median(p50s),
      loginP99: median(p99s),
    },
  };
};
