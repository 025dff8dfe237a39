import { once } from 'node:events';
import { request } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createSmtpMailer } from '../../src/infra/mailer.ts';
import { ADD_EMAIL } from '../support/account.ts';
import { GraphQLClient } from '../support/client.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { type Gateway, type GatewayOptions, startGateway } from '../support/gateway.ts';
import { REQUEST_RESET } from '../support/passwords.ts';
import {
  CONTINUE_LOGIN,
  hold,
  LOG_IN_WITH_CODE,
  newPerson,
  type Person,
  REQUEST_LOGIN_CODE,
  RESEND_CODE,
  SIGN_UP,
  VERIFY_EMAIL,
} from '../support/people.ts';
import { spawnGateway } from '../support/process.ts';
import {
  type MailServer,
  type ReceivedMail,
  type SilentServer,
  startMailServer,
  startSilentServer,
} from '../support/smtp.ts';

const FRONTEND = 'https://app.example.com/welcome';
const SETTINGS = {
  POSTERN_EMAIL_VERIFICATION: 'mandatory',
  POSTERN_RATE_LIMITS: 'off',
  POSTERN_FRONTEND_URL: FRONTEND,
  POSTERN_LOG_LEVEL: 'trace',
};

/** A gateway whose mails go to a server. */
function startOver(url: string, more: GatewayOptions = {}): Promise<Gateway> {
  const mailer = createSmtpMailer({ url, from: 'Postern <no-reply@example.com>' });
  return startGateway({ ...more, env: { ...SETTINGS, ...more.env }, mailer });
}

/** What a reader finds in a mail. */
function readMail({ text, html }: ReceivedMail) {
  const code = /^([A-Z]{4}-[A-Z]{4})$/m.exec(text)?.[1] ?? '';
  const links = [...text.matchAll(/https?:\/\/[^\s<>]+/g)].map(([link]) => link);
  const link = links.find((each) => each.includes('token=')) ?? '';
  const hrefs = [...html.matchAll(/href="([^"]*)"/g)].map(([, href = '']) => href.replaceAll('&amp;', '&'));
  return { code, link, links, hrefs, token: link ? (new URL(link).searchParams.get('token') ?? '') : '' };
}

/** Asks for everything that sends a mail; the addresses that get one. */
async function askForMails(gateway: Gateway, person: Person, client = gateway.client()): Promise<string> {
  const { result } = await client.send(SIGN_UP, { input: person });
  expect(result.__typename).toBe('EmailVerificationRequired');
  await client.send(REQUEST_LOGIN_CODE, { input: { email: person.email } });
  await client.send(REQUEST_RESET, { input: { email: person.email } });
  return String(result.loginToken);
}

async function isSettled({ sql }: Gateway): Promise<boolean> {
  return (await sql('SELECT 1 FROM graphile_worker.jobs')).length === 0;
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + 20_000; performance.now() < end; await pause(10)) if (await condition()) return;
  throw new Error(`it never came to pass that ${what}`);
}

/** What waits for its next attempt is due now. */
const hurry = ({ sql }: Gateway) =>
  sql('UPDATE graphile_worker._private_jobs SET run_at = now() WHERE locked_by IS NULL');

