import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Measure, only, rate } from '../bench.ts';
import { startGateway } from '../gateway.ts';
import { makePeople, type Person } from '../operations.ts';
import { perSecond } from '../report.ts';

const CONNECTIONS = 8;
const ARRIVE_WITHIN_MS = 60_000;
/** People whom other measures may ask for a verified address. */
const VERIFIED = 300;

/**
 * What mails belong to: sign-ups that wait for a code, and logins by code, from the request to the session. A gateway of
 * its own, which asks for verification, on the same PostgreSQL; the mails go to a mail server over SMTP.
 */
export const measureMails: Measure = async (bench) => {
  const { databaseUrl, folder, load, mailServer, pace } = bench;
  const gateway = await startGateway({
    dataDir: join(folder, 'mailing'),
    databaseUrl,
    smtpUrl: mailServer.url,
    emailVerification: 'mandatory',
  });
  try {
    const ask = (work: Parameters<typeof load.ask>[0]['work'], requests?: number) =>
      load.ask({
        port: gateway.port,
        work,
        ...(requests === undefined ? { warmUpSeconds: 0.5, seconds: 3 * pace } : { requests, seconds: 60 }),
        pace: { kind: 'closed', connections: CONNECTIONS },
      });
    const before = mailServer.mails;
    const signUps = only(
      await ask({ kind: 'signUp', people: makePeople(6_000, 'mailed') }),
      'EmailVerificationRequired',
    );
    const asked = signUps.people.filter(({ loginToken }) => loginToken).length;
    await until(() => mailServer.mails - before >= asked);
    const awaited = signUps.people.filter(({ loginToken }) => loginToken).slice(0, Math.round(VERIFIED * pace));
    const codes = awaited.map((person): Person => ({ ...person, code: mailServer.codeOf(person.email) ?? '' }));
    const verified = only(await ask({ kind: 'verifyEmail', people: codes }, codes.length), 'LoggedIn');
    bench.verified.push(...verified.people);

    // People of their own: whoever first proves a mailbox by a code ends the sessions of before.
    const some = makePeople(Math.round(400 * pace), 'coded');
    only(
      await load.ask({
        port: bench.gateway.port,
        work: { kind: 'signUp', people: some },
        requests: some.length,
        seconds: 60,
        pace: { kind: 'closed', connections: CONNECTIONS },
      }),
      'LoggedIn',
    );
    const requests = only(await ask({ kind: 'requestCode', people: some }, some.length), 'LoginCodeRequired');
    await until(() => some.every(({ email }) => mailServer.codeOf(email)));
    const holders = requests.people.map(
      (person): Person => ({ ...person, code: mailServer.codeOf(person.email) ?? '' }),
    );
    const logins = only(await ask({ kind: 'logInWithCode', people: holders }, holders.length), 'LoggedIn');

    const each = 1 / rate(requests, 'LoginCodeRequired') + 1 / rate(logins, 'LoggedIn');
    const [mailed, byCode] = [rate(signUps, 'EmailVerificationRequired'), 1 / each];
    return {
      rows: [
        { what: 'sign-ups with a mail', figure: perSecond(mailed) },
        { what: 'logins by code, the request with its mail included', figure: perSecond(byCode) },
      ],
      figures: { mailedSignUpsPerSecond: mailed, codeLoginsPerSecond: byCode },
    };
  } finally {
    await gateway.stop();
  }
};

async function until(holds: () => boolean): Promise<void> {
  for (const patience = performance.now() + ARRIVE_WITHIN_MS; !holds(); await pause(20)) {
    if (performance.now() > patience) throw new Error('not all mails have come');
  }
}
