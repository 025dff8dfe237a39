import { generateSync } from 'otplib';
import { type Measure, only, rate } from '../bench.ts';
import type { Person } from '../operations.ts';
import { perSecond } from '../report.ts';

const CONNECTIONS = 8;
/** Seconds: a step of TOTP. */
const STEP = 30;
const BEGIN = 'mutation { beginTotp(input: {}) { ... on TotpStarted { handle secret } } }';
const CONFIRM = `mutation ($input: ConfirmTotpInput!) { confirmTotp(input: $input) { __typename } }`;

/**
 * Logins by password and the code of an authenticator app, from the first request to the session. Each person logs in
 * once, since a code works once.
 */
export const measureSecondFactors: Measure = async ({ gateway, load, verified }) => {
  const holders: Person[] = [];
  const waiting = [...verified];
  const enrollNext = async (): Promise<void> => {
    for (let person = waiting.shift(); person; person = waiting.shift()) {
      holders.push({ ...person, totpSecret: await enroll(gateway.port, person) });
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, enrollNext));

  const ask = (work: Parameters<typeof load.ask>[0]['work']) =>
    load.ask({
      port: gateway.port,
      work,
      requests: holders.length,
      seconds: 60,
      pace: { kind: 'closed', connections: CONNECTIONS },
    });
  const passwords = only(await ask({ kind: 'logIn', people: holders, credential: 'SESSION_TOKEN' }), 'MfaRequired');
  const codes = only(await ask({ kind: 'verifyMfa', people: passwords.people }), 'LoggedIn');
  const verifications = rate(codes, 'LoggedIn');
  const logins = 1 / (1 / rate(passwords, 'MfaRequired') + 1 / verifications);
  return {
    rows: [{ what: 'logins by password and TOTP, both requests', figure: perSecond(logins) }],
    figures: { totpLoginsPerSecond: logins, totpVerificationsPerSecond: verifications },
  };
};

/** Sets an authenticator app up, with the code of the step before, so that the one of now is unused. */
async function enroll(port: number, { address, sessionToken }: Person): Promise<string> {
  const send = async (query: string, variables: object = {}) => {
    const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'X-Forwarded-For': address,
        Authorization: `Bearer ${sessionToken}`,
      },
      body: JSON.stringify({ query, variables }),
    });
    const { data } = (await response.json()) as { data: Record<string, Record<string, string>> };
    return Object.values(data)[0] ?? {};
  };
  const { handle, secret = '' } = await send(BEGIN);
  const code = generateSync({ secret, epoch: Math.floor(Date.now() / 1000) - STEP });
  const { __typename } = await send(CONFIRM, { input: { handle, code } });
  if (__typename !== 'TotpEnabled') throw new Error(`no authenticator app, but ${__typename}`);
  return secret;
}