describe('a mail', () => {
  let smtp: MailServer;
  let gateway: Gateway;
  beforeAll(async () => {
    smtp = await startMailServer();
    gateway = await startOver(smtp.url);
  });
  afterAll(async () => {
    await gateway.stop();
    await smtp.stop();
  });

  test('says the same as text and as HTML: one code on a line of its own, one link, and no other of them', async () => {
    const person = newPerson();
    await askForMails(gateway, person);
    const subjects = new Set<string>();
    for (let n = 0; n < 3; n += 1) {
      const mail = await smtp.next(person.email);
      const { code, link, links, hrefs, token } = readMail(mail);
      subjects.add(mail.subject);
      expect(code).toMatch(/^[A-Z]{4}-[A-Z]{4}$/);
      expect(token).toMatch(/^pk_[\w-]{43}$/);
      expect(mail.text.match(/[A-Z]{4}-[A-Z]{4}/g)).toEqual([code]);
      expect(mail.html).toContain(code);
      expect(new Set(mail.html.match(/\b[A-Z]{4}-[A-Z]{4}\b/g))).toEqual(new Set([code]));
      expect(hrefs).toContain(link);
      for (const each of [...links, ...hrefs]) expect(each.startsWith('https://app.example.com/')).toBe(true);
      // Previews on locked screens and lists of mails show it.
      expect(mail.subject).not.toContain(code);
      expect(mail.parsed.headers.get('auto-submitted')).toBe('auto-generated');
    }
    expect(subjects.size).toBe(3);
  });

  test('can be answered by its code and by its link', async () => {
    const person = newPerson();
    const client = gateway.client();
    const { result } = await client.send(SIGN_UP, { input: person });
    const { code } = readMail(await smtp.next(person.email));
    hold(client, await client.send(VERIFY_EMAIL, { input: { proof: { code: { handle: result.loginToken, code } } } }));
    await client.send(REQUEST_LOGIN_CODE, { input: { email: person.email } });
    const { token } = readMail(await smtp.next(person.email));
    hold(client, await client.send(LOG_IN_WITH_CODE, { input: { proof: { token } } }));
  });

  test('links to where the configuration says, whatever a request claims to be (R09: building links of the request)', async () => {
    const claims: readonly [Record<string, string>, string?][] = [
      [{ host: 'evil.example' }],
      [{ host: 'evil.example:443' }],
      [{ 'x-forwarded-host': 'evil.example' }],
      [{ 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http', 'x-forwarded-port': '8443' }],
      [{ forwarded: 'for=192.0.2.1;host=evil.example;proto=http' }],
      [{ 'x-original-url': 'https://evil.example/', 'x-rewrite-url': 'https://evil.example/' }],
      [{ 'x-host': 'evil.example', 'x-forwarded-server': 'evil.example', 'x-original-host': 'evil.example' }],
      [{ referer: 'https://evil.example/' }],
      [{}, 'http://evil.example/graphql'],
      [{ origin: 'https://evil.example' }],
    ];
    for (const [headers, path] of claims) {
      const person = newPerson();
      const bodies = [
        { query: SIGN_UP, variables: { input: person } },
        { query: REQUEST_LOGIN_CODE, variables: { input: { email: person.email } } },
        { query: REQUEST_RESET, variables: { input: { email: person.email } } },
      ];
      const statuses: number[] = [];
      for (const body of bodies) statuses.push(await postAs(gateway, headers, path, body));
      // Another origin or form of request may be refused; what is accepted links to us.
      const accepted = statuses.filter((status) => status === 200).length;
      for (let n = 0; n < accepted; n += 1) {
        const mail = await smtp.next(person.email);
        const { links, hrefs, token } = readMail(mail);
        expect(token).not.toBe('');
        expect([...links, ...hrefs].filter((each) => !each.startsWith('https://app.example.com/'))).toEqual([]);
        expect(mail.parsed.headerLines.map(({ line }) => line).join('\n') + mail.text + mail.html).not.toContain(
          'evil',
        );
      }
      if (!('origin' in headers || 'referer' in headers)) expect([headers, path, accepted]).toEqual([headers, path, 3]);
    }
  });

  test('that its server took and forgot to say so comes again under the same Message-ID', async () => {
    const person = newPerson();
    smtp.hangUp(1);
    await gateway.client().send(SIGN_UP, { input: person });
    const first = await smtp.next(person.email);
    await until(async () => {
      await hurry(gateway);
      return isSettled(gateway);
    }, 'the mail is sent again');
    const second = await smtp.next(person.email);
    expect(second.messageId).toBe(first.messageId);
    expect(readMail(second)).toEqual(readMail(first));
  });
});

/** Sends a request as fetch would not: with any Host, and in absolute form. */
async function postAs(gateway: Gateway, headers: Record<string, string>, path = '/graphql', body: object = {}) {
  const { hostname, port } = new URL(gateway.url);
  const address = gateway.client().headers;
  const sent = request({
    hostname,
    port,
    path,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...address, ...headers },
  });
  sent.end(JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  await readText(response);
  return response.statusCode ?? 0;
}

describe('a mail server that is down', () => {
  test('shows in no answer; when it is back everything is delivered, each mail once (without a job in the transaction it would be lost)', async () => {
    const first = await startMailServer();
    const gateway = await startOver(first.url);
    const client = gateway.client();
    const people = Array.from({ length: 4 }, newPerson);
    await askForMails(gateway, people[0] as Person, client);
    await until(() => isSettled(gateway), 'the first mails are sent');
    expect(first.received).toHaveLength(3);
    await first.stop();

    const tokens: string[] = [];
    for (const person of people.slice(1)) tokens.push(await askForMails(gateway, person));
    // What waits for its mail goes on being answered.
    for (const loginToken of tokens) {
      const { result } = await client.send(CONTINUE_LOGIN, { input: { loginToken } });
      expect(result.__typename).toBe('EmailVerificationRequired');
    }
    await until(
      async () => (await gateway.sql('SELECT 1 FROM graphile_worker.jobs WHERE attempts = 0')).length === 0,
      'each was tried',
    );
    expect(await gateway.sql('SELECT 1 FROM graphile_worker.jobs')).toHaveLength(9);

    const second = await startMailServer(first.port);
    await until(async () => {
      await hurry(gateway);
      return isSettled(gateway);
    }, 'everything is sent');
    expect(second.received).toHaveLength(9);
    const all = [...first.received, ...second.received];
    expect(new Set(all.map(({ messageId }) => messageId)).size).toBe(12);
    for (const [index, person] of people.slice(1).entries()) {
      const mails = second.received.filter(({ to }) => to.includes(person.email));
      expect(mails).toHaveLength(3);
      const code = readMail(mails.find(({ subject }) => /verify|confirm/i.test(subject)) as ReceivedMail).code;
      const proof = { code: { handle: tokens[index], code } };
      hold(client, await client.send(VERIFY_EMAIL, { input: { proof } }));
    }
    await gateway.stop();
    await second.stop();
  });

  test('or that never says a word, is waited for by no request (without jobs each would take its ten seconds)', async () => {
    const silent = await startSilentServer();
    const gateway = await startOver(silent.url);
    const person = newPerson();
    const client = gateway.client();
    const handle = await askForMails(gateway, person, client);
    gateway.clock.advance(31_000);
    expect((await client.send(RESEND_CODE, { input: { handle } })).result.__typename).toBe('CodeSent');
    await until(() => silent.connections() > 0, 'it is asked');
    // All of these were answered while the first mail is still on its way.
    const jobs = await gateway.sql<{ attempts: number; last_error: string | null }>(
      'SELECT attempts, last_error FROM graphile_worker.jobs',
    );
    expect(jobs).toHaveLength(4);
    expect(jobs.every(({ last_error }) => last_error === null)).toBe(true);
    await silent.stop();
    await gateway.stop();
  });
});

describe('a gateway that is killed between its answer and the mail', () => {
  let database: TestDatabase;
  let smtp: MailServer;
  let silent: SilentServer;
  beforeAll(async () => {
    database = await createDatabase(inject('templateUrl'));
    [smtp, silent] = await Promise.all([startMailServer(), startSilentServer()]);
  });
  afterAll(async () => {
    await Promise.all([smtp.stop(), silent.stop()]);
    await database.drop();
  });

  const settings = (smtpUrl: string) => ({
    ...SETTINGS,
    DATABASE_URL: database.url,
    POSTERN_SECRET: 'the secret of the tests is long enough to be one',
    POSTERN_PASSWORD_HASH: 'm=64,t=1,p=1',
    POSTERN_SMTP_URL: smtpUrl,
  });
  const clientOf = (url: string) => new GraphQLClient(url, {});

  test('has the mail sent by whoever comes after it (without freeing the jobs of the dead it would wait for hours)', async () => {
    const people = [newPerson(), newPerson(), newPerson()];
    const tokens: unknown[] = [];
    const first = spawnGateway(settings(silent.url));
    const client = clientOf(await first.ready());
    for (const person of people) {
      const { result } = await client.send(SIGN_UP, { input: person });
      expect(result.__typename).toBe('EmailVerificationRequired');
      tokens.push(result.loginToken);
    }
    await until(() => silent.connections() > 0, 'the mail is on its way');
    await first.end('SIGKILL');

    const second = spawnGateway(settings(smtp.url));
    const again = clientOf(await second.ready());
    for (const [index, person] of people.entries()) {
      const { code } = readMail(await smtp.next(person.email));
      hold(again, await again.send(VERIFY_EMAIL, { input: { proof: { code: { handle: tokens[index], code } } } }));
    }
    await second.end('SIGTERM');
  });

  test('at the instant of the answer too', async () => {
    const people: Person[] = [];
    for (let round = 0; round < 2; round += 1) {
      const gateway = spawnGateway(settings(silent.url));
      const person = newPerson();
      const { result } = await clientOf(await gateway.ready()).send(SIGN_UP, { input: person });
      await gateway.end('SIGKILL');
      expect(result.__typename).toBe('EmailVerificationRequired');
      people.push(person);
    }
    const last = spawnGateway(settings(smtp.url));
    await last.ready();
    for (const person of people) expect(readMail(await smtp.next(person.email)).code).not.toBe('');
    await last.end('SIGTERM');
    const ids = smtp.received.map(({ messageId }) => messageId);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('what a mail carries', () => {
  test('stands nowhere in plain text: neither in the database, waiting, failed or sent, nor in a log line (R02, D02: sealing the job)', async () => {
    const first = await startMailServer();
    const gateway = await startOver(first.url);
    await first.stop();
    const person = newPerson();
    const client = gateway.client();
    await askForMails(gateway, person, client);
    await until(
      async () => (await gateway.sql('SELECT 1 FROM graphile_worker.jobs WHERE attempts = 0')).length === 0,
      'each was tried and failed',
    );
    const waiting = await dump(gateway);

    const second = await startMailServer(first.port);
    await until(async () => {
      await hurry(gateway);
      return isSettled(gateway);
    }, 'everything is sent');
    const { result } = await client.send(SIGN_UP, { input: newPerson() });
    expect(result.__typename).toBe('EmailVerificationRequired');
    const added = newPerson().email;
    const login = await client.send(REQUEST_LOGIN_CODE, { input: { email: person.email } });
    await until(() => isSettled(gateway), 'the code is sent');
    const code = readMail(second.received.at(-1) as ReceivedMail).code;
    const held = hold(
      client,
      await client.send(LOG_IN_WITH_CODE, { input: { proof: { code: { handle: login.result.loginToken, code } } } }),
    );
    await held.client.send(ADD_EMAIL, { input: { email: added } });
    await until(() => isSettled(gateway), 'everything is sent');
    const sent = await dump(gateway);

    const secrets = second.received.flatMap((mail) => {
      const { code, token } = readMail(mail);
      return [code, code.replace('-', ''), token, token.slice(3)].filter((secret) => secret !== '');
    });
    expect(secrets.length).toBeGreaterThanOrEqual(4 * 5);
    const logs = gateway.logs.join('\n');
    for (const secret of secrets) {
      for (const form of formsOf(secret)) {
        expect(found(waiting, form)).toEqual([]);
        expect(found(sent, form)).toEqual([]);
        expect(logs).not.toContain(form);
      }
    }
    // Whom it goes to stands where people are kept, and nowhere else.
    const homes = ['public.emails', 'public.challenges', 'public.pending_logins', 'public.events'];
    for (const address of [person.email, added]) {
      for (const form of formsOf(address)) {
        expect(found(waiting, form).filter((table) => !homes.includes(table))).toEqual([]);
        expect(found(sent, form).filter((table) => !homes.includes(table))).toEqual([]);
        expect(logs).not.toContain(form);
      }
    }
    // The search finds what is there.
    expect(found(sent, person.email)).toContain('public.emails');
    expect(found(waiting, 'sealed')).toContain('graphile_worker._private_jobs');
    expect(logs).toContain('a job has failed');
    await gateway.stop();
    await second.stop();
  });
});

/** How a text may stand in a dump: as it is, as bytes in hex, in base64. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [secret, bytes.toString('hex'), bytes.toString('base64').replace(/=+$/, '')];
}

/** Every row of every table, as text. */
async function dump({ databaseUrl }: Gateway): Promise<ReadonlyMap<string, string>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows: tables } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
     WHERE table_schema IN ('public', 'graphile_worker') AND table_type = 'BASE TABLE'`,
  );
  const dumped = new Map<string, string>();
  for (const { name } of tables) {
    const { rows } = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
    dumped.set(name, rows.map(({ row }) => row).join('\n'));
  }
  await client.end();
  return dumped;
}

function found(dumped: ReadonlyMap<string, string>, text: string): string[] {
  return [...dumped].filter(([, rows]) => rows.includes(text)).map(([table]) => table);
}
