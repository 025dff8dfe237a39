import { join } from 'node:path';
import type { Bench, Measure } from '../bench.ts';
import { only } from '../bench.ts';
import { startGateway } from '../gateway.ts';
import { makePeople, type Work } from '../operations.ts';
import { startStatementCounter } from '../statement-counter.ts';

const REQUESTS = 20;

/** SQL statements for each request, read off the wire between another gateway and the same PostgreSQL. */
export const measureStatements: Measure = async (bench) => {
  const counter = await startStatementCounter(bench.databaseUrl);
  const gateway = await startGateway({
    dataDir: join(bench.folder, 'counted'),
    databaseUrl: counter.url,
    smtpUrl: bench.mailServer.url,
  });
  try {
    const run = async (work: Work, outcome: string) => {
      counter.take();
      const result = only(await ask(bench, gateway.port, work), outcome);
      const statements = counter.take();
      return { ...result, statements: statements.length / (result.outcomes[outcome]?.count ?? 0) };
    };
    const people = bench.people.slice(0, REQUESTS);
    const holdToken = { kind: 'currentUser', people, by: 'sessionToken' } as const;
    const holdJwt = { kind: 'currentUser', people, by: 'accessToken' } as const;

    const signUp = await run({ kind: 'signUp', people: makePeople(REQUESTS, 'counted') }, 'LoggedIn');
    const logIn = await run({ kind: 'logIn', people, credential: 'SESSION_TOKEN' }, 'LoggedIn');
    const jwts = await run({ kind: 'logIn', people, credential: 'JWT' }, 'LoggedIn');
    const refresh = await run({ kind: 'refresh', people: jwts.people }, 'SessionTokensRefreshed');
    const first = await run(holdToken, 'User');
    const second = await run(holdToken, 'User');
    await run(holdJwt, 'User');
    const byJwt = await run(holdJwt, 'User');

    // The session of a person who logs out on one gateway, as the next request shows it to that one.
    const leavers = logIn.people;
    await run({ kind: 'currentUser', people: leavers, by: 'sessionToken' }, 'User');
    const logOut = await run({ kind: 'logOut', people: leavers }, 'LoggedOut');
    const after = await ask(bench, gateway.port, { kind: 'currentUser', people: leavers, by: 'sessionToken' });
    const refused = after.outcomes.Unauthenticated?.count ?? 0;

    const cached = Math.max(second.statements, byJwt.statements);
    return {
      rows: [
        {
          what: 'SQL statements of a `currentUser`, session remembered',
          figure: String(cached),
          aim: '0',
          holds: cached === 0,
        },
        {
          what: 'requests refused that come right after `logOut`',
          figure: `${refused} of ${leavers.length}`,
          aim: 'all',
          holds: refused === leavers.length,
        },
        {
          what: 'SQL statements of other requests',
          figure: `first \`currentUser\` ${first.statements}, login ${logIn.statements}, sign-up ${signUp.statements}, refresh ${refresh.statements}, \`logOut\` ${logOut.statements}`,
        },
      ],
      figures: {
        statementsCurrentUserCached: cached,
        statementsCurrentUserFirst: first.statements,
        statementsLogIn: logIn.statements,
        statementsSignUp: signUp.statements,
        statementsRefresh: refresh.statements,
        statementsLogOut: logOut.statements,
        refusedAfterLogOut: refused / leavers.length,
      },
    };
  } finally {
    await gateway.stop();
    counter.close();
  }
};

// One after another, once for each person.
function ask({ load }: Bench, port: number, work: Work) {
  const pace = { kind: 'closed', connections: 1 } as const;
  return load.ask({ port, work, seconds: 30, requests: work.people.length, pace });
}
