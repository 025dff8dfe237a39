import { type Measure, only, rate } from '../bench.ts';
import { makePeople } from '../operations.ts';
import { perSecond } from '../report.ts';

const CONNECTIONS = 8;
/** More than can sign up in that time. */
const MOST = 6_000;

/** Sign-ups, which make the people that all other measures work with. */
export const measureSignUps: Measure = async ({ gateway, load, people, pace }) => {
  const result = only(
    await load.ask({
      port: gateway.port,
      work: { kind: 'signUp', people: makePeople(MOST, 'ada') },
      warmUpSeconds: 1,
      seconds: 4 * pace,
      pace: { kind: 'closed', connections: CONNECTIONS },
    }),
    'LoggedIn',
  );
  people.push(...result.people.filter(({ sessionToken }) => sessionToken));
  const signUps = rate(result, 'LoggedIn');
  return { rows: [{ what: 'sign-ups', figure: perSecond(signUps) }], figures: { signUpsPerSecond: signUps } };
};

/** Refreshes, and before them logins that give JWTs. */
export const measureRefreshes: Measure = async ({ gateway, load, people, pace }) => {
  const some = people.slice(0, 400);
  const { people: holders } = only(
    await load.ask({
      port: gateway.port,
      work: { kind: 'logIn', people: some, credential: 'JWT' },
      seconds: (some.length / 100) * 1.2,
      pace: { kind: 'open', perSecond: 100, connections: CONNECTIONS },
    }),
    'LoggedIn',
  );
  for (const [index, holder] of holders.entries()) people[index] = holder;
  const result = only(
    await load.ask({
      port: gateway.port,
      work: { kind: 'refresh', people: holders },
      warmUpSeconds: 0.5,
      seconds: 3 * pace,
      pace: { kind: 'closed', connections: CONNECTIONS },
    }),
    'SessionTokensRefreshed',
  );
  const refreshes = rate(result, 'SessionTokensRefreshed');
  return {
    rows: [{ what: 'token refreshes', figure: perSecond(refreshes) }],
    figures: { refreshesPerSecond: refreshes },
  };
};
